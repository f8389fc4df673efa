"""The steps of a sampler as numbers: all that a loop without this library has to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.stepwise import Row
from i2izoo.errors import ConfigError
from i2izoo_diffusion.prediction import prediction_of
from i2izoo_diffusion.sampling import Sampling
from i2izoo_diffusion.schedulers import sound_eta


def step_table(run: Sampling, time: Callable[[Sampling], Tensor], eta: float) -> list[Row]:
    """What each step makes of the clean image, the noisy one and fresh noise, found out by asking the scheduler.

    Args:
        run: ready to begin, of one image with one pixel, in float64.
        time: of the step that it is at, as the network is told it.
        eta: as `Sampling.run` takes it.

    Raises:
        ConfigError: the scheduler looks at more than the last image.
    """
    kind = type(run.scheduler).__name__
    if hasattr(run.scheduler, "step_index") or run._exploding:
        raise ConfigError(
            f"a step of {kind} follows from more than the last image; take the scheduler 'ddim' or 'ddpm'."
        )
    rows: list[Row] = []
    for index in range(run.total):
        run.index = index
        options: dict[str, Any] = {"eta": sound_eta(run.scheduler, run.timestep.cpu(), eta)} if eta else {}
        nothing = _leads(run, 0.0, 0.0, options)
        noise = torch.randn(run.x.shape, generator=_generator(), dtype=run.x.dtype).item()
        alpha, sigma = run.level
        rows.append(
            {
                "time": float(time(run)),
                "alpha": alpha,
                "sigma": sigma,
                "of_clean": 2 * (_leads(run, 0.5, 0.0, options) - nothing),
                "of_noisy": 2 * (_leads(run, 0.0, 0.5, options) - nothing),
                "of_noise": nothing / noise,
            }
        )
    return rows


def _leads(run: Sampling, clean: float, noisy: float, options: dict[str, Any]) -> float:
    """Where the step leads from a noisy pixel of which the network says that it is `clean`."""
    x, wanted = (torch.full_like(run.x, value) for value in (noisy, clean))
    run.prediction = prediction_of(run.kind, wanted, x, *run.level)
    found: Tensor = run.stepped(x, generator=_generator(), **options)
    return found.item()


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)
