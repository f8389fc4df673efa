"""How visible tiles are in an image: the gradient across their borders, and the drift of their tint."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def seam_ratio(image: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """The mean gradient across the borders of tiles over that inside them: 1 where no seam can be seen.

    Args:
        image: N x C x H x W.
        rows, columns: the first pixels behind the borders between tiles.

    Returns:
        N; NaN where there are no borders.

    >>> image = torch.tensor([0.0, 1.0, 3.0, 4.0]).view(1, 1, 1, 4)
    >>> seam_ratio(image, [], [2]).tolist(), seam_ratio(image, [], []).isnan().tolist()
    ([2.0], [True])
    """
    down, across = (image[..., 1:, :] - image[..., :-1, :]).abs(), (image[..., 1:] - image[..., :-1]).abs()
    at_rows = torch.tensor([y - 1 for y in rows], dtype=torch.long)
    at_columns = torch.tensor([x - 1 for x in columns], dtype=torch.long)
    n = len(image)
    border = torch.cat([down[..., at_rows, :].reshape(n, -1), across[..., at_columns].reshape(n, -1)], dim=1).mean(1)
    inner_rows = [y for y in range(down.shape[-2]) if y + 1 not in set(rows)]
    inner_columns = [x for x in range(across.shape[-1]) if x + 1 not in set(columns)]
    inside = torch.cat([down[..., inner_rows, :].reshape(n, -1), across[..., inner_columns].reshape(n, -1)], dim=1)
    return border / inside.mean(1)


def block_drift(image: Tensor, other: Tensor, side: int = 64) -> Tensor:
    """The mean difference of the means of blocks of two images: how far the tint of tiles has drifted.

    Args:
        image, other: N x C x H x W in [-1, 1].
        side: of a block in pixels; blocks at the right and bottom may be smaller.

    Returns:
        N, in [0, 2].

    >>> block_drift(torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.5), side=2).item()
    0.5
    """
    difference = image - other
    return F.avg_pool2d(difference, side, ceil_mode=True, count_include_pad=False).abs().mean(dim=(1, 2, 3))
