"""diffusers' schedulers as parts: what their options are completed with, and the noise levels of their steps.

The registry's names stand for the classes themselves, so what is saved in `scheduler/` is diffusers' own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError

MOST_STEPS = 1_000_000
"""A scheduler holds several numbers for each of its training steps; the papers have 1,000 to 4,000."""


def completed(spec: PartSpec, prediction: str) -> dict[str, Any]:
    """A scheduler's choice with the defaults that Lin et al. (arXiv 2305.08891) show to be right.

    "trailing" spacing, so that sampling starts at the noisiest step of training; and a last step of zero
    signal-to-noise ratio, where the prediction allows it: epsilon tells nothing of the image there.

    >>> completed("ddim", "v_prediction")
    {'name': 'ddim', 'timestep_spacing': 'trailing', 'rescale_betas_zero_snr': True}

    Raises:
        ConfigError: a zero signal-to-noise ratio with epsilon prediction; or what diffusers takes, and fails at later.
    """
    given = {"name": spec} if isinstance(spec, str) else dict(spec)
    options = schema(registry("schedulers").get(str(given.get("name"))))
    defaults = {"timestep_spacing": "trailing", "rescale_betas_zero_snr": prediction != "epsilon"}
    given = {**given, **{k: v for k, v in defaults.items() if k in options and k not in given}}
    if given.get("rescale_betas_zero_snr") and prediction == "epsilon":
        raise ConfigError(
            "a scheduler with rescale_betas_zero_snr ends in pure noise, of which epsilon tells nothing; take "
            "prediction='v_prediction' or 'sample', or leave rescale_betas_zero_snr out."
        )
    count = given.get("num_train_timesteps")
    if isinstance(count, int) and not 1 <= count <= MOST_STEPS:
        raise ConfigError(f"num_train_timesteps of a scheduler is 1 to {MOST_STEPS:,}; found {count}.")
    # networks here predict no variance, and of the logarithm of the large one diffusers' step takes the root
    kind = given.get("variance_type")
    if given["name"] == "ddpm" and kind in ("learned", "learned_range", "fixed_large_log"):
        raise ConfigError(
            "variance_type of the scheduler 'ddpm' is 'fixed_small', 'fixed_small_log' or 'fixed_large'; found "
            f"{kind!r}."
        )
    return given


def check_levels(scheduler: Any) -> None:
    """Refuse an invalid noise schedule, which diffusers makes of any numbers.

    Raises:
        ConfigError: says what was found.
    """
    kept, count = scheduler.alphas_cumprod, scheduler.config.num_train_timesteps
    if len(kept) != count:
        raise ConfigError(f"trained_betas has {len(kept)} values and num_train_timesteps is {count}; give as many.")
    if kept.is_meta:  # of a plan, which has shapes and no numbers
        return
    # the last is let be: diffusers puts 2^-24 in the place of no image, and levels before it may lie below
    if not (kept[-1] >= 0 and kept[0] < 1 and (kept[:-1].diff() < 0).all()):
        raise ConfigError(
            "betas of a scheduler lie between 0 and 1, so that there is more noise at every step; with these there is "
            "not. Give others for beta_start and beta_end, or trained_betas."
        )


@contextmanager
def explained(what: str) -> Iterator[None]:
    """What diffusers refuses inside is a ConfigError that begins with `what`."""
    try:
        yield
    except I2IZooError:
        raise
    except (NotImplementedError, ValueError) as error:
        if "meta tensor" in str(error):  # of a plan without numbers, at which some classes look
            raise
        raise ConfigError(f"{what}: {error}") from error


def sampler(scheduler: Any, name: str | None = None) -> Any:
    """A fresh scheduler of the same noise levels, of another class if `name` is given: `sampler(ddpm, "unipc")`.

    Raises:
        ConfigError: the other class does not know such noise levels.
    """
    kind = type(scheduler) if name is None else registry("schedulers").get(name)
    # options of the old class that the new one lacks are meant to be left out: no reason to warn
    log = logging.getLogger("diffusers.configuration_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    # without the mark of what was left at its default: other classes have other defaults (LCM other betas)
    options = {option: value for option, value in scheduler.config.items() if option != "_use_default_values"}
    try:
        with explained(f"scheduler {name!r} cannot take over the noise levels of the model"):
            return kind.from_config(options)
    finally:
        log.setLevel(level)


def plan(scheduler: Any, steps: int, device: torch.device | None = None) -> None:
    """`set_timesteps`, without the time -1 that diffusers puts behind the last of 62 numbers of steps up to 1000.

    "trailing" times are np.arange(1000, 0, -1000 / steps) - 1, of which rounding makes one too many: 61 steps end at
    0, -1. As an index, -1 is the noisiest level of all, so that the step from there would undo the sampling.

    >>> from diffusers import DDIMScheduler
    >>> scheduler = DDIMScheduler(timestep_spacing="trailing")
    >>> plan(scheduler, 61)
    >>> len(scheduler.timesteps), scheduler.timesteps[-1].item()
    (61, 15)
    """
    scheduler.set_timesteps(steps, device=device)
    count = int((scheduler.timesteps >= 0).sum())
    if count < len(scheduler.timesteps):
        scheduler.timesteps = scheduler.timesteps[:count]
        if hasattr(scheduler, "sigmas"):  # one for each time, and that of the clean image
            scheduler.sigmas = torch.cat([scheduler.sigmas[:count], scheduler.sigmas[-1:]])
    if type(scheduler).__name__ == "EulerAncestralDiscreteScheduler":
        # of a long step it takes the root of almost nothing, which float32 can round to less: then in float64
        high, low = scheduler.sigmas[:-2], scheduler.sigmas[1:-1]
        added = (low**2 * (high**2 - low**2) / high**2) ** 0.5
        if (low**2 - added**2 <= 0).any():
            scheduler.sigmas = scheduler.sigmas.double()


def training_levels(scheduler: Any, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma, each N x 1 x 1 x 1, of timesteps N of training."""
    kept = scheduler.alphas_cumprod.to(timesteps.device)[timesteps].view(-1, 1, 1, 1)
    return kept.sqrt(), (1 - kept).sqrt()


