"""TIFF of any number of bands, in 8 or 16 bits or float, by tifffile: Pillow stops at four bands of 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from einops import rearrange
from PIL import Image

from i2izoo.errors import ImageError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a file begins: TIFF and BigTIFF, in either order of bytes."""

GREY, RGB = 1, 2
"""Photometric interpretations; bands of anything else are grey, too."""

OPACITY = (1, 2)
"""What a band beside the colours says of itself: premultiplied or plain alpha. 0 says nothing."""


def is_tiff(path: Path) -> bool:
    """Does the file begin as a TIFF does?"""
    with path.open("rb") as file:
        return file.read(4) in SIGNATURES


def read(path: Path, channels: int | None) -> tuple[np.ndarray, bool, int]:
    """The first page: its array H x W x C, whether the last band is opacity, and its EXIF orientation.

    Args:
        path: of the file.
        channels: that are wanted, where known: of colours with further bands, 1 or 3 are the colours alone.

    Raises:
        ImageError: damaged, compressed in a way that tifffile cannot undo alone, or neither grey nor RGB.
        Image.DecompressionBombError: it is larger than Pillow's limit.
    """
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it logs of a damaged file is in the error
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check_size(page.imagewidth, page.imagelength, page.samplesperpixel * page.imagedepth)
            array, axes = page.asarray(maxworkers=1), page.axes
            meaning, extra = int(page.photometric), tuple(int(e) for e in page.extrasamples)
            tag = page.tags.get("Orientation")
    except (ImageError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:  # tifffile parses a damaged file until anything at all happens
        said = " ".join(str(error).split()).removeprefix("TiffPage 0: ").rstrip(".") or type(error).__name__
        raise ImageError(f"cannot be read: {said}.") from error
    if axes not in ("YX", "YXS", "SYX") or meaning not in (GREY, RGB):
        raise ImageError(f"is a TIFF of axes {axes!r} and photometric interpretation {meaning}, not of bands or RGB.")
    array = array[..., None] if axes == "YX" else rearrange(array, "s y x -> y x s") if axes == "SYX" else array
    if meaning == RGB and channels in (1, 3) and 0 in extra:
        array, extra = array[..., :3], ()
    turned = int(tag.value) if tag is not None and isinstance(tag.value, int) else 1
    return array, len(extra) == 1 and extra[0] in OPACITY, turned


def _check_size(width: int, height: int, bands: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height * max(1, bands / 4) > limit:
        raise Image.DecompressionBombError


def write(path: Path, array: np.ndarray) -> None:
    """Write H x W x C, uint8, uint16 or float32, losslessly compressed."""
    import tifffile

    colour = array.shape[-1] in (3, 4)
    extra = array.shape[-1] - (3 if colour else 1)
    # four channels are colour with alpha, and two grey with it, as in a PNG; more are bands that say nothing
    alpha = "unassalpha" if array.shape[-1] in (2, 4) else "unspecified"
    tifffile.imwrite(
        path, array, photometric="rgb" if colour else "minisblack", planarconfig="contig", compression="zlib",
        extrasamples=[alpha] * extra, metadata=None,
    )  # fmt: skip
