"""Image files and PIL images to arrays with all their bits, without a word of the decoders."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, EXTRASAMPLES, PHOTOMETRIC_INTERPRETATION, TiffImageFile
from PIL.TiffTags import TAGS_V2_GROUPS

from i2izoo.errors import I2IZooWarning, ImageError, escaped
from i2izoo.images import tiff

OF_DECODERS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, ArithmeticError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise for a file that is damaged, or in a form that they do not know."""

PLANAR = 284
"""The tag of a TIFF that says whether the values of a pixel lie together (1) or in planes (2)."""

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
"""Formats whose further images are frames; those of other formats are pages, overviews or previews."""

_WARNINGS = threading.Lock()  # what `_quietly` changes is the process's
_said: set[str] = set()
"""What is said once in a process."""

with contextlib.suppress(OSError, AttributeError):  # libtiff prints what Pillow raises; on Windows it is out of reach
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


@dataclass
class Decoded:
    """The pixels of an image.

    Attributes:
        array: H x W or H x W x C; uint8 or uint16 over their full range, or float32 in [0, 1].
        alpha: is the last channel opacity?
        orientation: EXIF's, 1 to 8, still to be undone.
    """

    array: np.ndarray
    alpha: bool = False
    orientation: int = 1


def decode(path: Path, channels: int | None) -> Decoded:
    """Read a file.

    Args:
        path: of an image in any format that Pillow reads, or a TIFF of any bands.
        channels: that are wanted, where known: of colours with further bands, 1 or 3 are the colours alone.

    Raises:
        ImageError: it is a folder, or of a kind that cannot be read without loss.
        OSError, ValueError, ...: what Pillow raises for a damaged file, see `OF_DECODERS`.
    """
    if os.path.isdir(path):
        raise ImageError("is a folder, not an image.")
    try:
        image = open_file(path)
    except Image.UnidentifiedImageError:
        if tiff.is_tiff(path):  # Pillow knows no more than 4 bands
            return Decoded(*tiff.read(path, channels))
        raise
    with image:
        if isinstance(image, TiffImageFile) and _has_more(image, channels):
            return Decoded(*tiff.read(path, channels))
        layout, mode = _layout(image), image.mode
        if _is_cut(image) or _is_deep_ppm(image):
            return _deep_colour(path, layout)
        found = of_pil(image)
        if isinstance(image, TiffImageFile) and mode == "I;16" and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
            found.array = np.invert(found.array)  # white is 0: Pillow knows in 8 bits
        _say_if_animated(image, path)
        return found


def open_file(path: Path) -> ImageFile.ImageFile:
    """Open an image, as Pillow does: lazily.

    Raises:
        Image.DecompressionBombWarning: it has more pixels than Pillow's limit.
    """
    with _quietly():
        return Image.open(path)


def of_pil(image: Image.Image) -> Decoded:
    """The pixels of a PIL image of any mode."""
    load(image)  # before the orientation is asked for: Pillow turns TIFF by itself and then forgets the tag
    turned, mode = orientation(image), image.mode
    key = image.info.get("transparency")  # of what is no file, anything
    keyed: dict[str, tuple[type, ...]] = {"P": (int, bytes), "RGB": (tuple,), "L": (int,)}
    if mode == "1":
        image = image.convert("L")
    elif mode in ("PA", "La", "RGBa") or (mode in keyed and isinstance(key, keyed[mode])):
        image = image.convert("LA" if mode in ("La", "L") else "RGBA")
    elif mode not in ("L", "LA", "RGB", "RGBA", "I", "F") and not mode.startswith("I;16"):
        image = image.convert("RGB")  # P, CMYK, YCbCr, LAB, HSV, RGBX
    array = np.array(image)
    if image.mode == "I":  # 32 bits with no agreed range: files of 16 bits open like this
        if array.min(initial=0) < 0 or array.max(initial=0) > 65535:
            raise ImageError(
                f"has values {array.min()} to {array.max()} in mode I; only 0 to 65535 is understood, so scale it."
            )
        array = array.astype(np.uint16)
    return Decoded(array, image.mode in ("LA", "RGBA"), turned)


def of_given(image: Image.Image) -> Decoded:
    """The pixels of a PIL image of a user's; of one that Pillow is about to cut to 8 bits, that is said once."""
    if isinstance(image, ImageFile.ImageFile) and _is_cut(image):
        name = f"image {file!r}" if (file := getattr(image, "filename", "")) else "a PIL image"
        _say_once("cut", f"{name} has 16 bits, of which Pillow keeps 8 in colour; give the path to keep them all.")
    return of_pil(image)


