"""Running statistics of batch norm, taken anew for weights that were not trained with them, such as an average."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from i2izoo.nn.modes import modes_kept


@torch.no_grad()
def take_statistics(network: nn.Module, batches: Iterable[Sequence[Tensor]]) -> None:
    """Give every batch norm of `network` the mean and variance of what it sees of `batches`, as running statistics.

    The network evaluates them, so that dropout is off and nothing else of it changes; each layer normalises by the
    statistics of all batches so far. What it comes to is a function of weights and batches alone, in each process by
    itself. A network without batch norm is not run, and without a batch all stays as it was.

    Args:
        network: on any device; its modes are kept.
        batches: arguments of its forward pass, of whatever type and device, all batches of one size.

    >>> norm = nn.BatchNorm1d(1)
    >>> take_statistics(norm, [(torch.tensor([[1.0], [3.0]]),), (torch.tensor([[3.0], [5.0]]),)])
    >>> norm.running_mean.item(), norm.running_var.item()
    (3.0, 2.0)
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return

    def take(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)  # for the type checker
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        x = inputs[0].to(norm.running_mean.dtype)
        variance, mean = torch.var_mean(x, dim=[d for d in range(x.ndim) if d != 1])
        norm.num_batches_tracked += 1
        share = 1 / norm.num_batches_tracked.item()
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance, share)

    like = next(network.parameters())
    hooks = [norm.register_forward_pre_hook(take) for norm in norms]
    try:
        with modes_kept(network), torch.autocast(like.device.type, enabled=False):
            network.eval()
            for place, inputs in enumerate(batches):
                for norm in norms if place == 0 else ():
                    norm.reset_running_stats()
                network(*(tensor.to(like) for tensor in inputs))
    finally:
        for hook in hooks:
            hook.remove()
