"""Points that are moved: which models have an editor, what it gives step by step, and what the page draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from i2izoo_generation.editing import drag, drawn, render
from i2izoo_generation.stylegan2 import StyleGAN2
from PIL import Image
from tiny import Negative

import i2izoo
from i2izoo.app.controls import Control
from i2izoo.app.points_tab import asked, editor_of, marked, scale
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError


@pytest.fixture(scope="module")
def model() -> i2izoo.Translator:
    torch.manual_seed(0)
    return i2izoo.create("stylegan2", **StyleGAN2.tiny_options)


def test_only_models_whose_images_can_be_changed_have_an_editor(model: i2izoo.Translator) -> None:
    assert editor_of(Negative()) is None
    assert type(editor_of(model.method)) is registry("editors").get("drag")


def test_its_steps_are_those_of_draggan(model: i2izoo.Translator) -> None:
    editor = editor_of(model.method)
    assert editor is not None
    assert torch.equal(editor.image(model, 3), render(model, drawn(model, seed=3)))
    found = list(editor.steps(model, 3, points=[(4, 5)], targets=[(9, 5)], steps=3, learning_rate=0.01))
    wanted = drag(model, 3, points=[(4, 5)], targets=[(9, 5)], steps=3, learning_rate=0.01)
    assert torch.equal(found[-1].image, wanted.image)
    assert [tuple(one.points) for one in found] == [(point,) for point in wanted.paths[0][1:]]
    assert [one.share for one in found] == [1 / 3, 2 / 3, 1]
    with pytest.raises(ConfigError, match="points are"):
        next(editor.steps(model, 3, points=[(40, 5)], targets=[(9, 5)]))


def test_its_options_are_controls(model: i2izoo.Translator) -> None:
    editor = editor_of(model.method)
    assert editor is not None
    found: dict[str, Control] = {one.name: one for one in asked(editor)}
    assert {name: (one.kind, one.default) for name, one in found.items()} == {
        "steps": ("slider", 100), "learning_rate": ("slider", 0.002), "layers": ("slider", 6),
    }  # fmt: skip
    assert found["steps"].about == "At most."


def test_points_are_drawn_where_they_are() -> None:
    image = Image.new("RGB", (48, 24), "black")
    shown = np.asarray(marked(image, [(10, 5), (30, 20)]))
    by = scale(image)
    assert by == 10
    assert shown.shape == (240, 480, 3)
    assert shown[55, 105].tolist() == [255, 255, 255]
    assert shown[205, 305].tolist() == [255, 106, 61]
    assert shown[130, 205].tolist() == [255, 255, 255]  # the line between them
    assert shown[5, 5].tolist() == [0, 0, 0]
    assert np.array_equal(np.asarray(marked(Image.new("RGB", (600, 500)), [])), np.zeros((500, 600, 3)))
