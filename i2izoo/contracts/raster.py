"""What a format of rasters must offer: images too large for memory are read and written in windows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Box:
    """A part of a raster, in pixels: rows from `top` to `bottom` and columns from `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class RasterInfo:
    """What is known of a raster before its pixels are read.

    Attributes:
        height, width: in pixels.
        bands: without opacity, which is part of `Raster.valid`.
        dtype: numpy's name of the type of its values.
        nodata: value of pixels that are none; None: there is no such value.
        masked: it has a mask or opacity of its own.
        transform: from columns and rows to coordinates, (a, b, c, d, e, f): x = a * column + b * row + c and
            y = d * column + e * row + f; None: it lies nowhere.
        resolution: side of a pixel on the ground, in metres; None: unknown.
        colours: places of red, green and blue among the bands, from 0; None: they are not marked.
        facts: what else the format keeps of it, for `RasterFormat.write` of the same format.
    """

    height: int
    width: int
    bands: int
    dtype: str
    nodata: float | None = None
    masked: bool = False
    transform: tuple[float, ...] | None = None
    resolution: float | None = None
    colours: tuple[int, int, int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Raster(ABC):
    """An open raster, read in windows."""

    info: RasterInfo

    @abstractmethod
    def read(self, box: Box, bands: Sequence[int]) -> np.ndarray:
        """Pixels as they are stored, H x W x C, of some bands, counted from 0."""

    def valid(self, box: Box) -> np.ndarray | None:
        """Which pixels are any, H x W, bool, by mask or opacity; None: all. What `nodata` says comes on top."""
        return None

    def data_mask(self, box: Box, bands: Sequence[int]) -> np.ndarray | None:
        """Which pixels are any, by mask, opacity, nodata and NaN, H x W, bool; None: all.

        One is none where any of its bands is NaN, and where all of them are nodata.
        """
        import numpy as np

        info, valid = self.info, self.valid(box)
        floats = np.dtype(info.dtype).kind == "f"
        if info.nodata is None and not floats:
            return valid
        values = self.read(box, bands)
        good = np.isfinite(values).all(axis=2) if floats else np.ones(values.shape[:2], bool)
        if info.nodata is not None and np.isfinite(info.nodata):
            nodata = np.array(info.nodata).astype(info.dtype) if floats else info.nodata
            good &= (values != nodata).any(axis=2)
        return good if valid is None else valid & good

    def close(self) -> None:  # noqa: B027  (not all have anything to close)
        """Give back what it holds."""


class Pixels(ABC):
    """A finished raster, which a format writes."""

    info: RasterInfo

    @abstractmethod
    def read(self, top: int, bottom: int) -> np.ndarray:
        """Rows, H x W x C."""

    @abstractmethod
    def valid(self, top: int, bottom: int) -> np.ndarray | None:
        """Which pixels of rows are any, H x W, bool; None: all."""


class RasterFormat(ABC):
    """A way to read and write rasters; of those that can, the one of the highest `priority` does.

    Attributes:
        priority: among formats that read or write the same file.
        classes: are values classes, whose mixtures mean nothing? See `write`.
    """

    priority: ClassVar[int] = 0

    @classmethod
    @abstractmethod
    def reads(cls, path: Path) -> bool:
        """Can it read this file? Judged by ending and first bytes, and by what is installed."""

    @classmethod
    @abstractmethod
    def writes(cls, path: Path) -> bool:
        """Can it write a file of this name?"""

    @classmethod
    def wants_tiles(cls, path: Path) -> bool:
        """Is this file, which it reads, translated in tiles unasked, since it is large or lies on the earth?"""
        return True

    @abstractmethod
    def open(self, path: Path) -> Raster:
        """Open a file.

        Raises:
            ImageError: it cannot be read.
        """

    @abstractmethod
    def write(self, path: Path, pixels: Pixels, like: RasterInfo, box: Box, *, classes: bool = False) -> None:
        """Write a file, row by row.

        Args:
            path: of a file that may be anything so far; the caller renames it.
            pixels: what is written; its `info` has size, type, `nodata` and `masked`.
            like: of the raster that it was made of, whose place, names and tags it takes.
            box: the part of that raster that it is.
            classes: its values are classes (label maps): overviews take the nearest.
        """
