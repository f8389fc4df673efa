"""Methods that say what an image shows: their answers are scores, which is what an export of them gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor


class Classifying(ABC):
    """What a method of this kind offers beside `translate`."""

    @property
    @abstractmethod
    def answers(self) -> Sequence[str]:
        """Names of what an image can be, in the order of the scores."""

    @abstractmethod
    def log_probabilities(self, image: Tensor) -> Tensor:
        """log p(answer | image), N x answers, float32, of N x C x H x W in [-1, 1], of any size."""
