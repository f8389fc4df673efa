"""Networks of the GAN family against the papers' figures and closed forms."""

import pytest
import torch
from i2izoo_gan.patchgan import MultiScalePatchGAN, PatchGAN, PixelDiscriminator
from i2izoo_gan.pix2pix import Pix2Pix
from i2izoo_gan.resnet import ResNet6, ResNet9
from i2izoo_gan.unet import UNet, UNet128, UNet256
from torch import nn

from i2izoo.errors import ConfigError
from i2izoo.nn.blur import BlurDown, BlurUp
from i2izoo.nn.init import init_weights


@pytest.mark.parametrize(
    ("network", "options", "millions"),
    [
        (UNet256, {}, 54.41),
        (UNet128, {}, 41.83),
        (ResNet9, {}, 11.38),
        (ResNet6, {}, 7.84),
        (PatchGAN, {"in_channels": 6, "norm": "batch"}, 2.77),  # pix2pix's
    ],
)
def test_parameters_at_width_64(network, options, millions):
    with torch.device("meta"):
        part = network(**options)
    assert round(sum(p.numel() for p in part.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286), (6, 574)])
def test_receptive_field_of_patchgan(layers, field):
    """The support of one logit's gradient; a strip of 700 columns is enough for 574."""
    discriminator = PatchGAN(in_channels=1, width=1, layers=layers, norm="none")
    for p in discriminator.parameters():
        nn.init.ones_(p)  # no accidental zeros
    image = torch.ones(1, 1, 704, 704, requires_grad=True)
    (logits,) = discriminator(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == field


def test_patchgan_logits_of_the_paper():
    (logits,) = PatchGAN(in_channels=6, width=2)(torch.zeros(1, 6, 256, 256))
    assert logits.shape == (1, 1, 30, 30)
    (pixels,) = PixelDiscriminator(in_channels=6, width=2)(torch.zeros(1, 6, 20, 9))
    assert pixels.shape == (1, 1, 20, 9)


@pytest.mark.parametrize(
    "discriminator",
    [
        *(PatchGAN(width=1, layers=n, antialias=a) for n in (1, 3, 4) for a in (False, True)),
        *(MultiScalePatchGAN(width=4, layers=2, scales=s) for s in (1, 2, 3)),
    ],
)
def test_min_size_of_a_critic_is_its_smallest(discriminator):
    side = discriminator.min_size
    assert all(logits.numel() for logits in discriminator(torch.zeros(1, 3, side, side)))
    with pytest.raises(RuntimeError):
        discriminator(torch.zeros(1, 3, side - 1, side - 1))


def test_multiscale_halves_size_and_width():
    discriminator = MultiScalePatchGAN(in_channels=3, width=8, scales=3)
    assert [scale.layers[0].out_channels for scale in discriminator.scales] == [8, 4, 2]
    assert [logits.shape[-1] for logits in discriminator(torch.zeros(1, 3, 256, 256))] == [30, 14, 6]
    kept = MultiScalePatchGAN(width=8, halve_width=False)
    assert [scale.layers[0].out_channels for scale in kept.scales] == [8, 8]


@pytest.mark.parametrize(
    ("network", "levels", "dropped"),
    [
        (UNet256, "paper", [1, 2, 3]),
        (UNet256, "pytorch", [2, 3, 4]),
        (UNet128, "paper", [1, 2, 3]),
        (UNet128, "pytorch", [2, 3]),
    ],
)
def test_dropout_levels(network, levels, dropped):
    part = network(width=1, dropout_levels=levels)
    found = [i for i, up in enumerate(part.up, 1) if any(isinstance(m, nn.Dropout) for m in up)]
    assert found == dropped
    assert not any(isinstance(m, nn.Dropout) for m in network(width=1, dropout=0.0).modules())


def test_norms_of_the_unet():
    """None on e1 and e8 nor on the output; convolutions before a batch norm have no bias."""
    part = UNet256(width=1)
    assert [isinstance(down[2], nn.BatchNorm2d) for down in part.down] == [False, *[True] * 6, False]
    assert [isinstance(up[2], nn.BatchNorm2d) for up in part.up] == [True] * 7 + [False]
    assert [up[1].bias is not None for up in part.up] == [False] * 7 + [True]


def test_widths_of_the_unet():
    assert [down[1].out_channels for down in UNet256(width=4).down] == [4, 8, 16, 32, 32, 32, 32, 32]
    assert [down[1].out_channels for down in UNet256(width=4, max_width=16).down] == [4, 8, *[16] * 6]


@pytest.mark.parametrize(
    "generator",
    [
        {"name": "unet_256", "width": 2, "depth": 4},
        {"name": "unet_128", "width": 2, "norm": "instance"},
        {"name": "resnet_6blocks", "width": 2},
        {"name": "resnet_9blocks", "width": 2, "antialias": True, "blocks": 1},
        {"name": "resnet_6blocks", "width": 2, "norm": "none", "blocks": 0},
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (7, 130), (33, 20)])
@torch.inference_mode()
def test_any_size_through_the_method(generator, size):
    method = Pix2Pix(in_channels=2, out_channels=1, generator=generator, discriminator="pixel").eval()
    image = torch.rand(2, 2, *size) * 2 - 1
    out = method(image, to="target")
    assert out.shape == (2, 1, *size)
    assert out.abs().max() <= 1


@torch.inference_mode()
def test_a_crop_is_the_crop_of_the_padded_image():
    """Padding right and bottom by reflection without the edge: the same as padding by hand."""
    method = Pix2Pix(generator={"name": "resnet_6blocks", "width": 2, "blocks": 1}, discriminator="pixel").eval()
    image = torch.rand(1, 3, 13, 18)
    by_hand = torch.nn.functional.pad(image, (0, 2, 0, 3), mode="reflect")
    torch.testing.assert_close(method(image, to="target"), method.generator(by_hand)[..., :13, :18])


def test_residual_blocks_and_tapped_features():
    part = ResNet9(width=2, blocks=2, norm="batch").train()  # the in-place ReLU must not change what is tapped
    image = torch.rand(2, 3, 16, 16)
    features = part.features(image, ["down1", "down1_norm", "block2"])
    layers = dict(part.layers.named_children())
    x = layers["conv_in"](layers["pad_in"](image))
    x = layers["conv_in_norm"](x).relu()
    torch.testing.assert_close(features["down1"], layers["down1"](x))
    torch.testing.assert_close(features["down1_norm"], layers["down1_norm"](layers["down1"](x)))
    assert features["down1_norm"].min() < 0
    assert list(features) == ["down1", "down1_norm", "block2"]
    with pytest.raises(ConfigError, match=r"'block3'.*block2"):
        part.features(image, ["block3"])


def test_impossible_options_are_named():
    with pytest.raises(ConfigError, match="'depth' of UNet wants int from 2 to 12, found 1"):
        UNet(depth=1)
    with pytest.raises(ConfigError, match="'layers' of PatchGAN wants int from 1 to 6, found 7"):
        PatchGAN(layers=7)
    with pytest.raises(ConfigError, match=r"'scales' .* wants int from 1 to 8, found 0"):
        MultiScalePatchGAN(scales=0)
    with pytest.raises(ConfigError, match="one of 'batch', 'instance', 'none'"):
        ResNet6(norm="layer")


# ------------------------------------------------------------------------------------------------- shared blocks


def test_blur_down_by_hand():
    """[1 2 1] / 4 in each direction, edges reflected, every second pixel kept."""
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0], [13.0, 14.0, 15.0, 16.0]])
    # the image is linear, so inner values stay; at the edge (2 + 2 * 1 + 2) / 4 = 1.5 in place of 1
    assert BlurDown(1)(x[None, None])[0, 0].tolist() == [[1 + 0.5 + 2, 3 + 2], [9 + 0.5, 11]]


