"""The simplest way to learn a translation from pairs: minimise a distance."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Channels, Rate
from i2izoo.interfaces import Batch, Generator, Method, Part, ReconstructionLoss, Update


class Regression(Method):
    """Any generator, trained with any distance between its output and the truth; blurry where pairs are ambiguous.

    Args:
        domains: source and target, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        generator: any generator.
        loss: any reconstruction loss.
        learning_rate: of Adam.
    """

    recipe: ClassVar[dict[str, Any]] = {"epochs": 20, "decay_epochs": 20, "batch_size": 4, "crop_size": 128}
    tiny_options: ClassVar[dict[str, Any]] = {"generator": {"name": "dilated_residual", "width": 4, "depth": 2}}

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        generator: Part[Generator] = "dilated_residual",
        loss: Part[ReconstructionLoss] = "charbonnier",
        learning_rate: Rate = 1e-3,
    ) -> None:
        super().__init__()
        self.source, self.target = domains
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels)
        self.loss = self.part("loss")
        self.learning_rate = learning_rate

    @property
    def directions(self) -> dict[str, str]:
        return {self.target: self.source}

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: self.config["in_channels"], self.target: self.config["out_channels"]}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("generator", {"distance": self.loss(self.generator(batch[self.source]), batch[self.target])})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": torch.optim.Adam(self.generator.parameters(), self.learning_rate)}
