"""Latent vectors: closed forms, and where they enter the generators."""

import math

import pytest
import torch
from torch import nn

from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.nn.latent import kl_divergence, lerp, reparameterise, slerp, the_latent, tile

# -------------------------------------------------------------------------------------------------- distributions


def test_kl_is_that_of_torch_summed_over_dimensions_and_averaged_over_the_batch():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(q, p).sum(dim=1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)
    spatial = kl_divergence(
        mean[:, :, None, None].expand(-1, -1, 2, 3), log_variance[:, :, None, None].expand(-1, -1, 2, 3)
    )
    torch.testing.assert_close(spatial, 6 * expected)


def test_kl_does_not_overflow_in_half_precision():
    value = kl_divergence(torch.zeros(1, 4, dtype=torch.float16), torch.full((1, 4), 12.0, dtype=torch.float16))
    assert value.item() == pytest.approx(-0.5 * 4 * (1 + 12 - math.exp(12)), rel=1e-5)  # float16 ends at 65504


def test_a_draw_has_the_moments_that_it_should_and_passes_gradients():
    mean, log_variance = (
        torch.tensor([[2.0, -1.0]]).requires_grad_(),
        torch.tensor([[0.0, math.log(9)]]).requires_grad_(),
    )
    torch.manual_seed(0)
    draws = reparameterise(mean.expand(20000, -1), log_variance.expand(20000, -1))
    torch.testing.assert_close(draws.mean(dim=0), mean[0], atol=0.1, rtol=0)
    torch.testing.assert_close(draws.std(dim=0), torch.tensor([1.0, 3.0]), atol=0.1, rtol=0)
    torch.manual_seed(3)
    noise = torch.randn(1, 2)
    torch.manual_seed(3)
    reparameterise(mean, log_variance).sum().backward()
    assert mean.grad.tolist() == [[1.0, 1.0]]
    torch.testing.assert_close(log_variance.grad, 0.5 * noise * torch.tensor([[1.0, 3.0]]))


# ---------------------------------------------------------------------------------------------------------- ways


def test_lerp_and_slerp_end_where_they_should():
    start, end = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)), torch.full((3, 8), 0.5)
    for way in (lerp, slerp):
        torch.testing.assert_close(way(start, end, 0.0), start)
        torch.testing.assert_close(way(start, end, 1.0), end)


def test_slerp_turns_evenly_and_keeps_the_length():
    """From (3, 0) by 120 degrees: at t it stands at 120 t degrees, and still at 3."""
    start, end = torch.tensor([3.0, 0.0]), 3 * torch.tensor([math.cos(2 * math.pi / 3), math.sin(2 * math.pi / 3)])
    t = torch.linspace(0, 1, 7)[:, None]
    on_the_way = slerp(start.expand(7, -1), end.expand(7, -1), t)
    angles = torch.atan2(on_the_way[:, 1], on_the_way[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, 2 * math.pi / 3, 7))
    torch.testing.assert_close(on_the_way.norm(dim=1), torch.full((7,), 3.0))


@pytest.mark.parametrize(
    ("start", "end", "halfway"),
    [([1.0], [3.0], [2.0]), ([1.0, 1.0], [2.0, 2.0], [1.5, 1.5]), ([0.0, 0.0], [2.0, 0.0], [1.0, 0.0])],
)
def test_slerp_is_straight_where_there_is_no_angle(start, end, halfway):
    assert slerp(torch.tensor(start), torch.tensor(end), 0.5).tolist() == pytest.approx(halfway)


# ---------------------------------------------------------------------------------------------- into a generator


