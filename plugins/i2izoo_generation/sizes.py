"""Images of another size than a network makes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def covering(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale N x C x h x w, bilinear and without aliases, until it covers `size`, and cut out the middle.

    >>> import torch
    >>> covering(torch.zeros(1, 3, 8, 8), (33, 65)).shape
    torch.Size([1, 3, 33, 65])
    """
    height, width = size
    before = image.shape[-2:]
    if before == size:
        return image
    scale = max(height / before[0], width / before[1])
    scaled = [max(side, round(scale * old)) for side, old in zip(size, before, strict=True)]
    image = F.interpolate(image, scaled, mode="bilinear", antialias=True)
    top, left = ((new - side) // 2 for new, side in zip(scaled, size, strict=True))
    return image[..., top : top + height, left : left + width]
