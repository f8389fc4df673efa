"""StackGAN: images of captions, in two stages (Zhang et al., ICCV 2017, arXiv 1612.03242)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.ranges import Betas, Channels, Length, Range, Rate, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Latent,
    LatentGenerator,
    Part,
    Text,
    TextEncoder,
    Update,
)
from i2izoo.nn.optim import adam
from i2izoo_generation.gan import GAN
from i2izoo_generation.joint_embedding import ImageEmbedding, joint_embedding_loss, kinds_of
from i2izoo_generation.levels import PowerSide
from i2izoo_generation.stackgan_generator import StackGANGenerator

NotAll: TypeAlias = Annotated[float, Range(0, 1, without="high")]
"""A share, but not the whole."""

DISCRIMINATOR: dict[str, Any] = {"name": "dcgan", "conditioning": "concat", "kernel": 4, "width": 96}
"""The embedding of a text, compressed to 128 numbers, beside the features at 4 x 4 (section 3.3); 96 channels first, as
in settings of the authors' code."""


class StackGAN(GAN):
    """A first GAN draws small images of captions, and a second one makes large ones of these and the captions.

    The embedding of a caption reaches the generators through conditioning augmentation, whose divergence from a normal
    distribution is part of their loss (eq. 2, 4, 6). The discriminators see real images with their captions, generated
    ones with the captions that they were made of, and real ones with captions of others, and take only the first for
    real: "matching-aware", L_D = real + 1/2 (fake + mismatched), as in the authors' code. The stages are trained one
    after the other; before them a text encoder that has something to learn does so, by a joint embedding of images and
    captions (Reed et al. 2016, arXiv 1605.05395), and then stays as it is. Embeddings are standardised number by
    number, since those of captions of one kind differ by little from one another.

    Args:
        domains: the name that the data gives the images; the last one alone counts.
        out_channels: channels of the images.
        size: side of the images, a power of two.
        latent: length of z and of the augmentation's noise together.
        text_encoder: any text encoder.
        generator: "stackgan", whose option `low_size` is the side of the first stage's images.
        first_discriminator: any discriminator, of the first stage.
        discriminator: any discriminator, of the second stage.
        gan_loss: any adversarial loss.
        divergence_weight: lambda of the divergence; 1 in the paper, 2 in the authors' code.
        text_share: share of the training in which the text encoder learns, if there is anything to learn; 0: it stays
            as it is.
        first_share: share of what remains for the first stage.
        image_width: channels with which the images' side of the joint embedding begins.
        learning_rate: of Adam, for generators and discriminators.
        text_learning_rate: of Adam, for the joint embedding.
        betas: of Adam.

    >>> method = StackGAN(**StackGAN.tiny_options)
    >>> method.generate(to="image", seeds=[0, 1], size=(16, 16), text="four floors, red brick").shape
    torch.Size([2, 3, 16, 16])
    """

    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 1200, "batch_size": 64, "load_size": 256, "crop_size": 256,
    }  # fmt: skip
    inference_parts = ("generator", "text_encoder", "standard")
    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "latent": 6,
        "generator": {
            "name": "stackgan", "conditioning": 3, "low_size": 8, "middle": 2, "width": 4,
            "residual_blocks": 1, "init_gain": 0.2,
        },
        "first_discriminator": {"name": "dcgan", "width": 4, "init_gain": 0.2},
        "discriminator": {"name": "dcgan", "width": 4, "conditioning": "concat", "embedding": 4, "init_gain": 0.2},
        "text_encoder": {"name": "cnn_rnn", "length": 5, "channels": [4, 4, 4], "characters": 48},
        "text_share": 0.25, "image_width": 4,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"of a frozen text encoder": {"text_share": 0}}

    def __init__(
        self,
        *,
        domains: list[str] = ["image"],
        out_channels: Channels = 3,
        size: PowerSide = 256,
        latent: Length = 228,
        text_encoder: Part[TextEncoder] = "cnn_rnn",
        generator: Part[LatentGenerator] = "stackgan",
        first_discriminator: Part[Discriminator] = DISCRIMINATOR,
        discriminator: Part[Discriminator] = DISCRIMINATOR,
        gan_loss: Part[AdversarialLoss] = "vanilla",
        divergence_weight: Weight = 2.0,
        text_share: NotAll = 0.1,
        first_share: NotAll = 0.5,
        image_width: Channels = 32,
        learning_rate: Rate = 2e-4,
        text_learning_rate: Rate = 7e-4,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        encoder: TextEncoder = self.part("text_encoder")  # whose length the base wants to know
        self.text_length = encoder.length
        super().__init__(
            domains=domains, out_channels=out_channels, size=size, latent=latent, generator=generator,
            discriminator=discriminator, gan_loss=gan_loss, learning_rate=learning_rate, betas=betas,
        )  # fmt: skip
        if not isinstance(self.generator, StackGANGenerator):
            raise ConfigError("stackgan trains a generator of two stages; take generator='stackgan', or 'gan'.")
        self.text_encoder, self.standard = encoder, nn.BatchNorm1d(encoder.length, affine=False)
        self.first_discriminator = self.judge("first_discriminator", self.generator.low_size)
        self.divergence_weight = divergence_weight
        self.learning_rate, self.text_learning_rate = learning_rate, text_learning_rate
        learns = text_share and any(p.requires_grad for p in encoder.parameters())
        if not learns:
            encoder.requires_grad_(False)
        self.image_embedding = ImageEmbedding(out_channels, encoder.length, image_width) if learns else None
        self.text_until = text_share if learns else 0.0
        self.first_until = self.text_until + first_share * (1 - self.text_until)

    def condition_length(self) -> int:
        return self.text_length

    # --------------------------------------------------------------------------------------------------- training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, texts = batch[self.target], texts_of(batch)
        first = batch.progress < self.first_until
        self.generator.stage.fill_(1 if first else 2)
        if batch.progress < self.text_until:
            yield Update("text_encoder", {"joint_embedding": self.joint_embedding(real, batch)})
            return
        for settled in (self.generator.first, self.standard):  # of which the second stage learns
            settled.train(first)

        told = self.conditions(batch)
        if first:
            real = F.avg_pool2d(real, real.shape[-1] // self.generator.low_size)
        discriminator = self.first_discriminator if first else self.discriminator
        judge, others = discriminator.given(*told), mismatching(texts)
        mismatched = None if others is None else discriminator.given(*(each[others] for each in told))
        fake = self.generator(self.noise(real), *told)  # both learn from these, as in the authors' code
        losses = self.gan_loss.discriminator_losses(judge, real, fake, mismatched=mismatched)
        yield Update("first_discriminator" if first else "discriminator", losses)

        gan = self.gan_loss.generator(judge(fake))
        divergence = self.divergence_weight * self.generator.divergence(*told)
        yield Update("first_stage" if first else "second_stage", {"gan": gan, "divergence": divergence})

    def joint_embedding(self, real: Tensor, batch: Batch) -> Tensor:
        """The loss by which the text encoder learns; classes, where there are any, say which pairs are wrong."""
        assert self.image_embedding is not None  # else there is nothing to learn
        texts = texts_of(batch)
        kinds = kinds_of(texts).to(real.device) if batch.labels is None else batch.labels
        return joint_embedding_loss(self.image_embedding(real), self.text_encoder(texts), kinds)

    @torch.no_grad()
    def conditions(self, batch: Batch) -> tuple[Tensor, ...]:
        return (self.embedded(texts_of(batch)),)

    def embedded(self, texts: list[str]) -> Tensor:
        """Standardised embeddings of captions, N x length."""
        return self.standard(self.text_encoder(texts))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {
            "first_stage": self.generator.first, "first_discriminator": self.first_discriminator,
            "second_stage": self.generator.second, "discriminator": self.discriminator,
        }  # fmt: skip
        found: dict[str, torch.optim.Optimizer] = {
            name: adam(network.parameters(), self.learning_rate, self.betas) for name, network in networks.items()
        }
        if self.image_embedding is not None:
            both = [*self.text_encoder.parameters(), *self.image_embedding.parameters()]
            found["text_encoder"] = adam(both, self.text_learning_rate, self.betas)
        return found

    # ------------------------------------------------------------------------------------------------- generation

    def generate(  # type: ignore[override]
        self,
        *,
        to: str,
        seeds: list[int],
        size: tuple[int, int],
        latent: Latent | None = None,
        text: Text | None = None,
    ) -> Tensor:
        """Images of seeds, N x C x H x W; those of another size than the network's are scaled to cover it, and cropped.

        Args:
            to: the domain.
            seeds: one for each image; they decide what is not given.
            size: height and width.
            latent: z and the augmentation's noise, N x latent, in place of a draw.
            text: the caption of each image; left out, it is of no caption in particular: the augmented condition is
                drawn from the normal distribution near which those of captions are kept.

        Raises:
            ConfigError: a latent of another length.
        """
        told = [] if text is None else [self.embedded([text] * len(seeds) if isinstance(text, str) else text)]
        return self.images(self.latents(seeds, latent), told, size)


def texts_of(batch: Batch) -> list[str]:
    """The captions of a batch.

    Raises:
        ConfigError: the data has none.
    """
    if not batch.texts:
        raise ConfigError(
            "stackgan learns from images with captions, and the data has none; give them a metadata.csv with the "
            "columns file_name and text."
        )
    return batch.texts


def mismatching(texts: Sequence[str]) -> list[int] | None:
    """For each text the place of the next one, round the end, that is another; None: all are the same.

    >>> mismatching(["red", "red", "white"]), mismatching(["red", "red"])
    ([2, 2, 0], None)
    """
    if len(set(texts)) < 2:
        return None
    count = len(texts)
    return [
        next(other % count for other in range(row + 1, row + count) if texts[other % count] != text)
        for row, text in enumerate(texts)
    ]
