"""The orthogonal regulariser of BigGAN (Brock, Donahue and Simonyan 2019, arXiv 1809.11096, eq. 3)."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from i2izoo.nn.spectral import raw_weight


def off_diagonal(weight: Tensor) -> Tensor:
    """||W W^T o (1 - I)||_F^2 of the rows of W, O x I: how far the filters are from orthogonal, whatever their lengths.

    >>> off_diagonal(torch.tensor([[3.0, 0.0], [0.0, 5.0]])), off_diagonal(torch.tensor([[3.0, 0.0], [1.0, 1.0]]))
    (tensor(0.), tensor(18.))
    """
    products = weight @ weight.T
    return products.square().sum() - products.diagonal().square().sum()


def orthogonality(network: nn.Module, without: Collection[nn.Module] = ()) -> Tensor:
    """The sum of `off_diagonal` over all convolutions and linear layers of a network, in float32.

    Of a layer with a spectral norm it is that of the weight behind it, as in the authors' code. A convolution's weight
    is a matrix of outputs x (inputs x kernel).

    Args:
        network: searched with all its children.
        without: layers to leave out, such as embeddings.
    """
    terms = []
    for layer in network.modules():
        if isinstance(layer, (_ConvNd, nn.Linear)) and layer not in without:
            weight = raw_weight(layer)
            weight = weight.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else weight
            with torch.autocast(weight.device.type, enabled=False):
                terms.append(off_diagonal(weight.float().flatten(1)))
    return torch.stack(terms).sum()
