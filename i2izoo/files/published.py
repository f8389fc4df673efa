"""What the authors of a method publish, in the cache: fetched once, and held against what came the first time.

    models/NAME-FINGERPRINT/   a pretrained entry, converted
    published/HASH-FILE        what was fetched to be converted; an archive stays, for the other entries in it
    published/checksums.json   address -> SHA-256, bytes and day of its first use

The folder is that of `I2IZOO_CACHE`, or ~/.cache/i2izoo.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import IO, Any

from i2izoo.contracts.plain import parse_json
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo.errors import StorageError
from i2izoo.files.download import DownloadError, WrongContentError, download, may_fetch, offline
from i2izoo.files.kept import cache_folder, converted_folder, is_whole
from i2izoo.files.locks import locked
from i2izoo.files.progress import download_bar
from i2izoo.files.refusal import naming
from i2izoo.files.writing import hidden, write_text

CHECKSUMS = "checksums.json"


class Published:
    """The checkpoints of one pretrained entry.

    Args:
        name: of the entry.
        entry: it has `checkpoints`.
        cache_dir: where all is kept; None: the cache of i2izoo.
        local_files_only: never ask the network.
    """

    def __init__(
        self,
        name: str,
        entry: PretrainedEntry,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
    ) -> None:
        cache = Path(cache_dir).expanduser() if cache_dir is not None else cache_folder()
        self.name, self.entry = name.rpartition(":")[2], entry
        self.files: Mapping[str, CheckpointFile] = entry.checkpoints or {}
        self.cache, self.folder, self.fetched = cache, converted_folder(name, entry, cache), cache / "published"
        self.fetches = not local_files_only and may_fetch() and offline() is None

    @property
    def is_here(self) -> bool:
        """Has it been converted?"""
        return is_whole(self.folder)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other process fetches or converts these files meanwhile: it waits, and finds them done."""
        with contextlib.ExitStack() as held:
            for place in sorted({self.place(file) for file in self.files.values()}):
                held.enter_context(locked(place, wait=math.inf, file=hidden(place, "lock")))
            yield

    def place(self, file: CheckpointFile) -> Path:
        """Where a file is fetched to; one that the user puts there is taken, and not fetched."""
        return self.fetched / f"{hashlib.sha256(file.url.encode()).hexdigest()[:8]}-{file.file[-100:]}"

    def fetch(self, file: CheckpointFile) -> str:
        """Bring a file to its place, going on where it broke off, and return its SHA-256.

        Raises:
            DownloadError: it cannot be had, or is another one than is declared or than came on first use.
            StorageError: the notes of first uses cannot be read.
        """
        place, noted = self.place(file), self._noted().get(file.url, {})
        if not self.fetches and not place.is_file():
            why = f"{offline()} is set" if offline() else "nothing is to be fetched"
            raise DownloadError(
                f"{self.name!r} is not in the cache {self.cache}, and {why}; load it once with the network, or put "
                f"what lies at {file.url} at {place}.",
                why,
            )
        try:
            with download_bar(file.file) as bar:
                wanted = file.sha256 or noted.get("sha256")
                return download(file.url, place, sha256=wanted, size=file.size, progress=bar)
        except WrongContentError as error:
            if file.sha256 or not noted or not error.reason.startswith("what came"):
                raise
            raise WrongContentError(
                f"{file.url} has changed: {error.reason}, as noted on first use ({noted.get('day')}), and it was "
                f"removed; if you trust the new file, remove the address from {self.fetched / CHECKSUMS}.",
                error.reason,
            ) from error

    @contextlib.contextmanager
    def checkpoint(self, file: CheckpointFile) -> Iterator[Path]:
        """The checkpoint in a fetched file: the file, or what its archive holds, unpacked for as long as it is read.

        Raises:
            StorageError: it is no archive, or one without that member.
        """
        place = self.place(file)
        if file.member is None:
            yield place
            return
        unpacked = place.with_name(f".{place.name[:9]}{file.name}")
        try:
            _unpack(place, file.member, unpacked)
            yield unpacked
        finally:
            unpacked.unlink(missing_ok=True)

    def note(self, sums: Mapping[str, str]) -> None:
        """Remember what came, address -> SHA-256, for those of which no checksum is declared."""
        place = self.fetched / CHECKSUMS
        known = {file.url: file for file in self.files.values() if file.sha256 is None}
        with locked(self.fetched, wait=math.inf, file=hidden(place, "lock")):
            noted = self._noted()
            for url in known.keys() - noted.keys():
                size = self.place(known[url]).stat().st_size
                noted[url] = {"sha256": sums[url], "size": size, "day": f"{date.today()}"}
            write_text(place, json.dumps(dict(sorted(noted.items())), indent=2) + "\n")

    def clear(self) -> None:
        """Remove what was fetched and is converted; an archive stays."""
        for file in self.files.values():
            if file.member is None:
                self.place(file).unlink(missing_ok=True)

    def _noted(self) -> dict[str, Any]:
        place = self.fetched / CHECKSUMS
        if not place.is_file():
            return {}
        try:
            found = parse_json(place.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
                raise ValueError("it is no object of objects")
        except (ValueError, OSError) as error:
            raise StorageError(
                f"{place}, the checksums of what was fetched first, cannot be read ({error}); mend it, or remove it to "
                "trust what is fetched next."
            ) from error
        return found


def _unpack(archive: Path, name: str, target: Path) -> None:
    """Copy a file out of a tar or zip archive, which may have called it `./name`."""
    try:
        with contextlib.ExitStack() as opened:
            if zipfile.is_zipfile(archive):
                source: IO[bytes] | None = opened.enter_context(zipfile.ZipFile(archive)).open(name)
            else:
                tar = opened.enter_context(tarfile.open(archive))
                found = next((m for m in tar if m.isfile() and m.name.removeprefix("./") == name), None)
                source = tar.extractfile(found) if found else None
            if source is None:
                raise KeyError("it is not in there")
            with naming(target), source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, LookupError, RuntimeError) as error:
        raise StorageError(f"{archive} is no archive that holds {name!r} ({error}).") from error
