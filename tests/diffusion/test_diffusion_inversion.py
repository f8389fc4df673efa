"""DDIM inversion and interpolation, against the closed form of a Gaussian target."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.inversion import interpolate, invert, invert_steps, reconstruct
from i2izoo_diffusion.prediction import prediction_of
from i2izoo_diffusion.sampling import Sampling
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError, UnknownNameError

MEAN, STD = 0.1, 0.2


def exact(noisy: Tensor, run: Sampling) -> Tensor:
    """What the best network says if clean values are N(MEAN, STD^2): their posterior mean, as v."""
    alpha, sigma = run.level
    clean = MEAN + alpha * STD**2 / (alpha**2 * STD**2 + sigma**2) * (noisy - alpha * MEAN)
    return prediction_of(run.kind, clean, noisy, alpha, sigma)


def sampling(noise: Tensor, steps: int) -> Sampling:
    scheduler = DDIMScheduler(
        prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True, clip_sample=False
    )
    return Sampling(exact, scheduler, noise, steps=steps, seeds=[0] * len(noise))


@pytest.fixture
def image() -> Tensor:
    return MEAN + STD * torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_inversion_of_a_gaussian_converges_to_its_closed_form(image: Tensor) -> None:
    # the ODE of DDIM carries N(MEAN, STD^2) to N(0, 1) by the one monotone map there is: (x - MEAN) / STD
    truth = (image - MEAN) / STD
    errors = [(invert_steps(sampling(image, steps), image, 8) - truth).abs().max().item() for steps in (20, 100, 500)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]  # first order: five times the steps, a fifth of the error
    assert errors[2] < 0.1  # of noise that reaches 3


@pytest.mark.parametrize("steps", [20, 40])
def test_iterations_make_inversion_exact(image: Tensor, steps: int) -> None:
    def error(iterations: int) -> float:
        noise = invert_steps(sampling(image, steps), image, iterations)
        return (sampling(noise, steps).run() - image).abs().max().item()

    assert error(1) > 20 * error(5)
    assert error(30) < 1e-10


def test_the_usual_inversion_gets_better_with_steps(image: Tensor) -> None:
    def error(steps: int) -> float:
        noise = invert_steps(sampling(image, steps), image, 1)
        return (sampling(noise, steps).run() - image).abs().max().item()

    assert error(10) > 2 * error(40) > 4 * error(160)


def tiny(**options: object) -> i2izoo.Translator:
    torch.manual_seed(0)
    return i2izoo.create("ddim", **DDIM.tiny_options, prediction="v_prediction", **options)


@pytest.mark.parametrize("task", ["translation", "generation"])
def test_a_network_makes_its_own_image_again(task: str) -> None:
    model = tiny(task=task)
    label = torch.rand(1, 3, 21, 14, generator=torch.Generator().manual_seed(1)) * 2 - 1
    if task == "generation":
        image = model.generate(size=(21, 14), steps=20, seed=3, output="tensor")
    else:
        image = model(label, steps=20, seed=3)
    result = reconstruct(model, image, None if task == "generation" else label, steps=20, iterations=10)
    assert result.noise.shape == (1, 3, 22, 14)
    # clamping loses what lay outside [-1, 1], and the rest comes back
    inside = (image.abs() < 1).all(dim=1, keepdim=True).expand_as(image)
    assert (result.images - image)[inside].abs().mean() < 0.02
    mse = (result.images - image).square().mean()
    torch.testing.assert_close(result.mse, mse[None])
    assert result.psnr.item() == pytest.approx(10 * math.log10(4 / mse.item()), rel=1e-4)


def test_noise_is_what_sampling_starts_from() -> None:
    model = tiny()
    label = torch.zeros(2, 3, 16, 16)
    noise = model.method.draw_noise(label, [5, 6])
    made = model(label, noise=noise, steps=3)
    torch.testing.assert_close(made, model.method(label, to="target", seeds=[5, 6], steps=3).detach())
    torch.testing.assert_close(model(label, noise=noise[1], steps=3)[0], made[1])  # one for all
    with pytest.raises(ConfigError, match=r"shape \(3, 16, 16\)"):
        model(label, noise=noise[..., :8], steps=3)
    with pytest.raises(ConfigError, match="both say"):
        model(label, noise=noise, strength=0.5, steps=3)


def test_without_a_weight_of_guidance_the_inversion_has_that_of_the_model() -> None:
    """As `model(...)` has, which is to make the image again."""
    model, label, photo = tiny(sampling_guidance=2.0), torch.zeros(1, 3, 16, 16), torch.rand(1, 3, 16, 16) - 0.5
    torch.testing.assert_close(invert(model, photo, label, steps=4), invert(model, photo, label, steps=4, guidance=2.0))
    assert not torch.equal(invert(model, photo, label, steps=4), invert(model, photo, label, steps=4, guidance=1.0))
    result = reconstruct(model, photo, label, steps=4)
    torch.testing.assert_close(result.images, model(label, noise=result.noise, steps=4)[0][None])


def test_the_ends_of_an_interpolation_are_the_translations() -> None:
    model = tiny()
    a, b = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16) / 2
    ends = model.method.draw_noise(torch.cat([a, b]), [8, 9])
    way = interpolate(model, a, b, 5, noise=(ends[:1], ends[1:]), steps=3)
    assert way.shape == (5, 3, 16, 16)
    torch.testing.assert_close(way[0], model(a, noise=ends[:1], steps=3)[0])
    torch.testing.assert_close(way[4], model(b, noise=ends[1:], steps=3)[0])
    assert (way[2] - way[0]).abs().max() > 0.01
    other = interpolate(model, a, a, 3, seed=1, steps=3)
    assert not torch.equal(other[0], other[2])


def test_images_of_every_kind_are_inverted(tmp_path: Path) -> None:
    model = tiny()
    pixels = torch.randint(0, 256, (16, 16, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    image = Image.fromarray(pixels.numpy())
    image.save(tmp_path / "image.png")
    scaled = pixels.permute(2, 0, 1)[None] / 127.5 - 1
    wanted = invert(model, scaled, scaled, steps=4)
    torch.testing.assert_close(invert(model, image, tmp_path / "image.png", steps=4), wanted, rtol=1e-4, atol=1e-4)
    twice = invert(model, [image, scaled], [image] * 2, steps=4)
    torch.testing.assert_close(twice, wanted.repeat(2, 1, 1, 1), rtol=1e-4, atol=1e-4)


def test_mistakes_are_said() -> None:
    model, image = tiny(), torch.zeros(1, 3, 16, 16)
    with pytest.raises(ConfigError, match="give source="):
        invert(model, image)
    with pytest.raises(ConfigError, match="of its size"):
        invert(model, image, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ConfigError, match="leave source out"):
        invert(tiny(task="generation"), image, image)
    with pytest.raises(ConfigError, match="one step from pure noise"):
        invert(model, image, image, steps=1)
    with pytest.raises(ConfigError, match="from 1"):
        invert(model, image, image, iterations=0)
    with pytest.raises(ConfigError, match="at least 2"):
        interpolate(model, image, image, 1)
    with pytest.raises(ConfigError, match="whole number, at least 2, the two ends"):
        interpolate(model, image, image, 2.5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="leave scheduler out"):
        interpolate(model, image, image, 3, scheduler="ddim")
    with pytest.raises(UnknownNameError, match="does not translate to 'phto'"):
        invert(model, image, image, to="phto")
    with pytest.raises(UnknownNameError, match="does not translate to 'phto'"):
        interpolate(model, image, image, to="phto")
    two = torch.randn(2, 3, 16, 16)
    noise: Any
    for noise in [two, (two[0], two[1]), (two[:1],), (two, two)]:  # rows of a batch are no pair: as many as channels
        with pytest.raises(ConfigError, match="a pair, each 1 x C x H x W"):
            interpolate(model, image, image, 3, noise=noise)
    with pytest.raises(ConfigError, match="ddim model"):
        invert(i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4}), image)
