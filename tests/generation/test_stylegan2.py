"""StyleGAN2: its networks against a plain twin and published sizes, its training against the paper's equations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from i2izoo_generation.stylegan2 import StyleGAN2
from i2izoo_generation.stylegan_discriminator import StyleGAN2Discriminator
from i2izoo_generation.stylegan_generator import StyleGAN2Generator
from i2izoo_generation.upfirdn import convolve_down, convolve_up, separable, upsample2d
from steps import batch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.training import stepper_of
from i2izoo.training.step import Stepper

TINY = StyleGAN2.tiny_options


def tiny(**options: Any) -> StyleGAN2:
    with seeded(0):
        return StyleGAN2(**{**TINY, **options})


# ------------------------------------------------------------------------------------------------------------ networks

# What the authors' code prints for 256 x 256 at half the channels ("paper256") and for 1024 x 1024, and what Karras et
# al. 2019 state for the generator of StyleGAN at 1024 x 1024: 26.2 million.
SIZES = [
    (StyleGAN2Generator, {}, 24_767_458),
    (StyleGAN2Discriminator, {}, 24_001_089),
    (StyleGAN2Generator, {"size": 1024, "channel_base": 32768}, 30_370_060),
    (StyleGAN2Discriminator, {"size": 1024, "channel_base": 32768}, 29_012_513),
    (StyleGAN2Generator, {"size": 1024, "architecture": "adain"}, 26_212_019),
]


@pytest.mark.parametrize(("kind", "options", "count"), SIZES)
def test_they_have_as_many_parameters_as_published(kind: Any, options: dict[str, Any], count: int) -> None:
    with only_shapes():
        network = kind(**options)
    assert sum(p.numel() for p in network.parameters()) == count


def own_weights(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: bool = False) -> Tensor:
    """Equations 1 and 3 with the kernels of each image written out."""
    rows = []
    for image, scales in zip(x, style, strict=True):
        own = weight * scales[None, :, None, None]
        if demodulate:
            own = own / own.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
        padding = own.shape[-1] // 2
        rows.append(convolve_up(image[None], own, separable()) if up else F.conv2d(image[None], own, padding=padding))
    return torch.cat(rows)


def test_the_generator_is_figure_2c_and_7b_of_the_paper() -> None:
    """Everything at 8 x 8, step by step, from the tensors by name."""
    with seeded(1):
        network = StyleGAN2Generator(latent=4, size=8, style=6, channel_base=40, channel_max=8, mapping_layers=2)
        for parameter in network.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        z, noise = torch.randn(2, 4), [torch.randn(2, 1, side, side) for side in (4, 8, 8)]
    t = dict(network.synthesis.named_parameters())
    w = network.eval().mapping(z)

    def style(name: str) -> Tensor:
        return w @ t[f"{name}.style.weight"].T / math.sqrt(6) + t[f"{name}.style.bias"]

    def layer(x: Tensor, name: str, place: int, up: bool) -> Tensor:
        x = own_weights(x, t[f"{name}.weight"], style(name), demodulate=True, up=up)
        x = x + t[f"{name}.noise_strength"] * noise[place] + t[f"{name}.bias"].view(1, -1, 1, 1)
        return F.leaky_relu(x, 0.2) * math.sqrt(2)

    def image(x: Tensor, name: str) -> Tensor:
        x = own_weights(x, t[f"{name}.weight"], style(name) / math.sqrt(x.shape[1]), demodulate=False)
        return x + t[f"{name}.bias"].view(1, -1, 1, 1)

    x = layer(t["start"].repeat(2, 1, 1, 1), "blocks.4.layers.0", 0, up=False)
    small = image(x, "blocks.4.to_image")
    x = layer(x, "blocks.8.layers.0", 1, up=True)
    x = layer(x, "blocks.8.layers.1", 2, up=False)
    expected = upsample2d(small, separable()) + image(x, "blocks.8.to_image")
    with torch.no_grad():
        found = network.synthesis(network.styles(z), noise)
        stages = list(network.synthesis.stages(network.styles(z), noise))
    torch.testing.assert_close(found, expected)
    assert [(side, tuple(features.shape)) for side, features, _ in stages] == [(4, (2, 8, 4, 4)), (8, (2, 5, 8, 8))]
    torch.testing.assert_close(stages[0][2], small)


def test_the_discriminator_is_figure_7c_of_the_paper() -> None:
    with seeded(2):
        network = StyleGAN2Discriminator(size=8, channel_base=40, channel_max=8, group=1)
        for parameter in network.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        x = image = torch.randn(2, 3, 8, 8)
    t = dict(network.named_parameters())

    def active(x: Tensor, name: str, gain: float = 1.0) -> Tensor:
        x = x + t[f"{name}.bias"].view(1, -1, *[1] * (x.ndim - 2))
        return F.leaky_relu(x, 0.2) * math.sqrt(2) * gain

    def scaled(name: str) -> Tensor:
        return t[f"{name}.weight"] / math.sqrt(t[f"{name}.weight"][0].numel())

    half = math.sqrt(0.5)
    x = active(F.conv2d(x, scaled("from_image")), "from_image")
    around = convolve_down(x, scaled("blocks.8.skip"), separable()) * half
    y = active(F.conv2d(x, scaled("blocks.8.conv0"), padding=1), "blocks.8.conv0")
    y = active(convolve_down(y, scaled("blocks.8.conv1"), separable()), "blocks.8.conv1", half)
    x = active(F.conv2d(around + y, scaled("convolution"), padding=1), "convolution")
    x = active(x.flatten(1) @ scaled("linear").T, "linear")
    torch.testing.assert_close(network(image)[0], x @ scaled("output").T + t["output.bias"])


@pytest.mark.parametrize("architecture", ["skip", "adain"])
@pytest.mark.parametrize("size", [32, 64, 1024])
def test_it_makes_images_up_to_1024(size: int, architecture: str) -> None:
    network = StyleGAN2Generator(
        latent=2, size=size, style=2, channel_base=size, channel_max=4, mapping_layers=1, architecture=architecture
    )  # fmt: skip
    with torch.no_grad():
        assert network(torch.randn(1, 2)).shape == (1, 3, size, size)
    assert network.synthesis.layers == 2 * (int(math.log2(size)) - 1)


def test_the_generator_of_stylegan_is_told_styles_behind_each_convolution() -> None:
    """Its last features have the mean and deviation that the last style says (equation 1)."""
    with seeded(3):
        network = StyleGAN2Generator(latent=4, size=16, style=6, channel_base=64, architecture="adain")
        w = network.styles(torch.randn(2, 4))
    *_, (_, features, _) = network.synthesis.stages(w)
    scale, shift = network.synthesis.adain[-1].style(w[:, -1]).chunk(2, dim=1)
    torch.testing.assert_close(features.mean(dim=(2, 3)), shift)
    torch.testing.assert_close(features.std(dim=(2, 3), unbiased=False), (scale + 1).abs(), rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------------------------------------------------------ training


def test_the_regularisers_are_steps_of_their_own_every_so_often() -> None:
    method = tiny(r1_every=4, path_length_every=2)
    found = []
    for step in range(5):
        with seeded(step):
            updates = list(method.training_step(batch({"image": 3}, step, rows=4)))
        found.append([name for update in updates for name in update.losses])
    main, both = ["gan", "d_gan"], ["gan", "path_length", "d_gan", "d_r1"]
    assert found == [both, main, ["gan", "path_length", "d_gan"], main, both]


def test_adam_makes_up_for_them() -> None:
    """c = k / (k + 1) of rate and exponents (section 3.1, "lazy regularization")."""
    options = {name: o.defaults for name, o in tiny(r1_every=16, path_length_every=8).optimizers().items()}
    assert options["generator"]["lr"] == pytest.approx(0.002 * 8 / 9)
    assert options["generator"]["betas"] == pytest.approx((0.0, 0.99 ** (8 / 9)))
    assert options["discriminator"]["lr"] == pytest.approx(0.002 * 16 / 17)
    assert options["discriminator"]["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    plain = tiny(r1=0, path_length=0).optimizers()
    assert all((o.defaults["lr"], o.defaults["betas"]) == (0.002, (0.0, 0.99)) for o in plain.values())


def test_r1_is_the_squared_slope_at_real_images() -> None:
    method = tiny(r1=3.0, r1_every=5, path_length=0)
    given = batch({"image": 3}, rows=4)
    found = {name: loss for update in method.training_step(given) for name, loss in update.losses.items()}["d_r1"]
    real = given["image"].requires_grad_()
    (slope,) = torch.autograd.grad(method.discriminator(real)[0].sum(), real)
    torch.testing.assert_close(found.detach(), 5 * 3.0 / 2 * slope.square().sum() / 4)
    assert tiny().r1_of(torch.zeros(8, 3, 16, 16)) == pytest.approx(0.0002 * 256 / 8)


def test_the_path_penalty_pulls_towards_its_running_mean() -> None:
    """eq. 4, with the mean after one step: of one sample a = 0.01 l, so the loss is w k (0.99 l)^2."""
    method = tiny(path_length=2.0, path_length_every=4, mixing=0.0)
    with seeded(4):
        loss = method.path_penalty(torch.zeros(2, 3, 16, 16))
    length = method.mean_path_length / 0.01
    torch.testing.assert_close(loss, 2.0 * 4 * (0.99 * length) ** 2)
    assert loss > 0


def test_styles_are_mixed_at_one_place() -> None:
    mixed, plain = tiny(mixing=1.0), tiny(mixing=0.0)
    with seeded(5):
        w = mixed.styles(torch.zeros(3, 3, 16, 16))
        same = plain.styles(torch.zeros(3, 3, 16, 16))
    changes = (w[:, 1:] != w[:, :-1]).any(dim=2)
    assert (changes.sum(dim=1) == 1).all()
    assert (changes == changes[:1]).all()
    assert torch.equal(same, same[:, :1].expand_as(same))


def test_a_step_through_a_gradient_scaler_is_the_same_step() -> None:
    """Two steps of one optimiser lie between two updates of the scaler, which it does not allow by itself."""
    found = []
    for scaled in (False, True):
        method = tiny(r1=1.0)
        stepper = stepper_of(method)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, enabled=scaled)
        stepper = Stepper(method, stepper.autocast, scaler)
        with seeded(6):
            stepper.run([batch({"image": 3})])
        found.append(torch.cat([p.detach().flatten() for p in method.parameters()]))
    torch.testing.assert_close(found[0], found[1])


# ---------------------------------------------------------------------------------------------------------- generation


def test_w_stands_for_the_latent_it_comes_from() -> None:
    method = tiny().eval()
    request: dict[str, Any] = {"to": "image", "seeds": [3, 4], "size": (16, 16)}
    with torch.no_grad():
        image, w = method.generate(**request), method.mapped([3, 4])
        assert torch.equal(method.generate(**request, w=w), image)
        each = w[:, None, None].expand(-1, method.generator.synthesis.layers, -1, -1)
        assert torch.equal(method.generate(**request, w=each), image)
        assert torch.equal(method.generate(**request, latent=method.latents([3, 4])), image)


def test_truncated_to_nothing_all_are_the_average() -> None:
    method = tiny().eval()
    method.generator.mapping.average += 1
    request: dict[str, Any] = {"to": "image", "seeds": [3, 4], "size": (16, 16), "noise": "constant"}
    with torch.no_grad():
        first, second = method.generate(**request, truncation=0.0)
        average = method.generate(**request, w=torch.ones(2, 8))
        partly = method.generate(**request, truncation=0.0, truncation_layers=2)
    assert torch.equal(first, second)
    torch.testing.assert_close(average[0], first)
    assert not torch.equal(partly[0], partly[1])


def test_noise_is_of_each_image_of_all_or_none() -> None:
    method = tiny().eval()
    with torch.no_grad():
        for layer in method.generator.synthesis.modules():
            if hasattr(layer, "noise_strength"):
                layer.noise_strength += 1
        w = torch.ones(2, 8)
        images = {
            noise: method.generate(to="image", seeds=[0, 1], size=(16, 16), w=w, noise=noise)
            for noise in ("random", "constant", "none")
        }
    assert not torch.equal(*images["random"])
    assert torch.equal(*images["constant"])
    assert torch.equal(*images["none"])
    assert not torch.equal(images["constant"], images["none"])


def test_a_class_is_told_to_both() -> None:
    method = tiny(classes=["round", "square"]).eval()
    image, first, second = torch.zeros(1, 3, 16, 16), *torch.eye(2).split(1)
    with torch.no_grad():
        same = {"to": "image", "seeds": [0], "size": (16, 16)}
        made = [method.generate(**same, label=torch.tensor([label])) for label in (0, 1)]
        judged = [method.discriminator.given(told)(image)[0] for told in (first, second)]
    assert not torch.equal(*made)
    assert not torch.equal(*judged)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"w": torch.zeros(1, 5)}, r"w is of 8 numbers, or 6 x 1 x 8 for each layer its own; found \(5,\)"),
        ({"w": torch.zeros(1, 8), "latent": torch.zeros(1, 4)}, "give one or the other"),
        ({"latent": torch.zeros(1, 3)}, "latent"),
        ({"label": torch.tensor([0])}, "knows no classes"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        tiny().generate(to="image", seeds=[0], size=(16, 16), **options)


def test_other_generators_are_refused() -> None:
    with pytest.raises(ConfigError, match="take generator='stylegan2', or the method 'gan'"):
        tiny(generator={"name": "dcgan", "width": 4})


def test_wrong_noise_and_sides_are_said() -> None:
    generator = StyleGAN2Generator(latent=4, size=8, style=4, channel_base=16, mapping_layers=1)
    with pytest.raises(ConfigError, match="'constant', 'none', or 3 tensors, one for each layer; found 'loud'"):
        generator.synthesis(generator.styles(torch.zeros(1, 4)), "loud")
    with pytest.raises(ConfigError, match="a power of two from 4; found 12"):
        StyleGAN2Generator(size=12)
    with pytest.raises(ConfigError, match="judges images of side 8, and found 16 x 16; set its size"):
        StyleGAN2Discriminator(size=8, channel_base=16)(torch.zeros(1, 3, 16, 16))
