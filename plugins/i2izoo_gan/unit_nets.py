"""The networks of UNIT (Liu, Breuel and Kautz, NIPS 2017, arXiv 1703.00848): auto-encoders whose layers next to the
code two domains can share, and multi-scale discriminators. Sizes are those of the authors' code for the paper (its
branch version_02); `UNITPublic` and `UNITPublicDiscriminator` are those of their later code (its branch master)."""

from __future__ import annotations

import functools
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Blocks, Channels, Range, Share
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator, Generator
from i2izoo.nn.blur import BlurDown
from i2izoo.nn.norm import InstanceNorm
from i2izoo.nn.upsample import Upsample
from i2izoo_gan.resnet import ResidualBlock, doubling

Layers: TypeAlias = Annotated[int, Range(1, 12)]
Scales: TypeAlias = Annotated[int, Range(1, 8)]


class CodeGenerator(Generator):
    """A generator that encodes an image into a code, a small feature map, and decodes that.

    Residual blocks stand on both sides of the code. `shared_blocks` of them on each side, those next to the code, can
    be left out: UNIT holds them once for two such generators, as `shared_layers` builds them.

    A subclass builds `encoder` and `decoder` without the shared layers.
    """

    encoder: nn.Module
    decoder: nn.Module

    @abstractmethod
    def shared_layers(self) -> tuple[nn.Module, nn.Module]:
        """Fresh layers for the end of the encoder and the beginning of the decoder, each code to code."""

    def encode(self, image: Tensor) -> Tensor:
        """The code of N x in_channels x H x W, but for shared layers."""
        return self.encoder(image)

    def decode(self, code: Tensor) -> Tensor:
        """N x out_channels x H x W of a code that has passed the shared layers."""
        return self.decoder(code)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return self.decode(self.encode(image))


class UNITGenerator(CodeGenerator):
    """c7s1-64, d128, d256, n residual blocks, the code, n residual blocks, u128, u64, c1s1-3, in [-1, 1].

    LeakyReLU without normalisation outside the residual blocks, instance norm and dropout in them; edges are padded
    with zeros. The code is N x 4 width x H/4 x W/4.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        width: channels after the first convolution.
        blocks: residual blocks on each side of the code, with the shared ones.
        shared_blocks: how many of them another module holds; see `CodeGenerator`.
        dropout: probability of dropout at the end of each residual block.
        upsample: "transposed" convolution as in the paper; or "nearest" or "bilinear" resizing and a 3 x 3 convolution,
            which leaves no checkerboard.

    >>> network = UNITGenerator(width=4, blocks=1)
    >>> code = network.encode(torch.zeros(1, 3, 16, 24))
    >>> code.shape, network.decode(code).shape
    (torch.Size([1, 16, 4, 6]), torch.Size([1, 3, 16, 24]))
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "blocks": 1, "dropout": 0.0}
    size_multiple = 4
    min_size = 4

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        width: Channels = 64,
        blocks: Blocks = 4,
        shared_blocks: Blocks = 0,
        dropout: Share = 0.5,
        upsample: Upsample = "transposed",
    ) -> None:
        super().__init__()
        own = _own_blocks(blocks, shared_blocks)
        self.encoder = nn.Sequential(
            *_leaky(nn.Conv2d(in_channels, width, 7, 1, 3)),
            *_leaky(nn.Conv2d(width, 2 * width, 3, 2, 1)),
            *_leaky(nn.Conv2d(2 * width, 4 * width, 3, 2, 1)),
            *self._blocks(own),
        )
        self.decoder = nn.Sequential(
            *self._blocks(own),
            *_leaky(doubling(4 * width, 2 * width, upsample)),
            *_leaky(doubling(2 * width, width, upsample)),
            nn.Conv2d(width, out_channels, 1),
            nn.Tanh(),
        )

    def _blocks(self, count: int) -> list[nn.Module]:
        return [_DropoutBlock(4 * self.config["width"], self.config["dropout"]) for _ in range(count)]

    def shared_layers(self) -> tuple[nn.Module, nn.Module]:
        count = self.config["shared_blocks"]
        return nn.Sequential(*self._blocks(count)), nn.Sequential(*self._blocks(count))


class UNITPublic(CodeGenerator):
    """The generator of the authors' later public code, which that code uses without any sharing.

    c7s1-64, d128, d256 (4 x 4), n residual blocks, the code, n residual blocks, u128, u64, c7s1-3, in [-1, 1]. Instance
    norm and ReLU in the encoder; the decoder repeats pixels and convolves 5 x 5, with layer norm; edges are reflected.

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image.
        width: channels after the first convolution.
        blocks: residual blocks on each side of the code, with the shared ones.
        shared_blocks: how many of them another module holds; see `CodeGenerator`.

    >>> UNITPublic(width=4, blocks=1)(torch.zeros(1, 3, 16, 24)).shape
    torch.Size([1, 3, 16, 24])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "blocks": 1}
    size_multiple = 4
    min_size = 8  # the residual blocks reflect one pixel of a quarter of the side

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        width: Channels = 64,
        blocks: Blocks = 4,
        shared_blocks: Blocks = 0,
    ) -> None:
        super().__init__()
        own = _own_blocks(blocks, shared_blocks)
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for before, after, kernel, stride in (
            (in_channels, width, 7, 1),
            (width, 2 * width, 4, 2),
            (2 * width, 4 * width, 4, 2),
        ):
            pad = (kernel - 1) // 2
            down += [nn.Conv2d(before, after, kernel, stride, pad, padding_mode="reflect"), InstanceNorm(after)]
            down.append(nn.ReLU(inplace=True))
        for before, after in ((4 * width, 2 * width), (2 * width, width)):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 5, 1, 2, padding_mode="reflect")]
            up += [_LayerNorm(after), nn.ReLU(inplace=True)]
        last = nn.Conv2d(width, out_channels, 7, 1, 3, padding_mode="reflect")
        self.encoder = nn.Sequential(*down, *self._blocks(own))
        self.decoder = nn.Sequential(*self._blocks(own), *up, last, nn.Tanh())

    def _blocks(self, count: int) -> list[nn.Module]:
        return [ResidualBlock(4 * self.config["width"], "instance", 0.0) for _ in range(count)]

    def shared_layers(self) -> tuple[nn.Module, nn.Module]:
        count = self.config["shared_blocks"]
        return nn.Sequential(*self._blocks(count)), nn.Sequential(*self._blocks(count))


