"""Exponential moving average of the weights that translate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from i2izoo.contracts.method import Method


class EMA:
    """A moving copy of a method's inference state: parameters are averaged, buffers are copied.

    Args:
        method: the method that is trained.
        decay: weight of the old average in each step, in [0, 1). Early on it is held to (1 + n) / (10 + n), so that the
            random start is forgotten.
    """

    def __init__(self, method: Method, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.parameters = {name for name, _ in method.named_parameters()}
        self.state = {k: v.detach().clone() for k, v in method.inference_state().items()}

    @torch.no_grad()
    def update(self, method: Method) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in method.inference_state().items():
            if name in self.parameters:
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    @contextmanager
    def applied(self, method: Method) -> Iterator[None]:
        """The method has the averaged weights inside."""
        live = method.inference_state()
        kept = {k: v.clone() for k, v in live.items()}
        self._copy(self.state, live)
        try:
            yield
        finally:
            self._copy(kept, live)

    def copy_to(self, method: Method) -> None:
        """Give the method the averaged weights for good."""
        self._copy(self.state, method.inference_state())

    def load(self, state: dict[str, Tensor], updates: int) -> None:
        self._copy(state, self.state)
        self.updates = updates

    @staticmethod
    @torch.no_grad()
    def _copy(source: dict[str, Tensor], target: dict[str, Tensor]) -> None:
        for name, value in target.items():
            value.copy_(source[name])
