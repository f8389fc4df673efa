"""Unconditional pipelines of diffusers: run by the loop of this package, so from an image, too (SDEdit)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.config import function_options
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Image
from i2izoo.nn.random import derive_seed, randn
from i2izoo_diffusion.guidance.sdedit import SDEdit
from i2izoo_diffusion.sampling import Sampling
from i2izoo_diffusion.schedulers import sampler


class Unconditional:
    """`DDPMPipeline` or `DDIMPipeline` as a function of size, seeds and options.

    Attributes:
        pipeline: of diffusers; its U-Net and its scheduler do the work.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.steps = function_options(type(pipeline).__call__)["num_inference_steps"].default

    def parameters(self) -> dict[str, inspect.Parameter]:
        """Name -> parameter, as of a translation."""
        options: dict[str, tuple[Any, Any]] = {
            "steps": (int, self.steps),
            "start": (Image | None, None),
            "strength": (float | None, None),
            "progress": (bool, False),
        }
        if type(self.pipeline).__name__ == "DDIMPipeline":
            options["eta"] = (float, 0.0)
        return {
            name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in options.items()
        }

    def __call__(
        self,
        size: tuple[int, int],
        seeds: Sequence[int],
        *,
        steps: int | None = None,
        start: Tensor | None = None,
        strength: float | None = None,
        eta: float = 0.0,
        progress: bool = False,
    ) -> Tensor:
        """N x C x H x W in [-1, 1], from noise, or with `strength` from the image `start`.

        Raises:
            ConfigError: only one of the two is given.
        """
        if (start is None) != (strength is None):
            raise ConfigError("start is the image that strength makes noisy; give both of them, or neither.")
        unet = self.pipeline.unet
        like = next(unet.parameters())
        shape = (unet.config.in_channels, *size)
        noise = randn(shape, [derive_seed(seed, "noise") for seed in seeds], like.device).to(like.dtype)

        def denoise(noisy: Tensor, run: Sampling) -> Tensor:
            return unet(noisy, run.timestep).sample

        run = Sampling(
            denoise, sampler(self.pipeline.scheduler, None), noise, steps=self.steps if steps is None else steps,
            seeds=seeds,
        )  # fmt: skip
        hooks = [] if start is None or strength is None else [SDEdit(start, strength)]
        with torch.no_grad():
            return run.run(eta=eta, hooks=hooks, progress=progress).clamp(-1, 1)
