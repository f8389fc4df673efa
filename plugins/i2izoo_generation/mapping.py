"""The mapping network of StyleGAN: from the latent z to w, in which what an image shows is less entangled."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from i2izoo.contracts.styles import StyleMapping
from i2izoo_generation.equalised import EqualisedLinear

LR_MULTIPLIER = 0.01
AVERAGE_DECAY = 0.995
"""Of the running average of w, with each batch of a training."""


def normalised(x: Tensor) -> Tensor:
    """N x L with a mean square of 1 in each row.

    >>> normalised(torch.tensor([[3.0, 3.0, 0.0, 0.0]]))
    tensor([[1.4142, 1.4142, 0.0000, 0.0000]])
    """
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class MappingNetwork(StyleMapping):
    """f: Z -> W, linear layers with LeakyReLU that learn a hundred times more slowly than others (Karras et al. 2019,
    "A style-based generator architecture for generative adversarial networks", arXiv 1812.04948, section 2).

    A condition passes a linear layer of its own, and goes in beside z. All of it is computed in float32.

    Args:
        latent: length of z; 0: there is none, w follows from the condition.
        condition: length of the condition; 0: there is none.
        width: length of w, and of what is between the layers.
        layers: how many.

    Attributes:
        average: the running average of w over the training.
    """

    def __init__(self, *, latent: int, condition: int, width: int, layers: int) -> None:
        super().__init__()
        self.embed = EqualisedLinear(condition, width) if condition else None
        sizes = [latent + (width if condition else 0)] + [width] * layers
        self.layers = nn.Sequential(
            *(
                EqualisedLinear(before, after, activated=True, lr_multiplier=LR_MULTIPLIER)
                for before, after in pairwise(sizes)
            )
        )
        self.register_buffer("average", torch.zeros(width))

    def forward(self, latent: Tensor | None, condition: Tensor | None = None) -> Tensor:
        """Map z, N x latent, and the condition, N x condition, to w, N x width."""
        dtype = self.average.dtype
        with torch.autocast(self.average.device.type, enabled=False):
            inputs = [] if latent is None else [normalised(latent.to(dtype))]
            if self.embed is not None and condition is not None:
                inputs.append(normalised(self.embed(condition.to(dtype))))
            return self.layers(torch.cat(inputs, dim=1))

    @torch.no_grad()
    def track(self, w: Tensor) -> None:
        """Move the average towards w of a batch."""
        self.average.lerp_(w.mean(dim=0).to(self.average.dtype), 1 - AVERAGE_DECAY)
