"""How ADA moves images: placements that are drawn, and resampling without aliasing (arXiv 2006.06676, appendix B).

A placement is an N x 3 x 3 matrix that says where a pixel comes from: homogeneous coordinates in pixels, from the
centre of the image, right and down. Those of one image are multiplied in the order in which they are applied.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
"""Low-pass filter of the symlet with six vanishing moments (Daubechies 1992), which is orthogonal to its own even
shifts: twice as many pixels by it, and back again, are the same image."""

MARGIN = len(SYM6) // 2 - 1
"""Pixels of the doubled image that halving wants beyond its edges."""

DELAY = sum(k * h for k, h in enumerate(SYM6)) / sum(SYM6) - (len(SYM6) - 1) / 2
"""How far it moves what it filters, in pixels of the doubled image: it is not quite symmetric, and an image that is
mirrored between doubling and halving would show it."""

SHIFT = 0.125
SCALE = 0.2


def chosen(image: Tensor, p: float, value: Tensor, otherwise: float) -> Tensor:
    """The drawn value, for each row with the probability p; else the one that changes nothing."""
    return torch.where(torch.rand(len(image), device=image.device) < p, value, torch.full_like(value, otherwise))


def draw_blits(image: Tensor, p: float) -> list[Tensor]:
    """Mirroring, turns by 90 degrees, shifts by whole pixels."""
    n, height, width = len(image), *image.shape[2:]
    rand = functools.partial(torch.rand, n, device=image.device)
    mirror = chosen(image, p, (rand() * 2).floor(), 0.0)
    turn = chosen(image, p, (rand() * 4).floor(), 0.0)
    happens = chosen(image, p, torch.ones_like(turn), 0.0)
    right, down = (happens * ((rand() * 2 - 1) * SHIFT * side).round() for side in (width, height))
    return [_scaling(1 - 2 * mirror, torch.ones_like(mirror)), _rotation(turn * (math.pi / 2)), _shift(right, down)]


def draw_geometry(image: Tensor, p: float) -> list[Tensor]:
    """Scaling, rotation, stretching, rotation, shifts by any part of a pixel."""
    n, height, width = len(image), *image.shape[2:]
    rand = functools.partial(torch.rand, n, device=image.device)
    randn = functools.partial(torch.randn, n, device=image.device)
    either = 1 - math.sqrt(1 - p)  # of two rotations one happens with the probability p
    scale = chosen(image, p, torch.exp2(randn() * SCALE), 1.0)
    before = chosen(image, either, (rand() * 2 - 1) * math.pi, 0.0)
    stretch = chosen(image, p, torch.exp2(randn() * SCALE), 1.0)
    after = chosen(image, either, (rand() * 2 - 1) * math.pi, 0.0)
    happens = chosen(image, p, torch.ones_like(scale), 0.0)
    right, down = (happens * randn() * SHIFT * side for side in (width, height))
    return [
        _scaling(scale, scale), _rotation(before), _scaling(stretch, 1 / stretch), _rotation(after), _shift(right, down)
    ]  # fmt: skip


def _matrix(*entries: Tensor | float) -> Tensor:
    """N x 3 x 3 of the first two rows."""
    some = next(e for e in entries if isinstance(e, Tensor))
    full = [e if isinstance(e, Tensor) else torch.full_like(some, e) for e in (*entries, 0.0, 0.0, 1.0)]
    return torch.stack(full, dim=1).reshape(-1, 3, 3)


def _scaling(horizontal: Tensor, vertical: Tensor) -> Tensor:
    return _matrix(1 / horizontal, 0.0, 0.0, 0.0, 1 / vertical, 0.0)


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return _matrix(cos, sin, 0.0, -sin, cos, 0.0)


def _shift(right: Tensor, down: Tensor) -> Tensor:
    return _matrix(1.0, 0.0, -right, 0.0, 1.0, -down)


def moved(image: Tensor, placements: list[Tensor]) -> Tensor:
    """Each row by its product of placements: doubled by the symlet, looked up bilinearly, halved again.

    A row that stays where it is, stays as it is, to the bit.
    """
    placement = functools.reduce(torch.matmul, placements)
    height, width = image.shape[2:]
    right, down = (
        (torch.arange(-MARGIN, 2 * side + MARGIN, device=image.device) + 0.5 - DELAY) / 2 - side / 2
        for side in (width, height)
    )
    down, right = torch.meshgrid(down, right, indexing="ij")
    places = torch.stack([right, down, torch.ones_like(right)], dim=-1)  # h x w x 3
    origin = torch.einsum("nij,hwj->nhwi", placement[:, :2], places) + DELAY / 2
    grid = (origin / (origin.new_tensor([width, height]) / 2)).to(image.dtype)
    result = _halved(_Lookup.apply(_doubled(image), grid))
    stays = (placement == torch.eye(3, device=image.device)).flatten(1).all(1)
    return torch.where(stays[:, None, None, None], image, result)


def _doubled(image: Tensor) -> Tensor:
    """N x C x 2H x 2W; beyond its edges the image is taken to be reflected."""
    down, right = (_doubling(side).to(image) for side in image.shape[2:])
    return down @ image @ right.T


def _halved(image: Tensor) -> Tensor:
    """The adjoint of `_doubled`, of a doubled image with a margin that it uses up."""
    down, right = (_halving(side).to(image) for side in image.shape[2:])
    return down @ image @ right.T


def _doubling(side: int) -> Tensor:
    """2 side x side: a zero behind each pixel, then the symlet. A product is faster than so thin a convolution."""
    place = torch.arange(2 * side)[:, None] + MARGIN - torch.arange(len(SYM6))
    origin = (place // 2) % (2 * side)
    origin = torch.minimum(origin, 2 * side - 1 - origin)  # reflected at the edge
    kernel = torch.tensor(SYM6) * math.sqrt(2) * (place % 2 == 0)
    return torch.zeros(2 * side, side).scatter_add(1, origin, kernel)


def _halving(side: int) -> Tensor:
    """(side / 2 - MARGIN) x side: the symlet, then every second pixel."""
    length = side // 2 - MARGIN
    place = 2 * torch.arange(length)[:, None] + torch.arange(len(SYM6))
    kernel = (torch.tensor(SYM6) / math.sqrt(2)).expand(length, -1)
    return torch.zeros(length, side).scatter(1, place, kernel)


def _look_up(image: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


class _Lookup(torch.autograd.Function):
    """grid_sample, of whose gradient not every torch has a derivative: it is linear in the image, so that is itself."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = image.shape
        return _look_up(image, grid)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Adjoint.apply(slopes[0], grid, ctx.shape), None


class _Adjoint(torch.autograd.Function):
    """What the gradient of `_Lookup` is: every pixel goes back to where it was looked up."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        with torch.enable_grad():
            image = slope.new_zeros(shape).requires_grad_()
            seen = _look_up(image, grid)
        return torch.autograd.grad(seen, image, slope)[0]

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Lookup.apply(slopes[0], grid), None, None
