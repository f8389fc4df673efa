"""The conditional GAN as a translator: adversarial loss only (Mirza and Osindero 2014, arXiv 1411.1784)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Length, Number, Rate, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Generator,
    Latent,
    Part,
    PartSpec,
    ReconstructionLoss,
    Update,
)
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.latent import draw_latent
from i2izoo.nn.modes import dropouts, dropping, row_by_row
from i2izoo.nn.optim import adam
from i2izoo_gan.conditional import seen, seen_channels

UNET: PartSpec = {"name": "unet_256", "norm": "instance", "dropout": 0.0, "latent_at": "input"}
"""Of batches of one, the paper's batch size in pix2pix, instance norm is batch norm with the image's statistics."""


class CGAN(OneWayMethod):
    """Learns from pairs by a conditional discriminator alone, the baseline "cGAN" of pix2pix.

    min_G max_D E[log D(x, y)] + E[log(1 - D(x, G(x, z)))] (eq. 2).

    Nothing but the discriminator compares the translation with the target: it is as sharp as the discriminator asks,
    right as far as that looks at the source, and its noise is often ignored. With a `reconstruction_weight` it is
    "pix2pix + noise", the baseline of BicycleGAN (Zhu et al. 2017, arXiv 1711.11586, section 3.1): a translation with
    any z is then drawn to the one target that the data has, and noise has nothing left to say.

    Args:
        domains: source x and target y, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        noise: "latent" draws a vector z, which the generator repeats over all pixels; "dropout" has no z, and keeps the
            generator's dropout on in translating.
        latent: length of z, 8 to 64 as a rule; without effect where noise is "dropout".
        generator: any generator; with an option `latent` or, for noise "dropout", with dropout.
        discriminator: any discriminator; it sees source and target concatenated.
        gan_loss: any adversarial loss; the paper's is "vanilla".
        reconstruction_loss: of translation and target, "l1" or any reconstruction loss.
        reconstruction_weight: of it; 0 is the plain conditional GAN.
        conditional: False hides the source from the discriminator: nothing then ties the translation to the source, and
            it tends to one output for all (pix2pix, table 1, "GAN").
        discriminator_steps: discriminator updates for each generator update.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam, for both.
        betas: of Adam.

    >>> method = CGAN(generator={"name": "unet_256", "width": 4, "depth": 3})
    >>> method(torch.zeros(1, 3, 20, 9), to="target", seeds=[0]).shape
    torch.Size([1, 3, 20, 9])
    """

    data = "paired"
    samples = True
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "decay_epochs": 100, "batch_size": 1, "load_size": 286, "crop_size": 256,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "unet_256", "width": 4, "depth": 3, "norm": "instance", "dropout": 0.0},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2},
        "init_gain": 0.2,
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        noise: Literal["latent", "dropout"] = "latent",
        latent: Length = 8,
        generator: Part[Generator] = UNET,
        discriminator: Part[Discriminator] = "patchgan",
        gan_loss: Part[AdversarialLoss] = "vanilla",
        reconstruction_loss: Part[ReconstructionLoss] = "l1",
        reconstruction_weight: Weight = 0.0,
        conditional: bool = True,
        discriminator_steps: Number = 1,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        self.latent_size = latent if noise == "latent" else 0
        context: dict[str, Any] = {"latent": latent} if noise == "latent" else {}
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels, **context)
        if noise == "dropout" and not dropouts(self.generator):
            raise ConfigError(
                "noise='dropout' needs a generator with dropout, and this one has none; set generator.dropout=0.5."
            )
        judged = seen_channels(in_channels, out_channels, conditional)
        self.discriminator = self.part("discriminator", in_channels=judged)
        self.discriminator.condition_channels = judged - out_channels
        self.gan_loss = self.part("gan_loss")
        self.reconstruction_loss, self.reconstruction_weight = self.part("reconstruction_loss"), reconstruction_weight
        self.conditional, self.discriminator_steps = conditional, discriminator_steps
        self.learning_rate, self.betas = learning_rate, betas
        for network in (self.generator, self.discriminator):
            init_weights(network, init, init_gain)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        x, y = batch[self.source], batch[self.target]
        noise = [torch.randn(len(x), self.latent_size, device=x.device, dtype=x.dtype)] if self.latent_size else []
        fake = self.generator(x, *noise)

        pairs = seen(x, y, self.conditional), seen(x, fake, self.conditional)
        # halved, as pix2pix does
        yield Update("discriminator", self.gan_loss.discriminator_losses(self.discriminator, *pairs, weight=0.5))

        def losses() -> dict[str, Tensor]:
            terms = {"gan": self.gan_loss.generator(self.discriminator(seen(x, fake, self.conditional)))}
            if self.reconstruction_weight:
                terms["reconstruction"] = self.reconstruction_weight * self.reconstruction_loss(fake, y)
            return terms

        yield Update("generator", losses, every=self.discriminator_steps)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: adam(network.parameters(), self.learning_rate, self.betas) for name, network in networks.items()}

    def translate(self, image: Tensor, *, to: str, seeds: list[int], latent: Latent | None = None) -> Tensor:
        """N x in x H x W to N x out x H x W.

        Args:
            image: the batch.
            to: the target domain.
            seeds: one for each row; z, or what drops out, is drawn by them.
            latent: z itself, N x L, in place of a draw.

        Raises:
            ConfigError: a latent that does not fit, or that noise "dropout" has no place for.
        """
        if self.latent_size:
            if latent is None:
                latent = draw_latent(self.latent_size, seeds, image)
            return self.generator(image, latent)
        if latent is not None:
            raise ConfigError("this cgan has dropout as its noise and no latent; leave latent out.")
        with dropping(self.generator):
            return row_by_row(self.generator, image, seeds)
