"""From the values of a raster to [-1, 1] and back, by a range that is the same for all of its tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.raster import Box, Raster
from i2izoo.errors import ConfigError, ImageError

PERCENTILES = (1.0, 99.0)
"""Of the values of a raster, or of the images that a model has learned from: their range."""
SAMPLES = 64
"""Windows of 256 pixels that a range is read from, at most."""


@dataclass(frozen=True)
class Scale:
    """A linear map of values to [-1, 1].

    Attributes:
        low, high: what becomes -1 and 1; values beyond them are cut.

    >>> Scale(0, 255).inside(np.array([[[0], [255]]], np.uint8)).tolist()
    [[[-1.0, 1.0]]]
    """

    low: float
    high: float

    def inside(self, values: np.ndarray) -> Tensor:
        """H x W x C to C x H x W, float32, in [-1, 1]."""
        numbers: np.ndarray[Any, np.dtype[Any]] = values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
        scaled = (numbers - self.low) * (2 / (self.high - self.low)) - 1
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)).clamp_(-1, 1)

    def outside(self, image: Tensor, dtype: str) -> np.ndarray:
        """C x H x W in [-1, 1] to values H x W x C of a type."""
        values = (image.double().clamp(-1, 1).permute(1, 2, 0).numpy() + 1) / 2 * (self.high - self.low) + self.low
        kind = np.dtype(dtype)
        if kind.kind == "f":
            return values.astype(kind)
        limits = np.iinfo(kind)
        return np.clip(np.rint(values), limits.min, limits.max).astype(kind)


def of_type(dtype: str) -> Scale | None:
    """The whole range of a type; None: it has none (float).

    >>> of_type("uint16"), of_type("float32")
    (Scale(low=0, high=65535), None)
    """
    kind = np.dtype(dtype)
    return None if kind.kind == "f" else Scale(int(np.iinfo(kind).min), int(np.iinfo(kind).max))


def scale_of(
    raster: Raster, bands: Sequence[int], values: Any, learned: Sequence[float] | None, box: Box, valid: Any
) -> Scale:
    """The scale of a raster.

    Args:
        raster: that is read.
        bands: of it that are used; they have one scale, so that colours stay what they are.
        values: "dtype", the whole range of its type; "file", the percentiles 1 and 99 of its values; "model", these
            made to be those of what the model has learned from; a pair (low, high); or None: "dtype" in 8 bits,
            otherwise "model" where that is known, otherwise "file".
        learned: percentiles 1 and 99 of what the model has learned from, in [0, 1]; None: not known.
        box: the part of the raster that is translated.
        valid: gives the valid pixels of a box.

    Raises:
        ConfigError: `values` is none of these, or the type has no range, or the model's is not known.
    """
    dtype = raster.info.dtype
    if values is None:
        values = "dtype" if dtype == "uint8" else "file" if learned is None else "model"
    if isinstance(values, (list, tuple)) and len(values) == 2 and all(isinstance(v, (int, float)) for v in values):
        if not values[0] < values[1]:
            raise ConfigError(f"values=(low, high) wants low below high; found {shown(values)}.")
        return Scale(*values)
    if values == "dtype":
        if (found := of_type(dtype)) is None:
            raise ConfigError(f"values of {dtype} have no range of their own; use values='file' or (low, high).")
        return found
    if values not in ("file", "model"):
        raise ConfigError(f"values is dtype, file, model or a pair LOW,HIGH; found {shown(values)}.")
    if values == "model" and learned is None:
        raise ConfigError("the model does not say which values it has learned from; use values='file' or (low, high).")
    low, high = percentiles(raster, bands, box, valid)
    if values == "file":
        return Scale(low, high)
    assert learned is not None
    step = (high - low) / (learned[1] - learned[0])
    return Scale(low - learned[0] * step, low + (1 - learned[0]) * step)


def percentiles(raster: Raster, bands: Sequence[int], box: Box, valid: Any) -> tuple[float, float]:
    """The percentiles of the valid values of a part of a raster, of windows on a lattice over it.

    Raises:
        ImageError: no valid pixel is there, or all have one value.
    """
    side = 256
    rows, columns = _lattice(box.top, box.bottom, side), _lattice(box.left, box.right, side)
    found = []
    for top in rows:
        for left in columns:
            part = Box(top, min(top + side, box.bottom), left, min(left + side, box.right))
            values, inside = raster.read(part, bands), valid(part)
            found.append(values[inside].ravel() if inside is not None else values.ravel())
    all_values = np.concatenate(found).astype(np.float64)
    low, high = np.percentile(all_values, PERCENTILES) if all_values.size else (0.0, 0.0)
    if not low < high:
        said = "no valid pixel was found" if not all_values.size else f"all values are about {low:g}"
        raise ImageError(f"the range of the raster cannot be read from it: {said}; use values=(low, high).")
    return float(low), float(high)


def _lattice(start: int, stop: int, side: int) -> list[int]:
    """Where windows begin: all of them side by side, or so many that are evenly spread."""
    most = int(SAMPLES**0.5)
    if stop - start <= most * side:
        return list(range(start, stop, side))
    return [int(place) for place in np.linspace(start, stop - side, most)]


def learned_range(config: Mapping[str, Any], domain: str) -> Sequence[float] | None:
    """Percentiles 1 and 99 of a domain's training images, in [0, 1], that a model's config has; None: it has none."""
    found = (config.get("values") or {}).get(domain)
    good = isinstance(found, (list, tuple)) and len(found) == 2 and 0 <= found[0] < found[1] <= 1
    return found if good else None
