"""The smallest method that does everything that a method can be asked: for tests of what is around methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.registry import register
from i2izoo.interfaces import Batch, Generator, Method, Part, Update


@register("generators", "tiny-generator")
class TinyGenerator(Generator):
    """One 3 x 3 convolution and tanh.

    Args:
        in_channels, out_channels: of the images.
        ballast: floats in a buffer that does nothing, to make files large.
    """

    def __init__(self, *, in_channels: int = 3, out_channels: int = 3, ballast: int = 0):
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.register_buffer("ballast", torch.zeros(ballast))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return torch.tanh(self.convolution(image))


@register("methods", "tiny-method")
class TinyMethod(Method):
    """Learns `label` -> `photo` by the mean absolute error; paired data."""

    recipe: ClassVar[dict[str, Any]] = {"epochs": 1}

    def __init__(self, *, generator: Part[Generator] = "tiny-generator", learning_rate: float = 1e-3):
        super().__init__()
        self.learning_rate = learning_rate
        self.generator = self.part("generator", in_channels=3, out_channels=3)

    @property
    def directions(self) -> dict[str, str]:
        return {"photo": "label"}

    @property
    def channels(self) -> dict[str, int]:
        return {"label": 3, "photo": 3}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        fake = self.generator(batch["label"])
        yield Update("generator", {"l1": (fake - batch["photo"]).abs().mean()})
        self.generator.steps += 1

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": torch.optim.Adam(self.generator.parameters(), lr=self.learning_rate)}


class Negative(Method):
    """`positive` -> `negative`, RGB, without training: what comes out is known without any network."""

    inference_parts = ("sign",)
    directions: ClassVar = {"negative": "positive"}
    channels: ClassVar = {"positive": 3, "negative": 3}

    def __init__(self) -> None:
        super().__init__()
        self.sign = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.sign.weight, -1)

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return image * self.sign.weight.flatten()[0]

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


def tiny_method(ballast: int = 0, seed: int = 0) -> TinyMethod:
    """A tiny method with weights that are a function of the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TinyMethod(generator={"name": "tiny-generator", "ballast": ballast})
