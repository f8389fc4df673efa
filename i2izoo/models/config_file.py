"""config.json of a pretrained folder, read and checked, and what else a folder says of itself. Torch-free."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import StorageError
from i2izoo.files import formats
from i2izoo.models.safety import check_safe

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
LONGEST_HEADER = 100_000_000
"""Bytes of the header of a safetensors file, at most, as the format has it."""


def read_config(folder: str | os.PathLike[str], *, to_build: bool = True) -> dict[str, Any]:
    """Read and check config.json of a pretrained folder; of another library's folder it names the method alone.

    Args:
        folder: the folder.
        to_build: also look for what asks for code, for which the method's class is loaded; False: it is only shown.

    Raises:
        StorageError: missing, not JSON, of a newer format, or asking for code or paths.
    """
    if index := formats.index_in(Path(folder)):
        return {"method": formats.foreign()[index]}
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise StorageError(f"{str(folder)!r} is not a pretrained folder: it has no {CONFIG}.")
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise StorageError(f"{path} is not JSON ({error}); fetch or save the folder again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("method"), str):
        raise StorageError(f"{path} names no method; is it a folder of i2izoo?")
    if not isinstance(config.get("options", {}), dict):
        raise StorageError(f"{path}: 'options' must be a JSON object; found {shown(config['options'])}.")
    directions = config.get("directions", {})
    if not isinstance(directions, dict) or not all(isinstance(v, (str, type(None))) for v in directions.values()):
        raise StorageError(
            f"{path}: 'directions' must map names of domains to names or null; found {shown(directions)}."
        )
    for key in ("plugin", "provenance"):
        if not isinstance(config.get(key, {}), dict):
            raise StorageError(f"{path}: {key!r} must be a JSON object; found {shown(config[key])}.")
    version = config.get("i2izoo_format", 0)
    if not isinstance(version, int):
        raise StorageError(f"{path}: 'i2izoo_format' must be a whole number; found {shown(version)}.")
    if version > FORMAT:
        raise StorageError(f"{path} has format {version}, this i2izoo reads up to {FORMAT}: upgrade i2izoo.")
    if to_build:
        check_safe(config, str(path))
    return config


def trained_at(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the images that a model has learned from, in pixels; None where its config does not say.

    >>> trained_at({"method": "ddim", "provenance": {"crop_size": 64}})
    (64, 64)
    """
    facts = config.get("provenance")
    size = (facts.get("image_size") or facts.get("crop_size")) if isinstance(facts, Mapping) else None
    both = [size, size] if isinstance(size, int) else size if isinstance(size, list) else []
    return (both[0], both[1]) if len(both) == 2 and all(type(side) is int and side > 0 for side in both) else None


def learned_resolution(config: Mapping[str, Any]) -> tuple[float, float] | None:
    """The finest and the coarsest ground resolution that a model has learned, in cm per pixel; None: it does not say.

    `config["provenance"]["ground_resolution"]` is one number, or these two.

    >>> learned_resolution({"provenance": {"ground_resolution": 60}})
    (60, 60)
    >>> learned_resolution({"provenance": {"ground_resolution": [49, 98]}})
    (49, 98)
    """
    facts = config.get("provenance")
    found = facts.get("ground_resolution") if isinstance(facts, Mapping) else None
    both: Any = found if isinstance(found, (list, tuple)) else [found, found]
    if len(both) != 2 or not all(type(value) in (int, float) and 0 < value < math.inf for value in both):
        return None
    return min(both), max(both)


def count_parameters(folder: str | os.PathLike[str]) -> int:
    """Number of parameters in the weights of a folder, by their header: whole numbers and running statistics are none.

    Raises:
        StorageError: the file is missing or damaged.
    """
    path = Path(folder) / WEIGHTS
    try:
        with path.open("rb") as file:
            header = parse_json(file.read(min(int.from_bytes(file.read(8), "little"), LONGEST_HEADER)))
        shapes = {
            name: tensor["shape"] for name, tensor in header.items() if tensor.get("dtype", "").startswith(("F", "BF"))
        }
        return sum(math.prod(shape) for name, shape in shapes.items() if not re.search(r"running_(mean|var)$", name))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        raise StorageError(f"{path} cannot be read ({error}); fetch or save the folder again.") from error
