"""Whom the app answers, at which addresses, and what a question may hold; without gradio."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from i2izoo.app.guard import QUESTION_BYTES, Guard


class Behind:
    """An application that writes down what reaches it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append((await receive())["body"])
        headers = [(b"content-type", b"text/html"), (b"referrer-policy", b"unsafe-url")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"here"})


def ask(
    path: str = "/", body: bytes = b"", method: str = "GET", guard: Guard | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer; `host` is that of loopback unless it is given."""
    sent: list[Any] = []
    given = {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    pieces = [{"type": "http.request", "body": body[:10], "more_body": True},
              {"type": "http.request", "body": body[10:], "more_body": False}]  # fmt: skip

    async def receive() -> Any:
        return pieces.pop(0) if method == "POST" else {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    asyncio.run((guard or Guard(Behind(), upload_bytes=5_000_000))(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(one["body"] for one in sent[1:]).decode()


def test_it_answers_on_loopback_and_by_names_that_were_allowed() -> None:
    for host in ("localhost", "LOCALHOST:7860", "127.0.0.1:1", "[::1]:7860", "[0:0:0:0:0:0:0:1]:7860"):
        assert ask(host=host)[::2] == (200, "here")
    for host in ("evil.example", "127.0.0.1.evil.example:7860", "evil.example:127.0.0.1", "", "localhost.", "0.0.0.0"):
        status, _, said = ask(host=host)
        assert status == 403
        assert "does not answer for the host" in said
    guard = Guard(Behind(), hosts=["zoo.example"])
    assert ask(host="zoo.example", guard=guard)[0] == 200
    assert ask(host="evil.example", guard=guard)[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example", "file://"])
def test_pages_of_other_sites_get_nothing(origin: str) -> None:
    assert ask("/gradio_api/queue/join", b"{}", "POST", origin=origin)[0] == 403
    assert ask("/gradio_api/queue/join", b"{}", "POST", sec_fetch_site="cross-site")[0] == 403
    assert ask("/gradio_api/queue/join", b"{}", "POST", origin="http://localhost:7860")[0] == 200
    public = Guard(Behind(), hosts=["*"])
    assert ask("/", guard=public, host="me-zoo.hf.space", origin="https://me-zoo.hf.space")[0] == 200
    assert ask("/", guard=public, host="me-zoo.hf.space", origin=origin)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=http://example.org", "/gradio_api/file=http://example.org/x", "/docs", "/openapi.json",
        "/gradio_api/vibe-edit/", "/monitoring", "/gradio_api/openapi.json", "/gradio_api/file=https:/x", "/..%2fx",
        "/login", "/gradio_api/call/x", "/gradio_api/run/x", "/gradio_api/runs", "/dev/reload",
    ],
)  # fmt: skip
def test_other_addresses_are_not_there(path: str) -> None:
    assert ask(path)[0] == 404


@pytest.mark.parametrize("path", ["http://10.0.0.1/x.png", "HTTPS://a", " http://a", "ftp://a", "file:///etc/passwd"])
def test_no_address_is_fetched_for_a_client(path: str) -> None:
    behind = Behind()
    body = json.dumps({"data": [1, {"background": {"path": path, "meta": {"_type": "gradio.FileData"}}}]}).encode()
    status, _, said = ask("/gradio_api/queue/join", body, "POST", Guard(behind))
    assert (status, said) == (400, "files are uploaded here, and never fetched from an address.")
    assert not behind.bodies


def test_what_is_no_file_passes_as_it_is() -> None:
    behind = Behind()
    body = json.dumps({"data": ["http://a text", {"path": "/tmp/x.png", "url": "http://127.0.0.1/x"}]}).encode()
    assert ask("/gradio_api/queue/join", body, "POST", Guard(behind))[0] == 200
    assert behind.bodies == [body]


def test_large_questions_and_uploads_are_refused() -> None:
    assert ask("/gradio_api/queue/join", b"x" * (QUESTION_BYTES + 1), "POST")[0] == 413
    status, _, said = ask("/gradio_api/upload", b"", "POST", content_length="6000000")
    assert (status, said) == (413, "files of up to 5 MB are taken.")
    assert ask("/gradio_api/upload", b"", "POST", content_length="-1")[0] == 413


def test_the_browser_asks_nobody_else() -> None:
    _, headers, _ = ask()
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert not [word for words in policy.values() for word in words.split() if "//" in word or word in ("*", "https:")]
    assert policy["frame-ancestors"] == "'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
