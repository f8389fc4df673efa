"""Options that differ from image to image: what they are by their type, and what a method gets of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.contracts.roles import Role, role_of
from i2izoo.errors import ConfigError, OptionTypeError
from i2izoo.interfaces import Batch, Image, Label, Latent, Method, Text, Update


class Asked(Method):
    """Gives the image back, and keeps what it was asked for."""

    directions: ClassVar = {"b": "a"}
    channels: ClassVar = {"a": 3, "b": 3}
    inference_parts = ()
    seen: ClassVar[dict[str, Any]] = {}

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        style: Image | None = None,
        code: Latent | None = None,
        words: Text | None = None,
        kind: Label | None = None,
        image_text_latent: float = 1.0,
    ) -> Tensor:
        self.seen.update(style=style, code=code, words=words, kind=kind, plain=image_text_latent)
        return image

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("none", {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


class Named(Asked):
    classes = ("cat", "dog", "bird")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registry("methods"), "_registered", {"asked": None, "named": None})
    for name, method in {"asked": Asked, "named": Named}.items():
        registry("methods").register(name, method)
    return i2izoo.create


IMAGES = [np.zeros((8, 8, 3), np.uint8)] * 2


def test_an_option_is_what_its_annotation_says() -> None:
    options = Asked().translate_options()
    assert {name: role_of(option.annotation) for name, option in options.items()} == {
        "style": Role.IMAGE, "code": Role.LATENT, "words": Role.TEXT, "kind": Role.LABEL, "image_text_latent": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [(2, [2, 2]), ([0, 2], [0, 2]), ("dog", [1, 1]), (["bird", 1], [2, 1]), (np.array([2, 0]), [2, 0])],
)
def test_class_labels_by_number_and_by_name(model: Any, given: Any, expected: list[int]) -> None:
    model("named")(IMAGES, kind=given)
    assert Asked.seen["kind"].dtype == torch.int64
    assert Asked.seen["kind"].tolist() == expected


def test_a_method_without_names_takes_numbers(model: Any) -> None:
    model("asked")(IMAGES, kind=[7, 1])
    assert Asked.seen["kind"].tolist() == [7, 1]
    with pytest.raises(OptionTypeError, match=r"'kind' wants the number of a class, or a list .* found 'cat'"):
        model("asked")(IMAGES, kind="cat")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "brid"}, "has no class 'brid'; did you mean 'bird'"),
        ({"kind": 3}, "counts classes from 0 to 2; found 3. Classes: cat, dog, bird"),
        ({"kind": -1}, "from 0 to 2; found -1"),
        ({"kind": True}, "wants the number of a class or its name"),
        ({"kind": 1.5}, "wants the number of a class or its name"),
        ({"kind": [0]}, "'kind' has 1 value for 2 images"),
        ({"words": 3}, "wants a text"),
        ({"code": "x"}, "wants numbers"),
        ({"image_text_latent": "x"}, "wants float"),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model("named")(IMAGES, **options)


def test_images_latents_and_texts_come_in_rows(model: Any) -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    model("asked")(IMAGES, style=white, code=[[1.0, 2.0], [3.0, 4.0]], words=["a", "b"], image_text_latent=2)
    assert Asked.seen["style"].shape == (2, 3, 4, 4)
    assert Asked.seen["code"].tolist() == [[1, 2], [3, 4]]
    assert (Asked.seen["words"], Asked.seen["plain"], Asked.seen["kind"]) == (["a", "b"], 2, None)
