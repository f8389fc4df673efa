"""Rasters by GDAL, which rasterio brings: GeoTIFF, COG, VRT, JP2 and more in, cloud-optimised GeoTIFF out."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from i2izoo.contracts.raster import Box, Pixels, Raster, RasterFormat, RasterInfo
from i2izoo.errors import ImageError

ENDINGS = (".tif", ".tiff", ".vrt", ".jp2", ".j2k", ".img")
CACHE = 64
"""Megabytes that GDAL keeps of blocks: its own default is a share of the machine's memory."""
EARTH = 6_371_009.0
"""Its mean radius, in metres."""
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
        with contextlib.closing(_Dataset(path)) as raster:
            info = raster.info
            return info.transform is not None or info.nodata is not None or info.height * info.width > LARGE

    def open(self, path: Path) -> Raster:
        return _Dataset(path)

    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        import rasterio.shutil

        plain = path.with_name(f"{path.stem}.plain.tif")
        floats = np.dtype(pixels.info.dtype).kind == "f"
        with _gdal(path):
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


@contextlib.contextmanager
def _gdal(path: Path) -> Iterator[None]:
    """GDAL with a small cache, whose errors are ours."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except (RasterioError, rasterio._err.CPLE_BaseError) as error:
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ImageError(f"raster {str(path)!r}: GDAL says: {said}.") from error


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


class _Dataset(Raster):
    def __init__(self, path: Path) -> None:
        import rasterio
        from rasterio.enums import ColorInterp, MaskFlags

        self.path = path
        with _gdal(path):
            self.file = rasterio.open(path)
        kinds = list(self.file.colorinterp)
        self.bands = [i for i, kind in enumerate(kinds) if kind != ColorInterp.alpha]
        if not self.bands or np.dtype(self.file.dtypes[0]).kind not in "uif":
            raise ImageError(
                f"raster {str(path)!r} holds {self.file.dtypes[0]} values; whole numbers or float are read."
            )
        inner = [kinds[i] for i in self.bands]
        marked = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
        flags = [flag for one in self.file.mask_flag_enums for flag in one]
        masked = MaskFlags.per_dataset in flags or len(self.bands) < len(kinds)
        placed = self.file.crs is not None or not self.file.transform.is_identity
        with _gdal(path):
            resolution = _resolution(self.file)
        self.info = RasterInfo(
            self.file.height, self.file.width, len(self.bands), np.result_type(*self.file.dtypes).name,
            nodata=self.file.nodata, masked=masked, transform=tuple(self.file.transform)[:6] if placed else None,
            resolution=resolution,
            colours=tuple(inner.index(m) for m in marked) if set(marked) <= set(inner) else None,  # type: ignore[arg-type]
            facts={
                "crs": self.file.crs, "tags": self.file.tags(), "colorinterp": [kind.name for kind in inner],
                "descriptions": tuple(self.file.descriptions[i] for i in self.bands),
            },
        )  # fmt: skip

    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        with _gdal(self.path):
            found = self.file.read([self.bands[b] + 1 for b in bands], window=_window(box))
        return np.moveaxis(found.astype(self.info.dtype, copy=False), 0, 2)

    def valid(self, box: Box) -> np.ndarray | None:
        if not self.info.masked:
            return None
        with _gdal(self.path):
            return self.file.dataset_mask(window=_window(box)) > 0

    def close(self) -> None:
        self.file.close()


def _resolution(file: Any) -> float | None:
    """The side of the pixel in the middle, in metres on the ground; None: it has no place on the earth.

    That a pixel is measured on the earth, and not by its CRS, is for maps whose metres are not those of the ground (Web
    Mercator's are 1.2 m where they are 1 m in Osaka) and for those in degrees.
    """
    from rasterio.crs import CRS
    from rasterio.warp import transform

    if file.crs is None or not (file.crs.is_projected or file.crs.is_geographic) or file.transform.is_identity:
        return None
    x, y = file.width / 2, file.height / 2
    corners = [file.transform @ (x, y), file.transform @ (x + 1, y), file.transform @ (x, y + 1)]
    found = np.radians(transform(file.crs, CRS.from_epsg(4326), *map(list, zip(*corners, strict=True))))
    if not np.isfinite(found).all():
        return None
    longitude, latitude = found
    east, north = (longitude[1:] - longitude[0]) * np.cos(latitude[0]), latitude[1:] - latitude[0]
    return float(EARTH * np.sqrt(np.hypot(east, north).prod()))


def _window(box: Box) -> Any:
    from rasterio.windows import Window

    return Window(box.left, box.top, box.width, box.height)
