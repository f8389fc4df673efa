"""A server of map tiles on loopback, with faults on demand.

with tile_server() as server:
    server.tiles["sea/10/536/358.png"] = flat((0, 0, 255))     # instead of the noise that every other tile is
    server.faults["photo/10/536/358.png"] = [(503, {"Retry-After": "7"}), "cut"]   # of its first answers
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.secret import Secret
from PIL import Image


def noise(path: str, form: str = "PNG", side: int = 64) -> bytes:
    """The tile at an address: always the same, and no other has it."""
    pixels = np.random.default_rng(list(path.encode())).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return encoded(pixels, form)


def flat(colour: tuple[int, ...], side: int = 64) -> bytes:
    return encoded(np.full((side, side, len(colour)), colour, np.uint8))


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


class TileServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tiles: dict[str, bytes | None] = {}
        """Path -> what is there instead of noise; None: nothing."""
        self.faults: dict[str, list[tuple[int, dict[str, str]] | str]] = {}
        """Path -> first answers: status and headers, or "cut" or "html"."""
        self.dies_after: int | None = None
        """Requests after which every connection is closed without an answer."""
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: TileServer

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        server, path = self.server, urlsplit(self.path).path.strip("/")
        server.asked.append(self.path)
        server.headers.append(dict(self.headers))
        if server.dies_after is not None and len(server.asked) > server.dies_after:
            return
        body = server.tiles[path] if path in server.tiles else noise(path)
        fault = server.faults[path].pop(0) if server.faults.get(path) else None
        if isinstance(fault, tuple) or body is None:
            status, headers = fault if isinstance(fault, tuple) else (404, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(f"no tile at {self.path}".encode())
            return
        body = b"<html>the quota is used up</html>" if fault == "html" else body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)


@contextlib.contextmanager
def tile_server() -> Iterator[TileServer]:
    with TileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Clock:
    """A clock that goes on while somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def client(variable: str = "I2IZOO_TILES_KEY", **settings: object) -> tuple[Client, Clock]:
    """A client that nobody waits for."""
    clock = Clock()
    return Client(Secret(variable), clock=clock, sleep=clock.sleep, now=clock, **settings), clock  # type: ignore[arg-type]
