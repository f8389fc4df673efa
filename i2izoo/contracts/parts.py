"""What a part must offer: generators, discriminator, encoders, scheduler, loss and feature extractor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, cast

import torch
from torch import Tensor, nn

from i2izoo.contracts.annotations import Part
from i2izoo.contracts.augmentation import Augmentation
from i2izoo.contracts.config import Configurable
from i2izoo.contracts.metric import Weights
from i2izoo.contracts.ranges import Number, Weight
from i2izoo.contracts.registry import complete_spec, registry
from i2izoo.errors import ConfigError, MetricError
from i2izoo.nn.slopes import slopes
from i2izoo.nn.spectral import add_spectral_norm


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


class LatentGenerator(Configurable, nn.Module, ABC):
    """Latent in, image out: what a method makes images of nothing with.

    Options `latent`, `condition`, `out_channels` and `size` are part of the contract: length of the latent, length of
    the vector that says what to make (0: there is none), channels and side of the image.
    """

    @abstractmethod
    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        """Map N x latent, and N x condition where there is one, to N x out_channels x size x size in [-1, 1].

        A condition is a class as a one-hot vector, the embedding of a text, or any other vector.
        """

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        """Valid random arguments of `forward`, for tests, export and benchmarks; the size is its own."""
        told = self.config["condition"]
        return (torch.randn(batch, self.config["latent"]), *([torch.randn(batch, told)] if told else []))


class Discriminator(Configurable, nn.Module, ABC):
    """Image in, realness logits out, one map for each scale that it looks at. Option `in_channels` is required.

    Every discriminator has the options of `configure`, whatever its constructor takes. One that judges images of one
    size has an option `size`, their side; one that judges an image by what it should show has an option `condition`,
    the length of a vector that says so (0: there is none), which its `forward` takes after the image.

    Args:
        augment: an augmentation of all that it sees in training, by real and generated images and in both players'
            updates, as few images ask for: "diffaugment", "ada"; None: it sees images as they are.
        spectral_norm: divide the weight of each convolution and linear layer by its largest singular value (Miyato et
            al. 2018, arXiv 1802.05957); beside a norm or in place of it.

    Attributes:
        condition_channels: of the first channels of what it sees, which are no image to judge but what the rest is
            judged by; a method that shows it such says so. An augmentation treats them otherwise.
    """

    min_size: int = 1
    condition_channels: int = 0

    def configure(self, *, augment: Part[Augmentation] | None = None, spectral_norm: bool = False) -> None:
        if spectral_norm:
            add_spectral_norm(self)
        self.augment = None if augment is None else registry("augmentations").build(augment, Augmentation)
        if augment is not None:
            self.config["augment"] = complete_spec(augment, self.augment)

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Map N x in_channels x H x W to a list of logits, each N x 1 x h x w (or N x 1)."""

    def __call__(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        return cast(list[Tensor], super().__call__(self._seen(image), *conditions))

    def uncompiled(self, image: Tensor, *conditions: Tensor) -> list[Tensor]:
        """The same, past `torch.compile`, which has no second derivatives."""
        return cast(Any, self.forward)(self._seen(image), *conditions)

    def given(self, *conditions: Tensor) -> Conditioned:
        """The discriminator with the conditions of a batch bound, as losses take it: an image in, logits out.

        Conditions are vectors, N x L. Where it has `condition_channels`, it sees them as planes before the image.
        """
        return Conditioned(self, conditions)

    def example_inputs(self, batch: int = 2) -> tuple[Tensor, ...]:
        """Valid random arguments of `forward`, for tests."""
        side = self.config.get("size") or max(32, self.min_size)
        told = self.config.get("condition")
        image = torch.rand(batch, self.config["in_channels"], side, side) * 2 - 1
        return (image, *([torch.randn(batch, told)] if told else []))

    def _seen(self, image: Tensor) -> Tensor:
        if self.augment is None or not self.training:
            return image
        with torch.autocast(image.device.type, enabled=False):
            return cast(Tensor, self.augment(image.float(), self.condition_channels))


@dataclass(frozen=True)
class Conditioned:
    """A discriminator and what it judges the images of a batch by; see `Discriminator.given`."""

    discriminator: Discriminator
    conditions: tuple[Tensor, ...]

    @property
    def augment(self) -> Augmentation | None:
        return self.discriminator.augment

    def __call__(self, image: Tensor) -> list[Tensor]:
        return self.discriminator(*self._shown(image))

    def uncompiled(self, image: Tensor) -> list[Tensor]:
        """The same, past `torch.compile`, which has no second derivatives."""
        return self.discriminator.uncompiled(*self._shown(image))

    def _shown(self, image: Tensor) -> tuple[Tensor, ...]:
        if not self.discriminator.condition_channels:
            return image, *self.conditions
        planes = torch.cat(self.conditions, dim=1).to(image.dtype)[:, :, None, None]
        return (torch.cat([planes.expand(-1, -1, *image.shape[-2:]), image], dim=1),)


Judge: TypeAlias = nn.Module | Conditioned
"""What losses take for a discriminator: an image in, logits out."""


class Encoder(Configurable, nn.Module, ABC):
    """Image in, distribution over a latent out. Options `in_channels` and `latent` are part of the contract."""

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map N x in_channels x H x W to mean and log variance; N x latent, or N x latent x h x w."""


class TextEncoder(Configurable, nn.Module, ABC):
    """Texts in, an embedding of each out: what a method that is told texts reads them with.

    One that a method is to learn has parameters that want a gradient, one that is frozen has none.

    Attributes:
        length: of an embedding.
    """

    length: int

    @abstractmethod
    def forward(self, texts: list[str]) -> Tensor:
        """Map N texts, of any length and in any characters, to N x length, float32, on the encoder's own device."""


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
    """What discriminator and generator minimise, given logits for each scale: mean over patches, sum over scales.

    Every adversarial loss has the options of `configure`, whatever its constructor takes.

    Args:
        r1: gamma of R1, gamma / 2 E ||grad D(x)||^2 at real images (Mescheder et al. 2018, arXiv 1801.04406, eq. 9):
            it keeps a discriminator flat where the data are. 0: none. What suits grows with the side of the images,
            0.1 to 10.
        r1_every: R1 is taken in every so many updates of a discriminator, the first of them, that many times as
            strong: "lazy regularization" (Karras et al. 2020, arXiv 1912.04958, section 3.1).

    Attributes:
        boundary: the logit of an image that is as likely real as generated; None: scores have no such point.
    """

    boundary: ClassVar[float | None] = 0.0

    def configure(self, *, r1: Weight = 0.0, r1_every: Number = 16) -> None:
        self.r1, self.r1_every = r1, r1_every
        self._updates: dict[str, int] = {}

    @abstractmethod
    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        """The scalar that the discriminator minimises."""

    @abstractmethod
    def generator(self, fake: list[Tensor]) -> Tensor:
        """The scalar that the generator minimises."""

    def penalty(self, discriminator: Judge, real: Tensor, fake: Tensor) -> Tensor | None:
        """A regulariser of the discriminator at (or between) the images, weighted; None where the loss has none."""
        return None

    def discriminator_losses(
        self,
        discriminator: Judge,
        real: Tensor,
        fake: Tensor,
        *,
        weight: float = 1.0,
        of: str | None = None,
        mismatched: Judge | None = None,
    ) -> dict[str, Tensor]:
        """All that the discriminator minimises, by name: `d_gan`; `d_penalty` where the loss has one, `d_r1` where due.

        Args:
            discriminator: judges real and fake images, in this order.
            real: N x C x H x W.
            fake: N x C x H x W; no gradient goes back through it.
            weight: of the loss, of the penalty and of R1, whose own weights so stay relative to the loss.
            of: what is judged, where there are several discriminators: `d_<of>`, `d_penalty_<of>`, `d_r1_<of>`.
            mismatched: the discriminator with conditions that the real images do not show; so shown they count as
                fake, for half of what is fake (Reed et al. 2016, arXiv 1605.05396, algorithm 1).

        Raises:
            ConfigError: its augmentation goes by how sure it is of real images, and the loss's scores do not say.
        """
        fake, suffix = fake.detach(), f"_{of}" if of else ""
        judged = discriminator(real)
        loss = self.discriminator(judged, discriminator(fake))
        if mismatched is not None:
            loss = (loss + self.discriminator(judged, mismatched(real))) / 2
        losses = {f"d_{of or 'gan'}": weight * loss}
        penalty = self.penalty(discriminator, real, fake)
        if penalty is not None:
            losses[f"d_penalty{suffix}"] = weight * penalty
        if self.r1 and self._due(of or "gan"):
            squares = [slope.square().flatten(1).sum(1).mean() for slope in slopes(eager(discriminator), real)]
            losses[f"d_r1{suffix}"] = weight * self.r1_every * self.r1 / 2 * torch.stack(squares).sum()
        self._report(getattr(discriminator, "augment", None), judged)
        return losses

    def _due(self, of: str) -> bool:
        """Is R1 due in this update of a discriminator? The micro-batches of one step count as updates of their own."""
        done = self._updates.get(of, 0)
        self._updates[of] = done + 1
        return done % self.r1_every == 0

    def _report(self, augment: Augmentation | None, real: list[Tensor]) -> None:
        """Tell an adaptive augmentation how real images were judged."""
        if augment is None or not augment.adaptive:
            return
        if self.boundary is None:
            raise ConfigError(
                f"{type(augment).__name__} goes by whether a real image is taken for real, and the scores of "
                f"{type(self).__name__} have no zero; take another gan_loss, or discriminator.augment='diffaugment'."
            )
        augment.observe([logits.detach().float() - self.boundary for logits in real])

    def training_state(self) -> dict[str, Tensor]:
        """How often each discriminator has been updated, for a checkpoint."""
        return {f"updates_{of}": torch.tensor(count) for of, count in self._updates.items()}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        """Take back what `training_state` gave."""
        self._updates = {key.removeprefix("updates_"): int(count) for key, count in state.items()}


def eager(discriminator: Judge) -> Callable[[Tensor], list[Tensor]]:
    """A discriminator past `torch.compile`, which has no second derivatives; for `i2izoo.nn.slopes`."""
    if isinstance(discriminator, (Discriminator, Conditioned)):
        return discriminator.uncompiled
    return discriminator.forward


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
