"""Rasters are opened here."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from i2izoo.errors import DataError, printable

CACHE = 64
"""Megabytes of blocks that GDAL keeps, more than a row of tiles of an image 50,000 wide needs."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A raster, open for reading.

    Raises:
        DataError: it cannot be read.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    if not path.is_file():
        raise DataError(f"there is no raster {str(path)!r}; check the path.")
    try:
        # a tile is read once, so GDAL need not keep a share of the memory
        with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path)
    except RasterioError as error:
        raise DataError(f"{path} cannot be read as a raster: {printable(str(error))}.") from error
    with source:
        yield source
