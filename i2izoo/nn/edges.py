"""Edges of a tile that are none of the image's: what a layer pads there with zeros continues the feature map instead.

Deep in a network a pixel of a feature map stands for much of a tile, so zeros around it are seen far inside, and every
tile sees them elsewhere than the whole image would. A reflected map is a better guess of what lies beyond the edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

SHARE = 8
"""Maps of at most this part of the tile's side are continued: what the larger ones pad is not seen far inside."""


class Edges:
    """Which edges of the windows that run now are the image's own.

    Attributes:
        own: N x 4, bool: top, bottom, left and right; None: all of them, and layers pad as they do.
        side: of the windows in pixels, the longer one.
    """

    def __init__(self) -> None:
        self.own: Tensor | None = None
        self.side = 0

    def continues(self, x: Tensor) -> bool:
        """Is a feature map of the windows continued?"""
        if self.own is None or x.ndim != 4 or len(x) != len(self.own):  # some methods run an image twice, say
            return False
        return max(x.shape[-2:]) * SHARE <= self.side

    def padded(self, x: Tensor, rows: int, columns: int) -> Tensor:
        """A feature map with so many rows and columns more at each side, zeros at the image's own."""
        small = x.shape[-2] <= rows or x.shape[-1] <= columns
        out = F.pad(x, (columns, columns, rows, rows), mode="replicate" if small else "reflect")
        assert self.own is not None
        own = self.own.to(x.device)
        for edge, part in enumerate((out[..., :rows, :], out[..., out.shape[-2] - rows :, :],
                                     out[..., :columns], out[..., out.shape[-1] - columns :])):  # fmt: skip
            if own[:, edge].any():
                part[own[:, edge]] = 0
        return out


@contextmanager
def continued(network: nn.Module, edges: Edges) -> Iterator[None]:
    """Inside, convolutions that pad with zeros continue their input at the edges that are not the image's.

    >>> import torch
    >>> layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> edges = Edges()
    >>> edges.own, edges.side = torch.tensor([[True, True, True, False]]), 16
    >>> with torch.no_grad(), continued(layer, edges):
    ...     layer(torch.ones(1, 1, 2, 2)).flatten().tolist()
    [4.0, 6.0, 4.0, 6.0]
    """
    changed: list[nn.Module] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros" and _pads(layer):
            layer.forward = partial(_convolved, layer, layer.forward, edges)  # type: ignore[method-assign]
            changed.append(layer)
        elif isinstance(layer, nn.ConvTranspose2d):
            layer.forward = partial(_transposed, layer, layer.forward, edges)  # type: ignore[method-assign]
            changed.append(layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.__dict__["forward"]


def _pads(layer: nn.Conv2d) -> bool:
    return not isinstance(layer.padding, str) and max(layer.padding) > 0


def _convolved(layer: nn.Conv2d, own: Any, edges: Edges, x: Tensor) -> Tensor:
    if not edges.continues(x):
        return own(x)  # type: ignore[no-any-return]
    rows, columns = (int(p) for p in layer.padding)
    wide = edges.padded(x, rows, columns)
    return F.conv2d(wide, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def _transposed(layer: nn.ConvTranspose2d, own: Any, edges: Edges, x: Tensor, *size: Any) -> Tensor:
    if size or not edges.continues(x):
        return own(x, *size)  # type: ignore[no-any-return]
    reach = [
        -(
            -(layer.dilation[i] * (layer.kernel_size[i] - 1) - int(layer.padding[i]) + layer.output_padding[i])
            // layer.stride[i]
        )  # the farthest input that an output has a part of
        for i in (0, 1)
    ]
    rows, columns = (max(r, 0) for r in reach)
    out = own(edges.padded(x, rows, columns))
    down, across = rows * layer.stride[0], columns * layer.stride[1]
    return out[..., down : out.shape[-2] - down, across : out.shape[-1] - across]  # type: ignore[no-any-return]
