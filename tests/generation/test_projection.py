"""Projection: its schedule and its noise against the paper, and images that a model made, found again."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from i2izoo_generation.editing import Projector, Styles, drawn, project, render
from i2izoo_generation.editing.distances import open_distance
from i2izoo_generation.editing.noise_maps import autocorrelation, normalise
from i2izoo_generation.editing.projection import statistics
from i2izoo_generation.editing.schedule import rate, wandering
from i2izoo_generation.stylegan2 import StyleGAN2
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError, StorageError
from i2izoo.nn.random import seeded


def tiny(**options: Any) -> i2izoo.Translator:
    """8 x 8, untrained, with images of so little contrast that none of it is cut off at -1 and 1."""
    with seeded(0):
        model = i2izoo.create("stylegan2", **{**StyleGAN2.tiny_options, "size": 8, **options})
    with torch.no_grad():
        for name, parameter in model.method.generator.synthesis.named_parameters():
            if name.endswith("to_image.weight"):
                parameter *= 0.15
    return model


ARCHITECTURES = ["skip", "adain"]


def of(architecture: str) -> i2izoo.Translator:
    return tiny(generator={**StyleGAN2.tiny_options["generator"], "architecture": architecture}, path_length=0)


# ------------------------------------------------------------------------------------------------------- the equations


def test_rates_are_those_of_the_published_formula() -> None:
    """1000 steps: up linearly in the first 50, down along a cosine in the last 250."""
    for step in range(1000):
        expected = step / 50 if step < 50 else 1.0 if step <= 750 else (1 - math.cos(math.pi * (1000 - step) / 250)) / 2
        assert rate(step / 1000) == pytest.approx(expected, abs=1e-12)


def test_w_is_disturbed_for_three_quarters_of_the_steps() -> None:
    for step in range(0, 1000, 7):
        t = (750 - step) / 750 if step < 750 else 0.0
        assert wandering(step / 1000) == pytest.approx(t**2)


def plain_autocorrelation(noise: Tensor) -> float:
    """One map, pixel by pixel."""
    total, rows = 0.0, noise.double().tolist()
    while True:
        side = len(rows)
        along = sum(rows[y][x] * rows[y][x - 1] for y in range(side) for x in range(side)) / side**2
        down = sum(rows[y][x] * rows[y - 1][x] for y in range(side) for x in range(side)) / side**2
        total += along**2 + down**2
        if side <= 8:
            return total
        rows = [
            [(rows[y][x] + rows[y + 1][x] + rows[y][x + 1] + rows[y + 1][x + 1]) / 2 for x in range(0, side, 2)]
            for y in range(0, side, 2)
        ]


def test_noise_is_compared_with_itself_on_a_pyramid() -> None:
    with seeded(1):
        maps = [torch.randn(1, 1, side, side) for side in (4, 8, 16, 32)]
    expected = sum(plain_autocorrelation(each[0, 0]) for each in maps)
    assert autocorrelation(maps).item() == pytest.approx(expected, rel=1e-4)


def test_normalised_noise_has_unit_variance() -> None:
    noise = [torch.arange(64.0).view(1, 1, 8, 8)]
    normalise(noise)
    assert noise[0].mean().abs() < 1e-6
    assert noise[0].square().mean().item() == pytest.approx(1, abs=1e-5)


def test_statistics_are_those_of_many_latents() -> None:
    model = tiny()
    mean, deviation = statistics(model)
    with torch.no_grad(), seeded(2):
        w = model.method.generator.mapping(torch.randn(20_000, 4))
    assert (mean - w.mean(dim=0)).abs().max() < 0.03 * deviation
    assert deviation.item() == pytest.approx(w.var(dim=0).sum().sqrt().item(), rel=0.03)


def test_a_projection_steps_as_its_schedule_says() -> None:
    model = tiny()
    projector = Projector(model, torch.zeros(3, 8, 8), steps=4, distance="l2", optimise_noise=False)
    before, moves, rates = projector.w.detach().clone(), [], []
    for _ in range(4):
        projector.step()
        rates.append(projector.optimiser.param_groups[0]["lr"])
        moves.append((projector.w.detach() - before).abs().max().item())
        before = projector.w.detach().clone()
    assert rates == pytest.approx([0, 0.1, 0.1, 0.1])
    assert moves[0] == 0
    assert moves[1] == pytest.approx(0.1, rel=0.35)  # the first step of Adam with a gradient, after one without a rate


# -------------------------------------------------------------------------------------------------------- what it finds


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_image_of_the_model_is_found_again_in_w(architecture: str) -> None:
    model = of(architecture)
    truth = drawn(model, 1, seed=5)
    found = project(model, render(model, truth)[0], steps=120, distance="l2")
    mean, _ = statistics(model)
    far = (found.styles.w[0, 0] - truth.w[0, 0]).norm()
    assert found.psnr > 45
    assert far < 0.05 * (mean - truth.w[0, 0]).norm()
    assert found.distances[-1] < 0.01 * found.distances[0]
    assert torch.equal(found.styles.w, found.styles.w[:, :1].expand_as(found.styles.w))
    assert found.by == "l2"


def test_w_plus_finds_what_is_not_in_w() -> None:
    model = tiny()
    one, two = drawn(model, 1, seed=1), drawn(model, 1, seed=2)
    mixed = Styles(torch.cat([one.w[:, :2], two.w[:, 2:]], dim=1))
    target = render(model, mixed)[0]
    in_w = project(model, target, steps=100, distance="l2", optimise_noise=False)
    in_plus = project(model, target, space="w+", steps=100, learning_rate=0.05, distance="l2")
    assert in_plus.psnr > in_w.psnr + 8
    assert in_plus.psnr > 32
    assert in_plus.styles.noise is None


def test_noise_is_found_with_it_and_stays_noise() -> None:
    model = tiny()
    with torch.no_grad():
        for layer in model.method.generator.synthesis.modules():
            if hasattr(layer, "noise_strength"):
                layer.noise_strength += 0.1
    found = project(model, torch.zeros(3, 8, 8), steps=20, distance="l2")
    assert [each.shape[-1] for each in found.styles.noise] == list(model.method.generator.synthesis.sides)
    assert all(each.square().mean().item() == pytest.approx(1, abs=1e-4) for each in found.styles.noise)
    torch.testing.assert_close(render(model, found.styles), found.image)


def test_any_loss_between_images_is_a_distance() -> None:
    image = torch.zeros(1, 3, 32, 32)
    assert open_distance("l1", image)[1](image, image + 0.5).item() == pytest.approx(0.5)
    name, by = open_distance(None, image)
    assert name in ("lpips", "perceptual", "l2")
    assert by(image, image).item() == pytest.approx(0, abs=1e-6)
    large = torch.rand(1, 3, 512, 512)
    assert open_distance("l2", large)[1](large, 1 - large) < 0.1  # means of four pixels differ less


def test_nothing_of_the_model_is_changed() -> None:
    model = tiny()
    model.method.train()
    before = {name: tensor.clone() for name, tensor in model.method.state_dict().items()}
    project(model, torch.zeros(3, 20, 30), steps=2, distance="l2")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.method.state_dict().items())
    assert model.method.training
    assert all(p.requires_grad and p.grad is None for p in model.method.parameters())


def test_classes_have_a_mean_of_their_own() -> None:
    model = tiny(classes=["round", "square"])
    first, second = (statistics(model, label)[0] for label in (0, 1))
    assert not torch.allclose(first, second)


# ------------------------------------------------------------------------------------------------------------- styles


def test_styles_are_those_of_generate() -> None:
    model = tiny()
    styles = drawn(model, 3, seed=7)
    expected = model.generate(3, seed=7, noise="constant", output="tensor")
    torch.testing.assert_close(render(model, styles), expected)
    torch.testing.assert_close(
        model.generate(3, w=styles.w[:, :, None].tolist(), noise="constant", output="tensor"), expected
    )


def test_a_file_keeps_styles_and_noise(tmp_path: Any) -> None:
    styles = Styles(torch.randn(2, 4, 8), tuple(torch.randn(2, 1, side, side) for side in (4, 8, 8)))
    styles.save(tmp_path / "w.safetensors")
    again = Styles.load(tmp_path / "w.safetensors")
    assert torch.equal(again.w, styles.w)
    assert all(torch.equal(a, b) for a, b in zip(again.noise, styles.noise, strict=True))
    assert render(tiny(), again).shape == (2, 3, 8, 8)
    torch.testing.assert_close(render(tiny(), again[1]), render(tiny(), again)[1:])


def test_what_does_not_fit_is_said(tmp_path: Any) -> None:
    model = tiny()
    with pytest.raises(ConfigError, match=r"4 layers with styles of 8 numbers; found \(4, 5\)"):
        render(model, Styles(torch.zeros(1, 4, 5)))
    with pytest.raises(ConfigError, match="noise is of another model"):
        render(model, Styles(torch.zeros(1, 4, 8), (torch.zeros(1, 1, 4, 4),)))
    with pytest.raises(ConfigError, match="of no styles"):
        drawn(i2izoo.create("dcgan", size=8, generator={"name": "dcgan", "width": 4}))
    with pytest.raises(ConfigError, match="space is 'w'"):
        project(model, torch.zeros(3, 8, 8), space="z")
    with pytest.raises(ConfigError, match="steps is above 0"):
        project(model, torch.zeros(3, 8, 8), steps=0)
    with pytest.raises(ConfigError, match=r"found \(4, 8\)"):
        Styles(torch.zeros(4, 8))
    from i2izoo.files.writing import write_tensors

    write_tensors(tmp_path / "other.safetensors", {"weight": torch.zeros(3)})
    with pytest.raises(StorageError, match="holds no styles"):
        Styles.load(tmp_path / "other.safetensors")
