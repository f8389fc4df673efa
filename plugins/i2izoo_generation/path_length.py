"""Path length regularisation (Karras et al. 2020, arXiv 1912.04958, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor


def path_lengths(image: Tensor, w: Tensor, directions: Tensor) -> Tensor:
    """How far w has to go for a step of one in random directions of the image: the norm of J_w^T y of each image.

    Of w with one vector for each layer the squares of the layers are averaged, as in the authors' code.

    Args:
        image: N x C x H x W, made of w.
        w: N x layers x style, with a gradient.
        directions: y, N(0, I), of the image's shape.

    Returns:
        N lengths, which can be differentiated again.

    >>> w = torch.tensor([[[1.0, 2.0]]], requires_grad=True)
    >>> path_lengths(3 * w.view(1, 1, 1, 2), w, torch.ones(1, 1, 1, 2)).detach()  # 3 ||y|| / sqrt(1 x 2 pixels)
    tensor([3.0000])
    """
    pixels = image.shape[-2] * image.shape[-1]
    (slope,) = torch.autograd.grad((image * directions).sum() / pixels**0.5, w, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()
