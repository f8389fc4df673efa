"""Pipelines of diffusers without a source (unconditional): run by the loop of this package, so from an image, too."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.config import function_options
from i2izoo.nn.random import derive_seed, randn
from i2izoo_diffusion.guidance.sdedit import SDEdit
from i2izoo_diffusion.sampling import Sampling
from i2izoo_diffusion.schedulers import sampler


class Unconditional:
    """`DDPMPipeline` or `DDIMPipeline` as a function of images, seeds and options, at any size.

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
        image: Tensor,
        seeds: Sequence[int],
        *,
        steps: int | None = None,
        strength: float | None = None,
        eta: float = 0.0,
        progress: bool = False,
    ) -> Tensor:
        """N x C x H x W in [-1, 1] to the same; of `image` only the size counts, unless `strength` is given."""
        unet = self.pipeline.unet
        noise = randn(image.shape[1:], [derive_seed(seed, "noise") for seed in seeds], image.device).to(image.dtype)

        def denoise(noisy: Tensor, run: Sampling) -> Tensor:
            return unet(noisy, run.timestep).sample

        run = Sampling(
            denoise, sampler(self.pipeline.scheduler, None), noise, steps=self.steps if steps is None else steps,
            seeds=seeds,
        )  # fmt: skip
        hooks = [] if strength is None else [SDEdit(image, strength)]
        with torch.no_grad():
            return run.run(eta=eta, hooks=hooks, progress=progress).clamp(-1, 1)
