"""What a tile holds: is it whole, is there anything on it, and was it there before?"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from i2izoo.errors import ImageError

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
"""What servers send -> the ending of the file."""
PLAIN = ("L", "RGB", "P")
"""Modes that are kept as they were sent."""
LARGEST = 4096
"""Side of a tile in pixels; the web's have 256 or 512."""


@dataclass
class Pixels:
    """The pixels of a tile.

    Attributes:
        array: H x W x C, uint8 or uint16.
        valid: H x W, where there is data; None: everywhere.
        sent: the file as it was sent, where it need not be encoded anew.
        ending: of the file.
    """

    array: np.ndarray
    valid: np.ndarray | None = None
    sent: bytes | None = None
    ending: str = ".png"

    def state(self, min_valid: float, contrast: int) -> str:
        """What becomes of the tile: "kept", or why it is left out.

        "empty" is one without data, "partial" one with data on a smaller share than `min_valid`, and "blank" one whose
        values differ by less than `contrast` 255ths of their range.
        """
        share = 1.0 if self.valid is None else float(self.valid.mean())
        if share < min_valid or share == 0:
            return "partial" if share else "empty"
        shown = self.array.reshape(-1, self.array.shape[-1]) if self.valid is None else self.array[self.valid]
        spread = (shown.max(axis=0).astype(int) - shown.min(axis=0).astype(int)).max()
        return "blank" if spread * 255 < contrast * np.iinfo(self.array.dtype).max else "kept"

    @property
    def fingerprint(self) -> str:
        """Equal for equal pixels, however they were encoded."""
        digest = hashlib.blake2b(repr((self.array.shape, self.array.dtype.str)).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(self.array).tobytes())
        return digest.hexdigest()


def decoded(body: bytes, channels: int | None) -> Pixels:
    """A tile that a server sent.

    Args:
        body: PNG, JPEG or WebP.
        channels: 1 or 3 for the file; None keeps it as it was sent.

    Raises:
        ImageError: it is none of these, damaged, or too large to be a tile.
    """
    try:
        with Image.open(io.BytesIO(body), formats=list(FORMATS)) as image:
            if max(image.size) > LARGEST:
                raise ImageError(f"the tile is {image.width} x {image.height}, more than {LARGEST} pixels a side")
            image.load()
            form, mode = str(image.format), image.mode
            clear = mode in ("LA", "RGBA", "PA") or "transparency" in image.info
            valid = np.asarray(image.convert("RGBA"))[..., 3] >= 128 if clear else None
            wanted = {1: "L", 3: "RGB"}[channels] if channels else "L" if mode in ("L", "LA", "1") else "RGB"
            array = np.asarray(image.convert(wanted))
    except ImageError:
        raise
    except Exception as error:  # whatever a decoder does with what is no image
        raise ImageError("what came is no PNG, JPEG or WebP") from error
    array = array[..., None] if array.ndim == 2 else array
    as_sent = channels is None or mode == wanted
    valid = None if valid is None or valid.all() else valid
    if as_sent and mode in PLAIN and not clear:
        return Pixels(array, valid, body, FORMATS[form])
    return Pixels(array, valid)
