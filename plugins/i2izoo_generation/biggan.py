"""BigGAN: images of classes, by large networks (Brock, Donahue and Simonyan, ICLR 2019, arXiv 1809.11096)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Range, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Label, Latent
from i2izoo_generation.gan import GAN
from i2izoo_generation.orthogonal import orthogonality

Truncation = Annotated[float, Range(0, 10, without="low")]


class BigGAN(GAN):
    """A GAN of residual networks with spectral norm, which are told the class in each block and by a projection.

    The hinge loss (Lim and Ye 2017, arXiv 1705.02894), two discriminator updates for each generator update, and a
    discriminator that learns four times as fast. An orthogonal regulariser, beta sum ||W W^T o (1 - I)||_F^2 over the
    generator's layers (eq. 3), has it stand truncation in generating. See `GAN` for the other arguments.

    Args:
        orthogonal: beta, 1e-4 in the paper; the authors' PyTorch code has none by default. 0: none.

    >>> method = BigGAN(**BigGAN.tiny_options)
    >>> method.generate(to="image", seeds=[0, 1], size=(16, 16), truncation=0.5).shape
    torch.Size([2, 3, 16, 16])
    """

    recipe: ClassVar[dict[str, Any]] = {**GAN.recipe, "ema": 0.9999}
    defaults: ClassVar[dict[str, Any]] = {
        "size": 128, "latent": 120, "generator": "biggan", "discriminator": "biggan", "gan_loss": "hinge",
        "discriminator_steps": 2, "learning_rate": 5e-5, "discriminator_learning_rate": 2e-4, "betas": [0.0, 0.999],
    }  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {"prior": "normal", "progressive": 0.0}
    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "latent": 4, "generator": {"name": "biggan", "width": 2, "attention": [8]},
        "discriminator": {"name": "biggan", "width": 2, "attention": [8]},
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"classes": {"classes": ["round", "square", "long"]}}

    def configure(self, *, orthogonal: Weight = 1e-4) -> None:
        self.orthogonal = orthogonal

    def regularisers(self) -> dict[str, Tensor]:
        if not self.orthogonal:
            return {}
        embedding = getattr(self.generator, "embedding", None)  # of which the regulariser is not taken
        without = [embedding] if isinstance(embedding, nn.Module) else []
        return {"orthogonal": self.orthogonal * orthogonality(self.generator, without)}

    def generate(
        self,
        *,
        to: str,
        seeds: list[int],
        size: tuple[int, int],
        latent: Latent | None = None,
        label: Label | None = None,
        truncation: Truncation | None = None,
    ) -> Tensor:
        """Images of seeds, N x C x H x W; those of another size than the network's are scaled to cover it, and cropped.

        Args:
            to: the domain.
            seeds: one for each image; they decide what is not given.
            size: height and width.
            latent: z, N x latent, in place of a draw.
            label: the class of each image; left out, each seed draws one.
            truncation: each number of z is drawn from the normal distribution within plus and minus this: 0.5 gives
                more typical and less various images; None: it has no bounds (section 3.1).

        Raises:
            ConfigError: a latent of another length, or beside a truncation, or a label where there are no classes.
        """
        if truncation is not None and latent is not None:
            raise ConfigError("truncation is about drawing latents, and latent gives them; leave one of them out.")
        z = self.latents(seeds, latent)
        return self.images(z if truncation is None else truncated(z, truncation), self.told(seeds, label), size)


def truncated(normal: Tensor, bound: float) -> Tensor:
    """Standard normal numbers to those of the normal distribution within plus and minus `bound`, in their order.

    z of a distribution function F becomes the number of the same share among those within: F^-1((1 - c) / 2 + c F(z)),
    c = F(bound) - F(-bound). So an image changes steadily with the bound; the paper draws anew what lies outside, which
    gives the same distribution.

    >>> truncated(torch.tensor([-9.0, 0.0, 9.0]), 0.5)
    tensor([-0.5000,  0.0000,  0.5000])
    """
    within = math.erf(bound / math.sqrt(2))
    odd = torch.erfinv(within * torch.erf(normal.double() / math.sqrt(2))) * math.sqrt(2)
    return odd.clamp(-bound, bound).to(normal.dtype)
