"""Tar files of images: where each member lies, so that any of them can be read without the ones before it."""

from __future__ import annotations

import os
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from i2izoo.errors import DataError, in_a_sentence

OPEN = 64
"""Shards that are held open, at most."""


@dataclass
class Sample:
    """The members of one key.

    Attributes:
        key: what their names begin with, up to the first dot.
        members: the rest of the name -> where the bytes begin in the shard, and how many they are.
    """

    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)


def samples_in(shard: Path) -> Iterator[Sample]:
    """The samples of a shard in its order; only headers are read.

    Members of one sample follow one another, as WebDataset has it; what is no file, and hidden ones, are passed over.

    Raises:
        DataError: it is no tar file, it is compressed or cut off, or a name is there twice.
    """
    try:
        with tarfile.open(shard, "r:") as archive:  # not compressed: else bytes have no place
            current: Sample | None = None
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if not member.isreg() or name.startswith("."):
                    continue
                stem, _, extension = name.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if current is not None and current.key != key:
                    yield current
                    current = None
                current = current or Sample(key)
                if extension.lower() in current.members:
                    raise DataError(f"{shard} has {member.name!r} twice; write the shard again.")
                current.members[extension.lower()] = (member.offset_data, member.size)
            if current is not None:
                yield current
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(
            f"{shard} is no tar file that can be read in places ({in_a_sentence(error)}); shards are .tar, not "
            "compressed, and whole."
        ) from error


class Files:
    """Shards that are open, a few at a time; several threads and, after pickling, processes may read."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {}  # another process opens its own

    def __setstate__(self, _: dict[str, object]) -> None:
        self.__init__()  # type: ignore[misc]

    def __del__(self) -> None:
        for file in self._open.values():
            os.close(file)

    def read(self, shard: Path, start: int, size: int) -> bytes:
        """So many bytes from a place on.

        Raises:
            DataError: the shard is gone, or shorter than it was.
        """
        try:
            with self._lock:  # nobody else closes the file meanwhile
                if shard not in self._open:
                    if len(self._open) >= OPEN:
                        os.close(self._open.popitem(last=False)[1])
                    self._open[shard] = os.open(shard, os.O_RDONLY)
                self._open.move_to_end(shard)
                found = os.pread(self._open[shard], size, start)
        except OSError as error:
            raise DataError(f"{shard} cannot be read any more ({in_a_sentence(error)}).") from error
        if len(found) < size:
            raise DataError(
                f"{shard} is shorter than it was when it was opened; leave shards alone while they are read."
            )
        return found
