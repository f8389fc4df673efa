"""Files from the web: resumed where they broke off, checked, and put in place whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from i2izoo.errors import DataError
from i2izoo.files.kept import cache_folder as cache_folder
from i2izoo.files.progress import Progress
from i2izoo.files.waiting import Ask, Head, TooSlow, answer, time_limit

CHUNK = 1 << 20
ATTEMPTS = 5
STUMBLES = 50
"""Attempts that brought less than `STEP` bytes each, all in all: a server may cut the connection after every byte."""
STEP = 1 << 15


_may_fetch: ContextVar[bool] = ContextVar("_may_fetch", default=True)


class DownloadError(DataError):
    """A file could not be fetched; `reason` says why in a few words, for callers with a message of their own."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class WrongContentError(DownloadError):
    """What came has another length or checksum than was wanted; it was removed."""


class Refused(Exception):
    """What an `Ask` raises where the server says no; the message says why in a few words."""


@contextlib.contextmanager
def fetching_nothing() -> Iterator[None]:
    """Within it, what is not on this machine is a DownloadError at once."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


def may_fetch() -> bool:
    """Is this outside of `fetching_nothing`?"""
    return _may_fetch.get()


def offline() -> str | None:
    """The environment variable that says that nothing may be fetched; None: none does."""
    yes = ("1", "ON", "YES", "TRUE")  # as the Hub's client reads its own
    return next((n for n in ("I2IZOO_OFFLINE", "HF_HUB_OFFLINE") if os.environ.get(n, "").upper() in yes), None)


def ask_web(url: str, headers: Mapping[str, str], timeout: float) -> Generator[Head | bytes, None, None]:
    """A GET by Python's own client; see `waiting.Ask`.

    Raises:
        Refused: the server says no.
        OSError, http.client.HTTPException: it cannot be reached, or answers in another language than HTTP.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "i2izoo", **headers})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416:
                raise Refused(f"the server says {error.code} {error.reason}") from error
            yield Head(416, {k.lower(): v for k, v in error.headers.items()})
            return
    with response:
        yield Head(response.status, {k.lower(): v for k, v in response.headers.items()})
        while chunk := response.read1(CHUNK):
            yield chunk


