"""What is asked of the Hub: the list of a repository's files at one commit, and their bytes.

Only this list says which files there are, how long each is and what it hashes to; it is checked in full before any of
it is used. No path is made of the headers of a file's own answer (`ETag`, `X-Repo-Commit`), as the Hub's client does;
a server that puts a path there was made to deceive, and is refused. Requests go through the client's session, with its
proxies, certificates and token.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants, get_session, hf_hub_url
from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, logging

from i2izoo.errors import HubError, printable
from i2izoo.files.download import Refused
from i2izoo.files.hub_errors import repo_name
from i2izoo.files.waiting import Ask, Head, TooSlow, answer, time_limit

INFO_TIMEOUT = 10.0
"""Seconds to wait for the list: whoever has the model in the cache should not wait long for a Hub that is away."""

PUSH_WAIT = 60.0
"""Seconds that a push waits where the Hub asks to come again later."""

REDIRECTS = 10
LONGEST_LIST = 64 << 20

COMMIT, SHA256 = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it.

    Attributes:
        name: path in the repository.
        size: bytes; None: the list does not say, and the file cannot be fetched.
        content_hash: SHA-256 of a large file, git's name of the content of another, in hex; None: as above.
    """

    name: str
    size: int | None = None
    content_hash: str | None = None


@dataclass(frozen=True)
class RemoteFiles:
    """All files of a repository at one commit."""

    repo_id: str
    commit: str
    files: Mapping[str, RemoteFile]

    def address(self, name: str) -> str:
        return str(hf_hub_url(self.repo_id, name, revision=self.commit))


