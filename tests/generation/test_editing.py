"""Ways, mixtures and directions in the space of styles, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from i2izoo_generation.editing import (
    Direction,
    Styles,
    closed_form_directions,
    drag,
    drawn,
    interpolate,
    interpolate_latents,
    label_direction,
    mix,
    move,
    project,
    render,
    truncate,
)
from i2izoo_generation.stylegan2 import StyleGAN2
from styled import Styled

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, StorageError
from i2izoo.interfaces import Method
from i2izoo.nn.random import randn, seeded

GENERATOR = StyleGAN2.tiny_options["generator"]


@pytest.fixture(scope="module", params=["skip", "adain"])
def model(request: Any) -> i2izoo.Translator:
    options = {**StyleGAN2.tiny_options, "generator": {**GENERATOR, "architecture": request.param}, "path_length": 0}
    with seeded(0):
        return i2izoo.create("stylegan2", **options)


def styles(rows: int, layers: int = 6, style: int = 8) -> Styles:
    with seeded(rows):
        return Styles(torch.randn(rows, layers, style))


def test_the_way_in_w_is_straight_and_that_of_noise_on_a_sphere() -> None:
    a, b = (Styles(torch.full((1, 2, 3), w), (torch.eye(4)[i].view(1, 1, 2, 2),)) for i, w in ((0, 0.0), (1, 4.0)))
    way = interpolate(a, b, 5)
    assert way.w[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    half = math.sqrt(0.5)
    torch.testing.assert_close(way.noise[0][2].flatten(), torch.tensor([half, half, 0, 0]))
    assert all(torch.equal(each, b.noise[0][0]) for each in interpolate(Styles(a.w), b, 3).noise[0])


def test_the_way_in_z_keeps_the_length(model: i2izoo.Translator) -> None:
    a, b = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[0, 2.0, 0, 0]])
    way = interpolate_latents(model, a, b, 3)
    middle = model.method.mapped([0], torch.tensor([[math.sqrt(2), math.sqrt(2), 0, 0]]))
    torch.testing.assert_close(way.w[1, 0], middle[0].detach())
    torch.testing.assert_close(way.w[2, 3], model.method.mapped([0], b)[0].detach())


def test_mixing_takes_some_layers(model: i2izoo.Translator) -> None:
    a, b = drawn(model, 1, seed=1), drawn(model, 1, seed=2)
    mixed = mix(a, b, (2, 5))
    same = [torch.equal(mixed.w[0, layer], a.w[0, layer]) for layer in range(6)]
    assert same == [True, True, False, False, False, True]
    assert torch.equal(mixed.w[0, 2:5], b.w[0, 2:5])
    assert not torch.equal(render(model, mixed), render(model, a))


def test_truncated_to_nothing_it_is_the_average(model: i2izoo.Translator) -> None:
    average = model.method.generator.mapping.average
    near = truncate(model, drawn(model, 2), 0.0, layers=3)
    assert torch.equal(near.w[:, :3], average.expand(2, 3, -1))
    assert torch.equal(near.w[:, 3:], drawn(model, 2).w[:, 3:])


def test_the_normal_of_a_known_plane_is_found() -> None:
    given = styles(400, layers=2)
    given.w[:, 1] = given.w[:, 0]
    truth = torch.tensor([0.6, 0, 0, -0.8, 0, 0, 0, 0])
    sides = given.w[:, 0] @ truth > 0.3
    for labels in (sides, given.w[:, 0] @ truth):
        found = label_direction(given, labels.float())
        assert found.vector @ truth > 0.98
        assert found.vector.norm().item() == pytest.approx(1, abs=1e-5)
        assert found.accuracy > 0.9


def test_the_plane_between_two_heaps_lies_in_the_middle() -> None:
    from i2izoo_generation.editing.separating import separating_normal

    points = torch.tensor([[1.0, 5.0], [3.0, 5.0], [1.0, 6.0], [3.0, 6.0]]).double()
    normal, offset = separating_normal(points, torch.tensor([-1.0, 1.0, -1.0, 1.0]).double())
    assert normal[1].abs() < 1e-6
    assert (normal @ torch.tensor([2.0, 5.5]).double() + offset).abs() < 1e-6


def test_a_move_is_of_its_length_and_conditions_stay() -> None:
    with seeded(3):
        first, other, third = (Direction(torch.nn.functional.normalize(torch.randn(8), dim=0)) for _ in range(3))
    before = styles(2)
    alone = first.without(other, third)
    moved = move(before, alone, -2.5, layers=(1, 3))
    change = moved.w - before.w
    assert change[:, 1:3].norm(dim=2).flatten().tolist() == pytest.approx([2.5] * 4, abs=1e-4)
    assert not change[:, [0, 3, 4, 5]].any()
    assert (change @ other.vector).abs().max() < 1e-5
    assert (change @ third.vector).abs().max() < 1e-5


def test_closed_form_directions_change_styles_most(model: i2izoo.Translator) -> None:
    """The first is the best of all unit vectors n for sum (a_i n)^2, a_i rows of length one; found here by climbing."""
    synthesis = model.method.generator.synthesis
    rows = torch.cat([synthesis.affine(layer).detach() for layer in range(2, 5)])
    rows = torch.nn.functional.normalize(rows)
    n = torch.ones(8)
    for _ in range(2000):
        n = torch.nn.functional.normalize(rows.T @ (rows @ n), dim=0)
    first, second = closed_form_directions(model, 2, layers=(2, 5))
    assert (first.vector @ n).abs() > 0.99
    assert (first.vector @ second.vector).abs() < 1e-5
    assert (rows @ first.vector).square().sum() >= (rows @ second.vector).square().sum()


def test_each_layer_has_its_own_matrix(model: i2izoo.Translator) -> None:
    """Moving w of a layer where its matrix sees nothing changes nothing before it."""
    synthesis = model.method.generator.synthesis
    matrices = {id(synthesis.affine(layer)) for layer in range(synthesis.layers)}
    assert len(matrices) == synthesis.layers
    assert {synthesis.affine(layer).shape[1] for layer in range(synthesis.layers)} == {8}


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: interpolate(styles(1), styles(1, layers=4)), "two images of one model"),
        (lambda: interpolate(styles(1), styles(1), 1), "count is a whole number, at least 2"),
        (lambda: mix(styles(1), styles(1), (4, 9)), "layers are from 0 to 6"),
        (lambda: mix(styles(1), styles(1, style=4), (0, 1)), "of different models"),
        (lambda: move(styles(1), Direction(torch.ones(3)), 1.0), "it is of another model"),
        (lambda: label_direction(styles(9), [0.0] * 8), "found 8 of 9"),
        (lambda: label_direction(styles(9), [0.0] * 8 + [1.0]), "at least five images of each side"),
        (lambda: label_direction(styles(20), [math.nan] * 20), "labels are finite"),
        (lambda: Direction(torch.ones(1)).without(Direction(torch.ones(1))), "nothing is left"),
    ],
)
def test_what_does_not_fit_is_said(call: Any, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        call()


# ------------------------------------------------------------------------------------------------- of somebody else


class Own(Method):
    """A method with a generator of styles that is not of this plugin."""

    data, directions, channels, native_size = "single", {"image": None}, {"image": 3}, (8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.generator = Styled()

    def latents(self, seeds: list[int], latent: torch.Tensor | None = None) -> torch.Tensor:
        return randn((4,), seeds) if latent is None else latent

    def mapped(self, seeds: list[int], latent: Any = None, label: Any = None) -> torch.Tensor:
        return self.generator.mapping(self.latents(seeds, latent))

    def training_step(self, batch: Any) -> Any:
        raise NotImplementedError

    def optimizers(self) -> Any:
        return {}


def test_any_generator_of_styles_can_be_edited() -> None:
    with seeded(1):
        model = i2izoo.Translator(Own(), {"method": "own"})
    one, two = drawn(model, 2)[0], drawn(model, 2)[1]
    assert render(model, interpolate(one, mix(one, two, (1, 2)), 3)).shape == (3, 3, 8, 8)
    found = project(model, render(model, two)[0], steps=150, distance="l2")
    assert found.psnr > 40
    dragged = drag(model, one, points=[(2, 2)], targets=[(5, 5)], features=4, steps=3)
    assert dragged.steps == 3
    assert not torch.equal(dragged.styles.w, one.w)
    with pytest.raises(ConfigError, match="does not say by which matrix"):
        closed_form_directions(model)


# ------------------------------------------------------------------------------------------------------- command line


def test_the_commands_work_together(model: i2izoo.Translator, tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("model")
    model.generate(1, seed=4)[0].save("image.png")
    project = ["project", "model", "image.png", "-o", "w.safetensors", "--image", "near.png"]
    assert main([*project, "--steps", "3", "--distance", "l2"]) == 0
    assert "PSNR" in capsys.readouterr().out
    (tmp_path / "labels.csv").write_text("image,bright\n" + "".join(f"{i:04d}.png,{i % 3}\n" for i in range(60)))
    assert main(["direction", "model", "--labels", "labels.csv", "-o", "bright.safetensors"]) == 0
    assert main(["direction", "model", "--strongest", "2", "--layers", "0-3", "-o", "second.safetensors"]) == 0
    edit = ["edit", "model", "w.safetensors", "--direction", "bright.safetensors", "--strength", "0"]
    assert main([*edit, "-o", "same.png", "--save", "same.safetensors"]) == 0
    assert torch.equal(Styles.load("same.safetensors").w, Styles.load("w.safetensors").w)
    words = ["--mix", "3/2", "--layers", "3-6", "--truncation", "0.5", "--towards", "4/3", "--count", "4"]
    assert main(["edit", "model", "7", *words, "--save", "way.safetensors", "-o", "way.png"]) == 0
    way = Styles.load("way.safetensors")
    torch.testing.assert_close(way.w[3], drawn(model, 4, seed=4).w[3])
    torch.testing.assert_close(way.w[0, 3:], drawn(model, 3, seed=3).w[2, 3:])
    for words, found in (
        (["edit", "model", "nowhere", "-o", "a.png"], "an image of a model is SEED"),
        (["edit", "model", "way.safetensors", "-o", "a.png"], "holds the styles of 4 images"),
        (["edit", "model", "1", "-o", "a.png", "--mix", "2", "--layers", "5"], "such as 3-8"),
        (["edit", "model", "1"], "name an image with -o"),
        (["direction", "model", "-o", "d.safetensors"], "give --labels"),
        (["direction", "model", "--labels", "none.csv", "-o", "d.safetensors"], "cannot be read as a table"),
    ):
        assert main(words) == 2
        assert found in capsys.readouterr().err


def test_files_of_something_else_are_refused(tmp_path: Any) -> None:
    styles(1).save(tmp_path / "w.safetensors")
    with pytest.raises(StorageError, match="holds no direction"):
        Direction.load(tmp_path / "w.safetensors")
