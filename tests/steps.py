"""Batches of noise, and training on drawn ones, both through the trainer's own code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from i2izoo.interfaces import Batch, Method
from i2izoo.testing.training import stepper_of

AnyMethod = TypeVar("AnyMethod", bound=Method)
PAIR = {"source": 3, "target": 3}


def batch(
    channels: Mapping[str, int] = PAIR,
    step: int = 0,
    progress: float = 0.0,
    *,
    size: int = 16,
    rows: int = 2,
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Uniform noise in [-1, 1] for each domain, a function of the step; what is drawn afterwards is one, too."""
    torch.manual_seed(step)
    images = {d: torch.rand(rows, c, size, size, dtype=dtype) * 2 - 1 for d, c in channels.items()}
    return Batch(images, step, progress)


def train(
    build: Callable[[], AnyMethod], draw: Callable[[torch.Generator], dict[str, Tensor]], steps: int, seed: int
) -> AnyMethod:
    """The method after some steps, ready to translate; weights, data and its own draws depend on the seed alone."""
    torch.manual_seed(seed)
    method = build()
    stepper, generator = stepper_of(method), torch.Generator().manual_seed(seed)
    for step in range(steps):
        images = draw(generator)
        torch.manual_seed(seed * steps + step)
        stepper.run([Batch(images, step, step / steps)])
    return method.eval()
