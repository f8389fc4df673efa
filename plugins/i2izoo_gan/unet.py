"""The U-Net generator of pix2pix (Isola et al., CVPR 2017, arXiv 1611.07004, section 3.2.1 and appendix 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Range, Share
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Generator
from i2izoo.nn.latent import LatentAt, the_latent, tile
from i2izoo.nn.norm import Norm, make_norm
from i2izoo.nn.upsample import Upsample, resize_convolution

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
}


class UNet(Generator):
    """Encoder-decoder with skip connections: N x in x H x W to N x out x H x W, in [-1, 1].

    Encoder e1..en: LeakyReLU (not before e1), Conv 4 x 4 stride 2, norm (not on e1 and en). Decoder d1..dn: ReLU,
    transposed conv 4 x 4 stride 2, norm, dropout on three levels; the output of d_i is concatenated with the mirrored
    encoder output; dn ends in tanh.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        width: channels of the outermost level ("ngf"); they double to 8 x width.
        max_width: widest level in channels; None: 8 x width, as in the paper. Inner levels hold most parameters, so a
            lower value makes a small model that is still wide at full resolution.
        depth: number of levels, 8 or 7 as the name says. Sides must be multiples of 2 ** depth.
        norm: "batch", "instance" or "none".
        dropout: probability; 0 switches it off.
        dropout_levels: "paper" puts it on d1, d2, d3 (as the authors' first code); "pytorch" on d2, d3, d4, as the
            authors' PyTorch code, which skips the innermost level and never reaches the full-width boundary.
        latent: length L of the latent vector that `forward` then takes after the image, N x L; 0: none.
        latent_at: where it is concatenated, repeated over all pixels: "input" before e1, "all" before each of e1..en
            (BicycleGAN, section 3.4), "bottleneck" before en.
        upsample: "transposed" convolution as in the paper; or "nearest" or "bilinear" (an option of BicycleGAN's code)
            resizing and a 3 x 3 convolution, which leaves no checkerboard.
        activation: of the decoder, "relu" as in the paper, "leaky_relu" (slope 0.2) or "elu" (options of BicycleGAN's
            code).

    >>> UNet(width=4, depth=3)(torch.zeros(1, 3, 16, 8)).shape
    torch.Size([1, 3, 16, 8])
    >>> UNet(width=4, depth=3, latent=8)(torch.zeros(1, 3, 16, 8), torch.zeros(1, 8)).shape
    torch.Size([1, 3, 16, 8])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "depth": 3}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"resized": {"upsample": "nearest"}}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        width: Channels = 64,
        max_width: Channels | None = None,
        depth: Annotated[int, Range(2, 12)] = 8,
        norm: Norm = "batch",
        dropout: Share = 0.5,
        dropout_levels: Literal["paper", "pytorch"] = "paper",
        latent: Annotated[int, Range(0, 65536)] = 0,
        latent_at: LatentAt = "all",
        upsample: Upsample = "transposed",
        activation: Literal["relu", "leaky_relu", "elu"] = "relu",
    ) -> None:
        super().__init__()
        self.size_multiple = self.min_size = 2**depth
        self.latent = latent
        levels = {"input": range(1), "all": range(depth), "bottleneck": range(depth - 1, depth)}[latent_at]
        self.latent_levels = levels if latent else range(0)  # 0 is e1
        bias = norm != "batch"
        widest = 8 * width if max_width is None else max_width
        widths = [min(width * 2**level, widest) for level in range(depth)]  # of e1..en
        self.down = nn.ModuleList()
        for level, channels in enumerate(widths):
            outer, inner = level == 0, level == depth - 1
            before = in_channels if outer else widths[level - 1]
            self.down.append(
                nn.Sequential(
                    nn.Identity() if outer else nn.LeakyReLU(0.2),
                    nn.Conv2d(before + latent * (level in self.latent_levels), channels, 4, 2, 1, bias=bias),
                    nn.Identity() if outer or inner else make_norm(norm, channels),
                )
            )
        dropped = self._dropout_levels(depth, dropout_levels) if dropout else ()
        self.up = nn.ModuleList()
        for step in range(depth):  # d1 is innermost
            last = step == depth - 1
            before = widths[-1] if step == 0 else 2 * widths[depth - 1 - step]
            after = out_channels if last else widths[depth - 2 - step]
            self.up.append(
                nn.Sequential(
                    ACTIVATIONS[activation](),
                    _up(before, after, upsample, bias or last),
                    nn.Tanh() if last else make_norm(norm, after),
                    nn.Dropout(dropout) if step in dropped else nn.Identity(),
                )
            )

    @staticmethod
    def _dropout_levels(depth: int, where: str) -> range:
        """Decoder steps (0 is d1) that have dropout."""
        return range(min(3, depth - 1)) if where == "paper" else range(1, max(1, depth - 4))

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        latent = the_latent(conditions, self.latent) if self.latent else None
        skips = [image]
        for level, down in enumerate(self.down):
            x = skips[-1]
            skips.append(down(x if latent is None or level not in self.latent_levels else tile(x, latent)))
        x = skips.pop()
        for step, up in enumerate(self.up):
            x = up(x if step == 0 else torch.cat([skips.pop(), x], dim=1))
        return x

    def features(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the encoder's levels e1 to en by name, as CUT compares them; without a latent.

        Raises:
            ConfigError: there is no such level, or the network takes a latent.
        """
        known = [f"e{level}" for level in range(1, len(self.down) + 1)]
        if unknown := [n for n in names if n not in known]:
            raise ConfigError(f"no layer {unknown[0]!r}{suggest(unknown[0], known) or '.'} Layers: {listing(known)}.")
        if self.latent:
            raise ConfigError("the features of a U-Net that takes a latent are not those of an image alone.")
        found: dict[str, Tensor] = {}
        x = image
        for name, down in zip(known, self.down, strict=True):
            if len(found) == len(set(names)):
                break
            x = down(x)
            if name in names:
                found[name] = x
        return found

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        images = super().example_inputs(batch, size)
        return (*images, torch.randn(batch, self.latent)) if self.latent else images


def _up(before: int, after: int, kind: Upsample, bias: bool) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)
    return resize_convolution(before, after, kind, bias)


class UNet128(UNet):
    """Seven levels, for 128 x 128."""

    defaults: ClassVar[dict[str, Any]] = {"depth": 7}


class UNet256(UNet):
    """Eight levels, for 256 x 256."""
