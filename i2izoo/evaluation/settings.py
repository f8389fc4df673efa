"""What an evaluation is asked for: the options that `evaluate`, `compare` and `sweep` share, stated once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from i2izoo.contracts.annotations import PartSpec, shown
from i2izoo.errors import EvaluationError, OptionTypeError
from i2izoo.evaluation.protocol import Protocol
from i2izoo.images.types import sides


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The options of an evaluation; `i2izoo.evaluate` and `i2izoo.compare` take each as a keyword argument.

    Attributes:
        metrics: names (`"psnr"`, `"fid[resnet18]"`) or `{"name": ..., option: value}`; None: psnr, ssim, lpips, fid
            and kid.
        to: target domain; None: the model's first.
        split: None: "val" if the data has it, otherwise "test", otherwise the data is not divided.
        sides: domains of the left and the right half of side-by-side images.
        rename: the data's names of domains -> the model's, `{"edges": "label"}`.
        size: side, or height and width, in pixels that inputs and truths are resized to; None keeps them as they are.
        filter: of that resizing: nearest, box, bilinear, bicubic or lanczos, antialiased.
        samples: translations of each image, for metrics of diversity; the others look at the first.
        seed: of the translations, of what metrics draw and of the intervals.
        limit: only the first so many images.
        protocol: a protocol, or the file or folder of one: all settings come from it. An option (other than at its
            default) that contradicts it is an error, and so is data of another hash.
        costs: measure time and memory of a translation, too.
        weights: folder to look for the metrics' weights in first.
        batch_size: images that run together; None: about a megapixel.
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest there is; None: where the model is.
        progress: show a progress bar on stderr.
        options: the method's own options of translation.

    Raises:
        OptionTypeError: a size, a count or the seed is no such number.

    >>> EvaluationSettings(size=64, seed=3).size
    [64, 64]
    """

    metrics: Iterable[PartSpec] | None = None
    to: str | None = None
    split: str | None = None
    sides: Sequence[str] | None = None
    rename: Mapping[str, str] | None = None
    size: int | Sequence[int] | None = None
    filter: str = "bicubic"
    samples: int = 1
    seed: int = 0
    limit: int | None = None
    protocol: Protocol | str | os.PathLike[str] | None = None
    costs: bool = False
    weights: str | os.PathLike[str] | None = None
    batch_size: int | None = None
    device: str | torch.device | None = None
    progress: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size: Any = self.size
        if size is not None:
            size = list(sides(size))
        for name, least in (("samples", 1), ("limit", 1), ("seed", 0)):
            value = getattr(self, name)
            if not (value is None and name == "limit") and (type(value) is not int or value < least):
                raise OptionTypeError(f"{name} is a whole number from {least}; found {shown(value)}.")
        if self.metrics is not None and not isinstance(self.metrics, Iterable):
            raise OptionTypeError(f"metrics is a list of names, or of names with options; found {shown(self.metrics)}.")
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "options", dict(self.options))
        for name in ("sides", "metrics"):  # an iterator would be used up by the first model of a comparison
            value = getattr(self, name)
            if value is not None and not isinstance(value, (str, Mapping)):
                object.__setattr__(self, name, list(value))

    @classmethod
    def of(cls, settings: EvaluationSettings | None, options: Mapping[str, Any]) -> EvaluationSettings:
        """Settings with further ones by name; what is no setting is an option of the translation.

        >>> found = EvaluationSettings.of(EvaluationSettings(seed=1), {"limit": 5, "steps": 10})
        >>> found.seed, found.limit, found.options
        (1, 5, {'steps': 10})
        """
        settings = settings or cls()
        names = {one.name for one in fields(cls)}
        own = {name: value for name, value in options.items() if name in names}
        rest = {name: value for name, value in options.items() if name not in names}
        return replace(settings, **{**own, "options": {**settings.options, **own.get("options", {}), **rest}})

    @property
    def decisive(self) -> dict[str, Any]:
        """Those that decide the numbers and that a protocol has, too, but the metrics."""
        return {name: getattr(self, name) for name in DECISIVE}

    def under(self, protocol: Protocol) -> EvaluationSettings:
        """The settings that a protocol says.

        Raises:
            EvaluationError: one that is not at its default contradicts it.
        """
        default, fixed = EvaluationSettings().decisive, {name: getattr(protocol, name) for name in DECISIVE}
        for name, asked in self.decisive.items():
            if asked != default[name] and asked != (value := fixed[name]):
                raise EvaluationError(
                    f"{name}={asked!r} contradicts the protocol, which has {value!r}; leave one of them out."
                )
        return replace(self, **fixed)

    def repeating(self, protocol: Protocol) -> EvaluationSettings:
        """Run in the same way, with all that decides the numbers from a protocol."""
        return replace(EvaluationSettings(protocol=protocol), **{name: getattr(self, name) for name in RUNNING})


DECISIVE = ("to", "split", "sides", "rename", "size", "filter", "samples", "seed", "limit", "options")
RUNNING = ("costs", "weights", "batch_size", "device", "progress")
