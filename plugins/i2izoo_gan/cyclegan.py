"""CycleGAN: unpaired translation in both directions (Zhu et al., ICCV 2017, arXiv 1703.10593)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.config import merge
from i2izoo.errors import ConfigError
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
from i2izoo_gan.importers import discriminator_from_original, generator_from_original, role_of
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
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "resnet_9blocks", "width": 4, "blocks": 1},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2},
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        channels: list[int] = [3, 3],
        generator: Part[Generator] = "resnet_9blocks",
        discriminator: Part[Discriminator] = "patchgan",
        gan_loss: Part[AdversarialLoss] = "lsgan",
        cycle_loss: Part[ReconstructionLoss] = "l1",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        discriminator_steps: int = 1,
        init: Init = "normal",
        init_gain: float = 0.02,
        learning_rate: float = 2e-4,
        betas: list[float] = [0.5, 0.999],
    ) -> None:
        super().__init__()
        self.set_domains(domains, channels)
        if identity_weight and channels[0] != channels[1]:
            raise ConfigError(f"the identity loss needs equal channels, found {channels}; set identity_weight=0.")
        if discriminator_steps < 1:
            raise ConfigError(f"discriminator_steps is at least 1; found {discriminator_steps}.")
        self.generator = nn.ModuleDict()
        self.discriminator = nn.ModuleDict()
        self.pool = nn.ModuleDict()
        for to, source in self.directions.items():
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
    def import_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], **options: Any) -> CycleGAN:
        """Build from the authors' `latest_net_G_A.pth` (first domain to second), `..._G_B.pth`, and `..._D_A/B.pth`.

        In their naming G_A translates A to B, and D_A judges B.
        """
        found = {}
        for name, state in files.items():
            role = role_of(name, ["G_A", "G_B", "D_A", "D_B"])
            if role is None or role in found:
                raise ConfigError(f"CycleGAN imports files named ..._G_A, _G_B, _D_A, _D_B; found {sorted(files)}.")
            found[role] = (name, state)
        if not {"G_A", "G_B"} <= found.keys() or len(found) == 3:
            raise ConfigError(f"CycleGAN needs G_A and G_B, and both discriminators or none; found {sorted(files)}.")
        spec, g_weights, x_channels, y_channels = generator_from_original(*found["G_A"])
        other, f_weights, _, _ = generator_from_original(*found["G_B"])
        if other != spec:
            raise ConfigError(f"the two generators differ: {spec} and {other}.")
        read: dict[str, Any] = {"generator": spec, "channels": [x_channels, y_channels]}
        if x_channels != y_channels:
            read["identity_weight"] = 0.0
        discriminators = {}
        for role in ("D_A", "D_B"):
            if role in found:
                read["discriminator"], discriminators[role], _ = discriminator_from_original(*found[role])
        method = cls(**merge(read, options))
        method.generator[f"to_{method.y}"].load_state_dict(g_weights)
        method.generator[f"to_{method.x}"].load_state_dict(f_weights)
        for role, domain in (("D_A", method.y), ("D_B", method.x)):
            if role in discriminators:
                method.discriminator[f"of_{domain}"].load_state_dict(discriminators[role])
        return method
