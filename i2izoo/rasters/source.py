"""A part of a raster as a model sees it: chosen bands, scaled, with nothing where it has no pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.raster import Box, Raster, RasterInfo
from i2izoo.errors import ConfigError
from i2izoo.rasters.filling import reflected
from i2izoo.rasters.values import Scale, scale_of

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as images are read


class Source:
    """Windows of a part of a raster, C x H x W in [-1, 1].

    Args:
        raster: open.
        box: the part; windows are relative to it.
        bands: that are used, from 0.
        channels: that the model sees.
        scale: of the values.
    """

    def __init__(self, raster: Raster, box: Box, bands: Sequence[int], channels: int, scale: Scale) -> None:
        self.raster, self.box, self.bands, self.channels, self.scale = raster, box, bands, channels, scale

    def read(self, top: int, bottom: int, left: int, right: int) -> Tensor | None:
        """A window, its pixels that are none filled by reflection; None: all are none."""
        box = self._absolute(top, bottom, left, right)
        valid = self.raster.data_mask(box, self.bands)
        if valid is not None and not valid.any():
            return None
        pixels = self.raster.read(box, self.bands)
        if valid is not None and not valid.all():
            pixels = reflected(pixels, valid)
        image = self.scale.inside(pixels)
        if len(image) == 3 and self.channels == 1:
            return (image * image.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
        return image.expand(self.channels, -1, -1)

    def valid(self, top: int, bottom: int) -> np.ndarray | None:
        """Which pixels of rows are any; None: all."""
        return self.raster.data_mask(self._absolute(top, bottom, 0, self.box.width), self.bands)

    def _absolute(self, top: int, bottom: int, left: int, right: int) -> Box:
        return Box(self.box.top + top, self.box.top + bottom, self.box.left + left, self.box.left + right)


def choose_bands(info: RasterInfo, bands: Sequence[int] | None, channels: int) -> list[int]:
    """The bands that a model of so many channels sees, counted from 0.

    Args:
        info: of the raster.
        bands: what was asked for, counted from 1; None: red, green and blue where they are marked, otherwise the first.
        channels: that the model sees.

    Raises:
        ConfigError: there are no such bands, or they do not fit.

    >>> info = RasterInfo(1, 1, 4, "uint8")
    >>> choose_bands(info, None, 3), choose_bands(info, [4, 3, 2], 3)
    ([0, 1, 2], [3, 2, 1])
    """
    if bands is None:
        marked = list(info.colours) if info.colours else list(range(min(info.bands, 3)))
        chosen = marked if channels in (1, 3) and info.bands >= 3 else list(range(info.bands))
        chosen = chosen[:1] if len(chosen) == 2 and channels == 1 else chosen
    else:
        if wrong := [b for b in bands if type(b) is not int or not 1 <= b <= info.bands]:
            raise ConfigError(f"bands are counted from 1 to {info.bands}; found {shown(wrong[0])}.")
        chosen = [b - 1 for b in bands]
    if len(chosen) != channels and (len(chosen), channels) not in ((1, 3), (3, 1)):
        raise ConfigError(
            f"the model sees {channels} bands and the raster has {info.bands}; choose them: --bands "
            f"{','.join(map(str, range(1, channels + 1)))}."
        )
    return chosen


def box_of(info: RasterInfo, window: Sequence[int] | None, bounds: Sequence[float] | None) -> Box:
    """The part of a raster that is asked for, in whole pixels.

    Args:
        info: of the raster.
        window: left, top, width and height in pixels.
        bounds: left, bottom, right and top in the raster's coordinates; every pixel that they touch is taken.

    Raises:
        ConfigError: both are given, or the raster has no place, is turned, or lies elsewhere.
    """
    if window is not None and bounds is not None:
        raise ConfigError("give window or bounds, not both.")
    if window is not None:
        left, top, width, height = _numbers("window is LEFT,TOP,WIDTH,HEIGHT in pixels", window, int)
        right, bottom = left + width, top + height
    elif bounds is not None:
        west, south, east, north = _numbers("bounds are LEFT,BOTTOM,RIGHT,TOP in coordinates", bounds, (int, float))
        if info.transform is None or info.transform[1] or info.transform[3]:
            said = "has no place on the earth" if info.transform is None else "is turned"
            raise ConfigError(f"the raster {said}, so bounds say nothing; use window=(left, top, width, height).")
        a, _, c, _, e, f = info.transform
        columns, rows = sorted(((west - c) / a, (east - c) / a)), sorted(((north - f) / e, (south - f) / e))
        nearly = 1e-6  # of a pixel: bounds that were written in decimals
        left, right = math.floor(columns[0] + nearly), math.ceil(columns[1] - nearly)
        top, bottom = math.floor(rows[0] + nearly), math.ceil(rows[1] - nearly)
    else:
        return Box(0, info.height, 0, info.width)
    box = Box(max(top, 0), min(bottom, info.height), max(left, 0), min(right, info.width))
    if box.height < 1 or box.width < 1:
        raise ConfigError(
            f"nothing of the raster, {info.width} x {info.height} pixels, lies in columns {left} to {right} and rows "
            f"{top} to {bottom}."
        )
    return box


def _numbers(what: str, given: Any, kind: Any) -> Sequence[Any]:
    if not isinstance(given, (list, tuple)) or len(given) != 4 or not all(isinstance(v, kind) for v in given):
        raise ConfigError(f"{what}; found {shown(given)}.")
    return given


def raster_scale(raster: Raster, bands: Sequence[int], values: Any, learned: Sequence[float] | None, box: Box) -> Scale:
    """The scale of a part of a raster; see `scale_of`."""
    return scale_of(raster, bands, values, learned, box, lambda part: raster.data_mask(part, bands))
