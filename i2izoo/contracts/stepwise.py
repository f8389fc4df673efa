"""Methods that translate in many equal steps, of which one can be taken by itself: what an exported step is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from torch import Tensor

from i2izoo.contracts.method import Method


class Row(TypedDict):
    """One step of a plan: what the network is told, and how the next image follows.

    x' = of_clean * clean + of_noisy * x + of_noise * e, with e from N(0, 1).
    """

    time: float
    alpha: float
    sigma: float
    of_clean: float
    of_noisy: float
    of_noise: float


@dataclass
class Step:
    """One step of one translation, the option `step` of `translate`.

    Attributes:
        noisy: the image so far, N x C x H x W, with alpha^2 + sigma^2 = 1.
        time, alpha, sigma: scalars, those of a `Row`.
        clean: is set by `translate`: the clean image that the network sees in it, N x C x H x W.
    """

    noisy: Tensor
    time: Tensor
    alpha: Tensor
    sigma: Tensor
    clean: Tensor | None = None


class Stepwise(ABC):
    """What a method of this kind offers beside `translate`, which has an option `step: Step | None`."""

    target: str

    @abstractmethod
    def step_table(self, **options: Any) -> list[Row]:
        """The steps of a translation with these options of `translate`, from pure noise on.

        Raises:
            ConfigError: a step does not follow from the last image alone, or an option changes what is between them.
        """


def stepwise(method: Method) -> Stepwise | None:
    """The method itself, or the one inside a task that is of this kind; None: there is none."""
    if isinstance(method, Stepwise):
        return method
    parts: Mapping[str, Any] = dict(method.named_children())
    inside = (parts[name] for name in method.inference_parts if isinstance(parts.get(name), Method))
    return next((found for part in inside if (found := stepwise(part)) is not None), None)
