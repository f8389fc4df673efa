"""What can go wrong with a Hub, on demand: `hub.faults["model.safetensors"] = Cut(after=1000)`, see hub_server."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Cut:
    """Close the connection `after` so many bytes of the body, `times` times."""

    after: int
    times: int = 1_000_000


@dataclass
class Truncate:
    """Send only `size` bytes, as if that were the whole body (what a bad proxy keeps)."""

    size: int
    lie_in_head: bool = False
    """Give the short size in answer to HEAD too, so that only the hash can tell."""


@dataclass
class Fail:
    """Answer with this status."""

    status: int = 500
    code: str | None = None


@dataclass
class Headers:
    """Add headers to the right answer, or replace them."""

    headers: dict[str, str]


@dataclass
class Reply:
    """Answer with this, whatever was asked. Without a Content-Length, the end of the connection is that of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1
    """Content-Length; -1: the right one, None: none."""
    endless: bool = False
    """Send the body again and again, for as long as somebody reads it."""

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        headers = dict(self.headers)
        if self.length is not None:
            headers["Content-Length"] = str(len(self.body) if self.length == -1 else self.length)
        handler.send_response(self.status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        if handler.command != "HEAD":
            handler.wfile.write(self.body)
            while self.endless:
                handler.wfile.write(self.body)


@dataclass
class Hang:
    """Send `after` bytes of an answer, of its head, too, and then nothing until `release` is set.

    Attributes:
        reached: is set when it hangs.
    """

    after: int
    head: bool = False
    """Count the bytes of the head, too: 0 is silence."""
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.reached.set()
        self.release.wait(60)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


Fault = Cut | Truncate | Fail | Headers | Reply | Hang
