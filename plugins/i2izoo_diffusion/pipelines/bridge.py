"""Every image-to-image pipeline of diffusers as a method: a folder or Hub repository with a model_index.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import Parameter
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

import torch
from torch import Tensor, nn

from i2izoo.errors import ConfigError, TrainingError
from i2izoo.interfaces import Batch, Method, Update
from i2izoo.nn.padding import pad_to_valid
from i2izoo_diffusion.pipelines.call import Call
from i2izoo_diffusion.pipelines.folder import UNCONDITIONAL, inpainting_of, load_pipeline, quiet
from i2izoo_diffusion.pipelines.unconditional import Unconditional

ENLARGING = ("Upscale", "SuperResolution")
"""In the names of pipelines whose result is a whole number of times larger than the image."""

MULTIPLES = {"LDMSuperResolutionPipeline": 32, "RePaintPipeline": 32, "GlmImagePipeline": 32}
"""What both sides must be a multiple of, where a pipeline has it in its code alone."""


class Diffusers(Method):
    """A pipeline of diffusers that takes an image: img2img, inpainting, InstructPix2Pix, ControlNet, upscaling, ...

    `i2izoo.load` makes it of a folder or Hub repository that has a `model_index.json`. A text-to-image pipeline is
    loaded as the image-to-image pipeline that diffusers has for its components, and fills masks where there is one for
    that. It only translates: diffusers has scripts that train these models.

    Args:
        folder: what `DiffusionPipeline.save_pretrained` wrote; weights in safetensors.
        dtype: of the weights and of computation.
    """

    samples = True
    data = "single"
    inference_parts = ("components",)
    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(self, *, folder: str, dtype: Literal["float32", "float16", "bfloat16"] = "float32") -> None:
        super().__init__()
        # not sub-modules: a pipeline is none, and its parts are registered below
        self.pipeline: Any = load_pipeline(Path(folder).expanduser(), dtype)
        parts = {name: part for name, part in self.pipeline.components.items() if isinstance(part, nn.Module)}
        self.components = nn.ModuleDict(parts)
        self.name = type(self.pipeline).__name__
        self.call: Call | Unconditional
        self.filling: Call | None = None
        if self.name in UNCONDITIONAL:
            self.call = Unconditional(self.pipeline)
        else:
            self.call = Call(self.pipeline)
            inpainting = inpainting_of(self.pipeline)
            self.filling = None if inpainting is None else Call(inpainting)

    def networks(self) -> list[nn.Module]:
        return []  # a pipeline calls them in ways of its own

    @property
    def directions(self) -> Mapping[str, str | None]:
        """A ControlNet's input is a drawing of what is to be seen; else an image becomes an image, or is the first."""
        if isinstance(self.call, Unconditional):
            return {"image": None}
        options = self.call.options
        control = "Control" in self.name and not options.mask and "control_image" not in options.images
        return {"image": "control" if control else "image"}

    @property
    def native_size(self) -> tuple[int, int] | None:
        """That of the network, where it has one."""
        size = self.pipeline.unet.config.sample_size if isinstance(self.call, Unconditional) else None
        return (size, size) if isinstance(size, int) else tuple(size) if size else None

    @property
    def channels(self) -> dict[str, int]:
        count = self.pipeline.unet.config.in_channels if self.name in UNCONDITIONAL else 3
        return dict.fromkeys(self.domains, count)

    def size_multiple(self, to: str) -> int:
        """What the pipeline would otherwise shrink an image to a multiple of."""
        if self.name in MULTIPLES:
            return MULTIPLES[self.name]
        processors = (getattr(self.pipeline, name, None) for name in ("image_processor", "control_image_processor"))
        multiple = next((p.config.vae_scale_factor for p in processors if p is not None), 1)
        # a transformer takes what the autoencoder leaves in patches, which not every image processor knows
        transformer = getattr(self.pipeline, "transformer", None)
        patch = getattr(transformer, "config", {}).get("patch_size") or 1
        patch = patch if isinstance(patch, int) else max(patch)
        multiple = max(multiple, patch * int(getattr(self.pipeline, "vae_scale_factor", 1)))
        unet = getattr(self.pipeline, "unet", None)
        if (
            unet is not None and type(unet).__name__ == "UNet2DModel"
        ):  # which, unlike others, cannot do with a size that halving rounds
            multiple *= 2 ** (len(unet.config.block_out_channels) - 1)
        return multiple

    def min_size(self, to: str) -> int:
        return self.size_multiple(to)

    def translate_options(self) -> dict[str, Parameter]:
        """The options of this pipeline; with a mask, it is the one for inpainting that takes them."""
        options = self.call.options.parameters() if isinstance(self.call, Call) else {}
        return options if self.filling is None else self.filling.options.parameters() | options

    def generate_options(self) -> dict[str, Parameter]:
        return self.call.parameters() if isinstance(self.call, Unconditional) else {}

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int], **options: Any) -> Tensor:
        """What an unconditional pipeline makes; see `generate_options` and docs/methods/diffusers.md."""
        if not isinstance(self.call, Unconditional):
            return super().generate(to=to, seeds=seeds, size=size)
        return self.call(size, seeds, **options)

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        """As `translate`, at any size. A pipeline that chooses its own size has its result scaled to the input's."""
        height, width = image.shape[-2:]
        fit = (self.size_multiple(to), self.min_size(to))
        for name, value in options.items():
            if isinstance(value, Tensor) and name != "example_image":
                if value.shape[-2:] != image.shape[-2:]:
                    found = " x ".join(map(str, value.shape[-2:]))
                    raise ConfigError(f"{name} is {found} pixels and the image {height} x {width}; give one size.")
                options[name] = pad_to_valid(value, *fit)
        image = pad_to_valid(image, *fit)
        seeds = [0] * len(image) if seeds is None else seeds
        output = self.translate(image, to=to, seeds=seeds, **options)
        enlarges = any(word in self.name for word in ENLARGING)
        factor = max(1, round(output.shape[-2] / image.shape[-2])) if enlarges else 1
        wanted = (factor * image.shape[-2], factor * image.shape[-1])
        if output.shape[-2:] != wanted:
            output = nn.functional.interpolate(output, wanted, mode="bicubic", antialias=True).clamp(-1, 1)
        return output[..., : factor * height, : factor * width]

    def translate(self, image: Tensor, *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """N x 3 x H x W to what the pipeline makes of it; see `translate_options` and docs/methods/diffusers.md.

        Args:
            image: the batch.
            to: "image".
            seeds: one for each row, of its torch.Generator.
            options: `prompt`, `mask`, `steps`, `guidance`, and others that the pipeline has, by its own names.

        Raises:
            ConfigError: prompt or mask is missing, or a value is out of range.
        """
        if isinstance(self.call, Unconditional):
            return super().translate(image, to=to, seeds=seeds)
        progress = bool(options.pop("progress", False))
        call = self.call if self.filling is None or options.get("mask") is None else self.filling
        return call(image, seeds, options, progress=progress)

    @property
    def facts(self) -> dict[str, Any]:
        """What the card of a copy says."""
        options = self.call.options if isinstance(self.call, Call) else None
        words = ['prompt="a watercolour"'] if options and options.wants_prompt else []
        words += ['mask="mask.png"'] if options and options.mask else []
        notes = f"It is a `{self.name}` of diffusers, whose `DiffusionPipeline.from_pretrained` opens it, too."
        return {"call": ", ".join(words), "notes": notes}

    def write(self, folder: Path) -> None:
        """Write the pipeline as diffusers does."""
        with quiet():
            self.pipeline.save_pretrained(folder, safe_serialization=True)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        self._refuse()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TrainingError(
            f"method 'diffusers' only translates: fine-tune {self.name} with the training scripts of diffusers and "
            "load the result, or train a method of i2izoo, such as 'ddim'."
        )