class UNITDiscriminator(Discriminator):
    """C64-C128-C256-C512 with stride 2 and without norm, and a 1 x 1 convolution, at the image's size and its halves.

    One map of logits for each scale, finest first, whose logits see 31 (46), 63 (93) and 127 (187) pixels. LeakyReLU
    of slope 0.01, zeros at the edges, and a binomial blur with replicated edges before an image is halved.

    Args:
        in_channels: channels of what it judges.
        width: channels of the first layer at every scale; they double to 8 x width.
        layers: convolutions with stride 2.
        kernel: of these; 3 as in the authors' code for the paper.
        scales: number of such networks; 1 in the paper's table, 3 in its code.

    >>> [logits.shape[2] for logits in UNITDiscriminator(in_channels=3, width=4)(torch.zeros(1, 3, 128, 128))]
    [8, 4, 2]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "layers": 2, "scales": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        width: Channels = 64,
        layers: Layers = 4,
        kernel: Literal[3, 4] = 3,
        scales: Scales = 3,
    ) -> None:
        super().__init__()
        convolution = functools.partial(nn.Conv2d, kernel_size=kernel, stride=2, padding=1)
        self.scales = _scales(convolution, 0.01, in_channels, width, layers, scales)
        self.downsample = BlurDown(in_channels, "replicate")
        self.min_size = 2 ** (layers + scales - 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return _judged(image, self.scales, self.downsample)


class UNITPublicDiscriminator(Discriminator):
    """The discriminator of the authors' later public code: as `UNITDiscriminator`, with other convolutions and halves.

    4 x 4 with reflected edges, LeakyReLU of slope 0.2; an image is halved by the mean of 3 x 3 pixels.

    Args:
        in_channels: channels of what it judges.
        width: channels of the first layer at every scale; they double to 8 x width.
        layers: convolutions with stride 2.
        scales: number of such networks.

    >>> [logits.shape[2] for logits in UNITPublicDiscriminator(in_channels=3, width=4)(torch.zeros(1, 3, 128, 128))]
    [8, 4, 2]
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "layers": 2, "scales": 2}

    def __init__(
        self, *, in_channels: Channels = 3, width: Channels = 64, layers: Layers = 4, scales: Scales = 3
    ) -> None:
        super().__init__()
        convolution = functools.partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, padding_mode="reflect")
        self.scales = _scales(convolution, 0.2, in_channels, width, layers, scales)
        self.downsample = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.min_size = 2 ** (layers + scales - 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return _judged(image, self.scales, self.downsample)


def _scales(
    convolution: Callable[[int, int], nn.Module], slope: float, in_channels: int, width: int, layers: int, scales: int
) -> nn.ModuleList:
    """The same network for each scale."""
    widths = [in_channels, *(width * min(2**level, 8) for level in range(layers))]
    networks = nn.ModuleList()
    for _ in range(scales):
        blocks: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            blocks += [convolution(before, after), nn.LeakyReLU(slope)]
        networks.append(nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 1)))
    return networks


def _judged(image: Tensor, scales: Iterable[nn.Module], downsample: nn.Module) -> list[Tensor]:
    logits = []
    for index, scale in enumerate(scales):
        image = downsample(image) if index else image
        logits.append(scale(image))
    return logits


class _LayerNorm(nn.Module):
    """Layer norm over C x H x W with a gain and an offset for each channel, as in the authors' later code.

    Unlike torch's it divides by the unbiased deviation plus 1e-5, and its gains begin between 0 and 1, evenly drawn.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.normalised(x, *self.moments(x))

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and unbiased variance of each sample, N x 1 x 1 x 1; see `i2izoo.nn.statistics`."""
        full = x.to(torch.promote_types(x.dtype, torch.float32))
        variance, mean = torch.var_mean(full, dim=(1, 2, 3), keepdim=True)
        return mean, variance

    def normalised(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """N x C x H x W by a mean and a variance that are given."""
        normalised = ((x.to(mean.dtype) - mean) / (variance.sqrt() + 1e-5)).to(x.dtype)
        return normalised * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class _DropoutBlock(nn.Module):
    """x + dropout(norm(conv(relu(norm(conv(x)))))), 3 x 3 with zeros at the edges."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1),
            InstanceNorm(channels),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _leaky(convolution: nn.Module) -> list[nn.Module]:
    return [convolution, nn.LeakyReLU(0.01, inplace=True)]


def _own_blocks(blocks: int, shared_blocks: int) -> int:
    if shared_blocks > blocks:
        raise ConfigError(f"{shared_blocks} of {blocks} residual blocks cannot be shared; raise 'blocks'.")
    return blocks - shared_blocks
