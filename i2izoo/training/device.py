"""Where a run computes: device, memory format and the networks that are compiled."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from i2izoo.contracts.parts import Discriminator, Encoder, Generator
from i2izoo.errors import TrainingError


def best_device() -> str:
    """ "cuda", "mps" or "cpu", the first that there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_device(asked: str | None, precision: str) -> torch.device:
    """The device of a run in one process.

    Raises:
        TrainingError: there is no such device here, or it cannot compute in this precision.
    """
    try:
        device = torch.device(asked or best_device())
    except RuntimeError:
        raise TrainingError(f"there is no device {asked!r}; devices are 'cpu', 'cuda', 'cuda:1' or 'mps'.") from None
    if device.type not in ("cpu", best_device()) or (device.index or 0) >= max(1, torch.cuda.device_count()):
        raise TrainingError(f"device {asked!r} is not available here; the best is {best_device()!r}.")
    if precision == "fp16" and device.type == "cpu":
        raise TrainingError("precision 'fp16' wants a GPU; a CPU trains in 'bf16' or 'fp32'.")
    return device


def choose_layout(channels_last: bool | None, device: torch.device) -> torch.memory_format:
    """Memory format of networks and images; None: the faster one.

    Measured: on a CPU without AVX-512 training takes 20 to 28 % longer in channels-last.
    """
    if channels_last is None:
        channels_last = device.type == "cuda" or "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.channels_last if channels_last else torch.contiguous_format


def networks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost generators, discriminators and encoders of a method: what `torch.compile` is worth for."""
    for child in module.children():
        if isinstance(child, (Generator, Discriminator, Encoder)):
            yield child
        else:
            yield from networks(child)
