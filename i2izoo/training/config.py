"""The trainer's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from i2izoo.contracts.config import Configurable, merge
from i2izoo.errors import ConfigError


@dataclass(kw_only=True, frozen=True)
class TrainingOptions(Configurable):
    """How long, how large and how often. A method's `recipe` gives its paper's values as defaults.

    Args:
        epochs: epochs at the full learning rate.
        decay_epochs: epochs over which it then falls linearly to zero.
        steps: length in optimiser steps instead of epochs, at the full learning rate.
        decay_steps: the same for the linear fall; only with `steps`.
        warmup_steps: steps over which the learning rate first rises linearly from zero; 0: none.
        batch_size: images (or pairs) for each process and micro-batch.
        gradient_accumulation: micro-batches whose gradients make one step. Every update of the method then
            steps once in so many micro-batches.
        precision: "fp32", "bf16" or "fp16" (autocast; weights and optimisers stay float32; fp16 wants a GPU).
        channels_last: memory format of networks and images; None: where it is faster, on GPUs and on CPUs with AVX-512.
        compile: `torch.compile` the networks; the first steps take long.
        ema: decay of the exponential moving average of the weights that are saved, for each step; 0 switches it off.
        max_grad_norm: largest gradient norm of each update; None does not clip.
        seed: all randomness is a function of it, the step and the process.
        load_size: side that images are resized to before the crop, in pixels; None keeps their size.
        crop_size: side of the random crop, in pixels; None takes the whole image.
        flip: random horizontal flip.
        split: "train", "val", ...: the part of the data; None: "train".
        sides: for side-by-side images, the domains of the left and the right half.
        log_every: steps between lines of log.csv.
        sample_every: steps between grids of samples; 0: none.
        samples: rows of such a grid.
        metrics: what held-out images are evaluated with: `psnr`, or `fid[resnet18]` for a variant.
        evaluate_every: steps between evaluations; 0: only after the last step.
        val_limit: only the first so many held-out images; None: all.
        checkpoint_every: steps between checkpoints; the last step always has one.
        keep_last: checkpoints that are kept.
        tensorboard: write TensorBoard events too.
        device: "cpu", "cuda", "mps" or None for the best there is.
    """

    epochs: int = 100
    decay_epochs: int = 0
    steps: int | None = None
    decay_steps: int = 0
    warmup_steps: int = 0
    batch_size: int = 1
    gradient_accumulation: int = 1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool | None = None
    compile: bool = False
    ema: float = 0.0
    max_grad_norm: float | None = None
    seed: int = 0
    load_size: int | None = None
    crop_size: int | None = None
    flip: bool = True
    split: str | None = None
    sides: list[str] | None = None
    log_every: int = 100
    sample_every: int = 1000
    samples: int = 4
    metrics: Sequence[str] = ()
    evaluate_every: int = 1000
    val_limit: int | None = None
    checkpoint_every: int = 1000
    keep_last: int = 2
    tensorboard: bool = True
    device: str | None = None

    def __post_init__(self) -> None:
        at_least = {
            "epochs": 0, "decay_epochs": 0, "decay_steps": 0, "warmup_steps": 0, "batch_size": 1,
            "gradient_accumulation": 1,
            "log_every": 1, "sample_every": 0, "samples": 1, "evaluate_every": 0, "checkpoint_every": 1,
            "keep_last": 1,
        }  # fmt: skip
        for name, least in at_least.items():
            if self.config[name] < least:
                raise ConfigError(f"training option {name!r} is at least {least}; found {self.config[name]}.")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"training option 'ema' is a decay in [0, 1); found {self.ema}.")
        if self.val_limit is not None and self.val_limit < 1:
            raise ConfigError(f"training option 'val_limit' is at least 1, or None for all; found {self.val_limit}.")
        if self.max_grad_norm is not None and self.max_grad_norm <= 0:
            raise ConfigError(
                f"training option 'max_grad_norm' is above 0, or None for none; found {self.max_grad_norm}."
            )
        if self.decay_steps and self.steps is None:
            raise ConfigError("training option 'decay_steps' goes with 'steps'; with epochs it is 'decay_epochs'.")
        if (self.epochs + self.decay_epochs if self.steps is None else self.steps + self.decay_steps) < 1:
            raise ConfigError("there is nothing to train: give 'epochs' or 'steps' above 0.")
        if self.load_size and self.crop_size and self.load_size < self.crop_size:
            raise ConfigError(f"load_size ({self.load_size}) must not be smaller than crop_size ({self.crop_size}).")

    @classmethod
    def of(cls, recipe: Mapping[str, Any], given: Mapping[str, Any]) -> TrainingOptions:
        """What is given, and a method's recipe for the rest, less what the given options make meaningless.

        >>> TrainingOptions.of({"epochs": 100, "load_size": 286, "crop_size": 256}, {"crop_size": 128}).load_size
        143
        """
        recipe = dict(recipe)
        if given.get("steps") is not None:
            if both := [name for name in ("epochs", "decay_epochs") if name in given]:
                raise ConfigError(f"'steps' and {both[0]!r} both say how long to train; give one of them.")
            recipe = {k: v for k, v in recipe.items() if k not in ("epochs", "decay_epochs")}
        elif "epochs" in given or "decay_epochs" in given:
            recipe = {k: v for k, v in recipe.items() if k not in ("steps", "decay_steps")}
        crop = given.get("crop_size", recipe.get("crop_size"))
        if "load_size" not in given and "crop_size" in given and recipe.get("load_size"):
            # 286 to 256, as they are; the whole image at its own size where nothing is cropped
            recipe["load_size"] = round(crop * recipe["load_size"] / recipe["crop_size"]) if crop else None
        return cls(**merge(recipe, dict(given)))
