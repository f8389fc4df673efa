"""What film, age and scanning do to an old photograph, as training augmentation of grey images.

Each function is a pure function of its arguments and the seed. Images here are grey, H x W, float32 in [0, 1].
`i2izoo_tasks.film` has what film does, this module what age does, and the order of all.
"""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from i2izoo.contracts.config import Configurable
from i2izoo.contracts.ranges import Range, Share
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo_tasks.film import Grey, add_grain, blur, contrasted, develop, emulsion, vignette

Preset: TypeAlias = Literal["none", "light", "strong", "film"]

PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "light": {"blur": 0.7, "fading": 0.2, "noise": 0.03, "scratches": 2.0, "jpeg": 70},
    "strong": {"blur": 2.0, "fading": 0.5, "noise": 0.1, "scratches": 10.0, "jpeg": 30},
    "film": {
        "orthochromatic": 0.4,
        "blur": 0.7,
        "vignette": 0.3,
        "contrast": 1.35,
        "development": 0.045,
        "grain": 0.1,
        "grain_size": 0.75,
        "scratches": 0.5,
        "gamma": 1.45,
        "jpeg": 80,
    },
}
"""Names of strengths: a scan of a good print, one of a print in bad condition, and one of aerial film of the 1930s,
whose ranges are fitted by `benchmarks/scan_statistics.py`."""

Slope = Annotated[float, Range(1, 10)]


class Degradation(Configurable):
    """Film, age and scan, in the order in which they happen to a photograph.

    Each call draws every strength anew, uniformly between none and the one that is given here.

    Args:
        orthochromatic: of the film: largest share of it that is blind to red, in [0, 1]; of colour images only.
        blur: of the lens: largest standard deviation of a Gaussian, in pixels.
        vignette: of the lens: largest share of the light that is lost in the farthest corner, in [0, 1).
        contrast: of the film: largest slope of its curve at mid-grey, 1 or more.
        development: largest standard deviation of clouds, as a share of the range from black to white.
        grain: largest standard deviation of film grain in mid-grey, as a share of the same range.
        grain_size: largest standard deviation of one grain, in pixels.
        fading: of the print: largest share of the contrast that is lost, in [0, 1].
        noise: of the scanner: largest standard deviation, as a share of the range from black to white.
        scratches: largest number of scratches, and of specks of dust, in 256 x 256 pixels.
        gamma: of the scanner: largest exponent of the grey values; lightening ones go down to its inverse.
        jpeg: lowest quality of the compression, 1 to 100; None does not compress.

    >>> grey = np.full((8, 8), 0.5, np.float32)
    >>> bool((Degradation()(grey, seed=0) == grey).all()), bool((Degradation(noise=0.1)(grey, seed=0) == grey).any())
    (True, False)
    """

    def __init__(
        self,
        *,
        orthochromatic: Share = 0.0,
        blur: Annotated[float, Range(0, 1000)] = 0.0,
        vignette: Annotated[float, Range(0, 1, without="high")] = 0.0,
        contrast: Slope = 1.0,
        development: Share = 0.0,
        grain: Annotated[float, Range(0, 1000)] = 0.0,
        grain_size: Annotated[float, Range(0, 1000)] = 1.0,
        fading: Share = 0.0,
        noise: Annotated[float, Range(0, 1000)] = 0.0,
        scratches: Annotated[float, Range(0, 1000)] = 0.0,
        gamma: Slope = 1.0,
        jpeg: Annotated[int, Range(1, 100)] | None = None,
    ) -> None:
        self.orthochromatic, self.blur, self.vignette, self.contrast = orthochromatic, blur, vignette, contrast
        self.development, self.grain, self.grain_size, self.fading = development, grain, grain_size, fading
        self.noise, self.scratches, self.gamma, self.jpeg = noise, scratches, gamma, jpeg

    def __call__(self, image: NDArray[np.floating[Any]], seed: int) -> Grey:
        """Degrade a grey image.

        Args:
            image: H x W, or 3 x H x W of sRGB, of which film makes a grey one; in [0, 1].
            seed: the result is a function of it.

        Returns:
            H x W in [0, 1].
        """
        draw = np.random.default_rng(seed)
        # all are drawn whichever are used, so that one strength does not change what the others do
        lens, fading, noise, scratches, jpeg = draw.random(5)
        fading_seed, noise_seed, scratches_seed = (int(each) for each in draw.integers(2**63, size=3))
        blind, corner, slope, clouds, grain, size = draw.random(6)
        exponent = draw.uniform(-1, 1)
        corner_seed, clouds_seed, grain_seed = (int(each) for each in draw.integers(2**63, size=3))

        grey = image.astype(np.float32, copy=False) if image.ndim == 2 else emulsion(image, self.orthochromatic * blind)
        if self.blur:
            grey = blur(grey, self.blur * lens)
        if self.vignette:
            grey = vignette(grey, self.vignette * corner, corner_seed)
        if self.contrast > 1:
            grey = contrasted(grey, 1 + (self.contrast - 1) * slope)
        if self.development:
            grey = develop(grey, self.development * clouds, clouds_seed)
        if self.grain:
            grey = add_grain(grey, self.grain * grain, self.grain_size * size, grain_seed)
        if self.fading:
            grey = fade(grey, self.fading * fading, fading_seed)
        if self.noise:
            grey = add_noise(grey, self.noise * noise, noise_seed)
        if self.scratches:
            grey = scratch(grey, self.scratches * scratches * grey.size / 256**2, scratches_seed)
        if self.gamma > 1:
            grey = grey.clip(0, 1) ** np.float32(self.gamma**exponent)
        if self.jpeg is not None:
            grey = compress(grey, round(100 - (100 - self.jpeg) * jpeg))
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
