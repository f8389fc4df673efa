"""What a discriminator's images go through, so that it does not learn few of them by heart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.config import Configurable


class Augmentation(Configurable, nn.Module, ABC):
    """Random differentiable changes to every image that a discriminator sees in training, real and generated alike.

    A discriminator has one (`discriminator.augment`) and calls it; methods and losses know nothing of it. The gradient
    that the generator gets goes back through it, twice differentiable, as a penalty of the discriminator's slope asks.

    Attributes:
        adaptive: does it look at the discriminator's answers (`observe`)?
    """

    adaptive: ClassVar[bool] = False

    @abstractmethod
    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        """N x C x H x W in [-1, 1], float32, to the same shape; each row by draws of its own.

        Draws come from torch's global random state, which the trainer seeds for each step.

        Args:
            image: what the discriminator is about to judge.
            condition_channels: of its first channels, which are what the image is judged by (the source of a paired
                translation). They move as the image does, and keep their colours, as a class label would.
        """

    def observe(self, real: Sequence[Tensor]) -> None:
        """Told how the discriminator judged a batch of augmented real images in its own update.

        Args:
            real: logits of each scale, N x 1 x h x w or N x 1, less the loss's `boundary`: above 0 is taken for real.
        """

    def training_log(self) -> dict[str, Tensor]:
        """Numbers for the log of each step, by name; none by default."""
        return {}

    def training_state(self) -> dict[str, Tensor]:
        """What a checkpoint has to keep; nothing by default."""
        return {}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        """Take back what `training_state` gave."""
