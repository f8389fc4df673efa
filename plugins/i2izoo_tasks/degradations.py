"""What age and scanning do to an old photograph, as training augmentation of grey images.

Each function is a pure function of its arguments and the seed. Images here are grey, H x W, float32 in [0, 1].
"""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from i2izoo.contracts.config import Configurable
from i2izoo.contracts.ranges import Range, Share
from i2izoo.errors import ConfigError, listing, suggest

Grey: TypeAlias = NDArray[np.float32]
Preset: TypeAlias = Literal["none", "light", "strong"]

PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "light": {"blur": 0.7, "fading": 0.2, "noise": 0.03, "scratches": 2.0, "jpeg": 70},
    "strong": {"blur": 2.0, "fading": 0.5, "noise": 0.1, "scratches": 10.0, "jpeg": 30},
}
"""Names of strengths: a scan of a good print, and one of a print in bad condition."""


class Degradation(Configurable):
    """Blur, fading, grain, scratches and JPEG, in the order in which they happen to a photograph.

    Each call draws every strength anew, uniformly between none and the one that is given here.

    Args:
        blur: of the lens: largest standard deviation of a Gaussian, in pixels.
        fading: of the print: largest share of the contrast that is lost, in [0, 1].
        noise: grain: largest standard deviation, as a share of the range from black to white.
        scratches: largest number of scratches, and of specks of dust, in 256 x 256 pixels.
        jpeg: lowest quality of the compression, 1 to 100; None does not compress.

    >>> grey = np.full((8, 8), 0.5, np.float32)
    >>> bool((Degradation()(grey, seed=0) == grey).all()), bool((Degradation(noise=0.1)(grey, seed=0) == grey).any())
    (True, False)
    """

    def __init__(
        self,
        *,
        blur: Annotated[float, Range(0, 1000)] = 0.0,
        fading: Share = 0.0,
        noise: Annotated[float, Range(0, 1000)] = 0.0,
        scratches: Annotated[float, Range(0, 1000)] = 0.0,
        jpeg: Annotated[int, Range(1, 100)] | None = None,
    ) -> None:
        self.blur, self.fading, self.noise, self.scratches, self.jpeg = blur, fading, noise, scratches, jpeg

    def __call__(self, grey: Grey, seed: int) -> Grey:
        """Degrade H x W in [0, 1]; the result is a function of `seed`, and in [0, 1]."""
        draw = np.random.default_rng(seed)
        # all are drawn whichever are used, so that one strength does not change what the others do
        shares, seeds = draw.random(5), draw.integers(2**63, size=3)
        if self.blur:
            grey = blur(grey, self.blur * shares[0])
        if self.fading:
            grey = fade(grey, self.fading * shares[1], int(seeds[0]))
        if self.noise:
            grey = add_noise(grey, self.noise * shares[2], int(seeds[1]))
        if self.scratches:
            expected = self.scratches * shares[3] * grey.size / 256**2
            grey = scratch(grey, expected, int(seeds[2]))
        if self.jpeg is not None:
            grey = compress(grey, round(100 - (100 - self.jpeg) * shares[4]))
        return grey


def degradation(choice: str | dict[str, Any]) -> Degradation:
    """The degradation that an option asks for: a preset, strengths, or a preset with other strengths.

    >>> degradation("none").config == Degradation().config, degradation({"name": "light", "noise": 0.0}).noise
    (True, 0.0)
    """
    strengths = {"name": choice} if isinstance(choice, str) else dict(choice)
    name = strengths.pop("name", "none")
    if name not in PRESETS:
        raise ConfigError(f"there is no degradation {name!r}{suggest(str(name), PRESETS) or ';'} {listing(PRESETS)}.")
    return Degradation(**{**PRESETS[name], **strengths})


def blur(grey: Grey, sigma: float) -> Grey:
    """Gaussian blur of standard deviation `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(grey, sigma, mode="reflect")


def fade(grey: Grey, strength: float, seed: int) -> Grey:
    """Lose up to `strength` of the contrast to the light tone of old paper, more on one side than on the other."""
    draw = np.random.default_rng(seed)
    tone, angle = draw.uniform(0.5, 0.9), draw.uniform(0, 2 * np.pi)
    rows = np.linspace(-1, 1, grey.shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, grey.shape[1], dtype=np.float32)
    slope = (rows * np.float32(np.sin(angle)) + columns * np.float32(np.cos(angle))) / np.float32(np.sqrt(2))
    share = np.float32(strength) * (np.float32(0.75) + slope / 4)  # slope is in [-1, 1]: half of the strength to all
    return grey + share * (np.float32(tone) - grey)


def add_noise(grey: Grey, sigma: float, seed: int) -> Grey:
    """Add grain: Gaussian noise of standard deviation `sigma`, of grains up to a pixel wide; clipped to [0, 1]."""
    draw = np.random.default_rng(seed)
    noise = draw.standard_normal(grey.shape, dtype=np.float32)
    noise = blur(noise, draw.uniform(0, 1))
    return (grey + noise * np.float32(sigma / max(noise.std(), 1e-6))).clip(0, 1)


def scratch(grey: Grey, expected: float, seed: int) -> Grey:
    """Draw light and dark scratches and specks, `expected` of each on average."""
    from PIL import Image, ImageDraw

    draw = np.random.default_rng(seed)
    height, width = grey.shape
    covers = [Image.new("L", (width, height)) for _ in range(2)]  # of black and of white
    for _ in range(draw.poisson(expected)):
        cover = ImageDraw.Draw(covers[int(draw.random() < 0.7)])  # most are light: the layer is gone there
        x, y = draw.uniform(0, width), draw.uniform(0, height)
        angle, length = draw.normal(np.pi / 2, 0.5), draw.uniform(0.1, 1.0) * max(height, width)
        along = (np.arange(4) - 1.5) / 3 * length
        aside = draw.normal(0, length / 50, 4)
        points = zip(x + along * np.cos(angle) + aside, y + along * np.sin(angle), strict=True)
        cover.line([(float(a), float(b)) for a, b in points], int(draw.integers(80, 256)), int(draw.integers(1, 3)))
    for _ in range(draw.poisson(expected)):
        cover = ImageDraw.Draw(covers[int(draw.random() < 0.5)])
        x, y, radius = draw.uniform(0, width), draw.uniform(0, height), draw.uniform(0.5, 2.5)
        cover.ellipse([x - radius, y - radius, x + radius, y + radius], int(draw.integers(80, 256)))
    for tone, drawn in zip((0.0, 1.0), covers, strict=True):
        share = np.asarray(drawn, np.float32) / 255
        grey = grey + share * (np.float32(tone) - grey)
    return grey


def compress(image: Grey, quality: int) -> Grey:
    """Round H x W or H x W x 3 to 8 bits, write as JPEG of a quality from 1 to 100, and read again."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((image.clip(0, 1) * 255).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / np.float32(255)
