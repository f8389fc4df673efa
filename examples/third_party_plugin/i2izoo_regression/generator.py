"""A small generator that sees far without ever shrinking the image."""

from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Channels, Range
from i2izoo.interfaces import Generator


class DilatedResidual(Generator):
    """3 x 3 convolutions with dilations 1, 2, 4, ..., each added to what it got (after arXiv 1709.00643, table 1).

    Args:
        in_channels: channels of the input image.
        out_channels: channels of the output image, in [-1, 1].
        width: channels inside.
        depth: number of dilated layers; the field of view is 2 ** (depth + 1) + 3 pixels.

    >>> DilatedResidual(width=4, depth=2)(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 3, 5, 7])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"width": 4, "depth": 2}

    def __init__(
        self,
        *,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        width: Channels = 32,
        depth: Annotated[int, Range(1, 12)] = 6,
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(in_channels, width, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(width, width, 3, padding=2**i, dilation=2**i) for i in range(depth))
        self.tail = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        x = self.head(image)
        for layer in self.body:
            x = x + layer(nn.functional.leaky_relu(x, 0.2))
        return torch.tanh(self.tail(x))
