"""The conformance kit on generators of latents: each class breaks one rule, and that rule must notice."""

from __future__ import annotations

import contextlib
from typing import Annotated

import pytest
import torch
from styled import OwnSynthesis, Styled
from torch import Tensor, nn

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.ranges import Channels, Length, Range
from i2izoo.contracts.registry import registry
from i2izoo.interfaces import LatentGenerator
from i2izoo.testing.conformance import RULES, Check
from i2izoo.testing.subject import NotApplicable, Subject


class Good(LatentGenerator):
    """Keeps every rule. Options: latent, condition, out_channels, size."""

    def __init__(
        self,
        *,
        latent: Length = 4,
        condition: Annotated[int, Range(0, 16)] = 0,
        out_channels: Channels = 3,
        size: Annotated[int, Range(1, 16)] = 8,
    ) -> None:
        super().__init__()
        self.layer = nn.Linear(latent + condition, out_channels * size * size)
        self.shape = (out_channels, size, size)

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return self.layer(torch.cat([latent, *conditions], dim=1)).view(-1, *self.shape).tanh()


class Twice(Good):
    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return nn.functional.interpolate(super().forward(latent, *conditions), scale_factor=2)


class Glaring(Good):
    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return 3 * super().forward(latent, *conditions)


class Deaf(Good):
    """Its condition is in a layer, and says nothing."""

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(latent, *(0 * condition for condition in conditions))


class OneImage(Good):
    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(0 * latent, *conditions)


class Neighbours(Good):
    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(latent - latent.mean(dim=0), *conditions)


class OwnLatent(LatentGenerator):
    """Options: latent, condition, out_channels, size. The length of its latent is four."""

    def __init__(
        self, *, latent: Length = 4, condition: Length = 3, out_channels: Channels = 3, size: Length = 8
    ) -> None:
        super().__init__()
        self.layer = nn.Linear(4 + condition, out_channels * size * size)
        self.shape = (out_channels, size, size)

    forward = Good.forward


class Idle(OwnSynthesis):
    """Its third layer does nothing."""

    layers = 3


class IdleLayer(Styled):
    kind = Idle


BROKEN = [
    (Twice, "output_is_an_image_of_its_size"),
    (Glaring, "output_is_an_image_of_its_size"),
    (Deaf, "latent_and_condition_decide"),
    (OneImage, "latent_and_condition_decide"),
    (Neighbours, "rows_are_independent"),
    (OwnLatent, "takes_latents_of_the_length_asked_for"),
    (IdleLayer, "styles_make_the_image"),
]


def check_of(part: type, rule: str) -> Check:
    subject = Subject(
        "latent_generators", Entry(part.__name__, f"{__name__}:{part.__name__}", "this-program", "0", part)
    )
    return Check(subject, next(r for r in RULES["latent_generators"] if r.__name__ == rule))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("latent_generators"), "_registered", {})
    for part in (Good, Styled, *(part for part, _ in BROKEN)):
        registry("latent_generators").register(part.__name__, part)


@pytest.mark.parametrize(("part", "rule"), BROKEN, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_part_that_breaks_a_rule_is_found_by_it(part: type, rule: str) -> None:
    with pytest.raises((AssertionError, RuntimeError), match=rule):
        check_of(part, rule)()


@pytest.mark.parametrize("rule", [r.__name__ for r in RULES["latent_generators"]])
def test_a_part_that_keeps_the_rules_passes(rule: str) -> None:
    check_of(Styled, rule)()
    with contextlib.suppress(NotApplicable):  # it has no styles
        check_of(Good, rule)()


def test_every_rule_of_their_own_has_a_part_that_breaks_it() -> None:
    everyones = {rule.__name__ for rule in RULES["generators"]} - {"rows_are_independent"}
    assert {rule.__name__ for rule in RULES["latent_generators"]} - everyones == {rule for _, rule in BROKEN}
