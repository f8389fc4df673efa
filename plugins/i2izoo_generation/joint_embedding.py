"""A joint embedding of images and their texts, by which a text encoder learns (Reed et al. 2016, arXiv 1605.05395)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ImageEmbedding(nn.Module):
    """The images' side: convolutions with strides down to a sixteenth, 4 x 4 means of them, and a linear layer.

    Args:
        in_channels: of the images.
        length: of an embedding.
        width: channels of the first convolution; they double to four times as many.
    """

    def __init__(self, in_channels: int, length: int, width: int) -> None:
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.embedding = nn.Linear(16 * channels[-1], length)

    def forward(self, image: Tensor) -> Tensor:
        """N x C x H x W, at least 16 x 16, to N x length."""
        return self.embedding(F.adaptive_avg_pool2d(self.layers(image), 4).flatten(1))


def joint_embedding_loss(images: Tensor, texts: Tensor, kinds: Tensor) -> Tensor:
    """How far images and texts that do not belong together come nearer than those that do; a scalar.

    The score of an image and a text is the inner product of their embeddings, and one that is not at least 1 above
    that of a wrong pair counts: as the structured loss of eq. 2 to 4 of the paper, to both sides, but that every wrong
    pair of the batch counts in place of the worst one, as in the authors' code.

    Args:
        images: N x D embeddings.
        texts: N x D embeddings of the texts in the images' order.
        kinds: N numbers; rows of one number are not wrong for each other.

    >>> joint_embedding_loss(2 * torch.eye(3), 2 * torch.eye(3), torch.arange(3))
    tensor(0.)
    """
    scores = images.float() @ texts.float().T
    right, wrong = scores.diagonal(), kinds[:, None] != kinds[None]
    by_image = F.relu(1 + scores - right[:, None])
    by_text = F.relu(1 + scores - right[None, :])
    return ((by_image + by_text) * wrong).sum() / len(scores) ** 2


def kinds_of(texts: Sequence[str]) -> Tensor:
    """A number for each text, the same for the same text.

    >>> kinds_of(["red", "white", "red"])
    tensor([0, 1, 0])
    """
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(text, len(numbers)) for text in texts])
