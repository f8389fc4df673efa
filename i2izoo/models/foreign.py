"""Checkpoints of other code bases, read as tensors by name and nothing else."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2izoo.errors import StorageError, listing

WRAPPERS = ("state_dict", "model_state_dict", "params_ema", "params-ema", "params", "model", "net")
"""Keys under which training scripts put the state dict beside an epoch number and the like."""


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a `.pth`, `.pt`, `.ckpt` or `.safetensors` file of tensors; code in a pickle is never run.

    A state dict inside a training checkpoint is unwrapped, and the `module.` of DataParallel is taken off the names.

    Returns:
        name -> tensor, on the CPU.

    Raises:
        StorageError: missing, damaged, holding more than tensors, or holding no state dict; names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError(f"there is no checkpoint {str(path)!r}; check the path.")
    if path.suffix == ".safetensors":
        from i2izoo.files.writing import read_tensors

        content: Any = read_tensors(path)
    else:
        content = _unpickle(path)
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content:
        raise StorageError(f"{path} holds a {type(content).__name__}, not a state dict (names and their tensors).")
    others = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise StorageError(
            f"{path} is not a state dict: {listing(others, 5)} are no tensors; save the state dict alone."
        )
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _unpickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if code := re.search(r"nsupported (?:global|class).*?([\w.]+\.?[\w]+) (?:was not an|whose)", str(error), re.I):
            raise StorageError(
                f"{path} holds more than tensors ({code[1]}), and i2izoo runs no code from files; save its state dict "
                "alone: torch.save(model.state_dict(), ...)."
            ) from error
        raise _damaged(path) from error
    except (RuntimeError, EOFError, ValueError, LookupError, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StorageError:
    # not the library's own words, which recommend to load with weights_only=False
    return StorageError(f"{path} is damaged, or no checkpoint that torch.save wrote; fetch or save it again.")
