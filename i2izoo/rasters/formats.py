"""Which format reads and writes a raster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from i2izoo.contracts.raster import RasterFormat
from i2izoo.contracts.registry import registry
from i2izoo.errors import ImageError, PluginError


def formats() -> Iterator[RasterFormat]:
    """All formats whose libraries are there, the preferred ones first."""
    found = []
    for name in registry("rasters").names():
        try:
            found.append(registry("rasters").get(name)())
        except PluginError:  # `i2izoo plugins` says so
            continue
    yield from sorted(found, key=lambda one: -one.priority)


def reader(path: Path) -> RasterFormat | None:
    """The format that reads a file; None: it is no raster."""
    return next((one for one in formats() if one.reads(path)), None)


def readable(path: Path) -> RasterFormat:
    """The same.

    Raises:
        ImageError: there is no such file, or no format reads it.
    """
    if (found := reader(path)) is None:
        if not path.exists():
            raise ImageError(f"raster {str(path)!r} does not exist.")
        raise ImageError(f"raster {str(path)!r} is in no format that is read here; {HINT}")
    return found


def writer(path: Path) -> RasterFormat:
    """The format that writes a file of this name.

    Raises:
        ImageError: none does.
    """
    if (found := next((one for one in formats() if one.writes(path)), None)) is None:
        raise ImageError(f"rasters are written as .tif, .png or .npy; found {path.name!r}.")
    return found


HINT = "TIFF, PNG, JPEG and .npy are, and with `pip install 'i2izoo[geo]'` what GDAL reads (JP2, VRT, COG)."
