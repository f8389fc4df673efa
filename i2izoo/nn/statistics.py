"""Normalisation layers that take the statistics of their own input, made to take those of something else.

A tile of a large image has another mean and variance than the whole, so instance, group and layer norm give it another
tint. Here each call of such a layer asks a policy for the moments to use: those of several tiles together, those that
were found before, or those of a place in the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from i2izoo.nn.norm import group_moments


class Moments(NamedTuple):
    """Mean and variance of one call of a layer, each N x C x 1 x 1, or of a shape that broadcasts like that."""

    mean: Tensor
    variance: Tensor


class SelfNormalising(Protocol):
    """What a layer of a plugin offers to be one of these: the two halves of its forward pass."""

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]: ...
    def normalised(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor: ...


class _OfTorch:
    """The two halves of torch's instance and group norm, and of batch norm that takes the batch's statistics."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.layer, nn.modules.batchnorm._BatchNorm):
            variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
            return mean, variance
        return group_moments(x, getattr(self.layer, "num_groups", x.shape[1]))

    def normalised(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        out = (x - mean) * (variance + self.layer.eps).rsqrt()
        if self.layer.weight is not None:
            out = out * self.layer.weight.view(1, -1, 1, 1)
        return out if self.layer.bias is None else out + self.layer.bias.view(1, -1, 1, 1)


Policy = Callable[[int, SelfNormalising, Tensor], Moments]
"""The moments for a call: from its place in the forward pass, counted from 0, the layer and its input."""


def halves(layer: nn.Module) -> SelfNormalising | None:
    """The halves of a layer that normalises by statistics of its own input now; None: it does not.

    >>> halves(nn.BatchNorm2d(3).eval()) is None, halves(nn.GroupNorm(1, 3)) is None
    (True, False)
    """
    if hasattr(layer, "moments") and hasattr(layer, "normalised"):
        return layer  # type: ignore[return-value]
    if isinstance(layer, nn.GroupNorm):
        return _OfTorch(layer)
    if isinstance(layer, (nn.InstanceNorm2d, nn.BatchNorm2d)):
        return _OfTorch(layer) if layer.training or layer.running_mean is None else None
    return None


@contextmanager
def normalising(network: nn.Module, policy: Policy) -> Iterator[Callable[[], None]]:
    """Inside, all such layers of `network` take the moments that `policy` gives.

    Yields a function to call before each forward pass: the calls are counted anew from there.

    >>> layer = nn.GroupNorm(1, 1)
    >>> with normalising(layer, lambda call, norm, x: Moments(torch.tensor(1.0), torch.tensor(4.0))):
    ...     layer(torch.full((1, 1, 1, 1), 5.0)).round(decimals=3).item()
    2.0
    """
    count = 0

    def forward(layer: nn.Module, own: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        nonlocal count
        found = halves(layer) if x.ndim == 4 else None
        if found is None:
            return own(x)
        moments = policy(count, found, x)
        count += 1
        return found.normalised(x, moments.mean, moments.variance)

    def anew() -> None:
        nonlocal count
        count = 0

    kinds = (nn.GroupNorm, nn.InstanceNorm2d, nn.BatchNorm2d)
    layers = [m for m in network.modules() if isinstance(m, kinds) or halves(m) is not None]
    for layer in layers:
        layer.forward = partial(forward, layer, layer.forward)  # an attribute of the object, before the class's
    try:
        yield anew
    finally:
        for layer in layers:
            del layer.__dict__["forward"]


def pooled(moments: Moments, weights: Tensor | None = None) -> Moments:
    """The moments of all rows together from those of each, which are equally large or weighted.

    >>> both = pooled(Moments(torch.tensor([0.0, 2.0]).view(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)))
    >>> both.mean.item(), both.variance.item()
    (1.0, 1.0)
    """
    mean, variance = moments
    shares = torch.full((len(mean),), 1 / len(mean)) if weights is None else weights / weights.sum()
    share = shares.to(mean).view(-1, 1, 1, 1)
    together = (mean * share).sum(0, keepdim=True)
    return Moments(together, ((variance + (mean - together) ** 2) * share).sum(0, keepdim=True))


class Joint:
    """All rows of a batch as one image; what each call found is in `found`."""

    def __init__(self) -> None:
        self.found: list[Moments] = []

    def __call__(self, call: int, norm: SelfNormalising, x: Tensor) -> Moments:
        self.found.append(pooled(Moments(*norm.moments(x))))
        return self.found[-1]


class Frozen:
    """Moments that were found before, call by call."""

    def __init__(self, moments: Sequence[Moments]) -> None:
        self.moments = moments

    def __call__(self, call: int, norm: SelfNormalising, x: Tensor) -> Moments:
        return self.moments[call]
