"""What an editor must offer: an image that a model made is changed by points that somebody moves, step by step."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from i2izoo.contracts.config import function_options
from i2izoo.contracts.method import Method

if TYPE_CHECKING:
    from torch import Tensor

    from i2izoo.models.translator import Translator

Point: TypeAlias = tuple[float, float]
"""(x, y) in pixels of an image, from its upper left corner."""


@dataclass(frozen=True)
class Edited:
    """How far an edit is.

    Attributes:
        image: as it is now, 1 x C x H x W in [-1, 1].
        points: where the points are now.
        said: how far it is, in words.
        share: of the most steps that it may take, from 0 to 1.
    """

    image: Tensor
    points: Sequence[Point]
    said: str
    share: float


class Editor(ABC):
    """Moves what an image shows to where somebody wants it; the first line of the docstring says how.

    Programs find it under `i2izoo.editors` and show its steps: the web app has a tab for the models that it edits.
    """

    @classmethod
    @abstractmethod
    def edits(cls, method: Method) -> bool:
        """Can it change the images of this method?"""

    @abstractmethod
    def image(self, model: Translator, seed: int) -> Tensor:
        """The image of a seed before it is changed, 1 x C x H x W in [-1, 1]."""

    @abstractmethod
    def steps(
        self, model: Translator, seed: int, *, points: Sequence[Point], targets: Sequence[Point]
    ) -> Iterator[Edited]:
        """Change the image of a seed, and give it after each step; whoever does not ask for the next one stops it.

        Further keyword options with defaults and ranges are the editor's own.

        Args:
            model: one that it edits.
            seed: of the image.
            points: of the image.
            targets: where each of them is to go.

        Raises:
            ConfigError: points or options do not fit.
        """

    def options(self) -> dict[str, inspect.Parameter]:
        """The options of `steps` that are the editor's own, with resolved annotations."""
        return function_options(self.steps, without=("model", "seed", "points", "targets"))
