"""Images inside the page: read, reduced where large, and embedded as data URIs."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from i2izoo.evaluation.result import Comparison

QUALITY = 90
THUMBNAIL = 72
"""Longest side of the small images of those that are not shown in full, in pixels."""
SIDES = (1024, 512)
"""Longest side of an image, in pixels: the second where the first makes a page too large to send."""
MANY_PIXELS = 24_000_000
STEPS = ((512, 85), (384, 80), (256, 75), (192, 70), (160, 60), (128, 55), (96, 50), (80, 50), (64, 50))
"""Longest side and quality of the images of a page that may only have so many bytes, tried from the left."""
FEW_COLOURS = 4096


@dataclass(frozen=True)
class Shown:
    """One side of a case: title, the folder of its images, and the number of the model that made them."""

    title: str
    folder: Path
    model: int | None = None

    def path(self, name: str) -> Path:
        small = self.folder / f"{name}.webp"  # as a site keeps them
        return small if small.exists() else self.folder / f"{name}.png"


def sides(comparison: Comparison) -> list[Shown]:
    """Input, truth and the models, as far as their images were kept."""
    protocol = comparison.protocol
    given = [
        (f"input: {protocol.source}", comparison.inputs, None),
        (f"truth: {protocol.to}", comparison.truths, None),
        *((result.model, result.images, i) for i, result in enumerate(comparison.results)),
    ]
    return [Shown(title, Path(folder), i) for title, folder, i in given if folder and Path(folder).is_dir()]


def longest_side(shown: list[Shown], names: list[str]) -> int:
    """1024, or 512 where the images of these names at 1024 were too many pixels to send around."""
    pixels = 0.0
    for side in shown:
        for name in names:
            try:
                with Image.open(side.path(name)) as image:
                    pixels += image.width * image.height * min(1.0, SIDES[0] / max(image.size)) ** 2
            except (OSError, Image.DecompressionBombError):
                continue
    return SIDES[0] if pixels <= MANY_PIXELS else SIDES[1]


@dataclass(frozen=True)
class Embedded:
    """An image as a data URI, with the size that it is embedded at and its own."""

    uri: str
    width: int
    height: int
    reduced: bool


def embed(path: Path, longest: int, quality: int = QUALITY) -> Embedded | None:
    """The image as WebP: exact where it is small or has few colours, as label maps have. None: unreadable.

    A WebP file that is not too large is embedded byte by byte.
    """
    try:
        with Image.open(path) as file:
            if file.format == "WEBP" and max(file.size) <= longest:
                return Embedded(_uri(path.read_bytes()), *file.size, False)
            image = _eight_bits(file)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    reduced = max(image.size) > longest
    if reduced:
        factor = longest / max(image.size)
        size = tuple(max(1, math.floor(side * factor + 0.5)) for side in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.BOX if factor <= 0.5 else Image.Resampling.LANCZOS)
    data = _webp(image, quality=quality, method=4)
    small = max(image.size) <= 64 and not reduced
    if small or image.getcolors(FEW_COLOURS):
        exact = _webp(image, lossless=True, exact=True)
        if len(exact) <= len(data) or small:
            data = exact
    return Embedded(_uri(data), *image.size, reduced)


def _uri(webp: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")


def _webp(image: Image.Image, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert("L") would clip instead of scale
        return image.convert("I").point(lambda value: value / 257).convert("L").convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
