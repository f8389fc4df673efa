"""Randomness as a function of seeds, not of hidden state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_given: ContextVar[Callable[[tuple[int, ...]], Tensor] | None] = ContextVar("given", default=None)


def derive_seed(*keys: int | str) -> int:
    """A 63-bit seed that is a function of all the keys.

    >>> derive_seed(0, "step", 1) == derive_seed(0, "step", 1) != derive_seed(0, "step", 2)
    True
    """
    joined = "/".join(map(str, keys)).encode(errors="surrogatepass")  # names of files, which may be no UTF-8, are keys
    digest = hashlib.blake2b(joined, digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def randn(shape: Sequence[int], seeds: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Standard normal N x *shape; row i is a function of seeds[i] alone, the same on every device.

    >>> torch.equal(randn((2,), [5, 6])[1], randn((2,), [6])[0])
    True
    """
    if (given := _given.get()) is not None:
        return given(tuple(shape)).to(device)
    rows = [torch.randn(tuple(shape), generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(rows).to(device)


@contextmanager
def noise_given(draw: Callable[[tuple[int, ...]], Tensor]) -> Iterator[None]:
    """Inside, `randn` asks `draw` for its noise, N x *shape, by this shape: an exported graph has it as an input.

    >>> with noise_given(lambda shape: torch.ones(1, *shape)):
    ...     randn((2,), [5])
    tensor([[1., 1.]])
    """
    before = _given.set(draw)
    try:
        yield
    finally:
        _given.reset(before)


def noise_like(x: Tensor) -> Tensor:
    """A draw from N(0, 1) of the shape, dtype and device of `x`, the same for every memory layout of `x`.

    torch draws channels-last noise on a CPU one number at a time, which takes ten times as long, and in another order.

    >>> image = torch.zeros(1, 3, 2, 2)
    >>> with seeded(0):
    ...     a = noise_like(image)
    >>> with seeded(0):
    ...     b = noise_like(image.contiguous(memory_format=torch.channels_last))
    >>> torch.equal(a, b)
    True
    """
    return torch.randn_like(x, memory_format=torch.contiguous_format)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global random state inside, and restore it after: for layers that draw by themselves (dropout)."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
