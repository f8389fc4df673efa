"""Age-cGAN: another age for a face, its identity kept (Antipov, Baccouche and Dugelay 2017, arXiv 1702.01983)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.ranges import Betas, Channels, Count, Length, Range, Rate
from i2izoo.errors import ConfigError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Encoder,
    Label,
    LatentGenerator,
    Part,
    ReconstructionLoss,
    Update,
)
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.optim import adam
from i2izoo.nn.running import take_statistics
from i2izoo_generation.fitting import fitted_latent
from i2izoo_generation.gan import GAN
from i2izoo_generation.levels import PowerSide


class AgeCGAN(GAN):
    """Finds the latent of which a conditional GAN makes an image, and makes it again with another class.

    Three steps: a GAN learns images of classes; an encoder E learns to tell the latent of which an image was made,
    ||z - E(G(z, y))||^2, from what the GAN makes (section 2.2.1); and z* = argmin ||FR(G(z, y0)) - FR(x)||^2, from
    E(x) on by L-BFGS, has the generator's image be the same person (eq. 2). G(z*, y) is that person at another age y.
    Classes are ages in the paper, and any names of folders here. See `GAN` for the other arguments.

    Args:
        domains: the name that the data gives the images; the last one alone counts.
        out_channels: channels of the images.
        size: side of the images that the networks see, a power of two; others are scaled to it, and back.
        latent: length of the latent z.
        classes: names of the classes of the images, at least one; "data" takes those of the data.
        generator: any generator of latents.
        discriminator: any discriminator.
        encoder: any encoder; its mean is the latent.
        identity: what z* brings near to 0 between two images: "l2" is the pixelwise way of the paper; the perceptual
            loss, {"name": "perceptual", "features": ...}, compares what any extractor of features sees, as the face
            recognition of the identity-preserving way does.
        gan_loss: any adversarial loss.
        encoder_from: share of the training after which the GAN stays as it is, and the encoder learns.
        learning_rate: of Adam.
        discriminator_learning_rate: of Adam, for the discriminator; None: the same.
        betas: of Adam.

    >>> method = AgeCGAN(**AgeCGAN.tiny_options).eval()
    >>> method(torch.zeros(2, 3, 20, 20), to="image", to_label=torch.tensor([1, 0]), iterations=1).shape
    torch.Size([2, 3, 20, 20])
    """

    inference_parts: ClassVar[tuple[str, ...]] = ("generator", "encoder")
    required_options: ClassVar[str] = "to_label=0"
    tiny_options: ClassVar[dict[str, Any]] = {
        **GAN.tiny_options, "encoder": {"name": "cnn_encoder", "width": 4, "layers": 2},
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(
        self,
        *,
        domains: list[str] = ["image"],
        out_channels: Channels = 3,
        size: PowerSide = 64,
        latent: Length = 100,
        classes: list[str] | Literal["data"] = ["young", "old"],
        generator: Part[LatentGenerator] = "dcgan",
        discriminator: Part[Discriminator] = "dcgan",
        encoder: Part[Encoder] = {"name": "cnn_encoder", "norm": "batch"},
        identity: Part[ReconstructionLoss] = "l2",
        gan_loss: Part[AdversarialLoss] = "vanilla",
        encoder_from: Annotated[float, Range(0, 1, without="both")] = 0.6,
        learning_rate: Rate = 2e-4,
        discriminator_learning_rate: Rate | None = None,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        super().__init__(
            domains=domains, out_channels=out_channels, size=size, latent=latent, classes=classes, generator=generator,
            discriminator=discriminator, gan_loss=gan_loss, learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate, betas=betas,
        )  # fmt: skip
        if not classes:
            raise ConfigError("age_cgan gives an image another class; name them: classes=['young', 'old'].")
        self.encoder_from = encoder_from
        self.encoder = self.part("encoder", in_channels=out_channels, latent=latent)
        self.identity = self.part("identity")

    @property
    def directions(self) -> Mapping[str, str | None]:
        return {self.target: self.target}

    # --------------------------------------------------------------------------------------------------- training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        if batch.progress < self.encoder_from:
            yield from super().training_step(batch)
            return
        latent = self.noise(batch[self.target])
        with torch.no_grad(), modes_kept(self.generator):
            made = self.generator.eval()(latent, *self.conditions(batch))
        mean, log_variance = self.encoder(made)
        spread = log_variance.float().exp().mean()  # of a draw of what the encoder says; the mean alone is the answer
        yield Update("encoder", {"latent": F.mse_loss(mean.float(), latent.float()), "spread": spread})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        rate = self.learning_rates["generator"]
        return {**super().optimizers(), "encoder": adam(self.encoder.parameters(), rate, self.betas)}

    def weights_averaged(self) -> None:
        super().weights_averaged()
        with modes_kept(self.generator):
            self.generator.eval()
            take_statistics(self.encoder, ((self.of(*draw),) for draw in self.draws()))

    # ------------------------------------------------------------------------------------------------ translation

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        to_label: Label | None = None,
        label: Label | None = None,
        iterations: Count = 50,
    ) -> Tensor:
        """The images, N x C x H x W, with other classes; each is fitted by itself.

        Args:
            image: N x C x H x W in [-1, 1].
            to: the domain.
            seeds: nothing is drawn.
            to_label: the class that each image gets; None: that which it has, a reconstruction.
            label: the class that each image has; None: that with which the generator comes nearest to it.
            iterations: of L-BFGS at most; 0: the encoder's latent as it is, the paper's z0.
        """
        size = image.shape[-2:]
        small = F.interpolate(image, (self.size, self.size), mode="bilinear", antialias=True)
        latents, labels = [], []
        for row in range(len(image)):
            found = self.inverted(small[row : row + 1], None if label is None else label[row : row + 1], iterations)
            latents.append(found[0])
            labels.append(found[1])
        wanted = torch.cat(labels) if to_label is None else to_label
        made = [self.of(latent, self.one_hot(one[None])) for latent, one in zip(latents, wanted, strict=True)]
        return F.interpolate(torch.cat(made), size, mode="bilinear", antialias=True)

    def inverted(self, image: Tensor, label: Tensor | None = None, iterations: int = 50) -> tuple[Tensor, Tensor]:
        """The latent, 1 x L, of which the generator makes an image, 1 x C x size x size, and the image's class, 1.

        Args:
            image: in [-1, 1].
            label: its class; None: that with which the generator comes nearest to it from the encoder's latent.
            iterations: of L-BFGS at most.
        """
        start = self.encoder(image)[0]
        if label is None:
            losses = [self.identity(self.of(start, one), image) for one in self.every_class()]
            label = torch.stack(losses).argmin()[None]
        told = self.one_hot(label)
        latent = fitted_latent(lambda z, t, x: self.identity(self.of(z, t), x), start, (told, image), iterations)
        return latent, label

    def every_class(self) -> list[Tensor]:
        """What the generator is told of each class, 1 x classes."""
        numbers = torch.arange(len(self.classes), device=next(self.generator.parameters()).device)
        return [self.one_hot(number[None]) for number in numbers]