def sampling_levels(scheduler: Any) -> list[tuple[float, float]]:
    """(alpha, sigma) at each step that `set_timesteps` planned, and at last (1, 0): the clean image.

    >>> from diffusers import DDIMScheduler
    >>> scheduler = DDIMScheduler()
    >>> scheduler.set_timesteps(2)
    >>> [(round(alpha, 3), round(sigma, 3)) for alpha, sigma in sampling_levels(scheduler)]
    [(0.279, 0.96), (1.0, 0.01), (1.0, 0.0)]
    """
    count = len(scheduler.timesteps)
    ratios = getattr(scheduler, "sigmas", None)
    if ratios is not None:  # sigma / alpha, of the schedulers after Karras et al. 2022
        kept = 1 / (1 + ratios[:count].double().square())
    else:
        kept = scheduler.alphas_cumprod.double()[scheduler.timesteps.long().cpu()]
    kept = torch.cat([kept.cpu(), torch.ones(1, dtype=torch.float64)])
    return list(zip(kept.sqrt().tolist(), (1 - kept).sqrt().tolist(), strict=True))


def clip_range(scheduler: Any) -> float | None:
    """The range [-r, r] to which a scheduler's step clips the clean image; None: it does not.

    A config also holds options of the class that a scheduler was made from; they do not count.

    >>> from diffusers import DDIMScheduler, UniPCMultistepScheduler
    >>> clip_range(DDIMScheduler()), clip_range(UniPCMultistepScheduler.from_config(DDIMScheduler().config))
    (1.0, None)
    """
    config, kind = scheduler.config, cast(Any, type(scheduler))
    if "clip_sample" not in schema(kind) or not config.clip_sample or config.get("thresholding"):
        return None
    return float(config.clip_sample_range)


def sound_eta(scheduler: Any, timestep: Tensor, eta: float) -> float:
    """`eta` for a step of `DDIMScheduler`, or the next smaller one with which that has no root of a negative number.

    The step's noise s is at most what the next level has, 1 - alpha'^2, and with eta 1 as much where alpha is 0 or next
    to it. diffusers takes the root of 1 - alpha'^2 - s^2 in float32, which rounding can bring below 0.

    >>> from diffusers import DDIMScheduler
    >>> scheduler = DDIMScheduler(
    ...     prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True
    ... )
    >>> scheduler.set_timesteps(10)
    >>> first = scheduler.timesteps[0]
    >>> sound_eta(scheduler, first, 0.5), 0.9999 < sound_eta(scheduler, first, 1.0) <= 1
    (0.5, True)
    """
    before = timestep - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    kept = scheduler.alphas_cumprod[timestep]
    later = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
    variance = (1 - later) / (1 - kept) * (1 - kept / later)
    while eta > 0 and 1 - later - (eta * variance**0.5) ** 2 < 0:
        eta -= 1e-7
    return eta