def download(
    url: str,
    place: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    timeout: float = 30,
    attempts: int = ATTEMPTS,
    progress: Progress | None = None,
    ask: Ask = ask_web,
) -> str:
    """Fetch `url` to the file `place`.

    What has arrived is kept in `<place>.part`. A connection that breaks is taken up where it broke (an HTTP Range
    request), at once as long as it goes forward, and by the next call, too. A server without Range sends all anew.

    Args:
        url: http or https.
        place: the file; its folder is created.
        sha256: what the whole file must hash to, or the first digits; None accepts any that has the length that the
            server announced.
        size: bytes that the whole file must have; no more are taken.
        timeout: seconds without an answer, or for each 1024 bytes times as many; the environment variable
            I2IZOO_TIMEOUT goes before it.
        attempts: give up after so many in a row that did not bring the file further.
        progress: told how far it is after each piece.
        ask: sends a request; raises `Refused` for what need not be tried again.

    Returns:
        The SHA-256 of the file, in hex.

    Raises:
        DownloadError: refused, unreachable, broken off again and again, slower than 1 KiB a second, not to be written
            here, or of another checksum or size (then the file is removed).
    """
    part = place.with_name(place.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if place.is_file():
        place.replace(part)  # put there by the user: to be checked, not fetched
    elif not may_fetch():
        raise DownloadError(f"{place} is not there, and {url} is not asked for it now.", "nothing is fetched now")
    else:
        _Download(url, part, place, size, time_limit(timeout), progress, ask).run(attempts)
    digest, length = file_sha256(part), part.stat().st_size
    if size is not None and length != size:
        part.unlink()
        sent = f"{length} bytes" if length < size else f"more than {size} bytes"
        raise WrongContentError(
            f"{url} sent {sent}, wanted are {size}; they were removed. Has that file changed?",
            f"{sent} came, wanted are {size}",
        )
    if sha256 is not None and not digest.startswith(sha256):
        part.unlink()
        raise WrongContentError(
            f"what {url} sent has the SHA-256 {digest}, wanted is {sha256}; it was removed. Try again; if it stays so, "
            "the file at that address has changed.",
            f"what came has the SHA-256 {digest}, wanted is {sha256}",
        )
    part.replace(place)
    return digest


class _Download:
    """One file on its way from `url` to `part`, for as many requests as it takes."""

    def __init__(
        self, url: str, part: Path, place: Path, size: int | None, timeout: float, progress: Progress | None, ask: Ask
    ) -> None:
        self.url, self.part, self.place, self.size = url, part, place, size
        self.timeout, self.progress, self.ask = timeout, progress, ask

    @property
    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def run(self, attempts: int) -> None:
        """Ask again as long as each answer brings the file further than any before."""
        failures, furthest, stumbles = 0, self.have, 0
        while True:
            try:
                if self.request():
                    return
                reason, cause = "the connection was cut", None
            except DownloadError:
                raise
            except Refused as error:
                reason = str(error)
                raise DownloadError(f"{self.url} cannot be downloaded: {reason}.", reason) from error.__cause__
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason, cause = str(getattr(error, "reason", error)) or type(error).__name__, error
            after = self.have
            stumbles += after < furthest + STEP
            failures, furthest = (0, after) if after > furthest else (failures + 1, furthest)
            if failures >= attempts or stumbles >= STUMBLES or not after or isinstance(cause, TooSlow):
                raise DownloadError(
                    f"{self.url} cannot be downloaded: {reason}. {self._kept()}, or fetch it otherwise and put it at "
                    f"{self.place}.",
                    reason,
                ) from cause

    def request(self) -> bool:
        """One request, appended to `part`; is the file complete?"""
        have = self.have
        headers = {"Range": f"bytes={have}-"} if have else {}
        with answer(self.ask, self.url, headers, self.timeout) as (head, chunks):
            extent = head.headers.get("content-range", "")
            resumed = head.status == 206 and extent.startswith(f"bytes {have}-")
            if have and head.status == 416 and extent.rpartition("/")[2] == str(have):
                return True  # nothing is left to send
            if not have or resumed or head.status == 200:
                return self.receive(head, chunks, have if resumed else 0)
        self.part.unlink()  # the file has changed, or another range came than was asked for: begin anew
        return self.request()

    def receive(self, head: Head, chunks: Iterator[bytes], have: int) -> bool:
        """Write a body behind the first `have` bytes; is it whole?"""
        length = head.headers.get("content-length", "")
        whole = int(length) + have if length.isdecimal() else None
        with self.writing("ab" if have else "wb") as file:
            for chunk in chunks:
                with self.local():
                    file.write(chunk)
                if self.progress is not None:
                    self.progress(file.tell(), whole)
                if self.size is not None and file.tell() > self.size:
                    return True  # more than is wanted: no use to go on
        return whole is None or self.have == whole

    @contextlib.contextmanager
    def writing(self, mode: str) -> Iterator[BinaryIO]:
        with self.local():
            file = self.part.open(mode)
        try:
            yield file  # type: ignore[misc]
        finally:
            with self.local():
                file.close()

    @contextlib.contextmanager
    def local(self) -> Iterator[None]:
        """What fails in it fails on this machine, and is not tried again."""
        try:
            yield
        except OSError as error:
            reason = f"{self.part} cannot be written ({error.strerror or error})"
            raise DownloadError(f"{reason}. {self._kept()}.", reason) from error

    def _kept(self) -> str:
        return f"{self.have} bytes are kept, so try again to go on from there"


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract_tar(archive: Path, folder: Path, *, member: str) -> Path:
    """Unpack a tar archive into `folder` and return the folder `member` in it.

    Links, devices and paths that lead outside are refused (the "data" filter of tarfile).

    Raises:
        DataError: not a tar archive, damaged, unsafe, or without that folder.
    """
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}. Remove it and download it again.") from error
    if not (folder / member).is_dir():
        raise DataError(f"{archive} holds no folder {member!r}; remove it and download it again.")
    return folder / member
