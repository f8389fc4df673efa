"""Chromium as a visitor drives it: one tab over the DevTools protocol, through a pipe and without further libraries.

with driven() as tab:
    tab.open("http://127.0.0.1:7860/")
    tab.wait("document.querySelector('#run')")
    tab.upload("#image input[type=file]", path)
    tab.click("#run")
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from browser import BROWSER, SCHEMES

PATIENCE = 180
"""Seconds that a page may take, on a machine that has much else to do."""


class Tab:
    """A page of the browser.

    Attributes:
        events: what the browser told, in order.
    """

    def __init__(self, to: Any, answers: Any) -> None:
        self._to, self._answers, self._count = to, answers, 0
        self.events: list[dict[str, Any]] = []
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol."""
        return self._ask(method, parameters, sessionId=self._session)

    def open(self, address: str, width: int = 1440, height: int = 900) -> None:
        """Go there, in a window of this size."""
        metrics = {"deviceScaleFactor": 1, "mobile": width < 600}
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, **metrics)
        self.do("Page.navigate", url=address)

    def get(self, expression: str) -> Any:
        """What JavaScript gives, also of a promise."""
        found = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str) -> Any:
        """What it gives as soon as that is true."""
        end = time.monotonic() + PATIENCE
        inside = f"const it = {expression}; return it instanceof Node || it"
        tried = f"(() => {{ try {{ {inside} }} catch {{ return null }} }})()"
        while not (found := self.get(tried)):
            assert time.monotonic() < end, f"never true: {expression}\n{self.get('document.body.innerText')}"
            self.get("new Promise(done => setTimeout(done, 200))")  # the browser's time, in which it works
        return found

    def click(self, selector: str) -> None:
        """Press what is there."""
        self.wait(f"document.querySelector({json.dumps(selector)})")
        self.get(f"document.querySelector({json.dumps(selector)}).click()")

    def upload(self, selector: str, *files: Path) -> None:
        """Choose files."""
        self.wait(f"document.querySelector({json.dumps(selector)})")
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", files=[str(path) for path in files], nodeId=node)

    def draw(self, points: Sequence[tuple[float, float]]) -> None:
        """Move the pressed mouse along."""
        (x, y), *_ = points
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.do("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", buttons=1, clickCount=1)
        for x, y in points:
            self.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.do("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    def key(self, key: str, code: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """The page as an image."""
        data = self.do("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def calm(self) -> None:
        """Wait until the page has asked for nothing for a second of the browser's time."""
        asked = -1
        while asked != len(self.asked()):
            asked = len(self.asked())
            self.get("new Promise(done => setTimeout(done, 1000))")

    def asked(self) -> list[str]:
        """The addresses that the page asked for."""
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def problems(self) -> list[str]:
        """Errors that the page has thrown or logged."""
        thrown = [e["params"]["exceptionDetails"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        return [json.dumps(one) for one in thrown + [one for one in logged if one["level"] == "error"]]

    def _ask(self, method: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._count += 1
        self._to.write(json.dumps({"id": self._count, "method": method, "params": parameters, **more}).encode() + b"\0")
        self._to.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _message(self) -> bytes:
        found = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has gone"
            found += byte
        return bytes(found)


@contextlib.contextmanager
def driven(scheme: str = "light", *options: str) -> Iterator[Tab]:
    """A browser of its own, without a window."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()

    def pipes() -> None:  # in the child: the protocol is at 3 and 4
        high = [os.dup(theirs_in), os.dup(theirs_out)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe", SCHEMES[scheme],
            "--enable-unsafe-swiftshader", f"--user-data-dir={profile}", *options,
        ]  # fmt: skip
        with subprocess.Popen(
            command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            os.close(theirs_in)
            os.close(theirs_out)
            with os.fdopen(ours_out, "wb") as to, os.fdopen(ours_in, "rb") as answers:
                try:
                    yield Tab(to, answers)
                finally:
                    process.kill()
                    process.wait()
