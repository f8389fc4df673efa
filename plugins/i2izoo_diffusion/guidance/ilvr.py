"""ILVR: the coarse content of a reference, the details of the model (Choi et al., ICCV 2021, arXiv 2108.02938)."""

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_diffusion.guidance.reference import Reference
from i2izoo_diffusion.sampling import Sampling


class ILVR(Reference):
    """x(t-1) <- x' - phi(x') + phi(y(t-1)) after each step, x' being what the step gave and y(t-1) the reference with
    the noise of the same level (algorithm 1).

    Args:
        image: the reference y, C x H x W or N x C x H x W in [-1, 1].
        factor: N of the low-pass phi, from 2; the paper has 2 to 64. The larger, the less of the reference stays.
        start, end: shares of the steps between which it is done; an end below 1 leaves the details to the model.
        level: of the noise of the reference: "next", which the step leads to (the paper), or "current", which it came
            from (the public code); with that, the last step leaves noise in the image unless `end` is below 1.

    Raises:
        ConfigError: an option is out of range.
    """

    def __init__(
        self,
        image: Tensor,
        factor: int,
        *,
        start: float = 0.0,
        end: float = 1.0,
        level: Literal["next", "current"] = "next",
    ) -> None:
        super().__init__(image)
        least = min(self.image.shape[-2:])
        if isinstance(factor, bool) or not isinstance(factor, int) or not 2 <= factor <= least:
            raise ConfigError(
                f"the factor of ILVR is a whole number from 2 to the reference's shorter side, {least}; found "
                f"{factor!r}."
            )
        check_shares(start, end)
        if level not in ("next", "current"):
            raise ConfigError(f"the level of ILVR's reference is 'next' or 'current'; found {level!r}.")
        self.factor, self.start, self.end, self.level = factor, start, end, level

    def after(self, run: Sampling, x: Tensor) -> Tensor:
        if not run.within(self.start, self.end):
            return x
        level = run.next_level if self.level == "next" else run.level
        noisy = run.with_noise(self.shown(run), level, "ilvr", run.index, run.again)
        return x + low_pass(noisy - x, self.factor)  # phi is linear


def low_pass(image: Tensor, factor: int) -> Tensor:
    """phi: N x C x H x W scaled down by a factor and up again, bicubic and antialiased; edges are mirrored, as in the
    authors' code.

    >>> low_pass(torch.ones(1, 1, 8, 12), 4).mean()
    tensor(1.)
    """
    dtype = torch.promote_types(image.dtype, torch.float32)
    rows, columns = (_low_pass_of(side, factor).to(image.device, dtype) for side in image.shape[-2:])
    with torch.autocast(image.device.type, enabled=False):
        return (rows @ image.to(dtype) @ columns.T).to(image.dtype)


@functools.lru_cache(maxsize=16)
def _low_pass_of(length: int, factor: int) -> Tensor:
    """phi of one side, length x length."""
    short = max(1, length // factor)
    return _resizing(short, length) @ _resizing(length, short)


def _resizing(before: int, after: int) -> Tensor:
    """What makes `after` pixels of `before`, after x before, in float64 (Keys 1981, a = -1/2)."""
    stretch = max(1.0, before / after)  # of the filter, which is what keeps aliases out
    centre = (torch.arange(after, dtype=torch.float64)[:, None] + 0.5) * before / after - 0.5
    place = (centre - 2 * stretch).floor() + torch.arange(math.ceil(4 * stretch) + 2)
    d = ((centre - place) / stretch).abs()
    near, far = (1.5 * d - 2.5) * d**2 + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    weight = torch.where(d <= 1, near, far) * (d < 2)
    place = place.long() % (2 * before)  # 0 1 2 2 1 0, and again
    place = torch.where(place < before, place, 2 * before - 1 - place)
    return torch.zeros(after, before, dtype=torch.float64).scatter_add_(1, place, weight / weight.sum(1, keepdim=True))


def check_shares(start: float, end: float, scale: float = 1.0) -> None:
    """Refuse a part of the run that is none, and a strength of what is done there that is none.

    Raises:
        ConfigError: says what was found.
    """
    for name, value in (("start", start), ("end", end), ("scale", scale)):
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"{name} of a hook is a finite number; found {value!r}.")
    if not 0 <= start < end <= 1:
        raise ConfigError(f"start and end are shares of the steps, 0 <= start < end <= 1; found {start} and {end}.")
