"""Where weights are kept on this machine, and how large they are: nothing is fetched, and nothing heavy imported."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from i2izoo.contracts.pretrained import PretrainedEntry

WEIGHTS = "model.safetensors"


def cache_folder() -> Path:
    """Where downloads are kept: the environment variable I2IZOO_CACHE, or ~/.cache/i2izoo."""
    return Path(os.environ.get("I2IZOO_CACHE") or "~/.cache/i2izoo").expanduser()


def converted_folder(name: str, entry: PretrainedEntry, cache: Path) -> Path:
    """Where an entry's checkpoints are, once they are fetched and converted."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name.rpartition(":")[2])[:100]
    return cache / "models" / f"{plain}-{entry.fingerprint[:12]}"


def is_whole(folder: Path) -> bool:
    """Does it hold a model? What is written whole or not at all is complete when it is there."""
    return (folder / "config.json").is_file() and (folder / WEIGHTS).is_file()


@dataclass(frozen=True)
class Kept:
    """What is known of the weights of an entry.

    Attributes:
        where: in its package, in the cache, or elsewhere, to be fetched when it is first loaded.
        size: bytes, of a remote one of what is to be fetched, roughly; None: not known.
    """

    where: Literal["bundled", "cached", "remote"]
    size: int | None

    def __str__(self) -> str:
        """The size for people: `2.3 MB`."""
        megabytes = (self.size or 0) / 1e6
        return "" if self.size is None else f"{megabytes:.1f} MB" if megabytes < 10 else f"{megabytes:.0f} MB"


def kept(name: str, entry: PretrainedEntry) -> Kept:
    """Where the entry of that name is.

    Raises:
        StorageError: it is bundled, and its package lacks it.
    """
    if entry.bundled:
        return Kept("bundled", entry.size)
    folder = converted_folder(name, entry, cache_folder()) if entry.checkpoints else _snapshot(entry)
    if is_whole(folder):
        return Kept("cached", (folder / WEIGHTS).stat().st_size)
    return Kept("remote", entry.size)


def _snapshot(entry: PretrainedEntry) -> Path:
    """The folder of a revision in the Hub's cache, as its client reads the environment; importing that takes long."""
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    cache = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
    return cache / f"models--{str(entry.repo).replace('/', '--')}" / "snapshots" / str(entry.revision)
