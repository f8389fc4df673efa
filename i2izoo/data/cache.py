"""Images, decoded and resized once and then kept in memory while they fit a budget."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from i2izoo.errors import ImageError
from i2izoo.images.reading import to_tensor
from i2izoo.images.types import ImageSource
from i2izoo.images.writing import resize
from i2izoo.nn.label_maps import Colours, cleaned, nearest_classes, tolerance_of

Half: TypeAlias = Literal["left", "right"] | None
Pixels: TypeAlias = NDArray[Any]
"""C x H x W: uint8 in 0 .. 255, or float32 in [-1, 1] for images that 8 bits do not hold."""


LABEL_MAP = 0.25
"""Share of the pixels of a label map that have the colour of a class, at least: of JPEG maps of 64 x 64 it is half."""

_Map: TypeAlias = tuple[tuple[int, ...], ...] | None
_Key: TypeAlias = tuple[Path, Half, int | None, int | None, _Map]


class ImageCache:
    """Decoded images, at most `budget` bytes of them; beyond that they are decoded each time.

    Args:
        budget: bytes; None takes a quarter of the memory that is available now.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget = available_memory() // 4 if budget is None else budget
        self.used = 0
        self._kept: dict[_Key, Pixels] = {}
        self._last: tuple[tuple[Path, int | None, int | None, _Map], dict[Half, Pixels]] | None = None
        self._lock = threading.Lock()

    def get(
        self, path: Path, half: Half, size: int | None, channels: int | None, palette: Colours | None = None
    ) -> Pixels:
        """An image or its half, resized to size x size: bicubic, or to the nearest pixel of a label map, cleaned first.

        Args:
            palette: the colours of a label map, of which every pixel gets one; None: it is none.

        Raises:
            ImageError: it cannot be read; the message names the file.
        """
        as_map = None if palette is None else tuple(map(tuple, palette))
        found = self._kept.get((path, half, size, channels, as_map))
        if found is not None:
            return found
        last = self._last
        if last is not None and last[0] == (path, size, channels, as_map) and half in last[1]:
            return last[1][half]
        image = read_grey(path) if channels == 1 else to_tensor(path, channels)
        # decoding is what costs: a side-by-side image leaves both its halves, the last one beyond the budget, too
        parts = {h: take_half(image, h, size is not None, path) for h in halves(half)}
        if palette is not None:
            check_label_map(parts[half], palette, f"image {str(path)!r}")
        arrays = {h: prepare(part, size, palette) for h, part in parts.items()}
        self._last = ((path, size, channels, as_map), arrays) if half is not None else None
        for side, array in arrays.items():
            self._keep((path, side, size, channels, as_map), array)
        return arrays[half]

    def _keep(self, key: _Key, array: Pixels) -> None:
        with self._lock:
            if key not in self._kept and self.used + array.nbytes <= self.budget:
                self._kept[key] = array
                self.used += array.nbytes


def halves(half: Half) -> tuple[Half, ...]:
    """What there is in a file: the whole image, or two halves."""
    return (None,) if half is None else ("left", "right")


def take_half(image: Tensor, half: Half, resized: bool = True, path: Path | None = None) -> Tensor:
    """The left or right half of C x H x W, as in the pix2pix code: of an odd width the right one is wider by a column.

    Where they are not `resized`, so that a pair would differ in size, that column, the middle one, belongs to neither.

    Raises:
        ImageError: it is a pixel wide; the message names `path`.
    """
    width = image.shape[-1] // 2
    if half is None:
        return image
    if width == 0:
        raise ImageError(
            f"image {str(path or '')!r} is 1 pixel wide and has no halves; remove it, or leave sides= out."
        )
    if half == "left":
        return image[..., :width]
    return image[..., width:] if resized else image[..., image.shape[-1] - width :]


def prepare(image: Tensor, size: int | None, palette: Colours | None = None) -> Pixels:
    """Resize C x H x W in [-1, 1] to C x size x size, in 8 bits where the image has no more than that.

    A label map gets the colours of its palette first, and no mixtures of them by resizing.
    """
    if palette is not None:
        image = cleaned(image, palette)
        image = image if size is None else resize(image, (size, size), "nearest")
        size = None
    planes = _eight_bits(image)
    if planes is None:
        array = image if size is None else resize(image, (size, size))
        return np.ascontiguousarray(array.numpy())
    if size is None or planes.shape[1:] == (size, size):
        return np.ascontiguousarray(planes)
    # Pillow rounds to 8 bits, as the pix2pix code does
    return np.stack([np.asarray(resize(Image.fromarray(p), (size, size))) for p in planes])


def check_label_map(image: Tensor, palette: Colours, name: str) -> None:
    """Refuse C x H x W in [-1, 1] of which hardly a pixel has the colour of a class.

    Raises:
        ImageError: it is no label map in this palette; `name` is that of the image.
    """
    _, sure = nearest_classes(image[None], palette, tolerance_of(palette))
    if (share := sure.float().mean().item()) < LABEL_MAP:
        raise ImageError(
            f"{name} is no label map in the palette that is given: {share:.0%} of its pixels have one of "
            f"the {len(palette)} colours, the first of which is {list(palette[0])}; name the domain that is one, or "
            "give its palette."
        )


def read_grey(source: ImageSource) -> Tensor:
    """One image as 1 x H x W in [-1, 1]; grey of 8-bit colours has 8 bits, too, before anything is resized.

    So the pix2pix code makes it, by Pillow's weights of ITU-R BT.601 in whole numbers.
    """
    image = to_tensor(source)
    planes = _eight_bits(image) if len(image) == 3 else None
    if planes is None:
        return image if len(image) == 1 else to_tensor(source, 1)
    red, green, blue = planes.astype(np.uint32)
    grey = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return torch.from_numpy(grey.astype(np.float32)[None] / np.float32(127.5) - 1)


def _eight_bits(image: Tensor) -> Pixels | None:
    """The image in 0 .. 255, uint8; None where that loses something."""
    levels = (image.numpy() + 1) * np.float32(127.5)
    rounded = levels.round()
    return None if np.abs(levels - rounded).max() > 1e-3 else rounded.astype(np.uint8)


def available_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)
