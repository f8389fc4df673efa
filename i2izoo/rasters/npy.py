"""Arrays in .npy as rasters: H x W or H x W x C."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2izoo.contracts.raster import Box, Pixels, Raster, RasterFormat, RasterInfo
from i2izoo.errors import ImageError

ROWS = 256
"""That are written at a time."""


class Npy(RasterFormat):
    """Arrays of numpy, H x W or H x W x C in .npy."""

    @classmethod
    def reads(cls, path: Path) -> bool:
        return path.suffix.lower() == ".npy" and path.is_file()

    @classmethod
    def writes(cls, path: Path) -> bool:
        return path.suffix.lower() == ".npy"

    def open(self, path: Path) -> Raster:
        return _Array(path)

    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        info = pixels.info
        flat = info.bands == 1 and like.facts.get("dims") == 2
        shape = (info.height, info.width) if flat else (info.height, info.width, info.bands)
        with path.open("wb") as file:
            header = {
                "descr": np.lib.format.dtype_to_descr(np.dtype(info.dtype)),
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_2_0(file, header)  # type: ignore[no-untyped-call]
            for top in range(0, info.height, ROWS):
                file.write(np.ascontiguousarray(pixels.read(top, min(top + ROWS, info.height))).tobytes())


class _Array(Raster):
    def __init__(self, path: Path) -> None:
        try:
            self.array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ImageError(f"raster {str(path)!r} cannot be read: {' '.join(str(error).split())}.") from error
        if self.array.ndim not in (2, 3) or self.array.dtype.kind not in "uif" or not self.array.size:
            raise ImageError(
                f"raster {str(path)!r} is an array of {self.array.dtype} and shape {self.array.shape}; H x W or "
                "H x W x C of numbers is wanted."
            )
        bands = self.array.shape[2] if self.array.ndim == 3 else 1
        self.info = RasterInfo(
            self.array.shape[0],
            self.array.shape[1],
            bands,
            self.array.dtype.newbyteorder("=").name,
            facts={"dims": self.array.ndim},
        )

    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        part = self.array[box.top : box.bottom, box.left : box.right]
        part = part[..., None] if part.ndim == 2 else part
        return np.ascontiguousarray(part[..., list(bands)], dtype=self.info.dtype)
