"""How ADA changes colours: affine maps of RGB space that are drawn (arXiv 2006.06676, appendix B)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from i2izoo_gan.ada_geometry import chosen

BRIGHTNESS = 0.2
CONTRAST = 0.5
SATURATION = 1.0


def draw_colours(image: Tensor, p: float) -> Tensor:
    """N x C x (C + 1): a matrix and an offset for each row. C is 3, or 1 for grey, which has neither hue nor luma."""
    n, c = image.shape[:2]
    rand = functools.partial(torch.rand, n, device=image.device)
    randn = functools.partial(torch.randn, n, device=image.device)
    brightness = chosen(image, p, randn() * BRIGHTNESS, 0.0)[:, None, None]
    contrast = chosen(image, p, torch.exp2(randn() * CONTRAST), 1.0)[:, None, None]
    same = torch.eye(c, device=image.device)
    matrix, offset = contrast * same, contrast * brightness.expand(-1, c, 1)
    if c == 3:
        grey = torch.full((3, 3), 1 / 3, device=image.device)  # v v^T, the projection on the grey axis v
        flip = chosen(image, p, (rand() * 2).floor(), 0.0)[:, None, None]
        angle = chosen(image, p, (rand() * 2 - 1) * math.pi, 0.0)[:, None, None]
        saturation = chosen(image, p, torch.exp2(randn() * SATURATION), 1.0)[:, None, None]
        for change in (
            same - 2 * flip * grey,
            angle.cos() * same + (1 - angle.cos()) * grey + angle.sin() * _crossing(image),
            grey + saturation * (same - grey),
        ):
            matrix, offset = change @ matrix, change @ offset
    return torch.cat([matrix, offset], dim=2)


def _crossing(image: Tensor) -> Tensor:
    """The matrix of the cross product with the grey axis (1, 1, 1) / sqrt 3, as Rodrigues' formula has it."""
    return torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=image.device) / math.sqrt(3)


def recoloured(image: Tensor, colours: Tensor) -> Tensor:
    """N x C x H x W by N x C x (C + 1)."""
    c, colours = image.shape[1], colours.to(image.dtype)
    return torch.einsum("nij,njhw->nihw", colours[:, :, :c], image) + colours[:, :, c:, None]
