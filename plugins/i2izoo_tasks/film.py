"""What film, its development and the scanner make of a scene: the tones and the grain of an old photograph.

Each function is a pure function of its arguments and the seed. Grey images are H x W, float32 in [0, 1], encoded as
sRGB is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from i2izoo.nn.colour import XYZ_OF_RGB

Grey: TypeAlias = NDArray[np.float32]

ORTHOCHROMATIC = (0.0, 0.45, 0.55)
"""Shares of linear red, green and blue in the exposure of film that is blind to red and sees blue best: foliage and red
roofs turn dark, water light. Emulsions differed; this is a middle, not one of them."""
CLOUDS = (1 / 12, 1 / 3)
"""Standard deviation of the smallest and largest clouds of uneven development, in shares of the longer side."""


def grey_of(colour: NDArray[np.floating[Any]], weights: Sequence[float] = XYZ_OF_RGB[1]) -> Grey:
    """The grey image, H x W in [0, 1], of sRGB 3 x H x W in [0, 1].

    In numpy, as everything that runs in the loader's thread.

    Args:
        colour: the image.
        weights: of linear red, green and blue, 1 together; those of the luminance keep L*.

    >>> red = np.array([1, 0, 0], np.float32).reshape(3, 1, 1)
    >>> grey_of(red).round(3), grey_of(red, ORTHOCHROMATIC)
    (array([[0.499]], dtype=float32), array([[0.]], dtype=float32))
    """
    red, green, blue = weights
    linear = to_linear(colour)
    return to_srgb(red * linear[0] + green * linear[1] + blue * linear[2])


def to_linear(encoded: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Light of what is encoded as sRGB."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: NDArray[np.floating[Any]]) -> Grey:
    """The inverse of `to_linear`, float32."""
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curve).astype(np.float32)


def emulsion(colour: NDArray[np.floating[Any]], blind: float) -> Grey:
    """The grey image that film makes of sRGB 3 x H x W.

    Args:
        colour: the scene, in [0, 1].
        blind: 0: film that sees as eyes do, so that L* is kept; 1: orthochromatic, see `ORTHOCHROMATIC`.
    """
    eye, film = np.array(XYZ_OF_RGB[1]), np.array(ORTHOCHROMATIC)
    return grey_of(colour, [float(weight) for weight in (1 - blind) * eye + blind * film])


def vignette(grey: Grey, strength: float, seed: int) -> Grey:
    """Take light away towards one side, up to `strength` of it in the farthest corner.

    The light falls off as the fourth power of the cosine, which is the law for a thin lens. The image is a part of
    the frame: the middle of the frame is drawn in it or up to half of a side beside it.
    """
    draw = np.random.default_rng(seed)
    middle = draw.uniform(-1, 1, 2)
    rows = np.linspace(-0.5, 0.5, grey.shape[0], dtype=np.float32)[:, None] - np.float32(middle[0])
    columns = np.linspace(-0.5, 0.5, grey.shape[1], dtype=np.float32) - np.float32(middle[1])
    square = rows**2 + columns**2
    # cos**4 = 1 / (1 + tan**2)**2, whose tangent is such that the farthest corner keeps 1 - strength
    tangent = (1 - strength) ** -0.5 - 1
    return to_srgb(to_linear(grey) / (1 + square / square.max() * tangent) ** 2)


def contrasted(grey: Grey, slope: float) -> Grey:
    """The S of a film's characteristic curve: `slope` at mid-grey, flat in the toe and the shoulder; 0 and 1 stay.

    The log odds of the grey value are multiplied by `slope`: y = x**s / (x**s + (1 - x)**s).

    >>> contrasted(np.array([[0, 0.25, 0.5, 1]], np.float32), 2.0)
    array([[0. , 0.1, 0.5, 1. ]], dtype=float32)
    """
    light, dark = grey.clip(0, 1) ** np.float32(slope), (1 - grey.clip(0, 1)) ** np.float32(slope)
    return light / (light + dark)


def develop(grey: Grey, sigma: float, seed: int) -> Grey:
    """Lighter and darker clouds of standard deviation `sigma`, where the developer worked unevenly."""
    from scipy.ndimage import zoom

    draw = np.random.default_rng(seed)
    size = draw.uniform(*CLOUDS) * max(grey.shape)
    # drawn coarsely: of clouds so large, a third of one is a cell, and there are three cells more at each edge
    cells = [int(np.ceil(3 * side / size)) + 6 for side in grey.shape]
    field = blur(draw.standard_normal(cells, dtype=np.float32), 3.0, mode="wrap")
    field = (field - field.mean()) / max(field.std(), np.float32(1e-6))
    rows, columns = (slice(round(size), round(size) + side) for side in grey.shape)
    clouds = zoom(field, size / 3, order=1)[rows, columns]
    return (grey + np.float32(sigma) * clouds).clip(0, 1)


def add_grain(grey: Grey, sigma: float, size: float, seed: int) -> Grey:
    """Add film grain: noise that neighbouring pixels share, strongest in the middle tones.

    Args:
        grey: the image.
        sigma: standard deviation in mid-grey. A patch of film of which a share p is covered by grains varies as
            sqrt(p (1 - p)) (Selwyn), so black and white have none.
        size: standard deviation of a grain, a Gaussian, in pixels; the correlation of pixels at a distance d is
            exp(-d**2 / (4 size**2)), 0.37 for neighbours where it is 0.5.
        seed: the grains are a function of it.
    """
    grains = np.random.default_rng(seed).standard_normal(grey.shape, dtype=np.float32)
    grains = blur(grains, size)
    grains *= np.float32(2 * sigma) / max(grains.std(), np.float32(1e-6))
    covered = grey.clip(0, 1)
    return (grey + grains * np.sqrt(covered * (1 - covered))).clip(0, 1)


def blur(grey: Grey, sigma: float, mode: str = "reflect") -> Grey:
    """Gaussian blur of standard deviation `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(grey, sigma, mode=mode)
