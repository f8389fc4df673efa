"""Spectral normalisation (Miyato et al., ICLR 2018, arXiv 1802.05957): a discriminator whose slope is bounded.

torch's parametrization does it: the parameter is `parametrizations.weight.original`, and one power iteration in each
forward pass of a training follows its largest singular value (algorithm 1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrizations, parametrize

from i2izoo.nn.modes import modes_kept

ITERATIONS = 15
"""Power iterations on a weight that is new, as torch has them."""


def add_spectral_norm(network: nn.Module) -> None:
    """Divide the weight of every convolution and linear layer by its largest singular value, from now on.

    A convolution's weight is taken for a matrix, outputs x (inputs x kernel), as in the paper. Layers that have it keep
    it.

    >>> network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    >>> add_spectral_norm(network)
    >>> list(network.state_dict())  # doctest: +NORMALIZE_WHITESPACE
    ['0.bias', '0.parametrizations.weight.original', '0.parametrizations.weight.0._u',
     '0.parametrizations.weight.0._v']
    """
    for layer in list(network.modules()):
        if isinstance(layer, (_ConvNd, nn.Linear)) and not parametrize.is_parametrized(layer, "weight"):
            if layer.weight.is_meta:
                parametrize.register_parametrization(layer, "weight", _Shapes(layer), unsafe=True)
            else:
                parametrizations.spectral_norm(layer)


def raw_weight(layer: nn.Module) -> Tensor:
    """The parameter behind the weight of a layer, normalised or not: what an optimiser moves and an init draws."""
    if parametrize.is_parametrized(layer, "weight"):
        return layer.parametrizations.weight.original  # type: ignore[union-attr, return-value]
    return layer.weight  # type: ignore[return-value]


def settle(layer: nn.Module) -> None:
    """Power iterations on a weight that has been drawn anew, so that its norm is 1 from the first step on."""
    if parametrize.is_parametrized(layer, "weight"):
        with modes_kept(layer), torch.no_grad():
            layer.train()
            for _ in range(ITERATIONS):
                _ = layer.weight  # looking at it is an iteration


class _Shapes(nn.Module):
    """What the parametrization holds, for a layer without memory: iterating on "meta" imports seconds of libraries."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        weight: Tensor = layer.weight  # type: ignore[assignment]
        rows = weight.shape[1 if isinstance(layer, _ConvTransposeNd) else 0]
        self.register_buffer("_u", weight.new_empty(rows))
        self.register_buffer("_v", weight.new_empty(weight.numel() // rows))

    def forward(self, weight: Tensor) -> Tensor:
        return weight
