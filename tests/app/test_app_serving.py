"""The app as it is started: it answers on loopback, and in a browser it does what a visitor wants."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import needs_browser
from driven import Tab, driven
from i2izoo_generation.stylegan2 import StyleGAN2
from PIL import Image

import i2izoo
from i2izoo.cli.main import main

ROOT = Path(__file__).parents[2]
WAITING = 240

OUTSIDE = """
import sys
def no(event, args):
    if event == "socket.connect" and args[1][0] not in ("127.0.0.1", "::1") and isinstance(args[1], tuple):
        print("outside:", args[1], file=sys.stderr, flush=True)
        raise OSError("there is no network")
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "localhost", "::1", "", None):
        print("outside:", args[0], file=sys.stderr, flush=True)
        raise OSError("there is no network")
sys.addaudithook(no)
from i2izoo.cli.main import main
sys.exit(main())
"""
"""The program, in a world without a network; what it wanted there it says."""


@contextlib.contextmanager
def started(log: Path, *words: str) -> Iterator[int]:
    """The app in a process of its own: its port."""
    command = [sys.executable, "-c", OUTSIDE, "app", "--port", "0", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=ROOT) as app,
    ):
        said: queue.Queue[str] = queue.Queue()
        assert app.stdout is not None
        threading.Thread(target=lambda: said.put(app.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
        try:
            line = said.get(timeout=WAITING)
            assert line.startswith("the app is at http://127.0.0.1:"), log.read_text()
            yield int(line.split(":")[2].split("/")[0])
        finally:
            app.terminate()
            app.wait(60)


def ask(port: int, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAITING)
    with contextlib.closing(connection):
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_it_answers_and_asks_nobody(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(log, "cyclegan-facades", "--only") as port:
        status, page = ask(port, "/")
        assert status == 200
        assert b"i2izoo" in page
        config = json.loads(ask(port, "/config")[1])
        (models,) = [one for one in config["components"] if one["props"].get("elem_id") == "model"]
        assert models["props"]["choices"] == [["cyclegan-facades", "cyclegan-facades"]]
        assert str(ROOT) not in json.dumps(config)
        assert str(Path.home()) not in json.dumps(config)
        assert ask(port, "/", Host="evil.example")[0] == 403
        assert ask(port, "/gradio_api/file=/etc/passwd")[0] == 403
        assert ask(port, f"/gradio_api/file={ROOT}/pyproject.toml")[0] == 403
        assert ask(port, "/gradio_api/proxy=http://127.0.0.1/")[0] == 404
    assert "outside:" not in log.read_text()
    assert "Traceback" not in log.read_text()


def test_what_cannot_be_served_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--host", "0.0.0.0"], "say with --allow-host NAME"),
        (["cyclegan-facade"], "did you mean 'cyclegan-facades'"),
        (["--only"], "name at least one model"),
    ):
        assert main(["app", *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def test_without_gradio_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("i2izoo.app.serving.find_spec", lambda name: None)
    assert main(["app"]) == 2
    assert capsys.readouterr().err == "i2izoo: the app needs gradio: pip install 'i2izoo[app]'.\n"


# -------------------------------------------------------------------------------------------------------- in a browser

ENDED = "document.querySelector('#status .i2-status:not(:has(progress))')?.innerText"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("app")
    log, styles = folder / "log", folder / "styles"
    i2izoo.create("stylegan2", **StyleGAN2.tiny_options).save_pretrained(styles)
    names = ("bicyclegan-facades", "palette-facades", "cyclegan-facades", str(styles))
    with started(log, *names, "--only") as found:
        yield found
    assert "outside:" not in log.read_text()
    assert "Traceback" not in log.read_text()


@contextlib.contextmanager
def visiting(port: int, model: str | None = None, width: int = 1440, scheme: str = "light") -> Iterator[Tab]:
    """A tab with the page, ready; afterwards nothing has gone wrong in it, and it has asked nobody else."""
    with driven(scheme) as tab:
        tab.open(f"http://127.0.0.1:{port}/", width)
        ready = "document.querySelectorAll('#direction input').length && document.querySelector('#examples img')"
        tab.wait(ready)
        if model:
            choose(tab, model)
            tab.calm()
        yield tab
        assert not tab.problems()
        here = (f"http://127.0.0.1:{port}/", "data:", "blob:")
        assert not [address for address in tab.asked() if not address.startswith(here)]


def choose(tab: Tab, model: str) -> None:
    tab.get("document.querySelector('#model input').focus()")
    named = f"one.innerText.trim().split(/\\s/).pop() == '{model}'"  # behind a mark
    option = f"[...document.querySelectorAll('[role=option]')].find(one => {named})"
    tab.wait(option)
    tab.get(f"{option}.dispatchEvent(new MouseEvent('mousedown', {{bubbles: true}}))")
    tab.wait(f"document.querySelector('#model input').value == '{model}'")


def type_into(tab: Tab, selector: str, value: str) -> None:
    tab.wait(f"document.querySelector({json.dumps(selector)})")
    tab.get(
        f"(() => {{ const box = document.querySelector({json.dumps(selector)}); box.value = {json.dumps(value)}; "
        "for (const kind of ['input', 'change', 'blur']) box.dispatchEvent(new Event(kind, {bubbles: true})); })()"
    )


@needs_browser
@pytest.mark.slow
def test_a_visitor_translates_and_samples(port: int, tmp_path: Path) -> None:
    image = tmp_path / "label.png"
    Image.open(ROOT / "examples" / "images" / "label.png").resize((64, 64)).save(image)
    with visiting(port) as tab:
        tab.click("#run")
        assert tab.wait(ENDED) == "Choose an image first."
        tab.upload("#image input[type=file]", image)
        tab.wait("document.querySelector('#image img')")
        tab.click("#run")
        tab.wait("document.querySelectorAll('#pair img').length == 2")
        assert tab.get("document.querySelectorAll('#pair img')[1].naturalWidth") == 64
        assert 'i2izoo.load("bicyclegan-facades")' in tab.wait("document.querySelector('#code').innerText")
        type_into(tab, "input[type=number][aria-label*=Samples]", "3")
        tab.click("#run")
        tab.wait("document.querySelectorAll('#sheet .thumbnail-item img').length == 3")
        type_into(tab, "#size textarea, #size input", "much")
        tab.click("#run")
        tab.wait("document.querySelector('#status .failed')")
        assert tab.wait(ENDED) == "Size is a side in pixels, such as 256; found 'much'."


@needs_browser
@pytest.mark.slow
def test_a_visitor_paints_and_fills(port: int) -> None:
    with visiting(port, "palette-facades") as tab:
        tab.wait("document.querySelector('#canvas') && document.querySelector('#examples img').src.includes('damaged')")
        tab.click("#examples button:has(img)")
        tab.wait("document.querySelector('#canvas canvas')?.getBoundingClientRect().width > 100")
        tab.wait("document.querySelector('#canvas [aria-label*=rush]')")
        tab.calm()
        box = "document.querySelector('#canvas canvas').getBoundingClientRect()"
        x, y = tab.get(f"{box}.x + {box}.width / 2"), tab.get(f"{box}.y + {box}.height / 2")
        tab.draw([(x - 20, y), (x, y + 5), (x + 20, y)])
        tab.wait("!document.querySelector('#canvas [aria-label=Undo]').disabled")
        tab.calm()  # the page sends what was painted
        tab.click("#run")
        tab.wait("document.querySelectorAll('#pair img').length == 2")
        assert 'mask="mask.png"' in tab.wait("document.querySelector('#code').innerText")


@needs_browser
@pytest.mark.slow
def test_files_become_a_zip_and_bad_ones_a_sentence(port: int, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        Image.new("RGB", (40, 30), "navy").save(tmp_path / name)
    (tmp_path / "bad.png").write_text("no image")
    with visiting(port, "cyclegan-facades") as tab:
        tab.get("[...document.querySelectorAll('[role=tab]')].find(one => one.innerText == 'Files').click()")
        tab.upload("#files input[type=file]", *(tmp_path / name for name in ("one.png", "bad.png", "two.png")))
        tab.wait("document.querySelector('#files').innerText.includes('two')")
        tab.click("#run-files")
        tab.wait("document.querySelector('#files-result')?.innerText.includes('translated')")
        assert tab.get("document.querySelector('#files-status').innerText") == "2 of 3 translated."
        failed = tab.get("document.querySelector('#files-failed').innerText")
        assert failed.startswith("bad.png: image 'bad.png' is not an image")
        assert "/tmp" not in failed


@needs_browser
@pytest.mark.slow
def test_a_visitor_moves_points_and_stops(port: int) -> None:
    with visiting(port, "styles") as tab:
        tab.wait("document.querySelector('#run')?.innerText == 'Generate'")
        tab.get("[...document.querySelectorAll('[role=tab]')].find(one => one.innerText == 'Points').click()")
        tab.wait("document.querySelector('#pointed img')?.getBoundingClientRect().width > 100")
        box = "document.querySelector('#pointed img').getBoundingClientRect()"
        for share in (0.3, 0.7):
            before = tab.get("document.querySelector('#pointed img').src")
            tab.draw([(tab.get(f"{box}.x + {share} * {box}.width"), tab.get(f"{box}.y + 0.5 * {box}.height"))])
            tab.wait(f"document.querySelector('#pointed img').src != {json.dumps(before)}")
        tab.click("#move")
        tab.wait("document.querySelector('#points-status').innerText.includes(' of at most 100: ')")
        tab.wait("document.querySelector('#moved img')")
        tab.click("#stop-moving")
        tab.wait("document.querySelector('#points-status .i2-status:not(:has(progress))')")
        assert not tab.get("document.querySelector('#points-status .failed')")


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(port: int, scheme: str) -> None:
    with visiting(port, width=390, scheme=scheme) as tab:
        tab.click("#examples button:has(img)")
        tab.wait("document.querySelector('#image img')")
        tab.click("#run")
        tab.wait("document.querySelectorAll('#pair img').length == 2")
        assert tab.get("document.documentElement.scrollWidth") <= 390
        assert tab.get("document.querySelector('#run').getBoundingClientRect().right") <= 390
