"""Generative adversarial networks: images from nothing, of a class if there are classes (Goodfellow et al. 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.ranges import Betas, Channels, Length, Number, Range, Rate
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, listing
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Label,
    Latent,
    LatentGenerator,
    Method,
    Part,
    PartSpec,
    Update,
)
from i2izoo.nn.latent import the_latent
from i2izoo.nn.optim import adam
from i2izoo.nn.random import derive_seed, randn
from i2izoo.nn.running import take_statistics
from i2izoo_generation.levels import PowerSide, at_level, level_at, levels_of
from i2izoo_generation.sizes import covering


class GAN(Method):
    """A generator makes images of random latents, and a discriminator learns to tell them from real ones.

    min_G max_D E[log D(x)] + E[log(1 - D(G(z)))] (arXiv 1406.2661, eq. 1), with any adversarial loss in its place; the
    generator minimises -log D(G(z)), as there. Of images with classes both are told the class (Mirza and Osindero 2014,
    arXiv 1411.1784, eq. 2).

    Args:
        domains: the name that the data gives the images; the last one alone counts.
        out_channels: channels of the images.
        size: side of the images, a power of two.
        latent: length of the latent z.
        prior: of z: "normal", or "uniform" in [-1, 1].
        classes: names of the classes of the images; "data" takes those of the data; none: whatever it is, it is one.
        generator: any generator of latents.
        discriminator: any discriminator; one without an option `condition` sees a plane for each class, too.
        gan_loss: any adversarial loss.
        discriminator_steps: discriminator updates for each generator update.
        progressive: share of the training in which the images grow from 8 x 8 to their size, by networks that can
            (Karras et al. 2018, arXiv 1710.10196); 0: they have their size from the start.
        learning_rate: of Adam.
        discriminator_learning_rate: of Adam, for the discriminator; None: the same.
        betas: of Adam.

    >>> method = GAN(**GAN.tiny_options)
    >>> method.generate(to="image", seeds=[0, 1], size=(16, 16)).shape
    torch.Size([2, 3, 16, 16])
    """

    data = "single"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 400, "batch_size": 64, "load_size": 64, "crop_size": 64, "ema": 0.999,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "latent": 4, "generator": {"name": "dcgan", "width": 4, "init_gain": 0.2},
        "discriminator": {"name": "dcgan", "width": 4, "init_gain": 0.2},
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "classes": {"classes": ["round", "square", "long"]},
        "planes of classes": {
            "classes": ["round", "square"],
            "discriminator": {"name": "patchgan", "width": 4, "layers": 1},
        },
        "progressive": {"progressive": 0.5, "classes": ["round", "square"]},
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["image"],
        out_channels: Channels = 3,
        size: PowerSide = 64,
        latent: Length = 128,
        prior: Literal["normal", "uniform"] = "normal",
        classes: list[str] | Literal["data"] = [],
        generator: Part[LatentGenerator] = "dcgan",
        discriminator: Part[Discriminator] = "dcgan",
        gan_loss: Part[AdversarialLoss] = "vanilla",
        discriminator_steps: Number = 1,
        progressive: Annotated[float, Range(0, 1, without="high")] = 0.0,
        learning_rate: Rate = 2e-4,
        discriminator_learning_rate: Rate | None = None,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        super().__init__()
        if not domains:
            raise ConfigError("generation needs the name of its domain; domains is empty.")
        if isinstance(classes, str):
            raise ConfigError(
                "classes='data' leaves the names of the classes to be found in data, which only training can do; give "
                "them: classes=['cat', 'dog']."
            )
        if len(set(classes)) < len(classes):
            raise ConfigError(f"each class has a name of its own; found {classes}.")
        self.target, self.classes = domains[-1], classes
        self.size, self.latent_size, self.prior = size, latent, prior
        self.levels, self.progressive = levels_of(size), progressive
        self.discriminator_steps, self.betas = discriminator_steps, betas
        own_rate = learning_rate if discriminator_learning_rate is None else discriminator_learning_rate
        self.learning_rates = {"generator": learning_rate, "discriminator": own_rate}

        told = self.condition_length()
        grows: dict[str, Any] = {"progressive": True} if progressive else {}
        if progressive:
            check_growing("latent_generators", self.config["generator"])
            check_growing("discriminators", self.config["discriminator"])
        self.generator = self.part(
            "generator", latent=latent, condition=told, out_channels=out_channels, size=size, **grows
        )
        self.discriminator = self.judge("discriminator", size, **grows)
        self.gan_loss = self.part("gan_loss")

    def judge(self, option: str, size: int, **context: Any) -> Discriminator:
        """The discriminator that an option asks for, of images of a size and of what `condition_length` says."""
        told, takes = self.condition_length(), options_of("discriminators", self.config[option])
        planes = 0 if "condition" in takes else told
        own = {name: value for name, value in {"condition": told, "size": size}.items() if name in takes}
        judge: Discriminator = self.part(option, in_channels=planes + self.config["out_channels"], **own, **context)
        judge.condition_channels = planes
        return judge

    @classmethod
    def recipe_for(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        side = options.get("size", schema(cls)["size"].default)
        return {**cls.recipe, "load_size": side, "crop_size": side}

    @property
    def directions(self) -> Mapping[str, str | None]:
        return {self.target: None}

    @property
    def channels(self) -> dict[str, int]:
        return {self.target: self.config["out_channels"]}

    @property
    def native_size(self) -> tuple[int, int]:
        return self.size, self.size

    @property
    def training_size(self) -> tuple[int, int]:
        return self.size, self.size

    # --------------------------------------------------------------------------------------------------- training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, told = batch[self.target], self.conditions(batch)
        if self.progressive:
            real = at_level(real, self.grow(batch.progress), self.levels)

        judge = self.discriminator.given(*told)
        with torch.no_grad():
            fake = self.generator(self.noise(real), *told)
        yield Update("discriminator", self.gan_loss.discriminator_losses(judge, real, fake))

        def losses() -> dict[str, Tensor]:
            loss = self.gan_loss.generator(judge(self.generator(self.noise(real), *told)))
            return {"gan": loss, **self.regularisers()}

        yield Update("generator", losses, every=self.discriminator_steps)

    def regularisers(self) -> dict[str, Tensor]:
        """What else the generator minimises, by name, weighted."""
        return {}

    def noise(self, like: Tensor) -> Tensor:
        """A latent for each row, N x latent, of the type and device of a tensor."""
        return self.of_prior(torch.randn(len(like), self.latent_size, device=like.device, dtype=like.dtype))

    def of_prior(self, normal: Tensor) -> Tensor:
        """A draw from the prior, made of standard normal numbers: their distribution function is uniform."""
        return torch.erf(normal / math.sqrt(2)) if self.prior == "uniform" else normal

    def condition_length(self) -> int:
        """Length of what both are told; 0: nothing.

        A method that tells them something else, such as the embedding of a text, has its own `condition_length` and
        `conditions`, and gives to `images` what it tells the generator.
        """
        return len(self.classes)

    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        """What both are told of the images of a batch, N x condition; nothing where there is no condition."""
        if not self.classes:
            return ()
        if batch.labels is None:
            raise ConfigError(
                f"the model learns the classes {listing(self.classes, 5)}, and the data has no labels; put the images "
                "of each class into a folder of its own."
            )
        return (self.one_hot(batch.labels),)

    def one_hot(self, labels: Tensor) -> Tensor:
        """N numbers of classes to N x classes."""
        return F.one_hot(labels, len(self.classes)).to(next(self.generator.parameters()).dtype)

    def grow(self, progress: float) -> float:
        """Put both networks on the level of training that a share of it, `progress`, has come to; returns it."""
        level = level_at(progress, self.levels, self.progressive)
        for network in (self.generator, self.discriminator):
            network.get_buffer("level").fill_(level)
        return level

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        rates = self.learning_rates
        return {name: adam(network.parameters(), rates[name], self.betas) for name, network in networks.items()}

    def weights_averaged(self) -> None:
        """Take the generator's statistics of batch norm anew: the average of weights makes other features than they do.

        These are the "standing statistics" of Brock, Donahue and Simonyan 2019 (arXiv 1809.11096, appendix D).
        """
        take_statistics(self.generator, self.draws())

    def draws(self) -> Iterator[tuple[Tensor, ...]]:
        """Always the same 16 batches of what the generator takes: 32 latents, and what it is told beside them.

        There are none for a method that is told what nothing here can draw.
        """
        if self.condition_length() == len(self.classes):
            for batch in range(16):
                seeds = [derive_seed("statistics", batch, row) for row in range(32)]
                yield (self.latents(seeds), *self.told(seeds, None))

    # ------------------------------------------------------------------------------------------------- generation

    def generate(
        self,
        *,
        to: str,
        seeds: list[int],
        size: tuple[int, int],
        latent: Latent | None = None,
        label: Label | None = None,
    ) -> Tensor:
        """Images of seeds, N x C x H x W; those of another size than the network's are scaled to cover it, and cropped.

        Args:
            to: the domain.
            seeds: one for each image; they decide what is not given.
            size: height and width.
            latent: z, N x latent, in place of a draw from the prior.
            label: the class of each image; left out, each seed draws one.

        Raises:
            ConfigError: a latent of another length, or a label where there are no classes.
        """
        return self.images(self.latents(seeds, latent), self.told(seeds, label), size)

    def latents(self, seeds: list[int], latent: Tensor | None = None) -> Tensor:
        """z of seeds, N x latent, or those that are given.

        Raises:
            ConfigError: they have another length.
        """
        if latent is None:
            latent = self.of_prior(randn((self.latent_size,), [derive_seed(seed, "latent") for seed in seeds]))
        return the_latent((latent,), self.latent_size)

    def images(self, latent: Tensor, told: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """What the generator makes of latents, N x latent, and of what it is told, at a height and width."""
        return covering(self.of(latent, *told), size)

    def of(self, latent: Tensor, *told: Tensor) -> Tensor:
        """What the generator makes of latents, N x latent, and of what it is told, of whatever device, at its size."""
        like = next(self.generator.parameters())
        return self.generator(latent.to(like), *(condition.to(like) for condition in told))

    def told(self, seeds: list[int], label: Tensor | None) -> tuple[Tensor, ...]:
        """What the generator is told in generating; see `generate`."""
        if not self.classes:
            if label is not None:
                raise ConfigError("the model knows no classes; leave label out.")
            return ()
        if label is None:
            label = torch.tensor([derive_seed(seed, "label") % len(self.classes) for seed in seeds])
        return (self.one_hot(label.to(next(self.generator.parameters()).device)),)


class DCGAN(GAN):
    """The deep convolutional GAN as in its paper (Radford, Metz and Chintala 2016, arXiv 1511.06434).

    A uniform latent of length 100, batches of 128, and the loss of the original GAN; see `GAN` for the arguments.
    """

    recipe: ClassVar[dict[str, Any]] = {"epochs": 25, "batch_size": 128, "load_size": 64, "crop_size": 64}
    defaults: ClassVar[dict[str, Any]] = {"latent": 100, "prior": "uniform"}


def options_of(kind: str, spec: PartSpec) -> Mapping[str, Any]:
    """The options that a part has which is asked for by name, or by name and options."""
    return schema(registry(kind).get(_name(spec)))


def check_growing(kind: str, spec: PartSpec) -> None:
    """Refuse a part through whose levels training cannot grow.

    Raises:
        ConfigError: names it.
    """
    if "progressive" not in options_of(kind, spec):
        raise ConfigError(
            f"progressive training wants networks that grow, and {_name(spec)!r} has no option 'progressive'; take "
            "'dcgan', or leave progressive at 0."
        )


def _name(spec: PartSpec) -> str:
    return str(spec if isinstance(spec, str) else spec.get("name"))
