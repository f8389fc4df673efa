"""Latents that are fitted to an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def fitted_latent(loss: Callable[..., Tensor], start: Tensor, given: tuple[Tensor, ...], iterations: int) -> Tensor:
    """argmin_z loss(z, *given) by L-BFGS with a strong Wolfe line search, the best of all that it looks at.

    It works under `torch.inference_mode` as well, for which tensors that were made there are copied.

    Args:
        loss: z and the other tensors to a scalar, differentiable in z.
        start: where it begins; one image's latent, since the curvature is of all that is fitted together.
        given: the other tensors.
        iterations: at most; 0: `start` is the answer.

    >>> fitted_latent(lambda z, x: (z.square() - x).square().sum(), torch.ones(1, 1), (torch.tensor(4.0),), 20)
    tensor([[2.]])
    """
    if not iterations:
        return start
    with torch.inference_mode(False), torch.enable_grad():
        given = tuple(tensor.clone() for tensor in given)
        z = start.detach().clone().requires_grad_()
        best, least = z.detach().clone(), float("inf")
        search = torch.optim.LBFGS([z], max_iter=iterations, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            nonlocal best, least
            value = loss(z, *given)
            (z.grad,) = torch.autograd.grad(value, z)
            if value.item() < least:
                best, least = z.detach().clone(), value.item()
            return value.detach()

        search.step(closure)
    return best
