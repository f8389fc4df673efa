"""The rules for augmentations catch what they say they catch: each class breaks one, which must notice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from test_conformance_rules import Once, check_of
from torch import Tensor

from i2izoo.contracts.registry import registry
from i2izoo.interfaces import Augmentation
from i2izoo.testing.augmentations import RULES as OWN
from i2izoo.testing.conformance import RULES


def strengths(image: Tensor) -> Tensor:
    return 1 + torch.rand(len(image), 1, 1, 1)


class Good(Augmentation):
    """Scales what is judged by a number that grows while real images are taken for real; keeps every rule."""

    adaptive = True

    def __init__(self) -> None:
        super().__init__()
        self.strength = 1.0

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        judged = image[:, condition_channels:]
        return torch.cat([image[:, :condition_channels], judged * strengths(judged) * self.strength], dim=1)

    def observe(self, real: Sequence[Tensor]) -> None:
        self.strength += real[0].mean().item()

    def training_log(self) -> dict[str, Tensor]:
        return {"strength": torch.tensor(self.strength)}

    def training_state(self) -> dict[str, Tensor]:
        return {"strength": torch.tensor(self.strength, dtype=torch.float64)}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        self.strength = state["strength"].item()


class Crops(Good):
    """Cuts a row off."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return super().forward(image, condition_channels)[..., 1:, :]


class InPlace(Good):
    """Writes into its input."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return image.mul_(1.5)


class OneForAll(Good):
    """Draws once for the whole batch."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return image * strengths(image[:1])


class PythonsDraws(Good):
    """Draws from Python's random state, which no seed of the trainer reaches."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return image * random.random()


class Brightens(Good):
    """Brightens the condition, too."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return image + strengths(image)


class Constant(Good):
    """Gives no gradient back."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return super().forward(image, condition_channels).detach() + 0 * image


class DerivesOnce(Good):
    """Has no second derivative."""

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        return Once.apply(super().forward(image, condition_channels))


class Forgets(Good):
    """Keeps nothing in a checkpoint."""

    def training_state(self) -> dict[str, Tensor]:
        return {}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        pass


BROKEN = [
    (Crops, "shape_and_kind_stay"),
    (InPlace, "shape_and_kind_stay"),
    (OneForAll, "draws_are_torchs"),
    (PythonsDraws, "draws_are_torchs"),
    (Brightens, "condition_keeps_its_colours"),
    (Constant, "gradient_passes_twice"),
    (DerivesOnce, "gradient_passes_twice"),
    (Forgets, "state_is_kept"),
]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("augmentations"), "_registered", {})


@pytest.mark.parametrize(("part", "rule"), BROKEN, ids=lambda v: getattr(v, "__name__", str(v)))
def test_an_augmentation_that_breaks_a_rule_is_found_by_it(part: type, rule: str) -> None:
    with pytest.raises(AssertionError, match=f"{part.__name__!r} of plugin this-program .*breaks the rule {rule!r}"):
        check_of("augmentations", part, rule)()


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES["augmentations"]])
def test_an_augmentation_that_keeps_the_rules_passes(rule: str) -> None:
    check_of("augmentations", Good, rule)()


def test_every_rule_has_an_augmentation_that_breaks_it() -> None:
    names: set[Any] = {rule for _, rule in BROKEN}
    assert names == {rule.__name__ for rule in OWN}
