"""Pix2pix: paired translation with a conditional GAN (Isola et al., CVPR 2017, arXiv 1611.07004)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.contracts.checkpoints import Checkpoints, by_role
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Number, Rate, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Generator,
    Part,
    PartSpec,
    ReconstructionLoss,
    Update,
)
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.modes import as_in_training, row_by_row
from i2izoo.nn.optim import adam
from i2izoo_gan.conditional import seen, seen_channels
from i2izoo_gan.importers import discriminator_from_original, generator_from_original, unet_dropout

PATCHGAN_BATCH: PartSpec = {"name": "patchgan", "norm": "batch"}


class Pix2Pix(OneWayMethod):
    """Learns from pairs: the target, as a conditional discriminator and the L1 distance judge it.

    G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G) (eq. 4).

    Args:
        domains: source and target, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        generator: any generator.
        discriminator: any discriminator; it sees source and target concatenated.
        gan_loss: any adversarial loss; the paper's is "vanilla".
        gan_weight: weight of the adversarial term; 0 trains without a discriminator.
        reconstruction_loss: "l1" as in the paper, "l2", or any reconstruction loss.
        reconstruction_weight: lambda, 100 in the paper; 0 is the plain conditional GAN.
        conditional: False hides the source from the discriminator (the paper's ablation "GAN").
        discriminator_steps: discriminator updates for each generator update.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam, for both.
        betas: of Adam.
        inference: "deterministic" translates with dropout off and running statistics; "paper" as the paper does, with
            dropout on and the statistics of the image itself.

    >>> import torch
    >>> method = Pix2Pix(generator={"name": "unet_256", "width": 4, "depth": 3})
    >>> method(torch.zeros(1, 3, 20, 9), to="target").shape
    torch.Size([1, 3, 20, 9])
    """

    data = "paired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "decay_epochs": 100, "batch_size": 1, "load_size": 286, "crop_size": 256,
        "decay_ahead": True,  # as the authors' code, whose scheduler steps when an epoch begins
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "unet_256", "width": 4, "depth": 3},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2, "norm": "batch"},
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        generator: Part[Generator] = "unet_256",
        discriminator: Part[Discriminator] = PATCHGAN_BATCH,
        gan_loss: Part[AdversarialLoss] = "vanilla",
        gan_weight: Weight = 1.0,
        reconstruction_loss: Part[ReconstructionLoss] = "l1",
        reconstruction_weight: Weight = 100.0,
        conditional: bool = True,
        discriminator_steps: Number = 1,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = [0.5, 0.999],
        inference: Literal["deterministic", "paper"] = "deterministic",
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        if not gan_weight and not reconstruction_weight:
            raise ConfigError("gan_weight and reconstruction_weight are both 0: there is nothing to learn from.")
        judged = seen_channels(in_channels, out_channels, conditional)
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels)
        self.discriminator = self.part("discriminator", in_channels=judged)
        self.discriminator.condition_channels = judged - out_channels
        self.gan_loss = self.part("gan_loss")
        self.reconstruction_loss = self.part("reconstruction_loss")
        self.gan_weight, self.reconstruction_weight = gan_weight, reconstruction_weight
        self.conditional, self.discriminator_steps = conditional, discriminator_steps
        self.learning_rate, self.betas, self.inference = learning_rate, betas, inference
        for network in (self.generator, self.discriminator):
            init_weights(network, init, init_gain)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        x, y = batch[self.source], batch[self.target]
        fake = self.generator(x)

        if self.gan_weight:
            pairs = seen(x, y, self.conditional), seen(x, fake, self.conditional)
            # halved, as the paper does to slow the discriminator down (section 3.3)
            weight = 0.5 * self.gan_weight
            yield Update("discriminator", self.gan_loss.discriminator_losses(self.discriminator, *pairs, weight=weight))

        def losses() -> dict[str, Tensor]:
            terms = {}
            if self.gan_weight:
                judged = self.discriminator(seen(x, fake, self.conditional))
                terms["gan"] = self.gan_weight * self.gan_loss.generator(judged)
            if self.reconstruction_weight:
                terms["reconstruction"] = self.reconstruction_weight * self.reconstruction_loss(fake, y)
            return terms

        yield Update("generator", losses, every=self.discriminator_steps if self.gan_weight else 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        if not self.gan_weight:
            del networks["discriminator"]
        return {name: adam(network.parameters(), self.learning_rate, self.betas) for name, network in networks.items()}

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mode: Literal["deterministic", "paper"] | None = None
    ) -> Tensor:
        """N x in x H x W to N x out x H x W.

        Args:
            image: the batch.
            to: the target domain.
            seeds: one for each row; only mode "paper" draws (dropout).
            mode: overrides the method's option `inference`.
        """
        mode = mode or self.inference
        if mode == "deterministic":
            return self.generator(image)
        if mode != "paper":
            raise ConfigError(f"mode is 'deterministic' or 'paper'; found {mode!r}.")
        with as_in_training(self.generator):
            return row_by_row(self.generator, image, seeds)

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("G", "D")

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What the authors' `latest_net_G.pth` and, if given, `latest_net_D.pth` say."""
        found = by_role("pix2pix", files, cls.checkpoint_roles(options), needed=["G"])
        spec, generator, in_channels, out_channels = generator_from_original(*found["G"])
        read: dict[str, Any] = {"generator": spec, "in_channels": in_channels, "out_channels": out_channels}
        weights = {"generator": generator}
        if "D" in found:
            read["discriminator"], weights["discriminator"], seen = discriminator_from_original(*found["D"])
            read["conditional"] = seen == in_channels + out_channels
        return Checkpoints(read, weights, unet_dropout(spec, 0.5))
