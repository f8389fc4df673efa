"""Where a run computes: device, memory format and the networks that are compiled."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from i2izoo.contracts.parts import Discriminator, Encoder, Generator, LatentGenerator
from i2izoo.errors import ConfigError, TrainingError
from i2izoo.nn.device import find_device


def choose_device(asked: str | None, precision: str) -> torch.device:
    """The device of a run in one process.

    Raises:
        TrainingError: there is no such device here, or it cannot compute in this precision.
    """
    try:
        device = find_device(asked or "auto")
    except ConfigError as error:
        raise TrainingError(f"device {asked!r} is not available here: {error}") from error
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
    return outermost(module, Generator, LatentGenerator, Discriminator, Encoder)


def outermost(module: nn.Module, *kinds: type) -> Iterator[nn.Module]:
    """The parts of these kinds in a module that are in no other of them."""
    for child in module.children():
        if isinstance(child, kinds):
            yield child
        else:
            yield from outermost(child, *kinds)
