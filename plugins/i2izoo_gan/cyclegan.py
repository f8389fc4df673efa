"""CycleGAN: unpaired translation in both directions (Zhu et al., ICCV 2017, arXiv 1703.10593)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.checkpoints import Checkpoints, by_role
from i2izoo.contracts.config import schema
from i2izoo.contracts.one_way import two_domains
from i2izoo.contracts.ranges import Betas, Channels, Count, Gain, Items, Number, Rate, Weight
from i2izoo.errors import ConfigError, listing
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Generator,
    Part,
    ReconstructionLoss,
    TwoWayMethod,
    Update,
)
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.optim import adam
from i2izoo_gan.importers import discriminator_from_original, generator_from_original, unet_dropout
from i2izoo_gan.pool import ReplayPool


class CycleGAN(TwoWayMethod):
    """Learns both directions from unpaired images: there and back again is the image that it was.

    Two generators G: X -> Y and F: Y -> X, two discriminators, and the cycles F(G(x)) = x, G(F(y)) = y (eq. 3).

    Args:
        domains: the two domains, by the names that the data gives them.
        channels: channels of the images of each.
        generator: any generator; two are built.
        discriminator: any discriminator, unconditional; two are built.
        gan_loss: any adversarial loss; the paper's is "lsgan".
        cycle_loss: distance of an image and its round trip.
        cycle_weight: lambda, 10 in the paper; one number for both cycles.
        identity_weight: weight of the identity loss relative to `cycle_weight`. The authors' code always uses 0.5,
            which is the default here; the paper uses it for paintings only (section 5.2); 0 switches it off.
        pool_size: images in each replay pool; 0 switches it off.
        discriminator_steps: discriminator updates for each generator update.
        only_to: translate to this domain alone, and keep only that generator in the model; None: to both. Training
            learns both directions all the same.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam.
        betas: of Adam.

    >>> import torch
    >>> method = CycleGAN(domains=["label", "photo"], generator={"name": "resnet_6blocks", "width": 4})
    >>> method(torch.zeros(1, 3, 20, 9), to="label").shape
    torch.Size([1, 3, 20, 9])
    """

    data = "unpaired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "decay_epochs": 100, "batch_size": 1, "load_size": 286, "crop_size": 256,
        "decay_ahead": True,  # as the authors' code, whose scheduler steps when an epoch begins
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "resnet_9blocks", "width": 4, "blocks": 1},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2},
    }
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"of one direction": {"only_to": "target"}}

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        channels: Annotated[list[Channels], Items(2)] = [3, 3],
        generator: Part[Generator] = "resnet_9blocks",
        discriminator: Part[Discriminator] = "patchgan",
        gan_loss: Part[AdversarialLoss] = "lsgan",
        cycle_loss: Part[ReconstructionLoss] = "l1",
        cycle_weight: Weight = 10.0,
        identity_weight: Weight = 0.5,
        pool_size: Count = 50,
        discriminator_steps: Number = 1,
        only_to: str | None = None,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        super().__init__()
        self.set_domains(domains, channels)
        if only_to not in (None, *domains):
            raise ConfigError(f"only_to is one of the domains, {listing(domains)}; found {only_to!r}.")
        self.only_to = only_to
        if identity_weight and channels[0] != channels[1]:
            raise ConfigError(f"the identity loss needs equal channels, found {channels}; set identity_weight=0.")
        self.generator = nn.ModuleDict()
        self.discriminator = nn.ModuleDict()
        self.pool = nn.ModuleDict()
        for to, source in super().directions.items():
            self.generator[f"to_{to}"] = self.part(
                "generator", in_channels=self.channels[source], out_channels=self.channels[to]
            )
            self.discriminator[f"of_{to}"] = self.part("discriminator", in_channels=self.channels[to])
            self.pool[f"of_{to}"] = ReplayPool(pool_size)
        self.gan_loss = self.part("gan_loss")
        self.cycle_loss = self.part("cycle_loss")
        self.cycle_weight, self.identity_weight = cycle_weight, identity_weight
        self.discriminator_steps = discriminator_steps
        self.learning_rate, self.betas = learning_rate, betas
        for network in (self.generator, self.discriminator):
            init_weights(network, init, init_gain)

    @property
    def directions(self) -> dict[str, str]:
        return {to: source for to, source in super().directions.items() if self.only_to in (None, to)}

    def inference_state(self) -> dict[str, Tensor]:
        ways = tuple(f"generator.to_{to}." for to in self.directions)
        return {name: value for name, value in super().inference_state().items() if name.startswith(ways)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        G, F = self.generator[f"to_{self.y}"], self.generator[f"to_{self.x}"]
        D_X, D_Y = self.discriminator[f"of_{self.x}"], self.discriminator[f"of_{self.y}"]
        x, y = batch[self.x], batch[self.y]
        fake_y, fake_x = G(x), F(y)

        def losses() -> dict[str, Tensor]:
            terms = {
                f"gan_{self.y}": self.gan_loss.generator(D_Y(fake_y)),
                f"gan_{self.x}": self.gan_loss.generator(D_X(fake_x)),
            }
            if self.cycle_weight:
                terms[f"cycle_{self.x}"] = self.cycle_weight * self.cycle_loss(F(fake_y), x)
                terms[f"cycle_{self.y}"] = self.cycle_weight * self.cycle_loss(G(fake_x), y)
            if self.identity_weight:
                weight = self.identity_weight * (self.cycle_weight or 1.0)
                terms[f"identity_{self.y}"] = weight * self.cycle_loss(G(y), y)
                terms[f"identity_{self.x}"] = weight * self.cycle_loss(F(x), x)
            return terms

        yield Update("generator", losses, every=self.discriminator_steps)

        d_losses: dict[str, Tensor] = {}
        for domain, discriminator, real, fake in ((self.y, D_Y, y, fake_y), (self.x, D_X, x, fake_x)):
            pooled = self.pool[f"of_{domain}"](fake)
            d_losses |= self.gan_loss.discriminator_losses(discriminator, real, pooled, weight=0.5, of=domain)
        yield Update("discriminator", d_losses)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: adam(network.parameters(), self.learning_rate, self.betas)
            for name, network in {"generator": self.generator, "discriminator": self.discriminator}.items()
        }

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """N x C x H x W of the other domain to the domain `to`."""
        return self.generator[f"to_{to}"](image)

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("G_A", "G_B", "D_A", "D_B")

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What the authors' `latest_net_G_A.pth` (first domain to second), `..._G_B.pth`, and `..._D_A/B.pth` say.

        In their naming G_A translates A to B, and D_A judges B. One generator alone, as they publish them, makes a
        model of its direction.
        """
        found = by_role("CycleGAN", files, cls.checkpoint_roles(options), needed=())
        judges = {"D_A", "D_B"} & found.keys()
        if not found.keys() - judges or (len(found.keys() - judges) == 2 and len(judges) == 1):
            raise ConfigError(
                f"CycleGAN needs G_A or G_B, or both and then both discriminators or none; found {listing(files)}."
            )
        a, b = two_domains("CycleGAN", options.get("domains") or schema(cls)["domains"].default)
        read: dict[str, Any] = {}
        weights, seen = {}, {}
        for role, source, to in (("G_A", a, b), ("G_B", b, a)):
            if role in found:
                spec, weights[f"generator.to_{to}"], *channels = generator_from_original(*found[role])
                seen[role] = {"generator": spec, "channels": channels if source == a else channels[::-1]}
                read |= seen[role]
        if len(seen) == 1:
            read["only_to"] = b if "G_A" in seen else a
        elif seen["G_A"] != seen["G_B"]:
            raise ConfigError(f"the two generators differ: {seen['G_A']} and {seen['G_B']}.")
        if len(set(read["channels"])) == 2:
            read["identity_weight"] = 0.0
        for role, domain in (("D_A", b), ("D_B", a)):
            if role in found:
                place = f"discriminator.of_{domain}"
                read["discriminator"], weights[place], _ = discriminator_from_original(*found[role])
        return Checkpoints(read, weights, unet_dropout(read["generator"], 0.0))
