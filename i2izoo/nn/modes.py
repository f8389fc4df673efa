"""Training and evaluation mode for a while: what a network was is restored after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from i2izoo.nn.random import derive_seed, seeded


@contextmanager
def modes_kept(network: nn.Module) -> Iterator[None]:
    """Every layer of `network` is after it in the mode that it was in before.

    >>> network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with modes_kept(network):
    ...     _ = network.eval()
    >>> [layer.training for layer in network]
    [True, False]
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def as_in_training(network: nn.Module) -> Iterator[None]:
    """Dropout and the statistics of the batch inside; the running statistics stay as they are."""
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with modes_kept(network):
        network.train()
        try:
            yield
        finally:
            for name, buffer in network.named_buffers():
                buffer.copy_(buffers[name])


def dropouts(network: nn.Module) -> list[nn.Module]:
    """Its layers that drop something in training."""
    return [m for m in network.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.p]


@contextmanager
def dropping(network: nn.Module) -> Iterator[None]:
    """Dropout on inside; all other layers as they are."""
    with modes_kept(network):
        for layer in dropouts(network):
            layer.train()
        yield


def row_by_row(network: nn.Module, image: Tensor, seeds: Sequence[int]) -> Tensor:
    """`network` of each row of N x C x H x W by itself; what drops out of a row is a function of its seed alone."""
    rows = []
    for row, seed in zip(image, seeds, strict=True):
        with seeded(derive_seed(seed, "dropout")):
            rows.append(network(row[None]))
    return torch.cat(rows)
