"""Where the predictions of an evaluation come from: a translator, or a folder of images made elsewhere."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from i2izoo.data.folders import images_in
from i2izoo.errors import EvaluationError, I2IZooError, listing
from i2izoo.evaluation.cases import Case, Cases, plain_name
from i2izoo.images.reading import to_tensor
from i2izoo.images.writing import quantise
from i2izoo.models.captions import captions
from i2izoo.models.translator import Translator


def translate(
    model: Translator, cases: Cases, *, samples: int, seed: int, batch_size: int | None, options: dict[str, Any]
) -> Iterator[Case]:
    """The cases with their translations, in order.

    Raises:
        EvaluationError: a translation holds NaN or infinite values, or has another size than its truth.
        I2IZooError: an image cannot be read; all the cases before it came first.
    """
    waiting: deque[tuple[str, Tensor | None]] = deque()
    failure: list[Exception] = []

    def sources() -> Iterator[Tensor]:
        # images are read ahead of their translation: one that cannot be read must not cost those before it
        for index in range(len(cases)):
            try:
                case = cases.load(index)
            except Exception as error:
                failure.append(error)
                return
            # so many wait that a byte for a value, which is all that it holds, makes a difference
            waiting.append((case.name, None if case.target is None else quantise(case.target, 255).byte()))
            yield case.source

    several = samples if samples > 1 else None
    stream = model.stream(
        sources(), to=cases.to, samples=several, seed=seed, batch_size=batch_size, on_error="give", **options
    )
    for source, result in stream:
        name, levels = waiting.popleft()
        if isinstance(result, I2IZooError):
            raise EvaluationError(f"image {name!r} cannot be translated: {result}") from result
        target = None if levels is None else levels / 127.5 - 1
        yield _checked(Case(name, source, target, [result] if several is None else result))
    if failure:
        raise failure[0]


def generate(
    model: Translator, cases: Cases, *, seed: int, batch_size: int | None, options: dict[str, Any]
) -> Iterator[Case]:
    """As many images from nothing as there are cases, all of the size of `cases`; of their captions, if they have any.

    Raises:
        EvaluationError: an image holds NaN or infinite values.
    """
    assert cases.size is not None  # see `set_up`
    options = {**captions(model, cases.data, range(len(cases))), **options}
    stream = model.generate_stream(
        range(len(cases)), to=cases.to, size=cases.size, seed=seed, batch_size=batch_size,
        output="tensor", **options,
    )  # fmt: skip
    for place, image in stream:
        yield _checked(replace(cases.load(place), predictions=[image]))


def _checked(case: Case) -> Case:
    for prediction in case.predictions:
        if not torch.isfinite(prediction).all():
            raise EvaluationError(
                f"the translation of {case.name!r} holds NaN or infinite values; the model diverged in training, or "
                "needs dtype=torch.float32."
            )
        if case.target is not None and prediction.shape != case.target.shape:
            raise EvaluationError(
                f"the translation of {case.name!r} is {_size(prediction.shape)}, its truth {_size(case.target.shape)} "
                "(channels x height x width); they are compared pixel by pixel and must agree."
            )
    return case


def _size(shape: torch.Size) -> str:
    return " x ".join(map(str, shape))


class ImageFolder:
    """Images made elsewhere, each named as the image that it is a translation of.

    Args:
        folder: images of any format; nothing else in it matters.
        cases: what they are translations of.

    Raises:
        EvaluationError: names are missing, unknown or twice there, or sizes are not those of the data.
    """

    def __init__(self, folder: Path, cases: Cases) -> None:
        self.folder, self.cases = folder, cases
        found = images_in(folder)
        self.places = {plain_name(path.stem): path for path in found}
        stems = Counter(plain_name(path.stem) for path in found)
        problems = [
            (f"{len(names)} of its images {what}", names)
            for what, names in (
                ("are not in the data", [s for s in stems if s not in cases.names_of_all]),
                ("are there with several endings", [s for s, count in stems.items() if count > 1]),
            )
            if names
        ]
        if missing := [name for name in cases.names if name not in stems]:
            problems.insert(0, (f"{len(missing)} of the data's {len(cases)} images are missing in it", missing))
        if not problems and (sizes := self._wrong_sizes()):
            problems = [(f"{len(sizes)} of its images have another size than the data's", sizes)]
        if problems:
            said = "; ".join(f"{what} ({listing(names, 3)})" for what, names in problems)
            raise EvaluationError(
                f"the {len(found)} images in {str(folder)!r} do not match the data by name and size: {said}."
            )

    def __iter__(self) -> Iterator[Case]:
        """The cases with these images as their translations, in order."""
        for index in range(len(self.cases)):
            case = self.cases.load(index)
            channels = None if case.target is None else len(case.target)
            yield _checked(replace(case, predictions=[to_tensor(self.places[case.name], channels)]))

    def _wrong_sizes(self) -> list[str]:
        wrong = []
        for index, name in enumerate(self.cases.names if self.cases.paired else ()):
            try:
                case = self.cases.load(index)
                width, height = _width_and_height(self.places[name])
            except (I2IZooError, OSError):
                continue  # said when its turn comes, after those before it have been measured
            if case.target is not None and (height, width) != tuple(case.target.shape[-2:]):
                wrong.append(f"{name} is {width} x {height}, not {case.target.shape[-1]} x {case.target.shape[-2]}")
        return wrong


def _width_and_height(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return (image.height, image.width) if turned else (image.width, image.height)


def is_image_folder(place: Any) -> bool:
    """Does `place` hold images, and no model?"""
    path = Path(place).expanduser() if isinstance(place, (str, Path)) else None
    return path is not None and path.is_dir() and not (path / "config.json").is_file() and bool(images_in(path))
