"""Resize-convolutions against the layers that they stand for, and in every generator that has the option."""

import pytest
import torch
from torch import nn

import i2izoo
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.nn.padding import valid_side
from i2izoo.nn.random import seeded
from i2izoo.nn.upsample import NearestConvolution, resize_convolution

RESIZED = ("nearest", "bilinear")
RESNET = {"name": "resnet_9blocks", "width": 4, "upsample": "nearest"}
WITH_OPTION = [
    name
    for name in registry("generators").names()
    if "upsample" in schema(registry("generators").get(name))
]  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_nearest_is_its_three_layers(size):
    """Repeated pixels, a reflected edge and a convolution, one after the other: the same image and gradients."""
    with seeded(0):
        layer = NearestConvolution(3, 4).double()
        x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
        weights = torch.randn(2, 4, 2 * size[0], 2 * size[1], dtype=torch.float64)
    plain = nn.Sequential(nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(3, 4, 3).double())
    plain[2].load_state_dict(layer.state_dict())
    found, wanted = layer(x), plain(x)
    torch.testing.assert_close(found, wanted)
    slopes = torch.autograd.grad((found * weights).sum(), [x, layer.weight, layer.bias])
    torch.testing.assert_close(slopes, torch.autograd.grad((wanted * weights).sum(), [x, *plain[2].parameters()]))


def checkerboard(image):
    """Largest difference between neighbours in the middle of N x C x H x W, where no edge is seen."""
    middle = image[
        ..., image.shape[-2] * 3 // 8 : image.shape[-2] * 5 // 8, image.shape[-1] * 3 // 8 : -image.shape[-1] * 3 // 8
    ]
    return max((middle[..., 1:] - middle[..., :-1]).abs().max(), (middle[..., 1:, :] - middle[..., :-1, :]).abs().max())


@pytest.mark.parametrize("seed", range(5))
def test_a_constant_stays_constant_with_any_weights(seed):
    """Resized, all outputs are the sum of all weights; transposed, each of four phases has weights of its own."""
    with seeded(seed):
        layers = [resize_convolution(3, 2, kind) for kind in RESIZED]
        transposed = [nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1), nn.ConvTranspose2d(3, 2, 4, 2, 1)]
        colour = torch.randn(1, 3, 1, 1).expand(1, 3, 8, 8)
    for layer in layers:
        convolution = next(m for m in layer.modules() if isinstance(m, nn.Conv2d))
        wanted = (convolution.weight.sum((2, 3)) @ colour[0, :, 0, 0] + convolution.bias).view(1, 2, 1, 1)
        torch.testing.assert_close(layer(colour), wanted.expand(1, 2, 16, 16))
    for layer in transposed:
        assert checkerboard(layer(colour)) > 0.01


@pytest.mark.parametrize(
    "generator",
    [
        {"name": "resnet_9blocks", "width": 4, "norm": "none", "blocks": 1},
        {"name": "unet_256", "width": 4, "norm": "none", "depth": 2, "dropout": 0.0},
        {"name": "unit", "width": 4, "blocks": 0},  # its blocks alone have a norm, which makes nothing of a constant
    ],
)
@torch.inference_mode()
def test_no_checkerboard_of_a_constant_image(generator):
    found = {}
    for upsample in ("transposed", *RESIZED):
        with seeded(1):
            network = registry("generators").build({**generator, "upsample": upsample}).eval()
        for parameter in network.parameters():
            parameter.mul_(2)  # the middle of tanh hides nothing
        found[upsample] = float(checkerboard(network(torch.full((1, 3, 96, 96), 0.5))))
    assert max(found[kind] for kind in RESIZED) < 1e-5 < 1e-3 < found["transposed"], found


@pytest.mark.parametrize("name", WITH_OPTION)
@pytest.mark.parametrize("upsample", ["transposed", *RESIZED])
@torch.inference_mode()
def test_sizes_of_every_generator(name, upsample):
    part = registry("generators").get(name)
    network = part(**{**part.tiny_options, "upsample": upsample}).eval()
    assert part(**part.tiny_options).config["upsample"] == "transposed"
    assert any(isinstance(m, nn.ConvTranspose2d) for m in network.modules()) == (upsample == "transposed")
    least = valid_side(1, network.size_multiple, network.min_size)
    for size in ((least, least), (least + network.size_multiple, least)):
        assert network(torch.zeros(1, 3, *size)).shape == (1, 3, *size)


def test_the_generators_that_have_the_option():
    assert WITH_OPTION == ["resnet_6blocks", "resnet_9blocks", "unet_128", "unet_256", "unit"]


def test_blur_and_resize_are_two_ways():
    """CUT's generator is blurred in both directions; downwards alone it goes with a resize-convolution."""
    for antialias in (True, "up"):
        with pytest.raises(ConfigError, match=r"two ways to double the size; take antialias='down'"):
            i2izoo.create("cut", generator=RESNET | {"antialias": antialias})
    model = i2izoo.create("cut", generator=RESNET | {"antialias": "down"})
    layers = dict(model.method.generator.layers.named_children())
    assert isinstance(layers["up1"], NearestConvolution)
    assert "down1_blur" in layers
    assert "up1_blur" not in layers


def test_stored_and_opened_again(tmp_path):
    generator = {"name": "unet_256", "width": 4, "depth": 3, "upsample": "nearest"}
    model = i2izoo.create("pix2pix", generator=generator, discriminator="pixel")
    model.save_pretrained(tmp_path)
    loaded = i2izoo.load(tmp_path)
    assert loaded.method.config["generator"]["upsample"] == "nearest"
    image = torch.rand(3, 16, 8) * 2 - 1
    assert torch.equal(loaded(image), model(image))