def ask_hub(token: str | bool | None) -> Ask:
    """Requests with the headers of this token.

    Raises:
        HubError: the token cannot be one.
    """
    if isinstance(token, str) and not (token.isascii() and token.isprintable()):
        raise HubError("the token holds characters that no token of the Hub has: copy it again.")
    own = {**build_hf_headers(token=token, library_name="i2izoo"), "Accept-Encoding": "identity"}
    own["Connection"] = "close"  # what is left of a wrong answer would be read as the next one

    def ask(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
        session = get_session()
        try:
            request = session.build_request("GET", url, headers={**own, **headers}, timeout=timeout)
            for _ in range(REDIRECTS):  # by hand: the client reads a redirect's body, however long it is
                with contextlib.closing(session.send(request, stream=True, follow_redirects=False)) as response:
                    if response.next_request is not None:
                        request = response.next_request  # without the token, if it is another server's
                        continue
                    _check_names_in(response.headers)
                    if response.status_code not in (200, 206, 416):
                        raise Refused(f"the Hub says {response.status_code}") from _refusal(response)
                    yield Head(response.status_code, {k.lower(): v for k, v in response.headers.items()})
                    yield from response.iter_raw()
                    return
        except HTTPError as error:  # which is no OSError
            if type(error).__name__.endswith("Timeout"):  # as long as the reader's own limit, at times the first
                raise TooSlow(timeout) from error
            raise ConnectionError(str(error) or type(error).__name__) from error
        raise Refused(f"more than {REDIRECTS} redirects")

    return ask


def _check_names_in(headers: Mapping[str, str]) -> None:
    for header in ("ETag", "X-Linked-ETag", "X-Repo-Commit"):
        value = headers.get(header, "").removeprefix("W/").strip('"')
        if ".." in re.split(r"[/\\]", value) or (value[:1] == "/" and header != "ETag"):  # a CDN's may be base64
            found = printable(value, 100)
            raise HubError(f"the Hub's answer names a place outside the cache ({header}: {found}): do not trust it.")


def _refusal(response: Any) -> BaseException:
    """The client's own error, of an answer of which only what it understands is left."""
    known = ("X-Error-Code", "X-Error-Message", "Retry-After")
    said = {name: response.headers[name] for name in known if name in response.headers}
    if "X-Error-Message" not in said:
        with contextlib.suppress(Exception):  # one piece is enough for what the Hub says, and has an end
            said["X-Error-Message"] = str(json.loads(next(response.iter_raw()))["error"])
    headers = {name: printable(text).encode() for name, text in said.items()}
    try:
        hf_raise_for_status(type(response)(response.status_code, headers=headers, request=response.request))
    except Exception as error:
        return error
    return Refused(f"the Hub answers {response.status_code}")


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """The client's own calls, of a push, do not sleep for as long as a server says, nor tell what they try again."""
    session, verbosity = get_session(), logging.get_verbosity()
    hooks = session.event_hooks
    session.event_hooks = {**hooks, "response": [*hooks["response"], _refuse_to_wait]}
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        session.event_hooks = hooks
        logging.set_verbosity(verbosity)


def _refuse_to_wait(response: Any) -> None:
    """Raise where the client would sleep for too long."""
    said = [
        response.headers.get("Retry-After", ""),
        *re.findall(r"\bt\s*=\s*(\d+)", response.headers.get("RateLimit", "")),
    ]
    longest = time_limit(PUSH_WAIT)
    if response.status_code >= 400 and any(s.isdecimal() and (len(s) > 9 or int(s) > longest) for s in said):
        raise _refusal(response)


def list_files(repo_id: str, revision: str | None, token: str | bool | None) -> RemoteFiles:
    """Ask for the files of a repository at a revision.

    Raises:
        HubError: the answer is of another kind than the Hub's, or would lead out of the cache.
        Exception: the client's, and others of a broken answer; see `hub_errors.clear_errors`.
    """
    if constants.HF_HUB_OFFLINE:
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
    url = f"{constants.ENDPOINT}/api/models/{repo_id}"
    url += f"/revision/{quote(revision, safe='')}" if revision else ""
    body = bytearray()
    try:
        with answer(ask_hub(token), f"{url}?blobs=true", {}, time_limit(INFO_TIMEOUT)) as (_, pieces):
            for piece in pieces:
                body += piece
                if len(body) > LONGEST_LIST:
                    raise HubError(f"the list of the files of {repo_name(repo_id, revision)} has no end: give it up.")
    except Refused as error:
        raise error.__cause__ or error from None
    commit, files = _read(json.loads(body), repo_name(repo_id, revision))
    if revision and COMMIT.fullmatch(revision) and commit != revision:
        raise HubError(f"the Hub answers with commit {commit} of {repo_id} for {revision}: do not trust it.")
    return RemoteFiles(repo_id, commit, files)


def _read(content: Any, name: str) -> tuple[str, dict[str, RemoteFile]]:
    """Commit and files, each value of the type and form that it must have."""

    def checked(value: Any, fits: bool, what: str) -> Any:
        if not fits:
            found = printable(repr(value), 100)
            raise HubError(f"the Hub's answer about {name} cannot be used: it has {found} as {what}.")
        return value

    def is_hash(value: Any, pattern: re.Pattern[str]) -> bool:
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    checked(content, isinstance(content, dict), "a repository")
    commit = checked(content.get("sha"), is_hash(content.get("sha"), COMMIT), "a commit")
    siblings = content.get("siblings") or []
    checked(siblings, isinstance(siblings, list), "the list of its files")
    files: dict[str, RemoteFile] = {}
    for entry in siblings:
        checked(entry, isinstance(entry, dict) and isinstance(entry.get("rfilename"), str), "a file")
        size, blob_id, lfs = entry.get("size"), entry.get("blobId"), entry.get("lfs")
        checked(size, size is None or (type(size) is int and size >= 0), "a file's size")
        checked(blob_id, blob_id is None or is_hash(blob_id, COMMIT), "a file's hash")
        checked(lfs, lfs is None or isinstance(lfs, dict), "a large file's hash")
        sha256 = lfs.get("sha256") if lfs else None
        checked(sha256, not lfs or is_hash(sha256, SHA256), "a large file's hash")
        files[entry["rfilename"]] = RemoteFile(entry["rfilename"], size, sha256 or blob_id)
    return commit, files
