"""What a rule of the conformance kit is given: one claim of a plugin, loaded, and ways to build it small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from i2izoo.contracts.config import missing_options
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import registry, singular
from i2izoo.nn.random import seeded

CONTEXT = {"in_channels": 3, "out_channels": 3, "latent": 4}
"""What a method would decide for its parts; given to those that require it."""


class NotApplicable(Exception):
    """The rule has nothing to say about this part; the suite reports it as skipped."""


def require(condition: object, found: str) -> None:
    """Raise AssertionError with what was found unless `condition` holds (`assert` would vanish under `python -O`)."""
    if not condition:
        raise AssertionError(found)


@dataclass(frozen=True)
class Subject:
    """One entry of a registry.

    Attributes:
        kind: kind of part, a key of `i2izoo.contracts.registry.KINDS`.
        entry: name, place and distribution.
        variant: a name in the part's `tiny_variants`; None: its `tiny_options` alone.
    """

    kind: str
    entry: Entry
    variant: str | None = None

    def __str__(self) -> str:
        variant = f" ({self.variant})" if self.variant else ""
        return f"{singular(self.kind)} {self.entry.name!r}{variant} of plugin {self.entry.plugin}"

    @property
    def variants(self) -> list[Subject]:
        """Itself, and one for each entry of the part's `tiny_variants`: name -> options beside the `tiny_options`."""
        return [self, *(replace(self, variant=name) for name in getattr(self.part, "tiny_variants", {}))]

    @property
    def part(self) -> Any:
        """The class (or pretrained entry) itself."""
        return registry(self.kind).get(f"{self.entry.distribution}:{self.entry.name}")

    def build(self, *, seed: int = 0, **options: Any) -> Any:
        """The part at its `tiny_options`, with weights that are a function of `seed`."""
        tiny = getattr(self.part, "tiny_options", {})
        if tiny is None:
            raise NotApplicable("it is built of files, which the kit does not have")
        varied = self.part.tiny_variants[self.variant] if self.variant else {}
        given = {**tiny, **varied, **options}
        context = {n: v for n, v in CONTEXT.items() if n in missing_options(self.part, given)}
        with seeded(seed):
            return self.part(**context, **given)

    def network(self) -> Any:
        """The part in eval mode, as after some training: no weight is still zero, no statistic at its default."""
        network: nn.Module = self.build()
        with seeded(1), torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
            network.train()(*inputs(network))
        return network.eval()


def inputs(network: Any, batch: int = 2, seed: int = 2) -> tuple[torch.Tensor, ...]:
    """Random arguments of `forward`, a function of `seed`."""
    with seeded(seed):
        if hasattr(network, "example_inputs"):
            return tuple(network.example_inputs(batch))
        side = max(32, getattr(network, "min_size", 1))
        return (torch.rand(batch, network.config["in_channels"], side, side) * 2 - 1,)
