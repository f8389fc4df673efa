"""Files and folders that are written whole or not at all, and tensors in safetensors."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from i2izoo.errors import StorageError

if TYPE_CHECKING:
    from torch import Tensor


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place on success and vanishes on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = f".{path.name}.", ".tmp"
    for stray in path.parent.iterdir():  # what a killed process left
        if stray.name.startswith(prefix) and stray.name.endswith(suffix):
            stray.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_folder(temporary: Path, place: Path) -> None:
    """Put a finished folder at `place`; what was there is moved aside first and removed last."""
    aside = place.with_name(f".{place.name}.old")
    if place.exists():
        shutil.rmtree(aside, ignore_errors=True)
        place.replace(aside)
    temporary.replace(place)
    shutil.rmtree(aside, ignore_errors=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all."""
    with replacing(path) as temporary:
        save_tensors(temporary, tensors, dict(metadata or {}))


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    plain: dict[str, Tensor] = {}
    storages: set[int] = set()
    for key, value in tensors.items():
        # safetensors wants contiguous tensors, which channels-last weights are not, and none that share memory
        value = value.detach().cpu().contiguous()
        storage = value.untyped_storage().data_ptr()
        plain[key] = value.clone() if storage in storages else value
        storages.add(storage)
    save_file(plain, path, metadata=metadata)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        StorageError: missing or damaged; names the file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise StorageError(f"{path} is missing; fetch or save the folder again.")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise StorageError(f"{path} is damaged or incomplete ({error}); fetch or save it again.") from error
