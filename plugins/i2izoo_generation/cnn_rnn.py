"""The character CNN-RNN, which reads a caption letter by letter (Reed, Akata, Lee and Schiele, CVPR 2016, arXiv
1605.05395; as the text encoder of a GAN: Reed et al., ICML 2016, arXiv 1605.05396)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Items, Length, Range
from i2izoo.interfaces import TextEncoder

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+=<>()[]{} "
"""What it knows, upper case as lower case; other characters are as if they were not written, but for their place."""

_NUMBERS = {character: number for number, character in enumerate(ALPHABET, 1)}


class CNNRNN(TextEncoder):
    """Convolutions over characters, pooled in time, then a GRU whose states are averaged (section 4 of 1605.05395).

    A text becomes one-hot characters, padded with zeros. Three convolutions of width 4, the first two with ReLU and a
    pooling of 3 behind them, leave 18 places of 201 characters; a linear layer makes the embedding of the mean state.

    Args:
        length: of an embedding; 1024 in the papers.
        channels: of the three convolutions, the last also of the GRU; [384, 512, 512] in the authors' code.
        characters: of a text that are read; the rest is cut off.

    >>> CNNRNN(length=8, channels=[4, 4, 4])(["four floors, red brick", ""]).shape
    torch.Size([2, 8])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"length": 4, "channels": [8, 8, 8], "characters": 64}

    def __init__(
        self,
        *,
        length: Length = 128,
        channels: Annotated[list[Channels], Items(3)] = [64, 96, 128],
        characters: Annotated[int, Range(48, 100_000)] = 201,
    ) -> None:
        super().__init__()
        self.length, self.characters = length, characters
        first, second, last = channels
        self.convolutions = nn.Sequential(
            nn.Conv1d(len(ALPHABET), first, 4), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(first, second, 4), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(second, last, 4), nn.ReLU(),
        )  # fmt: skip
        self.recurrent = nn.GRU(last, last, batch_first=True)
        self.embedding = nn.Linear(last, length)

    def forward(self, texts: list[str]) -> Tensor:
        device = self.embedding.weight.device
        with torch.autocast(device.type, enabled=False):  # there is no recurrent layer in half precision on a CPU
            features = self.convolutions(self.one_hot(texts))
            states, _ = self.recurrent(features.transpose(1, 2))
            return self.embedding(states.mean(dim=1))

    def one_hot(self, texts: list[str]) -> Tensor:
        """N texts to N x alphabet x characters."""
        numbers = torch.zeros(len(texts), self.characters, dtype=torch.long)
        for row, text in enumerate(texts):
            found = [_NUMBERS.get(character, 0) for character in text[: self.characters].lower()]
            numbers[row, : len(found)] = torch.tensor(found[: self.characters], dtype=torch.long)
        return F.one_hot(numbers, len(ALPHABET) + 1)[..., 1:].transpose(1, 2).to(self.embedding.weight)
