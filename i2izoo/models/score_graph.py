"""A classifier as a network from image to probabilities: what is exported of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from i2izoo.contracts.classifying import Classifying
from i2izoo.contracts.method import Method
from i2izoo.models.trimming import example_image, trimmed


class ScoreGraph(nn.Module):
    """From images of a classifier in [0, 1] to the probabilities of its answers.

    Args:
        method: in evaluation mode.
        to: a domain, whose source the images are of.

    Attributes:
        source, target: the domains.
        names, outputs: of the input and the output.
    """

    latent, names, outputs = None, ("image",), ("scores",)

    def __init__(self, method: Method, to: str) -> None:
        super().__init__()
        self.method, self.target = trimmed(method), to
        self.source = str(method.directions[to])

    def forward(self, image: Tensor) -> Tensor:
        """N x C x H x W in [0, 1] to N x answers, whose sum is 1."""
        assert isinstance(self.method, Classifying)
        return self.method.log_probabilities(image * 2 - 1).exp()

    def example(self, height: int, width: int, count: int = 1, seed: int = 0) -> tuple[Tensor, ...]:
        """Noise of the shape of the input."""
        return (example_image(self.method, self.source, height, width, count, seed),)

    def free(self) -> tuple[Any, ...]:
        """Which dimensions of the input may change."""
        return (dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC),)
