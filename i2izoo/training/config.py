"""The trainer's options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from i2izoo.contracts.config import Configurable, check_options, merge
from i2izoo.contracts.ranges import Count, Number, Range, Seed, Share, Side
from i2izoo.errors import ConfigError
from i2izoo.training.ema import by_half_life


@dataclass(kw_only=True, frozen=True)
class TrainingOptions(Configurable):
    """How long, how large and how often. A method's `recipe` gives its paper's values as defaults; over a recipe,
    `epochs` or `steps` alone is the length of the whole, of which the fall keeps its share.

    Args:
        epochs: epochs at the full learning rate.
        decay_epochs: epochs over which it then falls linearly to zero.
        decay_ahead: each epoch has the rate of the one after it, so that the last epoch of a fall has rate 0, as where
            a scheduler steps at the beginning of an epoch. It means nothing in steps and minutes.
        steps: length in optimiser steps instead of epochs, at the full learning rate.
        decay_steps: the same for the linear fall; only with `steps`.
        minutes: length as a budget of wall time, in place of epochs or steps.
        decay_share: share of `minutes`, at their end, over which the learning rate falls linearly to zero; None: the
            share that the fall has in the recipe's epochs or steps.
        warmup_steps: steps over which the learning rate first rises linearly from zero; 0: none.
        batch_size: images (or pairs) for each process and micro-batch.
        gradient_accumulation: micro-batches whose gradients make one step. Every update of the method then
            steps once in so many micro-batches.
        precision: "fp32", "bf16" or "fp16" (autocast; weights and optimisers stay float32; fp16 wants a GPU).
        channels_last: memory format of networks and images; None: where it is faster, on GPUs and on CPUs with AVX-512.
        compile: `torch.compile` the networks; the first steps take long.
        ema: decay of the exponential moving average of the weights that are saved, for each step; 0 switches it off.
        ema_half_life: the same average by its half-life in thousands of images, in place of `ema`: it then does not
            depend on the size of the batch. None: none.
        ema_ramp_up: largest half-life as a share of the images seen so far, so that the random start is forgotten;
            None: no limit. It means nothing without `ema_half_life`.
        max_grad_norm: largest gradient norm of each update; None does not clip.
        seed: all randomness is a function of it, the step and the process.
        screen_seeds: begin from so many seeds, `seed` and those after it, and go on with the best; 0 or 1: from
            `seed` alone. See `i2izoo.training.screening`.
        screen_steps: steps of each before it is judged; they are the first steps of the run that goes on.
        screen_metric: what they are judged by, `fid[polarity]` or any metric of `metrics`: its mean over the
            directions.
        screen_to: the target domain that is judged; None: all that the method translates to.
        load_size: side that images are resized to before the crop, in pixels; None keeps their size.
        crop_size: side of the random crop, in pixels; None takes the whole image.
        flip: random horizontal flip.
        jitter_until: share of the training after which images are resized to crop_size and no longer cropped at random;
            "decay": until the learning rate falls; None: they always are.
        split: "train", "val", ...: the part of the data; None: "train".
        sides: for side-by-side images, the domains of the left and the right half.
        rename: the data's names of domains -> those of the method, such as edges -> label.
        log_every: steps between lines of log.csv.
        sample_every: steps between grids of samples; 0: none.
        samples: rows of such a grid.
        metrics: what held-out images are evaluated with: `psnr`, or `fid[resnet18]` for a variant.
        evaluate_every: steps between evaluations; 0: only after the last step.
        val_limit: only the first so many held-out images; None: all.
        checkpoint_every: steps between checkpoints; the last step always has one.
        keep_last: checkpoints that are kept.
        tensorboard: write TensorBoard events into the folder of the run; `log_with=["tensorboard"]` does, too.
        log_with: further trackers, by names of accelerate (`"wandb"`, `"mlflow"`, `"trackio"`), or with options of what
            they start with, `{"name": "wandb", "project": "mine"}`.
        device: "cpu", "cuda", "mps" or None for the best there is.
    """

    epochs: Count = 100
    decay_epochs: Count = 0
    decay_ahead: bool = False
    steps: Count | None = None
    decay_steps: Count = 0
    minutes: Annotated[float, Range(0, 1e7, without="low")] | None = None
    decay_share: Share | None = None
    warmup_steps: Count = 0
    batch_size: Number = 1
    gradient_accumulation: Number = 1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool | None = None
    compile: bool = False
    ema: Annotated[float, Range(0, 1, without="high")] = 0.0
    ema_half_life: Annotated[float, Range(0, 1e9, without="low")] | None = None
    ema_ramp_up: Annotated[float, Range(0, 1, without="low")] | None = 0.05
    max_grad_norm: Annotated[float, Range(0, 1e12, without="low")] | None = None
    seed: Seed = 0
    screen_seeds: Annotated[int, Range(0, 1000)] = 0
    screen_steps: Number = 80
    screen_metric: str = "fid[polarity]"
    screen_to: str | None = None
    load_size: Side | None = None
    crop_size: Side | None = None
    flip: bool = True
    jitter_until: Share | Literal["decay"] | None = None
    split: str | None = None
    sides: list[str] | None = None
    rename: dict[str, str] | None = None
    log_every: Number = 100
    sample_every: Count = 1000
    samples: Number = 4
    metrics: Sequence[str] = ()
    evaluate_every: Count = 1000
    val_limit: Number | None = None
    checkpoint_every: Number = 1000
    keep_last: Number = 2
    tensorboard: bool = True
    log_with: Sequence[str | dict[str, Any]] = ()
    device: str | None = None

    def __post_init__(self) -> None:
        if self.decay_steps and self.steps is None:
            raise ConfigError("training option 'decay_steps' goes with 'steps'; with epochs it is 'decay_epochs'.")
        if self.decay_share is not None and self.minutes is None:
            raise ConfigError("training option 'decay_share' goes with 'minutes'; with steps it is 'decay_steps'.")
        if self.minutes is not None and self.steps is not None:
            raise ConfigError("'minutes' and 'steps' both say how long to train; give one of them.")
        if self.ema and self.ema_half_life is not None:
            raise ConfigError("'ema' and 'ema_half_life' both say how weights are averaged; give one of them.")
        if (self.epochs + self.decay_epochs if self.steps is None else self.steps + self.decay_steps) < 1:
            raise ConfigError("there is nothing to train: give 'epochs', 'steps' or 'minutes' above 0.")
        if self.load_size and self.crop_size and self.load_size < self.crop_size:
            raise ConfigError(f"load_size ({self.load_size}) must not be smaller than crop_size ({self.crop_size}).")
        if self.seed + self.screen_seeds > 2**63:
            raise ConfigError(f"there are no {self.screen_seeds} seeds from {self.seed} on; give a smaller seed.")

    @property
    def jitter_share(self) -> float | None:
        """`jitter_until` as a share of the training; None where images are cropped to its end."""
        if self.jitter_until != "decay":
            return self.jitter_until
        if self.minutes is not None:
            return 1 - self.decay_share if self.decay_share else None
        constant, decay = (self.epochs, self.decay_epochs) if self.steps is None else (self.steps, self.decay_steps)
        return constant / (constant + decay) if decay else None

    def ema_decay(self, batch: int) -> float | Callable[[int], float] | None:
        """What `EMA` takes, with so many images in each step; None: nothing is averaged."""
        if self.ema_half_life is not None:
            return by_half_life(1000 * self.ema_half_life, batch, self.ema_ramp_up)
        return self.ema or None

    @property
    def average(self) -> str:
        """How the weights are averaged, in words."""
        half_life = self.ema_half_life
        return f"{self.ema or 'none'}" if half_life is None else f"of half-life {half_life:g} thousand images"

    @classmethod
    def of(cls, recipe: Mapping[str, Any], given: Mapping[str, Any]) -> TrainingOptions:
        """What is given, and a method's recipe for the rest; see `lay_over`."""
        return cls(**lay_over(recipe, given))


