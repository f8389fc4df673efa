"""A method around another one: a task decides what a paired method sees, and what becomes of its output."""

from __future__ import annotations

from inspect import Parameter
from typing import ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.config import function_options, schema
from i2izoo.contracts.method import Method
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError

DECIDED = ("domains", "in_channels", "out_channels")
"""Options of the base method that follow from the task."""


class BaseInTask(OneWayMethod):
    """A paired method, the base, inside a task that decides what it sees; the rest is the base's own."""

    inference_parts: ClassVar[tuple[str, ...]] = ("base",)
    samples: bool  # type: ignore[misc]  # the base's

    def configure(self) -> None:  # type: ignore[override]
        """Take no label maps: the task says what the base sees."""

    def build(self, base: PartSpec, domains: list[str], in_channels: int, out_channels: int = 3) -> None:
        """Build the base, which sees `in_channels` of the source and makes `out_channels`: red, green and blue.

        Raises:
            ConfigError: it is no paired method of any channels, or the domains have one name.
        """
        self.set_domains(domains)
        base_class(base)
        self.base: Method = self.part("base", domains=domains, in_channels=in_channels, out_channels=out_channels)
        self.recipe = self.base.recipe  # type: ignore[misc]
        self.samples = self.base.samples
        if (latent := getattr(self.base, "latent_size", None)) is not None:
            self.latent_size = latent
        if (scheduler := getattr(self.base, "scheduler", None)) is not None:
            self.scheduler = scheduler  # so that it is saved beside the weights, for diffusers

    def size_multiple(self, to: str) -> int:
        return self.base.size_multiple(to)

    def min_size(self, to: str) -> int:
        return self.base.min_size(to)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return self.base.optimizers()

    def lr_scale(self, step: int) -> float:
        return self.base.lr_scale(step)

    def inference_state(self) -> dict[str, Tensor]:
        return {f"base.{name}": tensor for name, tensor in self.base.inference_state().items()}

    def translate_options(self) -> dict[str, Parameter]:
        """The options of this task's `forward` and `translate`, and those of the base's translation."""
        own = function_options(self.forward, without=("image", "to", "seeds")) | super().translate_options()
        return own | {name: option for name, option in self.base.translate_options().items() if name not in own}


def base_class(base: PartSpec) -> type[Method]:
    """The class of the base method.

    Raises:
        ConfigError: it cannot learn a task.
    """
    name, options = (base, {}) if isinstance(base, str) else (base.get("name"), base)
    kind: type[Method] = registry("methods").get(str(name))
    if kind.data_kind(options) != "paired" or not set(DECIDED) <= schema(kind).keys():
        raise ConfigError(
            f"a task wants a paired method of any channels as its base, such as pix2pix, and {name!r} is none; an "
            "unpaired method learns from two folders, without a task."
        )
    return kind
