"""Tile matrix sets of a WMTS other than the grid of web maps: in any coordinate system that rasterio knows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from i2izoo.errors import ConfigError, DataError, listing, printable
from i2izoo_geo.tiles.grid import Tile, check_area

PIXEL = 0.00028
"""Side of a pixel in metres at scale 1 (OGC 07-057r7, 6.1)."""
DEGREE = 2 * math.pi * 6378137 / 360
"""Metres that a degree counts as there."""


@dataclass(frozen=True)
class Matrix:
    """The tiles of one zoom.

    Attributes:
        name: as the service calls it.
        left, top: of the tile in column 0 and row 0, in units of the coordinate system.
        span: width and height of a tile in these units.
        size: columns and rows.
    """

    name: str
    left: float
    top: float
    span: tuple[float, float]
    size: tuple[int, int]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Column and row of a place."""
        return (x - self.left) / self.span[0], (self.top - y) / self.span[1]

    def matches(self, other: Matrix) -> bool:
        """Do two have the same tiles, but for a hundredth of one?"""
        apart = [*other.at(self.left, self.top), *(a / b - 1 for a, b in zip(self.span, other.span, strict=True))]
        return all(abs(share) * max(1, *self.size) < 0.01 for share in apart[2:]) and max(map(abs, apart[:2])) < 0.01


def matrices_of(service: Any, layer: Any, name: str, where: str) -> tuple[Any, list[Matrix]]:
    """The coordinate system (rasterio's) of a tile matrix set of a layer, and its matrices, the coarsest first.

    Args:
        service, layer: as owslib has them.
        name: of the set.
        where: for messages.

    Raises:
        ConfigError: the layer is not offered in it.
        DataError: rasterio does not know its coordinate system.
    """
    from owslib.crs import Crs
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if name not in layer.tilematrixsetlinks:
        offered = listing(map(printable, layer.tilematrixsetlinks))
        raise ConfigError(f"{where} is not offered in the grid {name!r}; it is in {offered}.")
    found = service.tilematrixsets[name]
    said = str(found.crs)
    try:
        crs = CRS.from_user_input(said)
        swapped = Crs(said).axisorder == "yx"
    except (CRSError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: the grid {name!r} is in {printable(said)}, which rasterio does not know.") from error
    unit = DEGREE if crs.is_geographic else crs.linear_units_factor[1]
    matrices = []
    for one in found.tilematrix.values():
        left, top = one.topleftcorner[::-1] if swapped else one.topleftcorner
        pixel = one.scaledenominator * PIXEL / unit
        span, size = (pixel * one.tilewidth, pixel * one.tileheight), (one.matrixwidth, one.matrixheight)
        matrices.append(Matrix(one.identifier, left, top, span, size))
    return crs, sorted(matrices, key=lambda m: -m.span[0])


class MatrixGrid:
    """The tiles of a tile matrix set that an area touches.

    Args:
        name: of the set.
        crs: rasterio's.
        matrices: of all zooms, the coarsest first, which is zoom 0.
        bbox: west, south, east and north in degrees.
        zooms: numbers of matrices.

    Raises:
        ConfigError: the area is none, lies outside, or there are no such zooms.
    """

    def __init__(
        self, name: str, crs: Any, matrices: Sequence[Matrix], bbox: Sequence[float], zooms: Sequence[int]
    ) -> None:
        from rasterio.warp import transform_bounds

        check_area(bbox)
        if wrong := [z for z in zooms if not 0 <= z < len(matrices)]:
            raise ConfigError(f"the grid {name!r} has zoom 0 to {len(matrices) - 1}; found {wrong[0]}.")
        self.name, self.zooms = name, sorted(set(zooms))
        self.matrices: Mapping[int, Matrix] = {z: matrices[z] for z in self.zooms}
        self.crs = f"EPSG:{code}" if (code := crs.to_epsg()) else crs.to_wkt()
        self.area = transform_bounds("EPSG:4326", crs, *bbox)
        if not all(map(math.isfinite, self.area)) or next(self.tiles(), None) is None:
            raise ConfigError(f"the area {','.join(f'{b:g}' for b in bbox)} lies outside of the grid {name!r}.")

    def tiles(self) -> Iterator[Tile]:
        """All tiles: from low zoom to high, column after column."""
        lowest = self.matrices[self.zooms[0]]
        first = None
        for z in self.zooms:
            m = self.matrices[z]
            (left, bottom), (right, top) = m.at(*self.area[:2]), m.at(*self.area[2:])
            for x in range(max(math.floor(left), 0), min(math.ceil(right), m.size[0])):
                for y in range(max(math.floor(top), 0), min(math.ceil(bottom), m.size[1])):
                    west, north = m.left + x * m.span[0], m.top - y * m.span[1]
                    bounds = (west, north - m.span[1], west + m.span[0], north)
                    middle = lowest.at((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
                    place = (math.floor(middle[0]), math.floor(middle[1]))
                    first = first or place
                    yield Tile(z, x, y, (place[0] - first[0], place[1] - first[1]), bounds)

    def transform(self, tile: Tile, width: int, height: int) -> tuple[float, ...]:
        """GDAL's six numbers of a tile."""
        left, bottom, right, top = tile.bounds
        return (left, (right - left) / width, 0.0, top, 0.0, (bottom - top) / height)
