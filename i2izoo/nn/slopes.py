"""The gradient of a discriminator's score with respect to the image, for penalties on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def slopes(judge: Callable[[Tensor], list[Tensor]], image: Tensor) -> list[Tensor]:
    """One N x C x H x W for each scale, float32, that can be differentiated again.

    The score of an image at a scale is the mean of its logits, so that its slope does not grow with their number. Rows
    are taken to be independent (a batch norm makes them nearly so).

    Args:
        judge: image to logits, N x 1 x h x w or N x 1 for each scale; not compiled, which has no second derivatives.
        image: N x C x H x W; no gradient goes back through it.

    >>> [slope] = slopes(lambda x: [x.square().sum((1, 2, 3))[:, None] / 2], torch.full((1, 1, 1, 2), 3.0))
    >>> slope.detach()
    tensor([[[[3., 3.]]]])
    """
    image = image.detach().float().requires_grad_()
    with torch.autocast(image.device.type, enabled=False):  # a squared norm in half precision over- or underflows
        scores = [logits.flatten(1).mean(1).sum() for logits in judge(image)]
        # rows are independent, so one backward serves all
        return [torch.autograd.grad(score, image, create_graph=True)[0] for score in scores]
