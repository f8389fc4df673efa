"""Masks of what is to be filled: strokes, rectangles and borders, as Palette is trained on (arXiv 2111.05826).

Each function is a pure function of its arguments. A mask is H x W, bool, True where a pixel is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
Kind: TypeAlias = Literal["mixture", "free_form", "rectangles", "center"]

FREE_FORM_SHARE = 0.6
"""Of the masks that Palette is trained on; the others are rectangles."""
COVERED = (0.1, 0.4)
"""Least and greatest share of the image that the rectangles cover together."""
ATTEMPTS = 200
"""Masks that are drawn at most to find one of the wanted coverage, which an image of few pixels may not allow."""


def draw_mask(
    kind: Kind, height: int, width: int, seed: int, coverage: tuple[float, float] | list[float] | None = None
) -> Mask:
    """A mask for inpainting.

    Args:
        kind: "mixture" is Palette's: strokes with probability 0.6, otherwise rectangles; "free_form" and "rectangles"
            are these alone; "center" is the square of half the sides.
        height: in pixels.
        width: in pixels.
        seed: the mask is a function of it.
        coverage: least and greatest share of the image to be covered, such as the 20 to 30 % of Palette's
            evaluation; masks of another are drawn again. None: as it comes.

    >>> mask = draw_mask("free_form", 64, 64, seed=0, coverage=(0.2, 0.3))
    >>> mask.shape, bool(0.2 <= mask.mean() <= 0.3)
    ((64, 64), True)
    """
    if kind == "center":
        return center(height, width)
    draw = np.random.default_rng(seed)
    strokes = kind == "free_form" or (kind == "mixture" and draw.random() < FREE_FORM_SHARE)
    maker, natural = (free_form, None) if strokes else (rectangles, COVERED)
    bounds = natural if coverage is None else (coverage[0], coverage[1])
    if bounds is None:
        return maker(height, width, int(draw.integers(2**63)))
    return _within(bounds, maker, height, width, draw)


def free_form(height: int, width: int, seed: int) -> Mask:
    """Strokes of a brush that goes to and fro (DeepFill v2, Yu et al., ICCV 2019, arXiv 1806.03589, appendix).

    One to three strokes of 4 to 11 lines with round ends, each turned against the one before. The numbers are those
    of the authors' code for 256 x 256; the width of the brush, 12 to 40 pixels there, is scaled with the image.
    """
    from PIL import Image, ImageDraw

    draw = np.random.default_rng(seed)
    cover = Image.new("1", (width, height))
    pen = ImageDraw.Draw(cover)
    mean = math.hypot(height, width) / 8
    for _ in range(draw.integers(1, 4)):
        lines = int(draw.integers(4, 12))
        low = 2 * math.pi / 5 - draw.uniform(0, 2 * math.pi / 15)
        high = 2 * math.pi / 5 + draw.uniform(0, 2 * math.pi / 15)
        angles = draw.uniform(low, high, lines) * np.where(np.arange(lines) % 2, 1, -1)
        lengths = draw.normal(mean, mean / 2, lines).clip(0, 2 * mean)
        thick = max(1, round(draw.uniform(12, 40) * min(height, width) / 256))
        x, y = draw.uniform(0, width), draw.uniform(0, height)
        points = [(float(x), float(y))]
        for angle, length in zip(angles, lengths, strict=True):
            x = np.clip(x + length * math.cos(angle), 0, width)
            y = np.clip(y + length * math.sin(angle), 0, height)
            points.append((float(x), float(y)))
        pen.line(points, 1, thick)
        for x, y in points:
            pen.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], 1)
    mask = np.array(cover)
    mask[height // 2, width // 2] |= not mask.any()  # at a corner of a tiny image a stroke may miss every pixel
    flips = draw.random(2) < 0.5  # or strokes would all lean the same way
    mask = mask[:, ::-1] if flips[0] else mask
    return np.ascontiguousarray(mask[::-1] if flips[1] else mask)


def rectangles(height: int, width: int, seed: int) -> Mask:
    """One to five rectangles of one area, 10 to 40 % of the image together where none overlap."""
    draw = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.bool_)
    count = int(draw.integers(1, 6))
    area = draw.uniform(*COVERED) * height * width / count
    for ratio in np.exp2(draw.uniform(-1, 1, count)):
        tall = min(height, max(1, round(math.sqrt(area * ratio))))
        wide = min(width, max(1, round(area / tall)))
        top, left = draw.integers(height - tall + 1), draw.integers(width - wide + 1)
        mask[top : top + tall, left : left + wide] = True
    return mask


def center(height: int, width: int) -> Mask:
    """The square (rectangle) of half the sides in the middle, as in 128 x 128 of 256 x 256.

    >>> int(center(256, 256).sum()) == 128 * 128
    True
    """
    mask = np.zeros((height, width), np.bool_)
    tall, wide = max(1, height // 2), max(1, width // 2)
    top, left = (height - tall) // 2, (width - wide) // 2
    mask[top : top + tall, left : left + wide] = True
    return mask


def border(height: int, width: int, seed: int) -> Mask:
    """Half of the area, at one of the four sides or all around, with equal probability: Palette's uncropping.

    >>> bool(abs(border(64, 64, seed=0).mean() - 0.5) < 0.02)
    True
    """
    draw = np.random.default_rng(seed)
    around, side = draw.random() < 0.5, int(draw.integers(4))
    mask = np.ones((height, width), np.bool_)
    if around:
        tall, wide = (max(1, round(side * math.sqrt(0.5))) for side in (height, width))
        top, left = (height - tall) // 2, (width - wide) // 2
        mask[top : top + tall, left : left + wide] = False
    else:
        half = (height if side < 2 else width) // 2
        hidden = np.flip(mask, axis=(0, 1)) if side % 2 else mask  # a view
        if side < 2:
            hidden[half:] = False
        else:
            hidden[:, half:] = False
    return mask


def _within(
    bounds: tuple[float, float],
    maker: Callable[[int, int, int], Mask],
    height: int,
    width: int,
    draw: np.random.Generator,
) -> Mask:
    """A mask that covers a share within the bounds; the closest that was drawn where none did."""
    best, least = None, math.inf
    for _ in range(ATTEMPTS):
        mask = maker(height, width, int(draw.integers(2**63)))
        share = mask.mean()
        miss = max(bounds[0] - share, share - bounds[1], 0.0)
        if best is None or miss < least:
            best, least = mask, miss
        if not miss:
            break
    assert best is not None  # for the type checker
    return best
