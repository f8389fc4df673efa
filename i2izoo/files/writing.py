"""Files and folders that are written whole or not at all, and tensors in safetensors.

All that i2izoo writes is written here: into a hidden file or folder beside its place, which takes that place when it
is complete. What a killed process left there is taken over by the next who writes to the same place. A full disk and
every other refusal of the system is one sentence that names the file (`WriteError`).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from i2izoo.errors import StorageError, WriteError
from i2izoo.files.locks import WAIT, is_at, locked, try_lock
from i2izoo.files.refusal import naming

if TYPE_CHECKING:
    from torch import Tensor


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def append_text(path: Path, text: str) -> None:
    """Add lines to a text file, all or none; where the process is killed meanwhile, the last one may be cut."""
    with naming(path), path.open("ab", buffering=0) as file:
        before, rest = file.tell(), memoryview(text.encode())
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except BaseException:
            file.truncate(before)
            raise


@contextlib.contextmanager
def replacing(path: Path, *, in_folder: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place on success and vanishes on failure.

    Args:
        path: the file; missing folders are made.
        in_folder: give the temporary file a folder of its own, for libraries that write yet another one beside it.

    Raises:
        WriteError: the system refuses.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        held, handle = _open_hidden(path)
        folder = held.with_name(f"{held.name}.d")
        temporary = folder / path.name if in_folder else held
        try:
            if in_folder:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(held.stat().st_mode & 0o777)
            temporary.replace(path)
        finally:
            if in_folder:
                shutil.rmtree(folder, ignore_errors=True)
            if handle is None:
                held.unlink(missing_ok=True)
            else:
                if is_at(handle, held):  # a name that is free again belongs to the next who opens it
                    held.unlink()
                os.close(handle)


@contextlib.contextmanager
def replacing_folder(place: Path) -> Iterator[Path]:
    """A temporary folder beside `place` that takes its place on success and vanishes on failure.

    Raises:
        WriteError: the system refuses, or another process is writing the same folder.
    """
    temporary = hidden(place, "tmp")
    with naming(place), locked(place, wait=WAIT, file=hidden(place, "lock")):
        if not place.exists() and (aside := hidden(place, "old")).exists():  # killed between the two renames
            aside.replace(place)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            replace_folder(temporary, place)
        except WriteError as error:  # the user knows nothing of the hidden one
            error.args = (str(error).replace(str(temporary), str(place)),)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(temporary: Path, place: Path) -> None:
    """Put a finished folder at `place`; what was there is moved aside first and removed last."""
    aside = hidden(place, "old")
    if place.exists():
        shutil.rmtree(aside, ignore_errors=True)
        place.replace(aside)
    temporary.replace(place)
    shutil.rmtree(aside, ignore_errors=True)


def hidden(place: Path, ending: str) -> Path:
    """A hidden name beside `place`; a long one is cut, since file systems end at 255 bytes."""
    name = place.name
    if len(os.fsencode(name)) > 200:
        name = f"{name[:40]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return place.with_name(f".{name}.{ending}")


def _open_hidden(path: Path) -> tuple[Path, int | None]:
    """The hidden file of `path`, empty, and its lock, which tells others that it is being written.

    One that is not locked was left by a killed process, and is taken over. Where there are no locks, a new one.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    for number in itertools.count():
        temporary = hidden(path, f"{number}.tmp" if number else "tmp")
        handle = os.open(temporary, flags, 0o666)
        if (locks := try_lock(handle)) is None:
            break
        if locks and is_at(handle, temporary) and os.fstat(handle).st_nlink == 1:
            os.ftruncate(handle, 0)
            return temporary, handle
        os.close(handle)
    os.close(handle)
    temporary.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=hidden(path, "").name, suffix=".tmp", dir=path.parent)
    os.close(handle)
    Path(name).chmod(0o644)
    return Path(name), None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all."""
    with replacing(path, in_folder=True) as temporary:  # safetensors renames a file of its own
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
    from safetensors.torch import load_file

    with _reading(path):
        return load_file(path)


def read_shapes(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file without memory, on the device "meta", and the file's metadata.

    Raises:
        StorageError: missing or damaged; names the file.
    """
    import torch
    from safetensors import safe_open

    with _reading(path), safe_open(path, framework="pt") as file:
        shapes = {}
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            found = file.get_slice(name)
            kind = getattr(torch, _DTYPES[found.get_dtype()])
            shapes[name] = torch.empty(found.get_shape(), dtype=kind, device="meta")
        return shapes, file.metadata() or {}


_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "C64": "complex64", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""The types of the format -> those of torch."""


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    if not path.is_file():
        raise StorageError(f"{path} is missing; fetch or save the folder again.")
    try:
        yield
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise StorageError(
            f"{path} is damaged or incomplete ({' '.join(str(error).split())[:200]}); fetch or save it again."
        ) from error
