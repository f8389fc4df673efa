"""Colouring without pairs: lightness is the input's for any weights; CUT, FastCUT and CycleGAN learn colours alone."""

import numpy as np
import pytest
import torch
from steps import train

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.nn.colour import srgb_to_lab
from i2izoo.testing.training import stepper_of

EIGHT_BITS = 0.26
"""Greatest error of L* that rounding to 8 bits can make; tests/nn/test_colour.py derives it."""
KEEPING = {"name": "keep_lightness", "generator": {"name": "resnet_9blocks", "width": 4, "blocks": 1}}
JUDGE = {"name": "patchgan", "width": 4, "layers": 1}
CONTRAST = {"layers": ["pad_in", "down1", "block1"], "patches": 16, "projection": 8}
METHODS = {
    "cut": CONTRAST,
    "fastcut": CONTRAST,
    "cyclegan": {"channels": [1, 3], "identity_weight": 0.0},
}


def create(name, seed=0, gain=1.0):
    torch.manual_seed(seed)
    made = i2izoo.create(name, domains=["grey", "colour"], generator=KEEPING, discriminator=JUDGE, **METHODS[name])
    with torch.no_grad():
        for parameter in made.method.generator.parameters():
            parameter.mul_(gain)
    return made


def lightness(pixels, high=255):
    return srgb_to_lab(torch.from_numpy(pixels.astype(np.float64) / high).permute(2, 0, 1)[None])[0, 0]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("seed", "gain"), [(0, 1.0), (1, 8.0), (2, 60.0)])
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_lightness_is_the_inputs_for_any_weights(name, seed, gain, kind):
    shape = (21, 34) if kind == "grey" else (21, 34, 3)
    if name == "cyclegan" and kind == "colour":
        pytest.skip("its grey domain has one channel: a file in colour is turned to grey when it is read")
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    found = create(name, seed, gain)(pixels, to="colour")
    assert found.shape == (21, 34, 3)
    assert found.dtype == np.uint8
    wanted = np.dstack([pixels] * 3) if kind == "grey" else pixels
    assert (lightness(found) - lightness(wanted)).abs().max() < EIGHT_BITS
    if gain > 1:
        assert np.ptp(found.astype(int), axis=2).mean() > 20  # and it is coloured


def test_of_a_colour_image_only_the_lightness_counts():
    generator = registry("generators").get("keep_lightness")(generator=KEEPING["generator"]).eval()
    back = registry("generators").get("keep_lightness")(out_channels=1)
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        assert (generator(back(image)) - generator(image)).abs().max() < 2e-3


def test_the_way_back_is_exact_and_has_no_weights():
    for seed in range(3):
        method = create("cyclegan", seed, gain=20.0).method.eval()
        assert not list(method.generator["to_grey"].parameters())
        grey = torch.rand(2, 1, 16, 16) * 2 - 1
        with torch.no_grad():
            there_and_back = method(method(grey, to="colour"), to="grey")
        assert (there_and_back - grey).abs().max() < 2e-3
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
    assert method.generator["to_grey"](red).item() == pytest.approx(2 * 0.4985 - 1, abs=1e-3)  # sRGB of Y 0.2127


@pytest.mark.parametrize("gain", [1.0, 60.0])
def test_gradients_reach_the_generator_and_are_finite(gain):
    generator = create("cut", 0, gain).method.generator
    image = torch.cat([torch.rand(1, 3, 16, 14), torch.zeros(1, 3, 16, 1), torch.ones(1, 3, 16, 1)], 3) * 2 - 1
    output = generator(image)
    (output[:, 0] - output[:, 1]).abs().mean().backward()
    slopes = [parameter.grad for parameter in generator.parameters()]
    assert all(slope is not None and torch.isfinite(slope).all() for slope in slopes)
    assert any(slope.abs().sum() > 0 for slope in slopes)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_changes_every_network(name):
    method = create(name).method
    channels = method.channels
    images = {domain: torch.rand(1, channels[domain], 32, 32) * 2 - 1 for domain in ("grey", "colour")}
    images["grey"] = images["grey"][:, :1].expand_as(images["grey"]).contiguous()
    before = {key: value.clone() for key, value in method.named_parameters()}
    stepper_of(method).run([Batch(images)])
    still = [key for key, value in method.named_parameters() if torch.equal(value, before[key])]
    assert [key for key in still if key.endswith("weight")] == []


@pytest.mark.parametrize("name", METHODS)
def test_it_is_saved_and_loaded(name, tmp_path):
    made = create(name, gain=8.0)
    made.save_pretrained(tmp_path / "model")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20), dtype=np.uint8)
    loaded = i2izoo.load(str(tmp_path / "model"))
    assert loaded.method.config["generator"]["name"] == "keep_lightness"
    assert np.array_equal(loaded(pixels, to="colour"), made(pixels, to="colour"))


def test_patches_are_compared_with_their_colours():
    generator = create("cut").method.generator.eval()
    grey, red = torch.zeros(1, 3, 16, 16), torch.tensor([0.4, -0.4, -0.4]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    features = [generator.features(image, ["pad_in"])["pad_in"] for image in (grey, red)]
    assert features[0][:, 1:].abs().max() < 1e-4
    assert features[1][:, 1:].abs().min() > 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_channels": 2}, "in_channels=2"),
        ({"out_channels": 4}, "out_channels=4"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(ConfigError, match=words):
        registry("generators").get("keep_lightness")(**options)


def test_a_generator_without_features_is_told_of():
    generator = registry("generators").get("keep_lightness")(generator={"name": "unet_256", "width": 4, "depth": 3})
    if not hasattr(generator.generator, "features"):
        with pytest.raises(ConfigError, match=r"no method features\(image, names\)"):
            generator.features(torch.zeros(1, 3, 16, 16), ["pad_in"])


def test_identity_learns_the_colours_of_what_is_grey(learned, learning_seed):
    """G(y) sees the lightness of y alone, so that the cycle of the colour images is colouring with pairs."""
    tones = torch.tensor([[0.1, 0.6, 0.2], [0.9, 0.5, 0.4]])

    def draw(generator):
        chosen = torch.randint(2, (4, 1, 4, 4), generator=generator)
        image = tones[chosen[:, 0]].permute(0, 3, 1, 2).repeat_interleave(8, 2).repeat_interleave(8, 3) * 2 - 1
        return {"grey": image.mean(1, keepdim=True), "colour": image}

    method = train(
        lambda: registry("methods").get("cyclegan")(
            domains=["grey", "colour"], channels=[1, 3], identity_weight=0.0, discriminator=JUDGE, learning_rate=2e-3,
            generator={"name": "keep_lightness", "generator": {"name": "resnet_6blocks", "width": 8, "blocks": 1}},
        ),
        draw, steps=60, seed=learning_seed,
    )  # fmt: skip
    image = draw(torch.Generator().manual_seed(99))["colour"]
    with torch.no_grad():
        found = method.eval()(method(image, to="grey"), to="colour")
    learned("mean absolute error", float((found - image).abs().mean()), below=0.2, untrained=0.4)
