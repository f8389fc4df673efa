"""From an image's size and a model to windows and the statistics that they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.ranges import Range
from i2izoo.errors import ConfigError
from i2izoo.rasters.first_pass import Statistics
from i2izoo.rasters.grid import Span, spans
from i2izoo.rasters.probing import Tiling
from i2izoo.rasters.windows import Windows


@dataclass(frozen=True, kw_only=True)
class TileSettings:
    """How an image is cut into tiles.

    Attributes:
        tile: side of a tile in pixels; rounded up to what the model takes.
        overlap: pixels that neighbours share; None: an eighth of a tile, or of an exact model twice its reach.
        statistics: of the normalisation layers, where a model's are of its input: "joint" of some tiles as one image,
            "exact" of all of them, layer by layer, "dense" interpolated between tiles, "tile" each tile's own.
        joint_tiles: of "joint"; they lie spread over the image, and are chosen to be together as it is.
        edges: "continued", what layers pad deep inside at edges of tiles is a reflection; "zeros", as they do.

    Raises:
        ConfigError: one of them is none of these.
    """

    tile: Annotated[int, Range(8, 16384)] = 512
    overlap: Annotated[int, Range(0, 8192)] | None = None
    statistics: Statistics = "joint"
    joint_tiles: Annotated[int, Range(1, 256)] = 8
    edges: Literal["continued", "zeros"] = "continued"

    def __post_init__(self) -> None:
        for name, least in (("tile", 8), ("overlap", 0), ("joint_tiles", 1)):
            value = getattr(self, name)
            if not (value is None and name == "overlap") and (type(value) is not int or value < least):
                raise ConfigError(f"{name} is a whole number of from {least}; found {shown(value)}.")
        if self.statistics not in (known := ("joint", "exact", "dense", "tile")):
            raise ConfigError(f"statistics is one of {', '.join(known)}; found {shown(self.statistics)}.")
        if self.edges not in ("continued", "zeros"):
            raise ConfigError(f"edges is continued or zeros; found {shown(self.edges)}.")


@dataclass(frozen=True)
class Plan:
    """The windows of an image.

    Attributes:
        rows, columns: the windows.
        cores: the windows of tiles that do not overlap, for statistics: rows and columns.
        settings: what was asked for.
        tiling: of the model.
    """

    rows: Sequence[Span]
    columns: Sequence[Span]
    cores: tuple[Sequence[Span], Sequence[Span]]
    settings: TileSettings
    tiling: Tiling


def check(tiling: Tiling) -> None:
    """Refuse a model that cannot be run in tiles.

    Raises:
        ConfigError: says why it cannot.
    """
    if tiling.mode == "refused":
        raise ConfigError(f"this model cannot be run in tiles: {tiling.reason}.")


def plan(run: Windows, height: int, width: int, settings: TileSettings, tiling: Tiling) -> Plan:
    """Cut an image of a model.

    Raises:
        ConfigError: the model cannot be run in tiles, or tiles of this size do not reach as far as it does.
    """
    check(tiling)
    step = run.method.size_multiple(run.to)
    size, overlap = run.fits(settings.tile), settings.overlap
    if tiling.mode == "exact":
        reach = tiling.reach or 0
        margin = reach if overlap is None else min(reach, overlap // 2 // step * step)
        if overlap is None and size <= 2 * margin:
            size = run.fits(4 * margin)
        cut = {"overlap": 2 * margin if overlap is None else overlap, "margin": margin, "multiple": step}
    else:
        overlap = size // 8 if overlap is None else overlap
        # what a network halves it halves at the same pixels in every tile, as far as that costs no further tiles
        aligned = math.gcd(step, 1 << overlap.bit_length() - 1) if overlap else 1
        cut = {"overlap": overlap, "margin": 0, "multiple": aligned}
    continued = tiling.mode != "exact" and settings.edges == "continued"
    cores = tuple(spans(length, size, overlap=0, continued=continued) for length in (height, width))
    rows, columns = (spans(length, size, **cut, continued=continued) for length in (height, width))
    return Plan(rows, columns, (cores[0], cores[1]), settings, tiling)


def cost(plan: Plan) -> float:
    """Pixels that are translated for each pixel of the image, without the first pass.

    >>> from i2izoo.rasters.grid import spans
    >>> side = spans(2048, 256, overlap=32)
    >>> round(cost(Plan(side, side, (side, side), TileSettings(), Tiling("frozen"))), 2)
    1.27
    """
    both = [sum(s.stop - s.start for s in side) / side[-1].stop for side in (plan.rows, plan.columns)]
    return math.prod(both)
