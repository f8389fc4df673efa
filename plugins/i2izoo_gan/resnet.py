"""The ResNet generator of CycleGAN (Zhu et al., ICCV 2017, arXiv 1703.10593, appendix 7.2; after Johnson et al. 2016)
and its anti-aliased form of CUT (Park et al., ECCV 2020, arXiv 2007.15651)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Blocks, Channels, Range, Share
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Generator
from i2izoo.nn.blur import BlurDown, BlurUp
from i2izoo.nn.latent import LatentAt, the_latent
from i2izoo.nn.norm import Norm, make_norm
from i2izoo.nn.upsample import Upsample, resize_convolution

Antialias: TypeAlias = bool | Literal["down", "up"]


class ResNetGenerator(Generator):
    """c7s1-64, d128, d256, n residual blocks, u128, u64, c7s1-3: N x in x H x W to N x out x H x W, in [-1, 1].

    The layers stand in one flat, named sequence, so that `features` can tap any of them.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        width: channels after the first convolution ("ngf").
        blocks: residual blocks, 6 or 9 as the name says.
        norm: "batch", "instance" (no affine, no running statistics) or "none".
        dropout: probability of dropout inside the residual blocks; CycleGAN has none.
        antialias: blur before subsampling and after upsampling, as CUT does; "down" or "up": there alone.
        upsample: "transposed" convolution as in the paper; or "nearest" or "bilinear" resizing and a 3 x 3 convolution,
            which leaves no checkerboard. `antialias` upwards is a way of its own.
        latent: length L of the latent vector that `forward` then takes after the image, N x L; 0: none.
        latent_at: where it enters: "input" at conv_in, "bottleneck" in each residual block, "all" at conv_in, down1,
            down2 and in each residual block. A repeated latent before a convolution is an offset of each channel, which
            the instance norm behind it would remove whole; so the offset, a learned linear map, comes after the norm.

    >>> import torch
    >>> ResNet6(width=4)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 3, 16, 16])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "blocks": 1}
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"resized": {"upsample": "nearest"}}
    size_multiple = 4
    min_size = 8  # the residual blocks reflect one pixel of a quarter of the side

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        width: Channels = 64,
        blocks: Blocks = 9,
        norm: Norm = "instance",
        dropout: Share = 0.0,
        antialias: Antialias = False,
        upsample: Upsample = "transposed",
        latent: Annotated[int, Range(0, 65536)] = 0,
        latent_at: LatentAt = "all",
    ) -> None:
        super().__init__()
        bias = norm != "batch"
        blur_down, blur_up = antialias in (True, "down"), antialias in (True, "up")
        if blur_up and upsample != "transposed":
            raise ConfigError(
                f"antialias={antialias!r} blurs upwards and upsample={upsample!r} resizes: two ways to double the "
                "size; take antialias='down' or False, or leave upsample out."
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict()

        def normalised(name: str, convolution: nn.Module, channels: int) -> None:
            layers[name] = convolution
            layers[f"{name}_norm"] = make_norm(norm, channels)
            layers[f"{name}_relu"] = nn.ReLU(inplace=True)

        layers["pad_in"] = nn.ReflectionPad2d(3)
        normalised("conv_in", nn.Conv2d(in_channels, width, 7, bias=bias), width)
        for level, narrow in enumerate((width, 2 * width), start=1):
            wide = 2 * narrow
            normalised(f"down{level}", nn.Conv2d(narrow, wide, 3, 1 if blur_down else 2, 1, bias=bias), wide)
            if blur_down:
                layers[f"down{level}_blur"] = BlurDown(wide)
        for index in range(1, blocks + 1):
            layers[f"block{index}"] = ResidualBlock(4 * width, norm, dropout)
        for level, wide in enumerate((4 * width, 2 * width), start=1):
            narrow = wide // 2
            if blur_up:
                layers[f"up{level}_blur"] = BlurUp(wide)
                up: nn.Module = nn.Conv2d(wide, narrow, 3, 1, 1, bias=bias)
            else:
                up = doubling(wide, narrow, upsample, bias)
            normalised(f"up{level}", up, narrow)
        layers["pad_out"] = nn.ReflectionPad2d(3)
        layers["conv_out"] = nn.Conv2d(width, out_channels, 7)
        layers["tanh"] = nn.Tanh()
        self.layers = nn.Sequential(layers)
        self.latent = latent
        outer, inner = ["conv_in_norm", "down1_norm", "down2_norm"], [f"block{i}" for i in range(1, blocks + 1)]
        places = {"input": outer[:1], "all": outer + inner, "bottleneck": inner}[latent_at] if latent else []
        if latent and not places:
            raise ConfigError("a generator without residual blocks has no bottleneck; take latent_at='input' or 'all'.")
        channels = dict(zip(outer, (width, 2 * width, 4 * width), strict=True))
        self.offsets = nn.ModuleDict({name: nn.Linear(latent, channels.get(name, 4 * width)) for name in places})

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        if not self.latent:
            return self.layers(image)
        latent = the_latent(conditions, self.latent)
        x = image
        for name, layer in self.layers.named_children():
            offset = self.offsets[name](latent)[:, :, None, None] if name in self.offsets else None
            if isinstance(layer, ResidualBlock):
                x = layer(x, offset)
            else:
                x = layer(x) if offset is None else layer(x) + offset
        return x

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        images = super().example_inputs(batch, size)
        return (*images, torch.randn(batch, self.latent)) if self.latent else images

    def features(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the named layers (CUT taps pad_in, down1, down2, block1, block5); later layers are not run.

        Raises:
            ConfigError: there is no such layer.
        """
        return self._tapped(image, names)[1]

    def with_features(self, image: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """The translation and the `features` of the image, in one pass; of a network without a latent.

        >>> network, image = ResNetGenerator(width=4, blocks=1), torch.zeros(1, 3, 16, 16)
        >>> output, found = network.with_features(image, ["down1"])
        >>> torch.equal(output, network(image)), found["down1"].shape
        (True, torch.Size([1, 8, 8, 8]))
        """
        return self._tapped(image, names, whole=True)

    def _tapped(self, image: Tensor, names: Sequence[str], whole: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        known = dict(self.layers.named_children())
        if unknown := [n for n in names if n not in known]:
            raise ConfigError(f"no layer {unknown[0]!r}{suggest(unknown[0], known)} Layers: {listing(known, 60)}.")
        found: dict[str, Tensor] = {}
        x = image
        for name, layer in known.items():
            if len(found) == len(set(names)) and not whole:
                break
            if isinstance(layer, nn.ReLU) and any(x is tapped for tapped in found.values()):
                x = x.clone()  # it works in place
            x = layer(x)
            if name in names:
                found[name] = x
        return x, found


class ResNet6(ResNetGenerator):
    """Six residual blocks, for 128 x 128."""

    defaults: ClassVar[dict[str, Any]] = {"blocks": 6}


class ResNet9(ResNetGenerator):
    """Nine residual blocks, for 256 x 256 and above."""


def doubling(before: int, after: int, upsample: Upsample, bias: bool = True) -> nn.Module:
    """u_k of the papers, which doubles the size: N x before x h x w to N x after x 2h x 2w."""
    if upsample == "transposed":
        return nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1, bias=bias)
    return resize_convolution(before, after, upsample, bias)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3 x 3 with reflected edges; an offset (N x C x 1 x 1) is added before the ReLU."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        bias = norm != "batch"
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias, padding_mode="reflect")
        self.norm1 = make_norm(norm, channels)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias, padding_mode="reflect")
        self.norm2 = make_norm(norm, channels)

    def forward(self, x: Tensor, offset: Tensor | None = None) -> Tensor:
        inner = self.norm1(self.conv1(x))
        inner = inner if offset is None else inner + offset
        return x + self.norm2(self.conv2(self.dropout(self.relu(inner))))
