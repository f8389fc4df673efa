"""PNG, JPEG and other images as rasters: they are decoded whole, so they are as large as memory allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2izoo.contracts.raster import Box, Pixels, Raster, RasterFormat, RasterInfo
from i2izoo.errors import ImageError
from i2izoo.images import decoding, png
from i2izoo.images.writing import EXTENSIONS

READ = tuple(ending for ending in EXTENSIONS if ending not in (".tif", ".tiff"))


class ImageFiles(RasterFormat):
    """PNG, JPEG and other images in 8 bits, PNG also in 16, read and written as a whole."""

    priority = -1

    @classmethod
    def reads(cls, path: Path) -> bool:
        return path.suffix.lower() in READ and path.is_file()

    @classmethod
    def writes(cls, path: Path) -> bool:
        return path.suffix.lower() == ".png"

    @classmethod
    def wants_tiles(cls, path: Path) -> bool:
        return False

    def open(self, path: Path) -> Raster:
        return _Decoded(path)

    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        from PIL import Image

        info = pixels.info
        if info.dtype not in ("uint8", "uint16") or info.bands not in (1, 3):
            raise ImageError(f"PNG holds 1 or 3 bands of 8 or 16 bits, not {info.bands} of {info.dtype}; write a .tif.")
        array = pixels.read(0, info.height)
        if (valid := pixels.valid(0, info.height)) is not None:
            opacity = (valid * np.iinfo(info.dtype).max).astype(info.dtype)
            array = np.concatenate([array, opacity[..., None]], axis=2)
        if info.dtype == "uint16":
            png.write(path, array)
        else:
            Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(path, format="PNG")


class _Decoded(Raster):
    def __init__(self, path: Path) -> None:
        try:
            found = decoding.decode(path, None)
        except ImageError as error:
            raise ImageError(f"raster {str(path)!r} {error}") from error
        except decoding.OF_DECODERS as error:
            raise ImageError(f"raster {str(path)!r} cannot be read: {' '.join(str(error).split())}.") from error
        array = found.array if found.array.ndim == 3 else found.array[..., None]
        self.opacity = array[..., -1] if found.alpha else None
        self.array = array[..., :-1] if found.alpha else array
        masked = self.opacity is not None and not self.opacity.all()
        self.info = RasterInfo(
            array.shape[0], array.shape[1], self.array.shape[2], self.array.dtype.name, masked=masked
        )

    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        return self.array[box.top : box.bottom, box.left : box.right][..., list(bands)]

    def valid(self, box: Box) -> np.ndarray | None:
        if self.opacity is None or not self.info.masked:
            return None
        return self.opacity[box.top : box.bottom, box.left : box.right] > 0
