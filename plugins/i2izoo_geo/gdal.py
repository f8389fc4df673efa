"""Rasters by GDAL, which rasterio brings: GeoTIFF, COG, VRT, JP2 and more in, cloud-optimised GeoTIFF out."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from i2izoo.contracts.raster import Box, Pixels, Raster, RasterFormat, RasterInfo
from i2izoo_geo.reading import GDALRaster, gdal

ENDINGS = (".tif", ".tiff", ".vrt", ".jp2", ".j2k", ".img")
ROWS = 512
"""That are written at a time, and the side of a tile in the file."""
LARGE = 1 << 24
"""Pixels from which a TIFF is translated in tiles unasked."""


class GDAL(RasterFormat):
    """GeoTIFF, COG, VRT and JP2 in and COG out, with CRS, transform, nodata, masks, colours, names and tags."""

    priority: ClassVar[int] = 10

    @classmethod
    def reads(cls, path: Path) -> bool:
        return path.suffix.lower() in ENDINGS and path.is_file() and _installed()

    @classmethod
    def writes(cls, path: Path) -> bool:
        return path.suffix.lower() in (".tif", ".tiff") and _installed()

    @classmethod
    def wants_tiles(cls, path: Path) -> bool:
        if path.suffix.lower() not in (".tif", ".tiff"):
            return True
        with contextlib.closing(GDALRaster(path)) as raster:
            info = raster.info
            return info.transform is not None or info.nodata is not None or info.height * info.width > LARGE

    def open(self, path: Path) -> Raster:
        return GDALRaster(path)

    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        import rasterio.shutil

        plain = path.with_name(f"{path.stem}.plain.tif")
        floats = np.dtype(pixels.info.dtype).kind == "f"
        with gdal(path):
            try:
                _write_plain(plain, pixels, like, box)
                rasterio.shutil.copy(
                    plain, path, driver="COG", compress="DEFLATE", predictor="FLOATING_POINT" if floats else "STANDARD",
                    blocksize=ROWS, bigtiff="IF_SAFER", overview_resampling="NEAREST" if classes else "AVERAGE",
                )  # fmt: skip
            finally:
                plain.unlink(missing_ok=True)


def _installed() -> bool:
    return importlib.util.find_spec("rasterio") is not None


def _write_plain(path: Path, pixels: Pixels, like: RasterInfo, box: Box) -> None:
    """A GeoTIFF of all that the COG is to have: GDAL makes that of a whole one."""
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.transform import Affine

    info, facts = pixels.info, like.facts
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": info.height, "width": info.width, "count": info.bands, "dtype": info.dtype,
        "nodata": info.nodata, "crs": facts.get("crs"), "tiled": True, "blockxsize": ROWS, "blockysize": ROWS,
        "compress": "zstd", "zstd_level": 1, "bigtiff": "yes", "interleave": "pixel",
    }  # fmt: skip
    if like.transform is not None:
        profile["transform"] = Affine(*like.transform) @ Affine.translation(box.left, box.top)
    masked = info.masked and info.nodata is None
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as file:
        same = facts.get("colorinterp", ())
        kinds = [getattr(ColorInterp, name) for name in same] if len(same) == info.bands else []
        grey = [ColorInterp.gray, *[ColorInterp.undefined] * (info.bands - 1)]
        colour = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        file.colorinterp = kinds or (colour if info.bands == 3 else grey)
        tags = {k: v for k, v in facts.get("tags", {}).items() if not k.startswith(("STATISTICS_", "TIFFTAG_"))}
        file.update_tags(**tags, **{k: v for k, v in facts.get("tags", {}).items() if k.startswith("TIFFTAG_")})
        if len(names := facts.get("descriptions", ())) == info.bands:
            file.descriptions = names
        for top in range(0, info.height, ROWS):
            bottom = min(top + ROWS, info.height)
            place = rasterio.windows.Window(0, top, info.width, bottom - top)
            file.write(np.moveaxis(pixels.read(top, bottom), 2, 0), window=place)
            if masked and (valid := pixels.valid(top, bottom)) is not None:
                file.write_mask(valid.astype(np.uint8) * 255, window=place)
