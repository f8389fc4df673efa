"""Exponential moving average of the weights that translate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from i2izoo.contracts.method import Method


class EMA:
    """A moving copy of a method's inference state: parameters are averaged, buffers are copied.

    Where the average is put to use, the method is told (`Method.weights_averaged`).

    Args:
        method: the method that is trained.
        decay: weight of the old average in each step, in [0, 1). Early on it is held to (1 + n) / (10 + n), so that the
            random start is forgotten. Or a function of n, the steps done, that gives it, such as `by_half_life`.
    """

    def __init__(self, method: Method, decay: float | Callable[[int], float]) -> None:
        self.decay: Callable[[int], float] = decay if callable(decay) else lambda n: min(decay, (1 + n) / (10 + n))
        self.updates = 0
        self.parameters = {name for name, _ in method.named_parameters()}
        self.state = {k: v.detach().clone() for k, v in method.inference_state().items()}

    @torch.no_grad()
    def update(self, method: Method) -> float:
        """Move the average towards the method's weights; returns the decay, which is the weight that it kept itself."""
        decay = self.decay(self.updates)
        self.updates += 1
        for name, value in method.inference_state().items():
            if name in self.parameters:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)
        return decay

    @contextmanager
    def applied(self, method: Method) -> Iterator[None]:
        """The method has the averaged weights inside."""
        live = method.inference_state()
        kept = {k: v.clone() for k, v in live.items()}
        self.copy_to(method)
        try:
            yield
        finally:
            self._copy(kept, live)

    def copy_to(self, method: Method) -> None:
        """Give the method the averaged weights for good."""
        self._copy(self.state, method.inference_state())
        method.weights_averaged()

    def load(self, state: dict[str, Tensor], updates: int) -> None:
        self._copy(state, self.state)
        self.updates = updates

    @staticmethod
    @torch.no_grad()
    def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
        for name, value in target.items():
            value.copy_(source[name])


def by_half_life(images: float, batch: int, ramp_up: float | None = None) -> Callable[[int], float]:
    """The decay, as a function of the steps done, by which a weight counts half after so many images.

    beta = 0.5 ** (batch / min(images, ramp_up * seen)), whatever the size of the batch. Karras et al. 2020, "Analyzing
    and improving the image quality of StyleGAN", arXiv 1912.04958, and the public code of StyleGAN2-ADA and EDM.

    Args:
        images: the half-life, in images.
        batch: images in each step.
        ramp_up: largest half-life as a share of the images seen so far, so that the start is forgotten; None: no limit.

    >>> decay = by_half_life(1000, 100, ramp_up=0.5)
    >>> [round(decay(steps), 3) for steps in (0, 2, 10, 1000)]
    [0.0, 0.5, 0.871, 0.933]
    """

    def decay(steps: int) -> float:
        life = images if ramp_up is None else min(images, ramp_up * steps * batch)
        return 0.5 ** (batch / life) if life else 0.0

    return decay
