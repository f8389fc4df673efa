"""Reflection at any size, where torch's own refuses pads that are not smaller than the image."""

from __future__ import annotations

import torch
from torch import Tensor


def reflect_index(size: int, padded: int, device: torch.device | None = None) -> Tensor:
    """Index that extends 0..size-1 to `padded` entries by reflection without repeating the edge.

    >>> reflect_index(3, 8).tolist()
    [0, 1, 2, 1, 0, 1, 2, 1]
    >>> reflect_index(1, 3).tolist()
    [0, 0, 0]
    """
    period = torch.full((1,), torch.sym_max(2 * (size - 1), 1), device=device)  # a tensor: it may be a symbol
    phase = torch.arange(padded, device=device) % period
    return torch.minimum(phase, period - phase)


def valid_side(side: int, multiple: int, minimum: int = 1) -> int:
    """The least multiple of `multiple` that reaches `side` and `minimum`, in pixels.

    >>> valid_side(5, 4), valid_side(5, 4, 32)
    (8, 32)
    """
    least: int = torch.sym_max(side, minimum)  # type: ignore[assignment]  # an int, or a symbol in exporting
    return least + -least % multiple


def pad_to_valid(image: Tensor, multiple: int, minimum: int = 1) -> Tensor:
    """Reflect-pad N x C x H x W on the right and bottom until both sides are multiples of `multiple`.

    Args:
        image: any float or integer tensor of at least two dimensions; the last two are height and width.
        multiple: what both sides must be a multiple of, in pixels.
        minimum: what both sides must reach, in pixels.

    >>> pad_to_valid(torch.zeros(1, 3, 5, 9), 4).shape
    torch.Size([1, 3, 8, 12])
    """
    height, width = image.shape[-2:]
    tall, wide = valid_side(height, multiple, minimum), valid_side(width, multiple, minimum)
    always = torch.compiler.is_exporting()  # where sides are symbols, and a branch would fix them
    if always or tall != height:
        image = image.index_select(-2, reflect_index(height, tall, image.device))
    if always or wide != width:
        image = image.index_select(-1, reflect_index(width, wide, image.device))
    return image


def cropped(image: Tensor, height: int, width: int) -> Tensor:
    """The top left of an image, N x C x H x W; what `pad_to_valid` added is cut off again.

    >>> cropped(torch.zeros(1, 3, 8, 12), 5, 9).shape
    torch.Size([1, 3, 5, 9])
    """
    if not torch.compiler.is_exporting():
        return image[..., :height, :width]
    # a view of the whole image, which is what a slice at most sizes is, would be one in the graph at all sizes
    rows, columns = (torch.arange(side, device=image.device) for side in (height, width))
    return image.index_select(-2, rows).index_select(-1, columns)
