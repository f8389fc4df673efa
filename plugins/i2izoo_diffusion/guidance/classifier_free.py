"""Classifier-free guidance (Ho and Salimans, arXiv 2207.12598)."""

from __future__ import annotations

from torch import Tensor


def classifier_free(conditional: Tensor, unconditional: Tensor, weight: float | Tensor, rescale: float = 0.0) -> Tensor:
    """e(0) + w (e(x) - e(0)): eq. 6 with w = 1 + the paper's w, so that 1 means no guidance, as diffusers counts.

    Args:
        conditional: the prediction given the source image, N x C x H x W.
        unconditional: the prediction without it.
        weight: w, one or N x 1 x 1 x 1; above 1 exaggerates what the source image asks for.
        rescale: share, 0 to 1, by which the standard deviation of each image goes back to that of the conditional
            prediction, against the over-exposure of large weights (Lin et al., arXiv 2305.08891, eq. 15 and 16).

    >>> import torch
    >>> classifier_free(torch.tensor(3.0), torch.tensor(1.0), 1.5)
    tensor(4.)
    """
    guided = unconditional + weight * (conditional - unconditional)
    if not rescale:
        return guided
    over = tuple(range(1, guided.ndim))
    factor = conditional.std(dim=over, keepdim=True) / guided.std(dim=over, keepdim=True)
    return guided * (rescale * factor + (1 - rescale))
