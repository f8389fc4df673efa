"""What the app does for a visitor: one image, or images from nothing, checked against its limits first."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from i2izoo.app.controls import as_python
from i2izoo.app.work import Work
from i2izoo.errors import ConfigError, ImageError
from i2izoo.images.decoding import open_file
from i2izoo.images.reading import read
from i2izoo.images.writing import to_pil
from i2izoo.models.translator import Translator
from i2izoo.rasters.formats import reader
from i2izoo.rasters.progress import Progress
from i2izoo.rasters.translate import translate_raster


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask for.

    Attributes:
        pixels: of an image that goes through the network at once.
        images: of one question: samples, or images from nothing.
        files: of one batch.
        file_bytes: of one upload.
        seconds: that one question may take; None: as long as it wants.
        waiting: questions that may wait.
    """

    pixels: int = 4_000_000
    images: int = 16
    files: int = 200
    file_bytes: int = 200_000_000
    seconds: float | None = None
    waiting: int = 20


@dataclass(frozen=True)
class Job:
    """What is asked of a model.

    Attributes:
        to: target domain.
        seed: of all randomness.
        samples: how many different ones; None: the only answer.
        size: side in pixels that it is done at; None: the image's own.
        options: the method's own.
    """

    to: str
    seed: int = 0
    samples: int | None = None
    size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, limits: Limits) -> None:
        """Refuse what is beyond the limits.

        Raises:
            ConfigError: says which.
        """
        if self.samples is not None and not 1 <= self.samples <= limits.images:
            raise ConfigError(f"between 1 and {limits.images} images are made at once; found {self.samples}.")
        if self.size is not None and not 1 <= self.size**2 <= limits.pixels:
            raise ConfigError(f"size is a side of at most {int(limits.pixels**0.5)} pixels; found {self.size}.")

    def code(self, name: str, model: Translator) -> str:
        """The lines of Python that do the same."""
        target = f"to={self.to!r}".replace("'", '"')
        rest = "".join(
            f", {word}={value}"
            for word, value in (("size", self.size), ("seed", self.seed or None))
            if value is not None
        ) + as_python(self.options)
        lines = ["import i2izoo", f'model = i2izoo.load("{name}")']
        if model.directions[self.to] is None:
            lines.append(f"images = model.generate({self.samples or 1}, {target}{rest})")
        elif self.samples is None:
            lines.append(f'model("image.png", {target}{rest}).save("result.png")')
        else:
            lines.append(f'images = model("image.png", {target}, samples={self.samples}{rest})')
        return "\n".join(lines)


def translate(model: Translator, image: Image.Image | Path, job: Job, limits: Limits, work: Work) -> list[Image.Image]:
    """The translations of an image, in 8 bits.

    Raises:
        I2IZooError: it cannot be read or done; in one sentence.
        StoppedError: it was cancelled.
    """
    job.check(limits)
    if isinstance(image, Path) and needs_tiles(image, job, limits):
        with tempfile.TemporaryDirectory() as folder:
            target = in_tiles(model, image, Path(folder) / "result.png", job, work, depth=8)
            with Image.open(target) as result:
                return [result.copy()]
    check_pixels(image, job, limits)
    work.tell("translating")
    with work.watching(model.method, "translating"):
        found: Any = model(
            image, to=job.to, seed=job.seed, samples=job.samples, size=job.size, depth=8, batch_size=1, **job.options
        )
    return [viewable(one) for one in (found if job.samples is not None else [found])]


def generate(model: Translator, job: Job, limits: Limits, work: Work) -> list[Image.Image]:
    """Images from nothing, in 8 bits.

    Raises:
        I2IZooError: it cannot be done; in one sentence.
        StoppedError: it was cancelled.
    """
    job.check(limits)
    count, made = job.samples or 1, []
    work.tell(f"making {count} image{'s' * (count > 1)}", 0.0)
    with work.watching(model.method):
        stream = model.generate_stream(
            range(count), to=job.to, size=job.size, seed=job.seed, depth=8, batch_size=1, **job.options
        )
        for place, image in stream:
            made.append(viewable(image))
            work.tell(f"{place + 1} of {count} images", (place + 1) / count)
    return made


def in_tiles(model: Translator, source: Path, target: Path, job: Job, work: Work, depth: Any = None) -> Path:
    """A large image or raster in tiles without seams, from file to file; see `translate_raster`."""

    def tell(now: Progress) -> None:
        megapixels = f"{now.done:.1f} of {now.total:.1f} megapixels"
        work.tell(f"{now.stage}: {megapixels}", now.done / now.total if now.total else None)

    work.tell("looking at the image")
    with work.watching(model.method):
        return translate_raster(
            model, source, target, to=job.to, seed=job.seed, depth=depth, progress=tell, **job.options
        )


def needs_tiles(image: Path, job: Job, limits: Limits) -> bool:
    """Is it larger than what goes through the network at once, and not to be made smaller?"""
    if job.size is not None or job.samples is not None:
        return False
    return _pixels(image) > limits.pixels


def is_raster(path: Path) -> bool:
    """Is it translated in tiles unasked, since it is large or lies on the earth?"""
    found = reader(path)
    return found is not None and found.wants_tiles(path)


def check_pixels(image: Image.Image | Path, job: Job, limits: Limits) -> None:
    """Refuse an image that is too large to go through the network at once.

    Raises:
        ImageError: it is.
    """
    if job.size is None and (found := _pixels(image)) > limits.pixels:
        raise ImageError(
            f"the image has {found / 1e6:.1f} megapixels, and at most {limits.pixels / 1e6:.1f} are translated at "
            "once; choose a size."
        )


def side(text: str | None) -> int | None:
    """The size that is written; None: nothing is.

    Raises:
        ConfigError: it is no whole number.

    >>> side(" 256 "), side("")
    (256, None)
    """
    text = (text or "").strip()
    if text and not (text.isdecimal() and len(text) < 9):
        raise ConfigError(f"size is a side in pixels, such as 256; found {text[:40]!r}.")
    return int(text) if text else None


def viewable(image: Any) -> Image.Image:
    """What a browser shows: a PIL image of a file, an array of any channels, or itself."""
    return image if isinstance(image, Image.Image) else to_pil(read(image, 3)[0])


def _pixels(image: Image.Image | Path) -> int:
    if isinstance(image, Image.Image):
        return image.width * image.height
    found = reader(image)
    if found is not None and found.wants_tiles(image):
        raster = found.open(image)
        try:
            return raster.info.width * raster.info.height
        finally:
            raster.close()
    try:
        with open_file(image) as opened:
            return opened.width * opened.height
    except Image.DecompressionBombWarning:
        return Image.MAX_IMAGE_PIXELS or 0
    except Exception:  # whoever reads it says what is wrong
        return 0