def test_blur_up_by_hand():
    """In one direction zeros between the pixels and [1 3 3 1] / 4: weights 3/4 and 1/4, edges replicated."""
    x = torch.tensor([[0.0, 4.0], [0.0, 4.0]]).expand(1, 2, 2, 2)
    out = BlurUp(2)(x)
    assert out.shape == (1, 2, 4, 4)
    assert out[0, 1].tolist() == [[0.0, 1.0, 3.0, 4.0]] * 4


@pytest.mark.parametrize(
    ("kind", "gain", "deviation"),
    [
        ("normal", 0.02, 0.02),
        ("xavier", 0.02, 0.02 * (2 / (64 * 9 + 128 * 9)) ** 0.5),  # Glorot and Bengio 2010, eq. 16
        ("kaiming", 0.02, (2 / (64 * 9)) ** 0.5),  # He et al. 2015, eq. 10
        ("orthogonal", 0.5, 0.5 / (64 * 9) ** 0.5),  # 128 orthonormal rows of 576 entries
    ],
)
def test_inits(kind, gain, deviation):
    layers = nn.Sequential(nn.Conv2d(64, 128, 3), nn.BatchNorm2d(4096))
    torch.manual_seed(0)
    init_weights(layers, kind, gain)
    weight = layers[0].weight
    assert weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(weight.mean().item()) < deviation / 50
    assert not layers[0].bias.any()
    assert not layers[1].bias.any()
    assert layers[1].weight.mean().item() == pytest.approx(1, abs=gain / 10)
    assert layers[1].weight.std().item() == pytest.approx(gain, rel=0.1)
    if kind == "orthogonal":
        rows = weight.flatten(1)
        torch.testing.assert_close(rows @ rows.T, gain**2 * torch.eye(128), rtol=0, atol=1e-5)
