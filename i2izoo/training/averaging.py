"""The gradients of several processes, averaged while the backward pass still runs.

A method's networks are called directly and in any order, several times a step, which wrappers such as
DistributedDataParallel do not allow. So gradients are averaged here, in that library's way: parameters lie in buckets
in the reverse of their order, and a bucket is sent as soon as the last of its gradients is there (Li et al. 2020,
"PyTorch Distributed", section 3.2.3).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

BUCKET = 25 * 2**20
"""Bytes of gradients that are sent together; as DistributedDataParallel has it."""


def several() -> bool:
    """Is this one of several processes that train together?"""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class Averaging:
    """One averaging of the gradients of some parameters over all processes.

    Buckets are sent in one order by all processes, whichever of their gradients is there first, and also where a
    parameter has no gradient in this process, which counts as zero: a part that is unused here may be used elsewhere.

    Args:
        parameters: in the same order in all processes.
        watch: send while the next backward pass runs, which must be the last before `finish`; otherwise all is sent
            there.
    """

    def __init__(self, parameters: Iterable[Tensor], *, watch: bool = False) -> None:
        self.buckets = _buckets([p for p in parameters if p.requires_grad])
        self.sent: list[tuple[Tensor, dist.Work]] = []
        self._missing = [len(bucket) for bucket in self.buckets]
        self._place = {id(p): place for place, bucket in enumerate(self.buckets) for p in bucket}
        self._hooks = [p.register_post_accumulate_grad_hook(self._ready) for b in self.buckets for p in b if watch]

    def _ready(self, parameter: Tensor) -> None:
        self._missing[self._place[id(parameter)]] -= 1
        while len(self.sent) < len(self.buckets) and self._missing[len(self.sent)] < 1:
            self._send()

    def unwatch(self) -> None:
        """The backward pass is over, or has failed."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def finish(self) -> None:
        """Wait for the averages, and put them where the gradients are."""
        self.unwatch()
        while len(self.sent) < len(self.buckets):
            self._send()
        for bucket, (flat, work) in zip(self.buckets, self.sent, strict=True):
            work.wait()
            flat /= dist.get_world_size()
            for parameter, part in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                if parameter.grad is None:
                    parameter.grad = torch.empty_like(parameter)
                parameter.grad.copy_(part.view(parameter.shape))

    def _send(self) -> None:
        bucket = self.buckets[len(self.sent)]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
        work = dist.all_reduce(flat, async_op=True)
        assert work is not None  # for the type checker
        self.sent.append((flat, work))


def _buckets(parameters: list[Tensor]) -> list[list[Tensor]]:
    """Those of one type together, the last ones first, since the backward pass comes to them first."""
    buckets: list[list[Tensor]] = []
    size = BUCKET
    for parameter in reversed(parameters):
        own = parameter.numel() * parameter.element_size()
        if size + own > BUCKET or parameter.dtype != buckets[-1][0].dtype:
            buckets.append([])
            size = 0
        buckets[-1].append(parameter)
        size += own
    return buckets
