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
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from i2izoo.errors import DataError

CHUNK = 1 << 20
ATTEMPTS = 5
Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and those of the whole file where the server says them."""


_may_fetch: ContextVar[bool] = ContextVar("_may_fetch", default=True)


class DownloadError(DataError):
    """A file could not be fetched; `reason` says why in a few words, for callers with a message of their own."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@contextlib.contextmanager
def fetching_nothing() -> Iterator[None]:
    """Within it, what is not on this machine is a DownloadError at once."""
    token = _may_fetch.set(False)
    try:
        yield
    finally:
        _may_fetch.reset(token)


def cache_folder() -> Path:
    """Where downloads are kept: the environment variable I2IZOO_CACHE, or ~/.cache/i2izoo."""
    return Path(os.environ.get("I2IZOO_CACHE") or "~/.cache/i2izoo").expanduser()


def download(
    url: str,
    place: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    timeout: float = 30,
    attempts: int = ATTEMPTS,
    progress: Progress | None = None,
) -> str:
    """Fetch `url` to the file `place`.

    What has arrived is kept in `<place>.part`. A connection that breaks is taken up where it broke (an HTTP Range
    request), at once as long as it goes forward, and by the next call, too. A server without Range sends all anew.

    Args:
        url: http or https.
        place: the file; its folder is created.
        sha256: what the whole file must hash to, or the first digits; None accepts any that has the length that the
            server announced.
        size: bytes that the whole file must have.
        timeout: seconds without an answer.
        attempts: give up after so many in a row that did not bring the file further.
        progress: told how far it is after each piece.

    Returns:
        The SHA-256 of the file, in hex.

    Raises:
        DownloadError: refused, unreachable, broken off again and again, or of another checksum or size (then
            the file is removed).
    """
    part = place.with_name(place.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if place.is_file():
        place.replace(part)  # put there by the user: to be checked, not fetched
    elif not _may_fetch.get():
        raise DownloadError(f"{place} is not there, and {url} is not asked for it now.", "nothing is fetched now")
    else:
        _fetch_all(url, part, place, timeout, attempts, progress)
    digest, length = file_sha256(part), part.stat().st_size
    if size is not None and length != size:
        part.unlink()
        raise DownloadError(
            f"{url} sent {length} bytes, wanted are {size}; they were removed. Has that file changed?",
            f"{length} bytes came, wanted are {size}",
        )
    if sha256 is not None and not digest.startswith(sha256):
        part.unlink()
        raise DownloadError(
            f"what {url} sent has the SHA-256 {digest}, wanted is {sha256}; it was removed. Try again; if it stays so, "
            "the file at that address has changed.",
            f"what came has the SHA-256 {digest}, wanted is {sha256}",
        )
    part.replace(place)
    return digest


def _fetch_all(url: str, part: Path, place: Path, timeout: float, attempts: int, progress: Progress | None) -> None:
    """Ask again as long as each answer brings the file further than any before."""
    failures, furthest = 0, part.stat().st_size if part.exists() else 0
    while True:
        try:
            if _fetch(url, part, timeout, progress):
                return
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            reason = f"the server says {error.code} {error.reason}"
            raise DownloadError(f"{url} cannot be downloaded: {reason}.", reason) from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        after = part.stat().st_size if part.exists() else 0
        failures, furthest = (0, after) if after > furthest else (failures + 1, furthest)
        if failures >= attempts or not after:
            raise DownloadError(
                f"{url} cannot be downloaded: {reason}. {after} bytes are kept, so try again to go on from there, "
                f"or fetch it otherwise and put it at {place}.",
                reason,
            )


def _fetch(url: str, part: Path, timeout: float, progress: Progress | None) -> bool:
    """One request, appended to `part`; is the file complete?"""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "i2izoo"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        # 416: nothing is left to send. Complete, if the size is right; otherwise the file has changed: begin anew
        if error.code != 416 or not have:
            raise
        if (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
            return True
        part.unlink()
        return _fetch(url, part, timeout, progress)
    with response:
        resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and response.status == 206 and not resumed:
            part.unlink()  # the server sends another range than was asked for
            return _fetch(url, part, timeout, progress)
        length = response.headers.get("Content-Length")
        whole = None if length is None else int(length) + (have if resumed else 0)
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read1(CHUNK):
                file.write(chunk)
                if progress is not None:
                    progress(file.tell(), whole)
    return whole is None or part.stat().st_size == whole


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
