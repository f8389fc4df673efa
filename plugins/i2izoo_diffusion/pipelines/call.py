"""One call of a pipeline of diffusers: tensors and words of i2izoo in, a tensor out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from i2izoo.errors import ConfigError, I2IZooWarning
from i2izoo.nn.random import seeded
from i2izoo_diffusion.pipelines.options import RESULTS, Options

BATCHED = ("StableDiffusion", "LatentConsistencyModel")
"""Beginnings of the names of pipelines that take several images as a batch; to others a list is several references
for one result, or nothing, so they get one image at a time."""

OWN_SIZE = ("QwenImageEdit", "QwenImage21")
"""Beginnings of the names of pipelines that scale the image to about a megapixel and make a result of that size; one
of another size would not lie over the image."""

WHITE_STAYS = ("RePaintPipeline",)
"""Pipelines that fill where a mask is black."""


class Call:
    """A pipeline as a function of images, seeds and options.

    Attributes:
        pipeline: of diffusers.
        options: what it can be asked for.
        several: has it a list of ControlNets? Then it takes a list of control images, one for each of them.
        more_controls: the options that are the control images of all of them but the first.
    """

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        networks = getattr(getattr(pipeline, "controlnet", None), "nets", ())
        self.several = len(networks) > 0
        self.more_controls = tuple(f"control_image_{i}" for i in range(2, len(networks) + 1))
        options = Options.of(type(pipeline))
        self.options = replace(options, images=(*options.images, *self.more_controls))

    def __call__(self, image: Tensor, seeds: Sequence[int], words: dict[str, Any], *, progress: bool = False) -> Tensor:
        """Translate N x 3 x H x W in [-1, 1] to N x 3 x H' x W', as the pipeline gives it.

        Args:
            image: becomes 8-bit PIL images, which every pipeline takes.
            seeds: one for each row; a row has its own torch.Generator, on the CPU as with all methods.
            words: options by the words of i2izoo; images N x C x H x W, texts lists of N.
            progress: show diffusers' bar of the steps.

        Raises:
            ConfigError: prompt or mask is missing, or the pipeline refuses a value.
        """
        arguments = self._arguments(image, dict(words))
        self.pipeline.set_progress_bar_config(disable=not progress)
        name = self.options.pipeline
        # to several ControlNets, and to one for several kinds of drawings, a list is an image for each
        batched = name.startswith(BATCHED) and not self.several and "Union" not in name
        groups = [range(len(seeds))] if batched else [range(i, i + 1) for i in range(len(seeds))]
        return torch.cat([self._run(rows, arguments, seeds) for rows in groups])

    def _arguments(self, image: Tensor, words: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments of the pipeline; what differs from row to row is a list."""
        from diffusers.utils import pt_to_pil

        o = self.options
        assert o.source is not None  # for the type checker
        if o.wants_prompt and words.get("prompt") is None:
            raise ConfigError(f'{o.pipeline} wants a prompt: give prompt="...", or prompt="" for none.')
        rows: dict[str, Any] = {o.source: pt_to_pil(image.float())}
        mask = words.pop("mask", None)
        if o.mask is not None:
            if mask is None:
                raise ConfigError(f"{o.pipeline} wants a mask: give mask=, an image that is white where to fill.")
            mask = mask.float().mean(dim=1, keepdim=True)
            rows[o.mask] = pt_to_pil(-mask if o.pipeline in WHITE_STAYS else mask)
        for name in o.images:
            if (further := words.pop(name, None)) is not None:
                rows[name] = pt_to_pil(further.float())
            elif name not in ("original_image", *self.more_controls):
                raise ConfigError(f"{o.pipeline} wants a further image: give {name}=.")
        if self.several:
            first = "control_image" if "control_image" in rows else o.source
            controls = [rows[first], *(rows.pop(name, rows[first]) for name in self.more_controls)]
            rows[first] = [list(row) for row in zip(*controls, strict=True)]
        rows |= {name: text for name in o.texts if (text := words.pop(name, None)) is not None}
        arguments = o.check(words) | rows
        if "height" in o.arguments and "Upscale" not in o.pipeline and not o.pipeline.startswith(OWN_SIZE):
            factor = 4 if "SuperResolution" in o.pipeline else 1  # DeepFloyd's stages ask for the size of the result
            arguments |= {"height": factor * image.shape[-2], "width": factor * image.shape[-1]}
        return arguments

    def _run(self, rows: range, arguments: dict[str, Any], seeds: Sequence[int]) -> Tensor:
        given = {name: [value[row] for row in rows] if _per_row(value) else value for name, value in arguments.items()}
        if len(rows) == 1:  # some take one image, but no list with one
            given = {name: value[0] if _per_row(value) else value for name, value in given.items()}
        generators = [torch.Generator().manual_seed(seeds[row]) for row in rows]
        if "generator" in self.options.arguments:
            given["generator"] = generators[0] if len(rows) == 1 else generators
        if "output_type" in self.options.arguments:
            given["output_type"] = "np"
        try:
            with seeded(seeds[rows[0]]):  # a few draw past their generator
                result = self.pipeline(**given)
        except ValueError as error:  # of the pipeline's check_inputs
            first = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
            raise ConfigError(f"{self.options.pipeline} refuses: {first}.") from error
        results = next((result[name] for name in RESULTS if name in result), None)
        if results is None:
            raise ConfigError(f"{self.options.pipeline} gives no images, but {', '.join(result)}.")
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            warnings.warn(
                "the safety checker that this pipeline comes with has blackened an image; another seed may help",
                I2IZooWarning,
                stacklevel=2,
            )
        images = torch.stack([torch.as_tensor(one).float() for one in results])
        if images.ndim == 4 and images.shape[-1] == 4:  # over white, as diffusers itself does with alpha
            images = images[..., :3] * images[..., 3:] + 1 - images[..., 3:]
        if images.ndim != 4 or images.shape[-1] != 3:
            found = " x ".join(map(str, images.shape[1:]))
            raise ConfigError(f"{self.options.pipeline} gives {found} numbers where an image of 3 channels is wanted.")
        return rearrange(images, "n h w c -> n c h w") * 2 - 1


def _per_row(value: Any) -> bool:
    """Is it a list of images or texts? JSON lists hold numbers."""
    return isinstance(value, list) and len(value) > 0 and not isinstance(value[0], (int, float))