def load(image: Image.Image) -> None:
    """Decode a PIL image, which may have done no more than open its file."""
    if isinstance(image, TiffImageFile) and image.tile:
        with _quietly():  # Pillow reads these while it decodes, which others should not wait for
            exif = image.getexif()
            for group in TAGS_V2_GROUPS:
                if group in exif:
                    exif.get_ifd(group)
    image.load()


def orientation(image: Image.Image) -> int:
    """How EXIF says that an image lies, 1 to 8; damaged EXIF data says nothing."""
    with _quietly():
        return image.getexif().get(0x0112, 1)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what Pillow warns of and logs: it is in the error, or does not matter to who reads the pixels."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        logger = logging.getLogger("PIL")
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)


def _layout(image: ImageFile.ImageFile) -> str:
    """How the bytes of a pixel lie in the file, in Pillow's words ("RGB;16B")."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _is_cut(image: ImageFile.ImageFile) -> bool:
    """Has the file 16 bits in several channels, of which Pillow keeps 8? Nothing tells once it is decoded."""
    return image.mode in ("RGB", "RGBA", "LA") and ";16" in _layout(image)


def _is_deep_ppm(image: ImageFile.ImageFile) -> bool:
    arguments = image.tile[0].args if image.tile else None
    return (
        image.format == "PPM"
        and image.mode == "RGB"
        and isinstance(arguments, tuple)
        and len(arguments) > 1
        and arguments[1] != 255
    )


def _has_more(image: TiffImageFile, channels: int | None) -> bool:
    """Does a TIFF hold more than Pillow gives: planes of 16 bits or of alpha, or further bands that are wanted?"""
    bits, planes, further = (np.atleast_1d(image.tag_v2.get(tag, 0)) for tag in (BITSPERSAMPLE, PLANAR, EXTRASAMPLES))
    in_planes = 2 in planes and (16 in bits or image.mode == "LA")
    return in_planes or (EXTRASAMPLES in image.tag_v2 and 0 in further and channels not in (1, 3))


def _deep_colour(path: Path, layout: str) -> Decoded:
    """16 bits in each of several channels, of which Pillow keeps only the upper 8.

    Told that the bytes of each number lie the other way round, it takes the lower 8, so two readings give all.
    """
    colours, _, order = layout.partition(";16")
    if layout == "LA;16B":  # for which there is no other way round, but four bytes to a pixel fit RGBA
        pairs = _decoded(path, "RGBA")
        high, low = pairs.array[..., 0::2], pairs.array[..., 1::2]
        return Decoded(high.astype(np.uint16) << 8 | low, True, pairs.orientation)
    if colours not in ("RGB", "RGBA", "RGBX") or order not in ("B", "L", "N"):
        raise ImageError(
            "has more than 8 bits in each of several channels, in a layout that Pillow cuts to 8; save it as a 16-bit "
            "PNG, or read it with another library and give the array."
        )
    native = {"little": "L", "big": "B"}[sys.byteorder]
    other = {"B": "L", "L": "B"}[native if order == "N" else order]
    upper, lower = _decoded(path, layout), _decoded(path, f"{colours};16{other}")
    return Decoded(upper.array.astype(np.uint16) << 8 | lower.array, upper.array.shape[-1] == 4, upper.orientation)


def _decoded(path: Path, layout: str) -> Decoded:
    """The image with its bytes unpacked as `layout` says."""
    with open_file(path) as image:
        image.tile = [
            tile._replace(args=(layout, *tile.args[1:]) if isinstance(tile.args, tuple) else layout)
            for tile in image.tile
        ]
        load(image)
        return Decoded(np.array(image), orientation=orientation(image))


def _say_if_animated(image: ImageFile.ImageFile, path: Path) -> None:
    if image.format not in ANIMATED or "animated" in _said:
        return
    animated = False
    with contextlib.suppress(*OF_DECODERS):  # the frame that is read was whole
        animated = getattr(image, "is_animated", False)
    if animated:
        _say_once(
            "animated", f"image {str(path)!r} is an animation; one frame of it is used, the first, and so of others."
        )


def _say_once(what: str, sentence: str) -> None:
    if what not in _said:
        _said.add(what)
        warnings.warn(escaped(sentence), I2IZooWarning, stacklevel=2)
