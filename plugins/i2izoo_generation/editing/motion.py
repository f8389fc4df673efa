"""Motion supervision and point tracking of DragGAN (Pan et al., SIGGRAPH 2023, arXiv 2305.10973, section 3.2).

Points are (x, y) in pixels, with (0, 0) the middle of the first pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Point: TypeAlias = tuple[float, float]
"""x and y in pixels."""

Reduction: TypeAlias = Literal["mean", "sum"]
"""Of absolute differences over pixels and channels: of the authors' code, or of the paper's equation."""


def at(features: Tensor, places: Tensor) -> Tensor:
    """Features 1 x C x H x W at places, P x 2 (x, y), bilinear: P x C; beyond the edge they are those of the edge.

    >>> at(torch.arange(4.0).view(1, 1, 1, 4), torch.tensor([[1.5, 0.0], [9.0, 0.0]]))
    tensor([[1.5000],
            [3.0000]])
    """
    height, width = features.shape[-2:]
    span = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=features.device, dtype=features.dtype)
    grid = (2 * places.to(features) / span - 1)[None, None]
    return F.grid_sample(features, grid, align_corners=True, padding_mode="border")[0, :, 0].T


def patch(point: Point, radius: float, size: Sequence[int]) -> Tensor:
    """The pixels that are nearer to a point than a radius, P x 2 (x, y): Omega_1; the point's own at least.

    >>> patch((1, 1), 1.2, (8, 8)).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [1.0, 2.0]]
    """
    height, width = size
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    near = (x - point[0]).square() + (y - point[1]).square() < radius**2
    near[round(point[1]), round(point[0])] = True
    return torch.stack([x[near], y[near]], dim=1)


def motion_loss(
    features: Tensor, point: Point, target: Point, radius: float, reduction: Reduction = "mean"
) -> Tensor | None:
    """What pulls a patch one pixel towards its target: |F(q + d) - F(q)| over the patch, F(q) held (eq. 1).

    Args:
        features: 1 x C x H x W, of the size of the image.
        point: where the handle is.
        target: where it is to go; d is the unit vector to there.
        radius: of the patch, r_1.
        reduction: see `Reduction`.

    Returns:
        A scalar; None: it is less than a pixel away, and rests.
    """
    way = torch.tensor([float(target[0] - point[0]), float(target[1] - point[1])])
    if way.norm() <= 1:
        return None
    places = patch(point, radius, features.shape[-2:])
    held = at(features, places).detach()
    return F.l1_loss(at(features, places + way / way.norm()), held, reduction=reduction)


def kept_loss(features: Tensor, first: Tensor, fixed: Tensor, reduction: Reduction = "mean") -> Tensor:
    """How far what shall stay has changed: |(F - F_0) (1 - M)| (eq. 1).

    Args:
        features: 1 x C x H x W.
        first: what they were at the start.
        fixed: 1 x 1 x H x W, 1 where nothing shall move.
        reduction: see `Reduction`.
    """
    return F.l1_loss(features * fixed, first * fixed, reduction=reduction)


@torch.no_grad()
def track(features: Tensor, handle: Tensor, point: Point, radius: int) -> Point:
    """Where a handle has gone: the pixel within a square around its last place whose features are nearest (eq. 2).

    Args:
        features: 1 x C x H x W.
        handle: C, what the features of the handle were at the start.
        point: where it was last.
        radius: half the side of the square, r_2.
    """
    height, width = features.shape[-2:]
    x, y = round(point[0]), round(point[1])
    left, top = max(0, x - radius), max(0, y - radius)
    window = features[0, :, top : min(height, y + radius + 1), left : min(width, x + radius + 1)]
    distance = (window - handle[:, None, None]).norm(dim=0)
    row, column = divmod(int(distance.argmin()), window.shape[-1])
    return float(left + column), float(top + row)


def radii(side: int) -> tuple[int, int]:
    """r_1 and r_2 for images of a side: 3 and 12 at 512, in proportion as in the authors' code, but 2 and 3 at least.

    >>> radii(512), radii(1024), radii(64)
    ((3, 12), (6, 24), (2, 3))
    """
    return max(2, round(3 / 512 * side)), max(3, round(12 / 512 * side))


def far(point: Point, target: Point) -> float:
    """Distance of two points in pixels.

    >>> far((0, 0), (3, 4))
    5.0
    """
    return math.dist(point, target)
