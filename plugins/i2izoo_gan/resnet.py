"""The ResNet generator of CycleGAN (Zhu et al., ICCV 2017, arXiv 1703.10593, appendix 7.2; after Johnson et al. 2016)
and its anti-aliased form of CUT (Park et al., ECCV 2020, arXiv 2007.15651)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Generator
from i2izoo.nn.blur import BlurDown, BlurUp
from i2izoo.nn.norm import Norm, make_norm


class ResNetGenerator(Generator):
    """c7s1-64, d128, d256, n residual blocks, u128, u64, c7s1-3: N x in x H x W to N x out x H x W, in [-1, 1].

    The layers stand in one flat, named sequence, so that `features` can tap any of them.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        width: channels after the first convolution ("ngf").
        blocks: residual blocks; None: 6 or 9, as the name says.
        norm: "batch", "instance" (no affine, no running statistics) or "none".
        dropout: probability of dropout inside the residual blocks; CycleGAN has none.
        antialias: blur before subsampling and after upsampling, as CUT does.

    >>> import torch
    >>> ResNet6(width=4)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 3, 16, 16])
    """

    default_blocks: ClassVar[int] = 9
    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "blocks": 1}
    size_multiple = 4
    min_size = 8  # the residual blocks reflect one pixel of a quarter of the side

    def __init__(
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int | None = None,
        norm: Norm = "instance",
        dropout: float = 0.0,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        bias = norm != "batch"
        blocks = self.default_blocks if blocks is None else blocks
        layers: OrderedDict[str, nn.Module] = OrderedDict()

        def normalised(name: str, convolution: nn.Module, channels: int) -> None:
            layers[name] = convolution
            layers[f"{name}_norm"] = make_norm(norm, channels)
            layers[f"{name}_relu"] = nn.ReLU(inplace=True)

        layers["pad_in"] = nn.ReflectionPad2d(3)
        normalised("conv_in", nn.Conv2d(in_channels, width, 7, bias=bias), width)
        for level, narrow in enumerate((width, 2 * width), start=1):
            wide = 2 * narrow
            normalised(f"down{level}", nn.Conv2d(narrow, wide, 3, 1 if antialias else 2, 1, bias=bias), wide)
            if antialias:
                layers[f"down{level}_blur"] = BlurDown(wide)
        for index in range(1, blocks + 1):
            layers[f"block{index}"] = ResidualBlock(4 * width, norm, dropout)
        for level, wide in enumerate((4 * width, 2 * width), start=1):
            narrow = wide // 2
            if antialias:
                layers[f"up{level}_blur"] = BlurUp(wide)
                up: nn.Module = nn.Conv2d(wide, narrow, 3, 1, 1, bias=bias)
            else:
                up = nn.ConvTranspose2d(wide, narrow, 3, 2, 1, output_padding=1, bias=bias)
            normalised(f"up{level}", up, narrow)
        layers["pad_out"] = nn.ReflectionPad2d(3)
        layers["conv_out"] = nn.Conv2d(width, out_channels, 7)
        layers["tanh"] = nn.Tanh()
        self.layers = nn.Sequential(layers)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return self.layers(image)

    def features(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Outputs of the named layers (CUT taps pad_in, down1, down2, block1, block5); later layers are not run.

        Raises:
            ConfigError: there is no such layer.
        """
        known = dict(self.layers.named_children())
        if unknown := [n for n in names if n not in known]:
            raise ConfigError(f"no layer {unknown[0]!r}{suggest(unknown[0], known)} Layers: {listing(known, 60)}.")
        found: dict[str, Tensor] = {}
        x = image
        for name, layer in known.items():
            if len(found) == len(set(names)):
                break
            if name.endswith("_relu") and name.removesuffix("_relu") + "_norm" in found:
                x = x.clone()  # the ReLU works in place, on what was just tapped
            x = layer(x)
            if name in names:
                found[name] = x
        return found


class ResNet6(ResNetGenerator):
    """Six residual blocks, for 128 x 128."""

    default_blocks = 6


class ResNet9(ResNetGenerator):
    """Nine residual blocks, for 256 x 256 and above."""

    default_blocks = 9


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3 x 3 with reflected edges."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        bias = norm != "batch"
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias, padding_mode="reflect")
        self.norm1 = make_norm(norm, channels)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias, padding_mode="reflect")
        self.norm2 = make_norm(norm, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(self.dropout(self.relu(self.norm1(self.conv1(x))))))
