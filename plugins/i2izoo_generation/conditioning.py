"""Conditioning augmentation: a text is told as a draw from a small cloud around it (StackGAN, section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.nn.latent import kl_divergence


class ConditioningAugmentation(nn.Module):
    """An embedding e becomes c = mu(e) + sigma(e) * noise, with mu and log sigma^2 of one linear layer and LeakyReLU.

    Args:
        condition: length of an embedding.
        length: of c.
    """

    def __init__(self, condition: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.layer = nn.Linear(condition, 2 * length)

    def distribution(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance, each N x length, of embeddings, N x condition."""
        mean, log_variance = F.leaky_relu(self.layer(condition), 0.2).chunk(2, dim=1)
        return mean, log_variance

    def forward(self, condition: Tensor, noise: Tensor) -> Tensor:
        """c, N x length, of embeddings and standard normal noise, N x length."""
        mean, log_variance = self.distribution(condition)
        return mean + noise * (0.5 * log_variance).exp()

    def divergence(self, condition: Tensor) -> Tensor:
        """KL(N(mu, sigma^2) || N(0, 1)), mean over the numbers of c and over the batch, as in the authors' code."""
        return kl_divergence(*self.distribution(condition)) / self.length
