"""What is missing of old photographs: scratches, cracks, dust, holes and corners, with the mask of where.

A function of its arguments and the seed. Grey images are H x W, float32 in [0, 1]; a mask is True where damage shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from i2izoo_tasks.film import Grey
from i2izoo_tasks.masks import Mask

COUNTS = {"scratch": 2.0, "crack": 0.5, "speck": 4.0, "hole": 0.5, "corner": 0.7}
"""How many of each an image has on average, where the amount is 1."""
FINE = 2
"""The edges of what is missing are drawn on so many times finer a grid, which makes them soft."""


def damage(grey: Grey, amount: float, seed: int) -> tuple[Grey, Mask]:
    """Damage an image.

    A scratch is a thin line, a crack a ragged one from side to side, a speck a dot of dust, a hole a ragged patch of a
    twentieth to a sixth of the shorter side in radius, and of a corner a triangle of up to half of a side is gone. What
    shows there is paper or the scanner's lid: dark or light, a little uneven. Sizes are in proportion to the image.

    Args:
        grey: the image.
        amount: what the average counts are multiplied by, see `COUNTS`; 0 leaves the image whole.
        seed: the damage is a function of it.

    Returns:
        The damaged image, and its mask: wherever damage shows.

    >>> grey = np.full((64, 64), 0.5, np.float32)
    >>> damaged, mask = damage(grey, 2.0, seed=1)
    >>> bool((damaged[~mask] == 0.5).all()), bool(0 < mask.mean() < 0.9)
    (True, True)
    """
    from PIL import Image, ImageDraw

    draw = np.random.default_rng(seed)
    height, width = grey.shape
    mask, image = np.zeros(grey.shape, np.bool_), grey.copy()
    for kind, mean in COUNTS.items():
        for _ in range(min(int(draw.poisson(mean * amount)), 200)):
            cover = Image.new("L", (width * FINE, height * FINE))
            pen = ImageDraw.Draw(cover)
            for points, thick in _outline(kind, height * FINE, width * FINE, draw):
                if thick:
                    pen.line(points, 255, thick, joint="curve")
                else:
                    pen.polygon(points, 255)
            share = np.asarray(cover.reduce(FINE), np.float32) / 255
            light = draw.random() < 0.7  # the layer is gone, and paper or a white lid shows
            tone = draw.uniform(0.8, 1.0) if light else draw.uniform(0.0, 0.15)
            rough = np.float32(tone) + draw.normal(0, 0.015, grey.shape).astype(np.float32)
            image += share * (rough.clip(0, 1) - image)
            mask |= share > 0
    return image, mask


Points = list[tuple[float, float]]


def _outline(kind: str, height: int, width: int, draw: np.random.Generator) -> Iterator[tuple[Points, int]]:
    """Lines, with their width, and polygons, with none, of one damage, in pixels."""
    side = min(height, width)
    unit = side / 256  # numbers below are pixels of 256 x 256
    x, y = draw.uniform(0, width), draw.uniform(0, height)
    if kind == "speck":
        yield _ragged(x, y, unit * draw.uniform(0.5, 3), 8, 0.3, draw), 0
    elif kind == "hole":
        yield _ragged(x, y, side * draw.uniform(1 / 20, 1 / 6), 24, 0.35, draw), 0
    elif kind == "corner":
        right, bottom = draw.random(2) < 0.5
        along, down = draw.uniform(0.1, 0.5, 2) * (width, height)
        corner = (width if right else 0, height if bottom else 0)
        ends = (abs(corner[0] - along), corner[1]), (corner[0], abs(corner[1] - down))
        yield [corner, *_walk(*ends, 12, side / 100, draw)], 0
    elif kind == "crack":
        angle, reach = draw.uniform(0, math.pi), float(height + width)
        over, up = math.cos(angle) * reach, math.sin(angle) * reach
        path = _walk((x - over, y - up), (x + over, y + up), 60, side / 60, draw)
        yield path, max(1, round(unit * draw.uniform(1, 4)))
    else:
        angle, reach = draw.normal(math.pi / 2, 0.5), draw.uniform(0.05, 0.5) * max(height, width)
        over, up = math.cos(angle) * reach, math.sin(angle) * reach
        yield (
            _walk((x - over, y - up), (x + over, y + up), 4, reach / 50, draw),
            max(1, round(unit * draw.uniform(1, 3))),
        )


def _ragged(x: float, y: float, radius: float, corners: int, rough: float, draw: np.random.Generator) -> Points:
    """A closed outline around a point, whose distance from it goes up and down."""
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    steps = np.convolve(draw.normal(0, rough, corners + 2), np.ones(3) / math.sqrt(3), "valid")
    reach = radius * np.exp(steps)
    return [(float(x + r * math.cos(a)), float(y + r * math.sin(a))) for a, r in zip(angles, reach, strict=True)]


def _walk(
    start: tuple[float, float], end: tuple[float, float], steps: int, aside: float, draw: np.random.Generator
) -> Points:
    """A ragged line from one point to another."""
    line = np.linspace(start, end, steps + 1)
    line[1:-1] += draw.normal(0, aside, (steps - 1, 2))
    return [(float(x), float(y)) for x, y in line]
