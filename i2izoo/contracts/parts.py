"""What a part must offer: generator, discriminator, encoder, scheduler, loss and feature extractor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.config import Configurable
from i2izoo.contracts.metric import Weights
from i2izoo.errors import MetricError


class Generator(Configurable, nn.Module, ABC):
    """Image in, image out. Options `in_channels` and `out_channels` are part of the contract.

    Attributes:
        size_multiple: both sides of the input must be a multiple of this; callers pad (reflect) and crop.
        min_size: smallest side that `forward` accepts, in pixels.
    """

    size_multiple: int = 1
    min_size: int = 1

    @abstractmethod
    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        """Map N x in_channels x H x W to N x out_channels x H x W.

        `conditions` are what the generator's own options ask for: a latent (N x L), a timestep (N), a second image.
        """

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        """Valid random arguments of `forward`, for tests, export and benchmarks; override with conditions."""
        multiple = self.size_multiple
        side = size or max(self.min_size, 32)
        side += -side % multiple
        return (torch.rand(batch, self.config.get("in_channels", 3), side, side) * 2 - 1,)


class Discriminator(Configurable, nn.Module, ABC):
    """Image in, realness logits out, one map for each scale that it looks at. Option `in_channels` is required."""

    min_size: int = 1

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Map N x in_channels x H x W to a list of logits, each N x 1 x h x w (or N x 1)."""


class Encoder(Configurable, nn.Module, ABC):
    """Image in, distribution over a latent out. Options `in_channels` and `latent` are part of the contract."""

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map N x in_channels x H x W to mean and log variance; N x latent, or N x latent x h x w."""


class Scheduler:
    """A noise schedule and its sampler, as diffusers has them: any diffusers scheduler class is one."""

    __required__: ClassVar[tuple[str, ...]] = ("set_timesteps", "step", "save_config", "from_config")


class Loss(Configurable, nn.Module, ABC):
    """Base of the losses; see `AdversarialLoss` and `ReconstructionLoss`."""


class ReconstructionLoss(Loss):
    """A distance between two images."""

    @abstractmethod
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return a scalar, at least 0, for two tensors of one shape."""


class AdversarialLoss(Loss):
    """What discriminator and generator minimise, given logits for each scale: mean over patches, sum over scales."""

    @abstractmethod
    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        """The scalar that the discriminator minimises."""

    @abstractmethod
    def generator(self, fake: list[Tensor]) -> Tensor:
        """The scalar that the generator minimises."""

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        """A regulariser of the discriminator at (or between) the images, weighted; None where the loss has none."""
        return None

    def discriminator_losses(
        self, discriminator: nn.Module, real: Tensor, fake: Tensor, *, weight: float = 1.0, of: str | None = None
    ) -> dict[str, Tensor]:
        """All that the discriminator minimises, by name: `d_gan`, and `d_penalty` where the loss has one.

        Args:
            discriminator: judges real and fake images, in this order.
            real: N x C x H x W.
            fake: N x C x H x W; no gradient goes back through it.
            weight: of the loss and of the penalty, whose own weight so stays relative to the loss.
            of: what is judged, where there are several discriminators: `d_<of>` and `d_penalty_<of>`.
        """
        fake = fake.detach()
        losses = {f"d_{of or 'gan'}": weight * self.discriminator(discriminator(real), discriminator(fake))}
        penalty = self.penalty(discriminator, real, fake)
        if penalty is not None:
            losses[f"d_penalty_{of}" if of else "d_penalty"] = weight * penalty
        return losses


class FeatureExtractor(Configurable, nn.Module, ABC):
    """RGB image in, feature vector out: what metrics that compare sets of images look at, such as FID.

    Constructing one reads nothing; `prepare` does. It resizes images itself, to what its network was trained on.

    Attributes:
        preprocessing: what it does to an image first, in a few words; it stands beside the scores. "": nothing.
    """

    preprocessing: str = ""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Map N x 3 x H x W in [-1, 1], of any size, to N x D features, float32."""

    def logits(self, features: Tensor) -> Tensor:
        """Class logits N x classes of its features N x D, for the inception score.

        Raises:
            MetricError: its network knows no classes.
        """
        raise MetricError(f"needs class logits, which {type(self).__name__} does not have; take features='inception'")

    def maps(self, image: Tensor) -> list[Tensor]:
        """Feature maps of N x 3 x H x W in [-1, 1], from fine to coarse, each N x C x h x w; for losses and styles.

        They are differentiable in the image, which is not rounded to 8 bits as for `forward`.

        Raises:
            MetricError: its network has none.
        """
        raise MetricError(
            f"needs feature maps, which {type(self).__name__} does not have; take an extractor that has maps"
        )

    def weights(self) -> tuple[Weights, ...]:
        """The files of weights that it needs with its options."""
        return ()

    def prepare(self, device: torch.device) -> None:
        """Load the weights, and move to `device` in eval mode.

        Raises:
            MetricError: they cannot be had; the message begins with "needs", as of `Metric.prepare`.
        """
        self.eval().requires_grad_(False).to(device)
