"""Public features: what layers give while a model translates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torch.nn.modules.module import register_module_forward_hook

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, ImageError, OptionTypeError, UnknownNameError

ENTRIES = {name: registry("pretrained").get(name) for name in registry("pretrained").names()}
BUNDLED = [name for name, entry in ENTRIES.items() if entry.bundled and None not in entry.directions.values()]


@pytest.fixture(scope="module")
def unet() -> i2izoo.Translator:
    return i2izoo.load("pix2pix-facades")


def ran(model: i2izoo.Translator, image: np.ndarray, **options: Any) -> dict[str, Tensor]:
    """The last output of every module that runs in a translation, by a hook of torch on all modules there are."""
    found: dict[int, Tensor] = {}

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found[id(module)] = output.clone()

    handle = register_module_forward_hook(keep)
    try:
        model(image, **options)
    finally:
        handle.remove()
    names = {name: id(module) for name, module in model.method.named_modules()}
    return {name: found[key] for name, key in names.items() if key in found}


@pytest.mark.parametrize("name", BUNDLED)
def test_every_entry_gives_what_its_layers_give_in_a_translation(name: str) -> None:
    model = i2izoo.load(name)
    options = {"steps": 2} if "steps" in model.method.translate_options() else {}
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    for to in model.directions:
        expected = {k: v for k, v in ran(model, image, to=to, **options).items() if k in model.layers}
        assert sum(isinstance(model.method.get_submodule(layer), nn.Conv2d) for layer in expected) >= 5
        found = model.features(image, layers=list(expected), to=to, **options)
        assert list(found) == list(expected)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not any(module._forward_hooks for module in model.method.modules())


def test_the_image_is_read_and_padded_as_for_a_translation(unet: i2izoo.Translator) -> None:
    """The first layer of the U-Net, computed by its formula from the image, mirrored on the right and below."""
    image = np.random.default_rng(1).integers(0, 256, (200, 250, 3), dtype=np.uint8)
    layer = unet.method.get_submodule("generator.down.0.1")
    assert isinstance(layer, nn.Conv2d)
    found = unet.features(image, layers="generator.down.0.1")["generator.down.0.1"]
    inside = torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1
    expected = conv2d(pad(inside, (0, 6, 0, 56), mode="reflect"), layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


def test_the_whole_generator_gives_the_translation(unet: i2izoo.Translator) -> None:
    images = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = unet.features(images, layers=["generator"])
    torch.testing.assert_close(found["generator"], unet(images))
    assert found["generator"].requires_grad is False
    (found["generator"] * torch.ones((), requires_grad=True)).sum().backward()  # not a tensor of inference mode


def test_a_list_gives_a_list(unet: i2izoo.Translator, tmp_path: Path) -> None:
    sizes = [(256, 256), (256, 512)]
    images = [np.full((*size, 3), 7 * i, np.uint8) for i, size in enumerate(sizes)]
    found = unet.features(images, layers=["generator"])
    assert [tuple(one["generator"].shape) for one in found] == [(1, 3, *size) for size in sizes]
    torch.testing.assert_close(found[1], unet.features(images[1], layers=["generator"]))
    with pytest.raises(ImageError, match=r"missing\.png"):
        unet.features(tmp_path / "missing.png", layers=["generator"])


def test_a_layer_that_runs_in_each_step() -> None:
    net = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
    torch.manual_seed(0)
    model = i2izoo.create("ddim", generator=net)
    image = np.zeros((16, 16, 3), np.uint8)

    def at(call: int) -> Tensor:
        return model.features(image, layers="generator", steps=3, call=call)["generator"]

    assert torch.equal(at(-1), at(2))
    assert torch.equal(at(0), at(-3))
    assert not torch.equal(at(0), at(1))
    with pytest.raises(ConfigError, match=r"called 3 times on the way to .* call=3 was asked for"):
        at(3)


def test_what_goes_wrong_is_said(unet: i2izoo.Translator) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(
        UnknownNameError, match=r"no layer 'generator\.down\.0\.9'; did you mean 'generator\.down\.0\.2'"
    ):
        unet.features(image, layers=["generator.down.0.9"])
    with pytest.raises(UnknownNameError, match=r"'discriminator'"):  # translating does not need it
        unet.features(image, layers=["discriminator"])
    for none in [], [3], None, 3:
        with pytest.raises(OptionTypeError, match="one or more names"):
            unet.features(image, layers=none)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no option 'stepz'"):
        unet.features(image, layers="generator", stepz=3)
    both = i2izoo.load("cyclegan-facades")
    with pytest.raises(ConfigError, match=r"'generator\.to_label' was called not at all on the way to 'photo'"):
        both.features(image, layers="generator.to_label")
    assert both.features(image, layers="generator.to_label", to="label")["generator.to_label"].ndim == 4
