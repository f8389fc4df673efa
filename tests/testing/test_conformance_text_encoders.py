"""The conformance kit on text encoders: each class breaks one rule, and that rule must notice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.ranges import Length
from i2izoo.contracts.registry import registry
from i2izoo.interfaces import TextEncoder
from i2izoo.testing.conformance import RULES, Check
from i2izoo.testing.subject import Subject


class Good(TextEncoder):
    """Keeps every rule. Options: length."""

    def __init__(self, *, length: Length = 4) -> None:
        super().__init__()
        self.length = length
        self.layer = nn.Linear(3, length)

    def counts(self, texts: list[str]) -> Tensor:
        return torch.tensor([[float(len(text)), float(text.count("o")), float(text.count(" "))] for text in texts]) / 99

    def forward(self, texts: list[str]) -> Tensor:
        return self.layer(self.counts(texts)).float()


class Short(Good):
    def forward(self, texts: list[str]) -> Tensor:
        return super().forward(texts)[:, 1:]


class NoEmptyText(Good):
    def counts(self, texts: list[str]) -> Tensor:
        return super().counts(texts).log()


class Neighbours(Good):
    def counts(self, texts: list[str]) -> Tensor:
        return super().counts(texts) / max(map(len, texts))


class Deaf(Good):
    def counts(self, texts: list[str]) -> Tensor:
        return torch.ones(len(texts), 3)


class Drawing(Good):
    def forward(self, texts: list[str]) -> Tensor:
        return super().forward(texts) + torch.randn(len(texts), self.length)


class Idle(Good):
    """Has a layer that it does not use. Options: length."""

    def __init__(self, *, length: Length = 4) -> None:
        super().__init__(length=length)
        self.idle = nn.Linear(2, 2)


class Forgetful(Good):
    """Has a weight that is no parameter. Options: length."""

    def __init__(self, *, length: Length = 4) -> None:
        super().__init__(length=length)
        self.scale = torch.rand(())

    def forward(self, texts: list[str]) -> Tensor:
        return super().forward(texts) * self.scale


BROKEN = [
    (Short, "embeddings_are_one_row_for_each_text"),
    (NoEmptyText, "embeddings_are_one_row_for_each_text"),
    (Neighbours, "rows_are_independent"),
    (Deaf, "rows_are_independent"),
    (Drawing, "is_deterministic_in_eval"),
    (Idle, "gradient_reaches_everything"),
    (Forgetful, "copies_and_reloads"),
]


def check_of(part: type, rule: str) -> Check:
    subject = Subject("text_encoders", Entry(part.__name__, f"{__name__}:{part.__name__}", "this-program", "0", part))
    return Check(subject, next(r for r in RULES["text_encoders"] if r.__name__ == rule))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("text_encoders"), "_registered", {})
    for part in (Good, *(part for part, _ in BROKEN)):
        registry("text_encoders").register(part.__name__, part)


@pytest.mark.parametrize(("part", "rule"), BROKEN, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_part_that_breaks_a_rule_is_found_by_it(part: type, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_of(part, rule)()


@pytest.mark.parametrize("rule", [r.__name__ for r in RULES["text_encoders"]])
def test_a_part_that_keeps_the_rules_passes(rule: str) -> None:
    check_of(Good, rule)()


def test_every_rule_of_their_own_has_a_part_that_breaks_it() -> None:
    everyones = {rule.__name__ for rule in RULES["datasets"]}
    assert {rule.__name__ for rule in RULES["text_encoders"]} - everyones == {rule for _, rule in BROKEN}