def test_tile_repeats_the_latent_over_all_pixels():
    out = tile(torch.zeros(2, 1, 2, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert out[:, 0].eq(0).all()
    assert out[1, 1].eq(3).all()
    assert out[1, 2].eq(4).all()


@pytest.mark.parametrize("conditions", [(), (torch.zeros(2, 4),), (torch.zeros(2, 8, 1, 1),), (torch.zeros(2, 8),) * 2])
def test_a_latent_that_does_not_fit_is_refused(conditions):
    with pytest.raises(ConfigError, match=r"latent of shape \(N, 8\)"):
        the_latent(conditions, 8)


def generator(name, **options):
    torch.manual_seed(0)
    small = {"depth": 4, "dropout": 0.0} if name.startswith("unet") else {"blocks": 2}
    return registry("generators").build({"name": name, "width": 4, "norm": "instance", **small, **options})


@pytest.mark.parametrize("latent", [2, 8, 256])
@pytest.mark.parametrize("latent_at", ["input", "all", "bottleneck"])
@pytest.mark.parametrize("name", ["unet_256", "resnet_6blocks"])
def test_the_latent_matters_and_all_its_weights_learn(name, latent_at, latent):
    """Also behind an instance norm, which removes what is constant over the image."""
    part = generator(name, latent=latent, latent_at=latent_at)
    image, z = part.example_inputs(batch=2)
    assert z.shape == (2, latent)
    out = part(image, z)
    other = part(image, z + torch.tensor([[0.0], [1.0]]))  # only the second row's
    torch.testing.assert_close(other[0], out[0])
    assert (other[1] - out[1]).abs().max() > 1e-3
    out.square().sum().backward()
    for parameter in part.parameters():
        assert parameter.grad is not None
    entry = part.down[{"input": 0, "all": 1, "bottleneck": 3}[latent_at]][1] if name == "unet_256" else None
    gradient = entry.weight.grad[:, -latent:] if entry else next(iter(part.offsets.values())).weight.grad
    assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("latent_at", "levels"), [("input", [0]), ("all", [0, 1, 2, 3]), ("bottleneck", [3])]
)  # fmt: skip
def test_levels_of_the_unet_that_see_the_latent(latent_at, levels):
    plain, latent = generator("unet_256"), generator("unet_256", latent=5, latent_at=latent_at)
    wider = [b[1].in_channels - a[1].in_channels for a, b in zip(plain.down, latent.down, strict=True)]
    assert wider == [5 if level in levels else 0 for level in range(4)]


@pytest.mark.parametrize(
    ("latent_at", "places"),
    [
        ("input", {"conv_in_norm"}),
        ("all", {"conv_in_norm", "down1_norm", "down2_norm", "block1", "block2"}),
        ("bottleneck", {"block1", "block2"}),
    ],
)
def test_layers_of_the_resnet_that_see_the_latent(latent_at, places):
    assert set(generator("resnet_6blocks", latent=5, latent_at=latent_at).offsets) == places


@torch.inference_mode()
def test_the_offset_of_the_resnet_is_a_repeated_latent_before_the_convolution():
    """Without a norm: edges are reflected, so each output sees the latent through the whole kernel."""
    part = generator("resnet_6blocks", latent=2, latent_at="input", norm="none", blocks=0)
    image, z = part.example_inputs(batch=2, size=16)
    plain = nn.Sequential(*part.layers.children())
    kernel = torch.randn(4, 2, 7, 7)
    part.offsets["conv_in_norm"].weight.copy_(kernel.sum(dim=(2, 3)))
    part.offsets["conv_in_norm"].bias.zero_()
    wide = nn.Conv2d(5, 4, 7)
    wide.weight.copy_(torch.cat([plain[1].weight, kernel], dim=1))
    wide.bias.copy_(plain[1].bias)
    expected = plain[4:](nn.functional.relu(wide(plain[0](tile(image, z)))))
    torch.testing.assert_close(part(image, z), expected)


def test_impossible_latents_are_named():
    with pytest.raises(ConfigError, match=r"from 0 to .*, found -1"):
        generator("unet_256", latent=-1)
    with pytest.raises(ConfigError, match="no bottleneck"):
        generator("resnet_6blocks", blocks=0, latent=2, latent_at="bottleneck")
    with pytest.raises(ConfigError, match=r"latent of shape \(N, 2\).*found none"):
        generator("unet_256", latent=2)(torch.zeros(1, 3, 16, 16))


@torch.inference_mode()
def test_bilinear_upsampling_leaves_no_checkerboard():
    """Constant in, constant out, whatever the weights: transposed convolutions of random weights are far from it."""
    image = torch.full((1, 3, 32, 32), 0.3)
    inner = {}
    for kind in ("bilinear", "transposed"):
        part = generator("unet_256", upsample=kind, norm="none").eval()
        level = part.up[0][:2](torch.full((1, part.down[3][1].out_channels, 4, 4), 0.7))
        inner[kind] = (level - level.mean(dim=(2, 3), keepdim=True)).abs().max().item()
        assert part(image).shape == image.shape
    assert inner["bilinear"] < 1e-6 < 1e-3 < inner["transposed"]