LENGTHS = {
    "epochs": ("epochs", "decay_epochs"),
    "steps": ("steps", "decay_steps"),
    "minutes": ("minutes", "decay_share"),
}
"""Unit of the length of a training -> its options: the length, or what of it has the full learning rate; the fall."""


def lay_over(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Training options of a recipe with others laid over them, less what those make meaningless.

    `epochs`, `steps` or `minutes` without its fall is the length of the whole. In a recipe's own unit, and in minutes,
    the fall keeps its share of it; steps for a recipe in epochs, or the other way round, have none. Of `ema` and
    `ema_half_life` the one that is given stands for a recipe's other one, too.

    Raises:
        ConfigError: a given one is not allowed, or they say in two units how long to train.

    >>> lay_over({"epochs": 100, "load_size": 286, "crop_size": 256}, {"crop_size": 128})
    {'epochs': 100, 'load_size': 143, 'crop_size': 128}
    >>> lay_over({"steps": 3000, "decay_steps": 1000}, {"minutes": 12})
    {'minutes': 12, 'decay_share': 0.25}
    >>> lay_over({"steps": 3000, "decay_steps": 1000}, {"steps": 10})
    {'steps': 8, 'decay_steps': 2}
    """
    recipe, given = dict(recipe), dict(given)
    check_options(TrainingOptions, given)
    asked = {
        unit: found for unit, names in LENGTHS.items() if (found := [n for n in names if given.get(n) is not None])
    }
    if len(asked) > 1:
        one, other = (found[0] for found in list(asked.values())[-2:])
        raise ConfigError(f"{other!r} and {one!r} both say how long to train; give one of them.")
    if "minutes" in asked and (share := _share_of_fall(recipe)) is not None:
        given.setdefault("decay_share", share)
    for unit in ("epochs", "steps"):
        length, fall = LENGTHS[unit]
        total, falling = given.get(length), recipe.get(fall) or 0
        if asked.get(unit) == [length] and isinstance(total, int) and falling:
            given[fall] = total * falling // ((recipe.get(length) or 0) + falling)
            given[length] = total - given[fall]
    for unit, names in LENGTHS.items():
        if asked and unit not in asked:
            recipe = {name: value for name, value in recipe.items() if name not in names}
    for one, other in (("ema", "ema_half_life"), ("ema_half_life", "ema")):
        if given.get(one) is not None:
            recipe.pop(other, None)
    crop = given.get("crop_size", recipe.get("crop_size"))
    if "load_size" not in given and "crop_size" in given and recipe.get("load_size") and recipe.get("crop_size"):
        # 286 to 256, as they are; the whole image at its own size where nothing is cropped
        recipe["load_size"] = round(crop * recipe["load_size"] / recipe["crop_size"]) if crop else None
    return merge(recipe, given)


def _share_of_fall(recipe: Mapping[str, Any]) -> float | None:
    """What part of a length in steps or epochs its fall is; None where it has no such length."""
    length, fall = LENGTHS["steps" if recipe.get("steps") is not None else "epochs"]
    total = (recipe.get(length) or 0) + (recipe.get(fall) or 0)
    return (recipe.get(fall) or 0) / total if total else None
