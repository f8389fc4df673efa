"""The web on loopback: files at any address, for whoever asks through this server as a proxy, and faults on demand.

with web(monkeypatch) as server:
    server.files["http://example.org/model.pth"] = b"..."
    server.cuts["model.pth"] = [1000]      # the first answer with that file ends after so many bytes
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

import pytest

PROXY = "http_proxy"


class WebServer(ThreadingHTTPServer):
    """Sends `files`; of answers only as much as `cuts` say, file name -> bytes of one answer after another."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: dict[str, list[int]] = {}
        self.asked: list[tuple[str, str | None]] = []
        """File name and wanted range of each request."""
        self.headers: list[dict[str, str]] = []
        self.reached, self.answering = threading.Event(), threading.Event()
        """The first is set by a request; the second, cleared, has all of them wait."""
        self.answering.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: WebServer

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        name, wanted = PurePosixPath(self.path).name, self.headers.get("Range")
        self.server.asked.append((name, wanted))
        self.server.headers.append(dict(self.headers))
        self.server.reached.set()
        self.server.answering.wait(60)
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        first = int((wanted or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        cuts = self.server.cuts.get(name)
        self.wfile.write(body[first:][: cuts.pop(0) if cuts else None])


@contextlib.contextmanager
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """All that this process asks of the web, it asks of the server; so do children to which `through` says so."""
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv(PROXY, server.address)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("urllib.request._opener", None)  # which has read the environment when it was made
        yield server
        server.answering.set()
        server.shutdown()
        thread.join()
        monkeypatch.setattr("urllib.request._opener", None)


def through(address: str) -> None:
    """In a child: ask the web of this server."""
    os.environ[PROXY] = address
    os.environ.pop("HF_HUB_OFFLINE", None)
