"""What stands before the app: whom it answers, at which addresses, and what a question may hold.

A page of another site can have a visitor's browser ask a server on loopback, by its address or by a name of its own
that leads there (DNS rebinding): the browser then says so in `Host` and `Origin`. And a client of the API may write an
address in the place of a file, which gradio would fetch for it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")

QUESTION_BYTES = 1_000_000
"""Of a question that is no upload."""

PAGE = re.compile(r"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(assets|static|svelte)/[^?]*)")
API = re.compile(
    r"/gradio_api/(upload|upload_progress|queue/(join|data)|heartbeat/\w+|startup-events|reset/?|cancel|app_id/?|"
    r"component_server/?|theme\.css|info/?|run/predict|file=.+)"
)
"""`run/predict` asks for what does not wait in the queue, such as a stop; the queue does not let others through it."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}"
)
"""The browser itself asks nobody else."""


class Guard:
    """An ASGI application in front of another.

    Args:
        app: the other.
        hosts: names by which it may be asked for; those of loopback always are. "*": any, of what is public anyway.
        upload_bytes: of an upload.
        frames: pages that may show it inside.
    """

    def __init__(self, app: ASGI, hosts: Collection[str] = (), upload_bytes: int = 10**9, frames: str = "'none'"):
        self.app, self.hosts, self.upload_bytes = app, {*LOOPBACK, *hosts}, upload_bytes
        self.policy = POLICY.format(frames=frames)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # it has no web sockets
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if refused := self.refuses(scope["method"], scope["path"], headers):
            return await _answer(send, *refused)
        if scope["method"] == "POST" and "multipart/" not in headers.get("content-type", ""):
            body = await _read(receive, QUESTION_BYTES)
            if body is None:
                return await _answer(send, 413, "the question is too large.")
            if asks_to_fetch(body):
                return await _answer(send, 400, "files are uploaded here, and never fetched from an address.")
            receive = _again(body, receive)
        await self.app(scope, receive, self._sending(send))

    def refuses(self, method: str, path: str, headers: MutableMapping[str, str]) -> tuple[int, str] | None:
        """Status and sentence, if this is not to be answered."""
        host = _name(headers.get("host", ""))
        if host not in self.hosts and "*" not in self.hosts:
            return 403, f"this app does not answer for the host {host[:80]!r}; see --allow-host."
        origin = headers.get("origin")
        if origin is not None and _name(urlsplit(origin).netloc) not in {*self.hosts, host}:
            return 403, "pages of other sites may not ask this app."
        if headers.get("sec-fetch-site") == "cross-site" and method != "GET":
            return 403, "pages of other sites may not ask this app."
        if not (PAGE.fullmatch(path) or API.fullmatch(path)) or re.search(r"=\s*\w+:/", path):
            return 404, "there is nothing here."
        size = headers.get("content-length", "0")
        if not size.isdigit() or int(size) > self.upload_bytes + 100_000:  # and what stands around it
            return 413, f"files of up to {self.upload_bytes / 1e6:g} MB are taken."
        return None

    def _sending(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {
                    b"content-security-policy": self.policy.encode(), b"x-content-type-options": b"nosniff",
                    b"referrer-policy": b"no-referrer", b"cross-origin-resource-policy": b"same-origin",
                }  # fmt: skip
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in own]
                message = {**message, "headers": [*kept, *own.items()]}
            await send(message)

        return sending


def asks_to_fetch(body: bytes) -> bool:
    """Does a question name an address where a file should be?

    >>> asks_to_fetch(b'{"data": [{"path": "http://example.org/x.png"}]}'), asks_to_fetch(b'{"data": ["http://a"]}')
    (True, False)
    """
    try:
        left = [json.loads(body)] if body else []
    except (ValueError, RecursionError):
        return False  # gradio refuses it
    while left:
        one = left.pop()
        if isinstance(one, dict):
            path = one.get("path")
            if isinstance(path, str) and re.match(r"\s*[a-z][a-z0-9+.-]*:", path, re.IGNORECASE) and path[1:2] != ":":
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False


def _name(host: str) -> str:
    """Without the port.

    >>> _name("[::1]:7860"), _name("Localhost:80")
    ('::1', 'localhost')
    """
    name = host.lower().rsplit(":", 1)[0] if re.search(r":\d+\Z", host) and not host.endswith("]") else host.lower()
    name = name.strip("[]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


async def _read(receive: Receive, most: int) -> bytes | None:
    """The body; None: there is more of it."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body") or message["type"] == "http.disconnect":
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, and then whatever comes."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
