"""Tiles that are cut from a raster by rasterio, a window at a time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2izoo.contracts.raster import Box
from i2izoo.errors import ConfigError, DataError
from i2izoo_geo.reading import GDALRaster, gdal
from i2izoo_geo.tiles.grid import Grid, Tile
from i2izoo_geo.tiles.pixels import Pixels

KEPT = ("uint8", "uint16")
"""Types whose whole range stands for [-1, 1] in i2izoo."""


class RasterLayer:
    """A raster, cut along a grid: its own pixels where the grid is its own, warped to the grid otherwise.

    Args:
        path: of anything that rasterio reads.
        grid: of the tiles.
        size: side of a tile in pixels.
        bands: numbers of the bands, from 1; None: all but opacity.
        value_range: the values that become 0 and 1, for types other than uint8 and uint16, which are written in 16
            bits; None: the type's own range.
        own: is the grid that of this raster?

    Raises:
        ConfigError: the bands or the type cannot be written as an image.
        DataError: the raster cannot be read, or does not say where it lies.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        *,
        size: int,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
        own: bool,
    ) -> None:
        self._grid, self._size, self._own = grid, size, own
        self._range, self._lock = value_range, threading.Lock()
        self._raster = GDALRaster(path)
        source, inside = self._raster.file, self._raster.bands
        if wrong := [band for band in bands or () if not 1 <= band <= len(inside)]:
            raise ConfigError(f"{path} has the bands 1 to {len(inside)}; found {wrong[0]} in --bands.")
        self._bands = [band - 1 for band in bands] if bands else list(range(len(inside)))
        if len(self._bands) in (2, 4):  # which as images are grey or colours with opacity
            raise ConfigError(f"{path} has {len(self._bands)} bands; choose 1, 3 or more than 4 with --bands.")
        self._numbers = [inside[band] for band in self._bands]
        types = {source.dtypes[band - 1] for band in self._numbers}
        if value_range is None and (len(types) > 1 or not types <= set(KEPT)):
            raise ConfigError(
                f"{path} holds {' and '.join(sorted(types))}, whose range is not known; say which values are black and "
                "white with --range LOW,HIGH."
            )
        if not own and (source.crs is None or grid.crs is None):
            raise DataError(f"{path} does not say where it lies, or the grid does not, so it cannot be put on it.")
        self.described = {"kind": "raster", "file": path.name}

    def read(self, tile: Tile) -> Pixels | None:
        """The pixels of a tile; None: it lies outside."""
        with self._lock:  # a raster is read by one thread at a time
            array, valid = self._read_own(tile) if self._own else self._read_warped(tile)
        if not valid.any():
            return None
        if self._range is not None:
            low, high = self._range
            array = (np.nan_to_num((array.astype(np.float64) - low) / (high - low)).clip(0, 1) * 65535).round()
            array = array.astype(np.uint16)
        found = np.ascontiguousarray(array)
        return Pixels(found, None if valid.all() else valid, ending=".png" if found.shape[-1] in (1, 3) else ".tif")

    def _read_own(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        top, left = tile.y * self._size, tile.x * self._size
        box = Box(top, top + self._size, left, left + self._size)
        valid = self._raster.data_mask(box, self._bands)
        return self._raster.read(box, self._bands), np.ones((self._size,) * 2, bool) if valid is None else valid

    def _read_warped(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        from affine import Affine
        from rasterio.enums import ColorInterp, Resampling
        from rasterio.vrt import WarpedVRT

        transform = Affine.from_gdal(*self._grid.transform(tile, self._size, self._size) or ())
        coarser = abs(transform.determinant) ** 0.5 / self._resolution
        with gdal(self._raster.path), WarpedVRT(
            self._raster.file, crs=self._grid.crs, transform=transform, width=self._size, height=self._size,
            resampling=Resampling.average if coarser > 1.5 else Resampling.bilinear,
            add_alpha=ColorInterp.alpha not in self._raster.file.colorinterp,
        ) as warped:  # fmt: skip
            array = np.moveaxis(warped.read(self._numbers), 0, -1)
            return array, (warped.dataset_mask() > 0) & np.isfinite(array).all(axis=-1)

    @functools.cached_property
    def _resolution(self) -> float:
        """Size of a pixel of the raster, in units of the grid."""
        from rasterio.warp import calculate_default_transform

        source = self._raster.file
        found, *_ = calculate_default_transform(source.crs, self._grid.crs, source.width, source.height, *source.bounds)
        return float(abs(found.determinant) ** 0.5)

    def close(self) -> None:
        """Let the file go."""
        self._raster.close()
