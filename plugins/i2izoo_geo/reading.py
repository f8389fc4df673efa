"""Rasters that GDAL reads, through rasterio: for translating them and for cutting them into tiles."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from i2izoo.contracts.raster import Box, Raster, RasterInfo
from i2izoo.errors import I2IZooWarning, ImageError, printable
from i2izoo.images.opacity import is_opacity
from i2izoo_geo.ground import pixel_on_ground

CACHE = 64
"""Megabytes that GDAL keeps of blocks: its own default is a share of the machine's memory."""
SIDE, PLACES = 256, 4
"""A band that is marked as opacity is looked at in windows of so many pixels, so many along each side."""


@contextlib.contextmanager
def gdal(path: Path) -> Iterator[None]:
    """GDAL with a small cache, whose errors are ours."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except (RasterioError, rasterio._err.CPLE_BaseError) as error:
        said = printable(str(error)).rstrip(".") or type(error).__name__
        raise ImageError(f"raster {str(path)!r}: GDAL says: {said}.") from error


class GDALRaster(Raster):
    """An open raster.

    Args:
        path: of the file.

    Attributes:
        file: as rasterio has it.
        bands: numbers from 1, as in the file, of those that are not opacity.

    Raises:
        ImageError: it is not there, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import rasterio
        from rasterio.enums import ColorInterp, MaskFlags

        if not path.is_file():
            raise ImageError(f"raster {str(path)!r} does not exist.")
        self.path = path
        with gdal(path):
            self.file = rasterio.open(path)
            size = pixel_on_ground(self.file.crs, self.file.transform, self.file.width / 2, self.file.height / 2)
            kinds = [ColorInterp.undefined if wrong else kind for kind, wrong in self._meanings()]
        self.bands = [i for i, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        if not self.bands or np.dtype(self.file.dtypes[0]).kind not in "uif":
            self.file.close()
            raise ImageError(
                f"raster {str(path)!r} holds {self.file.dtypes[0]} values; whole numbers or float are read."
            )
        inner = [kinds[i - 1] for i in self.bands]
        marked = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        flags = self.file.mask_flag_enums
        self._opacity = kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None
        own_mask = any(MaskFlags.per_dataset in one and MaskFlags.alpha not in one for one in flags)
        placed = self.file.crs is not None or not self.file.transform.is_identity
        self.info = RasterInfo(
            self.file.height, self.file.width, len(self.bands), np.result_type(*self.file.dtypes).name,
            nodata=self.file.nodata, masked=own_mask or self._opacity is not None,
            transform=tuple(self.file.transform)[:6] if placed else None,
            resolution=None if size is None else math.sqrt(math.prod(size)),
            colours=tuple(inner.index(m) for m in marked) if set(marked) <= set(inner) else None,  # type: ignore[arg-type]
            facts={
                "crs": self.file.crs, "tags": self.file.tags(), "colorinterp": [kind.name for kind in inner],
                "descriptions": tuple(self.file.descriptions[i - 1] for i in self.bands),
            },
        )  # fmt: skip

    def _meanings(self) -> Iterator[tuple[Any, bool]]:
        """What each band says that it is, and whether that is opacity and wrong."""
        from rasterio.enums import ColorInterp

        for band, kind in enumerate(self.file.colorinterp, 1):
            wrong = kind == ColorInterp.alpha and not is_opacity(self._some(band))
            if wrong:
                warnings.warn(
                    f"band {band} of {self.path.name} is marked as opacity, but most of its values are neither none "
                    "nor full; it is read as a band like the others.", I2IZooWarning, stacklevel=4,
                )  # fmt: skip
            yield kind, wrong

    def _some(self, band: int) -> np.ndarray:
        """Values of a band from all over it."""
        tops, lefts = (
            sorted({int(at) for at in np.linspace(0, max(side - SIDE, 0), PLACES)})
            for side in (self.file.height, self.file.width)
        )
        boxes = [
            Box(top, min(top + SIDE, self.file.height), left, min(left + SIDE, self.file.width))
            for top in tops for left in lefts
        ]  # fmt: skip
        return np.concatenate([self.file.read(band, window=window_of(box)).ravel() for box in boxes])

    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        with gdal(self.path):
            found = self.file.read([self.bands[b] for b in bands], window=window_of(box))
        return np.moveaxis(found.astype(self.info.dtype, copy=False), 0, 2)

    def valid(self, box: Box) -> np.ndarray | None:
        if not self.info.masked:
            return None
        with gdal(self.path):
            window = window_of(box)
            mask = self.file.dataset_mask if self._opacity is None else functools.partial(self.file.read, self._opacity)
            return mask(window=window) > 0  # type: ignore[no-any-return]

    def close(self) -> None:
        self.file.close()


def window_of(box: Box) -> Any:
    """The same as rasterio has it."""
    from rasterio.windows import Window

    return Window(box.left, box.top, box.width, box.height)
