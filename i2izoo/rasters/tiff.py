"""TIFF of any size, bands and type by tifffile, strip by strip or tile by tile, with the tags of GeoTIFF kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from i2izoo.contracts.raster import Box, Pixels, Raster, RasterFormat, RasterInfo
from i2izoo.errors import ImageError
from i2izoo.images.opacity import is_opacity
from i2izoo.images.tiff import GREY, OPACITY, RGB, is_tiff

ENDINGS = (".tif", ".tiff")
SIDE = 512
"""Of the tiles that are written."""
LARGE = 1 << 24
"""Pixels from which a TIFF is translated in tiles unasked."""
SCALE, TIE_POINTS, MATRIX, NODATA = 33550, 33922, 34264, 42113
GEO = {SCALE: "d", TIE_POINTS: "d", 34735: "H", 34736: "d", 34737: "s"}
"""Tags of GeoTIFF that say where it lies, and their types."""


class Tiff(RasterFormat):
    """TIFF and BigTIFF of any bands, 8 or 16 bits or float, with what GeoTIFF says of the place."""

    @classmethod
    def reads(cls, path: Path) -> bool:
        return path.is_file() and is_tiff(path)

    @classmethod
    def writes(cls, path: Path) -> bool:
        return path.suffix.lower() in ENDINGS

    @classmethod
    def wants_tiles(cls, path: Path) -> bool:
        with _Tiff(path) as raster:
            info = raster.info
            return info.transform is not None or info.nodata is not None or info.height * info.width > LARGE

    def open(self, path: Path) -> Raster:
        return _Tiff(path)

    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        import tifffile

        info = pixels.info
        if info.masked and info.nodata is None:
            raise ImageError(
                "a mask is written with `pip install 'i2izoo[geo]'`; without it, a raster with nodata can be written."
            )
        tags: list[tuple[Any, ...]] = []
        for code, value in like.facts.get("geo", {}).items():
            if code == TIE_POINTS:  # places of pixels, three numbers, and then of the earth
                value = [v - (box.left, box.top)[i % 6] if i % 6 < 2 else v for i, v in enumerate(value)]
            value = str(value) if GEO[code] == "s" else value
            tags.append((code, GEO[code], 0 if GEO[code] == "s" else len(value), value, True))
        if info.nodata is not None:
            tags.append((NODATA, "s", 0, f"{info.nodata:g}", True))
        colour = info.bands in (3, 4)
        size = info.height * info.width * info.bands * np.dtype(info.dtype).itemsize
        tifffile.imwrite(
            path, _tiles(pixels), shape=(info.height, info.width, info.bands), dtype=info.dtype, tile=(SIDE, SIDE),
            photometric="rgb" if colour else "minisblack", planarconfig="contig", compression="zlib",
            predictor=np.dtype(info.dtype).kind != "f",  # of float it wants imagecodecs

            extrasamples=["unspecified"] * (info.bands - (3 if colour else 1)), metadata=None, bigtiff=size > 1 << 31,
            extratags=tags, maxworkers=1,
        )  # fmt: skip


def _tiles(pixels: Pixels) -> Iterator[np.ndarray]:
    info = pixels.info
    for top in range(0, info.height, SIDE):
        rows = pixels.read(top, min(top + SIDE, info.height))
        for left in range(0, info.width, SIDE):
            tile = rows[:, left : left + SIDE]
            short = ((0, SIDE - tile.shape[0]), (0, SIDE - tile.shape[1]), (0, 0))
            yield np.ascontiguousarray(np.pad(tile, short))


class _Tiff(Raster):
    def __init__(self, path: Path) -> None:
        import tifffile

        logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it logs of a damaged file is in the error
        self.path = path
        try:
            self.file = tifffile.TiffFile(path)
            self.page: Any = self.file.pages.first
            self._open()
        except ImageError:
            raise
        except Exception as error:  # tifffile parses a damaged file until anything at all happens
            raise self._unreadable(error) from error

    def _open(self) -> None:
        page = self.page
        if page.axes not in ("YX", "YXS", "SYX") or int(page.photometric) not in (GREY, RGB) or page.imagedepth > 1:
            raise ImageError(
                f"raster {str(self.path)!r} is a TIFF of axes {page.axes!r} and photometric interpretation "
                f"{int(page.photometric)}, not of bands or RGB."
            )
        bands, extra = page.samplesperpixel, [int(e) for e in page.extrasamples]
        marked = len(extra) == 1 and extra[0] in OPACITY
        tags = {tag.code: tag.value for tag in page.tags}
        nodata = str(tags[NODATA]).strip("\0 ") if NODATA in tags else ""
        self.planar = page.axes == "SYX"
        self.tall = page.tilelength if page.is_tiled else page.rowsperstrip
        self.wide = page.tilewidth if page.is_tiled else page.imagewidth
        self.across = -(-page.imagewidth // self.wide)
        self.down = -(-page.imagelength // self.tall)
        self.bands = bands
        self.alpha = marked and is_opacity(self._some_of_last())
        self.info = RasterInfo(
            page.imagelength, page.imagewidth, bands - self.alpha, np.dtype(page.dtype).name,
            nodata=float(nodata) if nodata else None, masked=self.alpha, transform=_transform(tags),
            colours=(0, 1, 2) if int(page.photometric) == RGB else None,
            facts={"geo": {code: tags[code] for code in GEO if code in tags}},
        )  # fmt: skip

    def __enter__(self) -> _Tiff:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()

    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        out = np.zeros((box.height, box.width, len(bands)), self.info.dtype)
        planes = list(enumerate(bands)) if self.planar else [(None, 0)]
        for place, plane in planes:
            for row in range(box.top // self.tall, -(-box.bottom // self.tall)):
                for column in range(box.left // self.wide, -(-box.right // self.wide)):
                    segment = self._segment((plane * self.down + row) * self.across + column)
                    if segment is None:  # sparse
                        continue
                    top, left = row * self.tall, column * self.wide
                    part = segment[max(box.top - top, 0) : box.bottom - top, max(box.left - left, 0) : box.right - left]
                    y, x = max(top - box.top, 0), max(left - box.left, 0)
                    target = out[y : y + part.shape[0], x : x + part.shape[1]]
                    part = part[: target.shape[0], : target.shape[1]]
                    if place is None:
                        target[...] = part[..., list(bands)]
                    else:
                        target[..., place] = part[..., 0]
        return out

    def _segment(self, index: int) -> np.ndarray | None:
        """One strip or tile, H x W x C."""
        page, handle = self.page, self.file.filehandle
        if not page.databytecounts[index]:
            return None
        try:
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
            found = page.decode(data, index, jpegtables=page.jpegtables)[0]
        except Exception as error:
            raise self._unreadable(error) from error
        return None if found is None else np.asarray(found)[0]

    def _some_of_last(self) -> np.ndarray:
        """Values of the last band, of up to sixteen of its strips or tiles."""
        first = (self.bands - 1) * self.down * self.across if self.planar else 0
        places = {int(at) for at in np.linspace(0, self.down * self.across - 1, 16)}
        found = [part[..., -1].ravel() for at in sorted(places) if (part := self._segment(first + at)) is not None]
        return np.concatenate(found) if found else np.zeros(0, np.uint8)

    def valid(self, box: Box) -> np.ndarray | None:
        return self.read(box, [self.bands - 1])[..., 0] > 0 if self.alpha else None

    def _unreadable(self, error: Exception) -> ImageError:
        said = " ".join(str(error).split()).removeprefix("TiffPage 0: ").rstrip(".") or type(error).__name__
        return ImageError(f"raster {str(self.path)!r} cannot be read: {said}.")


def _transform(tags: dict[int, Any]) -> tuple[float, ...] | None:
    """Where a GeoTIFF says that it lies (GeoTIFF 1.1, annex B.6)."""
    if MATRIX in tags:
        m = tags[MATRIX]
        return (m[0], m[1], m[3], m[4], m[5], m[7])
    if SCALE not in tags or TIE_POINTS not in tags:
        return None
    (wide, tall, *_), (column, row, _, x, y, *_) = tags[SCALE], tags[TIE_POINTS]
    return (wide, 0.0, x - column * wide, 0.0, -tall, y + row * tall)
