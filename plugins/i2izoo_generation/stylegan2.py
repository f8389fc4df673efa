"""StyleGAN2: images of styles (Karras et al., CVPR 2020, arXiv 1912.04958)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from i2izoo.contracts.checkpoints import Checkpoints
from i2izoo.contracts.parts import eager
from i2izoo.contracts.ranges import Betas, Channels, Length, Number, Range, Rate, Share, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import AdversarialLoss, Batch, Discriminator, Label, Latent, LatentGenerator, Part, Update
from i2izoo.nn.optim import adam
from i2izoo.nn.random import derive_seed, randn
from i2izoo.nn.slopes import slopes
from i2izoo_generation.gan import GAN
from i2izoo_generation.import_stylegan2 import ROLES, stylegan2_from_original
from i2izoo_generation.levels import PowerSide
from i2izoo_generation.path_length import path_lengths
from i2izoo_generation.sizes import covering
from i2izoo_generation.stylegan_generator import StyleGAN2Generator


class StyleGAN2(GAN):
    """Latents become styles, which modulate each layer of the generator; two regularisers keep both networks smooth.

    Beside the adversarial loss, whose "vanilla" is the non-saturating logistic one of the paper, the discriminator has
    R1, gamma / 2 E ||grad D(x)||^2, and the generator the path length, E (||J_w^T y|| - a)^2 with a running mean a
    (eq. 4). Both are taken in every so many steps only, that many times as strong, as steps of their own; Adam's rate
    and betas make up for these (section 3.1, "lazy regularization"). In a part of the batches two latents share an
    image, one for the layers up to some place and one for those behind it: style mixing.

    Args:
        domains: the name that the data gives the images; the last one alone counts.
        out_channels: channels of the images.
        size: side of the images, a power of two; 32 to 1024 as a rule.
        latent: length of the latent z.
        classes: names of the classes of the images; "data" takes those of the data; none: whatever it is, it is one.
        generator: "stylegan2", of any width; its option `architecture` has that of the original StyleGAN, too.
        discriminator: any discriminator; the paper's is "stylegan2".
        gan_loss: any adversarial loss; its own option `r1` is beside that of the method.
        r1: gamma; 10 for 1024 x 1024 in the paper. None: 0.0002 side^2 / batch, which Karras et al. 2020 find to do
            for most data (arXiv 2006.06676, their code's "auto"). 0: none.
        r1_every: steps from one R1 to the next; 16 in the paper.
        path_length: weight of the path length; 2 in the authors' code; 0: none.
        path_length_every: steps from one to the next; 8 in the paper, 4 in its code.
        path_length_shrink: it is taken of this part of a batch: of half of it for 2, as in the code.
        mixing: share of batches with style mixing; 0.9 in the paper.
        learning_rate: of Adam; 0.002 in the paper.
        discriminator_learning_rate: of Adam, for the discriminator; None: the same.
        betas: of Adam.

    >>> method = StyleGAN2(**StyleGAN2.tiny_options)
    >>> method.generate(to="image", seeds=[0, 1], size=(16, 16), truncation=0.7).shape
    torch.Size([2, 3, 16, 16])
    """

    mean_path_length: Tensor
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 400, "batch_size": 32, "load_size": 256, "crop_size": 256,
        "ema_half_life": 10.0, "ema_ramp_up": None,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "latent": 4,
        "generator": {
            "name": "stylegan2", "style": 8, "channel_base": 64, "channel_max": 8, "mapping_layers": 2,
        },
        "discriminator": {"name": "stylegan2", "channel_base": 64, "channel_max": 8, "mapping_layers": 2},
        "path_length_every": 2,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {
        "classes": {"classes": ["round", "square", "long"]},
        "of StyleGAN": {"generator": {**tiny_options["generator"], "architecture": "adain"}, "path_length": 0},
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["image"],
        out_channels: Channels = 3,
        size: PowerSide = 256,
        latent: Length = 512,
        classes: list[str] | Literal["data"] = [],
        generator: Part[LatentGenerator] = "stylegan2",
        discriminator: Part[Discriminator] = "stylegan2",
        gan_loss: Part[AdversarialLoss] = "vanilla",
        r1: Weight | None = None,
        r1_every: Number = 16,
        path_length: Weight = 2.0,
        path_length_every: Number = 8,
        path_length_shrink: Annotated[int, Range(1, 1024)] = 2,
        mixing: Share = 0.9,
        learning_rate: Rate = 2e-3,
        discriminator_learning_rate: Rate | None = None,
        betas: Betas = [0.0, 0.99],
    ) -> None:
        super().__init__(
            domains=domains, out_channels=out_channels, size=size, latent=latent, classes=classes, generator=generator,
            discriminator=discriminator, gan_loss=gan_loss, learning_rate=learning_rate,
            discriminator_learning_rate=discriminator_learning_rate, betas=betas,
        )  # fmt: skip
        if not isinstance(self.generator, StyleGAN2Generator):
            raise ConfigError(
                "stylegan2 trains a generator of styles; take generator='stylegan2', or the method 'gan'."
            )
        self.r1, self.r1_every = r1, r1_every
        self.path_length, self.path_length_every = path_length, path_length_every
        self.path_length_shrink, self.mixing = path_length_shrink, mixing
        self.register_buffer("mean_path_length", torch.zeros(()))

    # --------------------------------------------------------------------------------------------------- training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, told = batch[self.target], self.conditions(batch)
        judge = self.discriminator.given(*told)

        fake = self.generator.synthesis(self.styles(real, *told))
        yield Update("generator", {"gan": self.gan_loss.generator(judge(fake))})
        if self.path_length and batch.step % self.path_length_every == 0:
            yield Update("generator", {"path_length": self.path_penalty(real, *told)})

        with torch.no_grad():
            fake = self.generator.synthesis(self.styles(real, *told))
        yield Update("discriminator", self.gan_loss.discriminator_losses(judge, real, fake))
        if self.r1 != 0 and batch.step % self.r1_every == 0:
            squares = [slope.square().flatten(1).sum(1).mean() for slope in slopes(eager(judge), real)]
            weight = self.r1_every * self.r1_of(real) / 2
            yield Update("discriminator", {"d_r1": weight * torch.stack(squares).sum()})

    def styles(self, like: Tensor, *told: Tensor) -> Tensor:
        """One w for each layer, of random latents, of two for an image where styles are mixed.

        The latents are as many as the rows of `like`, and of its device. The place from which on the second one holds
        is that of the whole batch.
        """
        w = self.generator.styles(self.noise(like), *told)
        layers = w.shape[1]
        if layers > 1 and torch.rand(()) < self.mixing:
            place = int(torch.randint(1, layers, ()))
            second = self.generator.mapping(self.noise(like), *told)[:, None].expand(-1, layers - place, -1)
            w = torch.cat([w[:, :place], second], dim=1)
        return w

    def path_penalty(self, like: Tensor, *told: Tensor) -> Tensor:
        """The path length's loss, weighted, of a part of a batch; its running mean follows. In float32."""
        count = max(1, len(like) // self.path_length_shrink)
        with torch.autocast(like.device.type, enabled=False):
            w = self.styles(like[:count].float(), *(condition[:count] for condition in told))
            image = self.generator.synthesis(w)
            lengths = path_lengths(image, w, torch.randn_like(image))
        mean = torch.lerp(self.mean_path_length, lengths.detach().mean(), 0.01)
        self.mean_path_length.copy_(mean)
        return self.path_length * self.path_length_every * (lengths - mean).square().mean()

    def r1_of(self, real: Tensor) -> float:
        """gamma, for a batch of images."""
        return 2e-4 * real.shape[-2] * real.shape[-1] / len(real) if self.r1 is None else self.r1

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        every = {
            "generator": self.path_length_every if self.path_length else 0,
            "discriminator": self.r1_every if self.r1 != 0 else 0,
        }
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {
            name: adam(network.parameters(), *corrected(self.learning_rates[name], self.betas, every[name]))
            for name, network in networks.items()
        }

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ROLES

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What the state dicts of the authors' `G_ema` and, if given, of their `D` say."""
        return stylegan2_from_original(files, options)

    # ------------------------------------------------------------------------------------------------- generation

    def generate(
        self,
        *,
        to: str,
        seeds: list[int],
        size: tuple[int, int],
        latent: Latent | None = None,
        label: Label | None = None,
        w: Latent | None = None,
        truncation: Annotated[float, Range(-10, 10)] = 1.0,
        truncation_layers: Number | None = None,
        noise: Literal["random", "constant", "none"] = "random",
    ) -> Tensor:
        """Images of seeds, N x C x H x W; those of another size than the network's are scaled to cover it, and cropped.

        Args:
            to: the domain.
            seeds: one for each image; they decide what is not given.
            size: height and width.
            latent: z, N x latent, in place of a draw.
            label: the class of each image; left out, each seed draws one.
            w: styles in place of z: N x style for all layers, or N x layers x 1 x style for each.
            truncation: psi, the share of the way from the average style that is kept: 1 is all, 0.7 fewer accidents.
            truncation_layers: of so many of the first layers; None: of all.
            noise: of each image, by its seed; "constant": one for all; "none".

        Raises:
            ConfigError: a latent or a style that does not fit, or a label where there are no classes.
        """
        generator = self.generator
        if w is None:
            w = self.mapped(seeds, latent, label)
        elif latent is not None or label is not None:
            raise ConfigError("w is what latent and label lead to; give one or the other.")
        w = generator.mapping.truncated(self.for_layers(w), truncation, truncation_layers)
        drawn = self.drawn_noise(seeds, w) if noise == "random" else noise
        return covering(generator.synthesis(w, drawn).clamp(-1, 1), size)

    def networks(self) -> list[nn.Module]:
        return []  # the synthesis is given a list of noise

    def mapped(self, seeds: list[int], latent: Tensor | None = None, label: Tensor | None = None) -> Tensor:
        """w of seeds, or of latents, N x style."""
        like = next(self.generator.parameters())
        return self.generator.mapping(self.latents(seeds, latent).to(like), *self.told(seeds, label))

    def for_layers(self, w: Tensor) -> Tensor:
        """w for each layer, N x layers x style, of N x style or N x layers x 1 x style.

        Raises:
            ConfigError: it has another shape.
        """
        layers, style = self.generator.synthesis.layers, len(self.generator.mapping.average)
        if w.shape[1:] == (style,):
            return w[:, None].expand(-1, layers, -1)
        if w.shape[1:] == (layers, 1, style):
            return w[:, :, 0]
        raise ConfigError(
            f"w is of {style} numbers, or {layers} x 1 x {style} for each layer its own; found {tuple(w.shape[1:])}."
        )

    def drawn_noise(self, seeds: list[int], like: Tensor) -> list[Tensor]:
        """The noise of each layer, N x 1 x H x W, of seeds; of the type and device of `like`."""
        sides = self.generator.synthesis.sides
        return [
            randn((1, side, side), [derive_seed(seed, "noise", place) for seed in seeds]).to(like)
            for place, side in enumerate(sides)
        ]


def corrected(rate: float, betas: list[float], every: int) -> tuple[float, list[float]]:
    """Adam's rate and betas where one step in so many is followed by another one: c rate and betas^c, c = k / (k + 1).

    So the state has moved as far after k + 1 steps as it would have in k (section 3.1). `every` = 0: there is none.

    >>> corrected(0.002, [0.0, 0.99], 1)
    (0.001, [0.0, 0.99498743710662])
    """
    share = every / (every + 1) if every else 1.0
    return rate * share, [beta**share for beta in betas]
