"""Where tiles lie: the grid of web maps, or the pixels of a raster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import mercantile

from i2izoo.errors import ConfigError, DataError
from i2izoo_geo.reading import GDALRaster

MERCATOR = "EPSG:3857"
DEEPEST = 24
"""Zoom of the web's deepest tiles: 9 mm a pixel at the equator."""


@dataclass(frozen=True)
class Tile:
    """A tile of a grid.

    Attributes:
        z, x, y: zoom (0 in a raster), column from the west and row from the north.
        place: column and row of the tile of the lowest zoom that it lies in, from the corner of the area.
        bounds: left, bottom, right and top in the units of the grid's coordinate system.
    """

    z: int
    x: int
    y: int
    place: tuple[int, int]
    bounds: tuple[float, float, float, float]

    @property
    def name(self) -> str:
        """The stem of its files."""
        return f"{self.z}_{self.x}_{self.y}"


class Grid(Protocol):
    """Tiles of an area, always in the same order."""

    @property
    def crs(self) -> str | None:
        """Coordinate system, as an authority's code or WKT; None: not known."""

    def tiles(self) -> Iterator[Tile]:
        """All tiles."""

    def transform(self, tile: Tile, width: int, height: int) -> tuple[float, ...] | None:
        """GDAL's six numbers (`georeference.write_georeference`) of a tile of so many pixels; None: not known."""


def check_area(bbox: Sequence[float]) -> None:
    """Refuse an area that is none.

    Raises:
        ConfigError: it is not west, south, east and north in degrees.
    """
    if len(bbox) != 4 or not (-180 <= bbox[0] <= 180 and -180 <= bbox[2] <= 180 and -90 <= bbox[1] < bbox[3] <= 90):
        raise ConfigError(
            "the area is WEST,SOUTH,EAST,NORTH in degrees (longitude -180 to 180, latitude -90 to 90); "
            f"found {','.join(map(str, bbox))}."
        )


class MercatorGrid:
    """The tiles of web maps (EPSG:3857) that an area touches.

    Args:
        bbox: west, south, east and north in degrees; west of more than east crosses the antimeridian.
        zooms: zoom levels.

    >>> [tile.name for tile in MercatorGrid((8.5, 47.3, 8.6, 47.4), [10]).tiles()]
    ['10_536_358']
    """

    crs = MERCATOR

    def __init__(self, bbox: Sequence[float], zooms: Sequence[int]) -> None:
        check_area(bbox)
        if not zooms or not all(0 <= z <= DEEPEST for z in zooms):
            raise ConfigError(f"zoom levels are 0 to {DEEPEST}; found {','.join(map(str, zooms)) or 'none'}.")
        self.bbox, self.zooms = tuple(bbox), sorted(set(zooms))

    def tiles(self) -> Iterator[Tile]:
        """All tiles: from low zoom to high, column after column."""
        lowest = self.zooms[0]
        corner = next(mercantile.tiles(*self.bbox, [lowest]))
        for x, y, z in mercantile.tiles(*self.bbox, self.zooms):
            over = z - lowest
            place = (((x >> over) - corner.x) % 2**lowest, (y >> over) - corner.y)
            yield Tile(z, x, y, place, tuple(mercantile.xy_bounds(x, y, z)))

    def transform(self, tile: Tile, width: int, height: int) -> tuple[float, ...]:
        """GDAL's six numbers of a tile."""
        left, bottom, right, top = tile.bounds
        return (left, (right - left) / width, 0.0, top, 0.0, (bottom - top) / height)


class RasterGrid:
    """Whole tiles of a raster's own pixels, from its upper left corner.

    Args:
        path: the raster.
        size: side of a tile in pixels.
        bbox: west, south, east and north in degrees, of which tiles are taken that lie in it; None: all.
    """

    def __init__(self, path: Path, size: int, bbox: Sequence[float] | None = None) -> None:
        self.path = path
        with contextlib.closing(GDALRaster(path)) as raster:
            source = raster.file
            self.crs = source.crs.to_wkt() if source.crs else None
            self._transform: Any = source.transform
            self.columns, self.rows = source.width // size, source.height // size
            if not self.columns or not self.rows:
                raise DataError(f"{path} is {source.width} x {source.height}, less than one tile of {size}.")
            self._area = None if bbox is None else self._within(path, source.crs, bbox)
        self._size = size

    @staticmethod
    def _within(path: Path, crs: Any, bbox: Sequence[float]) -> tuple[float, float, float, float]:
        from rasterio.warp import transform_bounds

        if not crs:
            raise DataError(f"{path} does not say where it lies, so no --bbox can be cut from it.")
        return transform_bounds("EPSG:4326", crs, *bbox)  # type: ignore[no-any-return]

    def tiles(self) -> Iterator[Tile]:
        """All tiles, row after row."""
        for y in range(self.rows):
            for x in range(self.columns):
                corners = [self._at(x + i, y + j) for i in (0, 1) for j in (0, 1)]
                across, up = zip(*corners, strict=True)
                bounds = (min(across), min(up), max(across), max(up))
                if self._area is None or (
                    self._area[0] <= bounds[0] and self._area[1] <= bounds[1]
                    and bounds[2] <= self._area[2] and bounds[3] <= self._area[3]
                ):  # fmt: skip
                    yield Tile(0, x, y, (x, y), bounds)

    def transform(self, tile: Tile, width: int, height: int) -> tuple[float, ...] | None:
        """GDAL's six numbers of a tile; None: the raster has neither place nor scale."""
        if self.crs is None and self._transform.is_identity:
            return None
        left, top = self._at(tile.x, tile.y)
        return (left, self._transform.a, self._transform.b, top, self._transform.d, self._transform.e)

    def _at(self, x: int, y: int) -> tuple[float, float]:
        """Where the upper left corner of a tile lies."""
        t, column, row = self._transform, x * self._size, y * self._size
        return t.c + t.a * column + t.b * row, t.f + t.d * column + t.e * row
