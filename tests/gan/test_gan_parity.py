"""The GAN family against recordings of the public implementations: our networks are the papers' networks."""

import pytest
import torch
from golden import Golden, assert_equal
from i2izoo_gan.importers import discriminator_from_original, generator_from_original

from i2izoo.contracts.registry import registry

FEATURES = {0: "pad_in", 4: "down1", 8: "down2", 12: "block1", 16: "block5"}


def generator(golden):
    spec, weights, before, after = generator_from_original("file", golden.state)
    part = registry("generators").build(spec, in_channels=before, out_channels=after)
    part.load_state_dict(weights)
    return part.eval(), spec


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("generator_resnet_9blocks_instance", {"name": "resnet_9blocks", "width": 4, "norm": "instance"}),
        ("generator_resnet_6blocks_batch", {"name": "resnet_6blocks", "width": 4, "norm": "batch"}),
        ("generator_unet_256_batch", {"name": "unet_256", "width": 2, "norm": "batch"}),
    ],
)
@torch.inference_mode()
def test_generators(name, found):
    golden = Golden(name)
    part, spec = generator(golden)
    assert found.items() <= spec.items()
    assert_equal(part(golden["input.image"]), golden["output.image"])


@pytest.mark.parametrize("name", ["discriminator_patch_70_instance", "discriminator_pixel_batch"])
@torch.inference_mode()
def test_discriminators(name):
    golden = Golden(name)
    spec, weights, channels = discriminator_from_original(name, golden.state)
    part = registry("discriminators").build(spec, in_channels=channels)
    part.load_state_dict(weights)
    (logits,) = part.eval()(golden["input.image"])
    assert_equal(logits, golden["output.logits"])


@torch.inference_mode()
def test_antialiased_resnet_and_its_features():
    golden = Golden("cut_resnet_9blocks_patchnce", prefix="state.generator.")
    part, spec = generator(golden)
    assert spec["antialias"] is True
    assert_equal(part(golden["input.source"]), golden["output.image"])
    features = part.features(golden["input.source"], list(FEATURES.values()))
    for index, name in FEATURES.items():
        assert_equal(features[name], golden[f"output.feature_{index}"])


@torch.inference_mode()
def test_multiscale_discriminator():
    golden = Golden("bicyclegan_discriminator_multi")
    part = registry("discriminators").build({"name": "multiscale", "width": 4}, in_channels=3)
    part.load_state_dict({f"scales.{k[6]}.layers.{k[8:]}": v for k, v in golden.state.items()})  # model_0.2.weight
    for index, logits in enumerate(part.eval()(golden["input.image"])):
        assert_equal(logits, golden[f"output.logits_{index}"])


def test_losses():
    golden = Golden("gan_losses")
    logits = [golden["input.logits"]]
    for name in ("lsgan", "vanilla", "wgangp"):
        loss, real, fake = registry("losses").build(name), *(golden[f"output.{name}_{k}"][0] for k in ("real", "fake"))
        assert_equal(loss.generator(logits), real)
        assert_equal(loss.discriminator(logits, logits), real + fake)
