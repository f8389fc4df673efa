"""UVCGAN's generator against a twin written from the paper, its size, and what ReZero begins with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_transformers.pixelwise import PixelwiseViT
from i2izoo_transformers.vit_unet import ViTUNet
from torch import Tensor
from torch.nn import functional as F

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.training import batches, stepper_of

TINY: dict[str, Any] = {"widths": [4, 6], "dim": 8, "depth": 2, "heads": 2, "embedding": 6}


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return network.double().eval()


def transformer(state: dict[str, Tensor], x: Tensor, heads: int) -> Tensor:
    """Section 3.1 for one feature map, C x H x W, pixel by pixel and head by head."""
    channels, height, width = x.shape

    def linear(v: Tensor, name: str) -> Tensor:
        return state[f"{name}.weight"] @ v + state[f"{name}.bias"]

    def norm(v: Tensor, name: str) -> Tensor:
        return (v - v.mean()) / (v.var(unbiased=False) + 1e-5).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

    tokens = []
    for row in range(height):
        for column in range(width):
            place = torch.tensor([2 * row / (height - 1) - 1, 2 * column / (width - 1) - 1], dtype=x.dtype)
            tokens.append(linear(torch.cat([linear(place, "position").sin(), x[:, row, column]]), "input"))
    dim = len(tokens[0])
    size = dim // heads
    for block in range(sum(name.endswith("alpha") for name in state)):
        name = f"blocks.{block}"
        into, bias = state[f"{name}.attention.in_proj_weight"], state[f"{name}.attention.in_proj_bias"]
        asked = [into @ norm(token, f"{name}.norm1") + bias for token in tokens]
        for place, token in enumerate(tokens):
            heard = []
            for head in range(heads):
                part = slice(head * size, (head + 1) * size)
                scores = torch.stack([asked[place][:dim][part] @ a[dim : 2 * dim][part] / size**0.5 for a in asked])
                heard.append(sum(s * a[2 * dim :][part] for s, a in zip(scores.softmax(0), asked, strict=True)))
            token = token + state[f"{name}.alpha"] * linear(torch.cat(heard), f"{name}.attention.out_proj")
            hidden = F.gelu(linear(norm(token, f"{name}.norm2"), f"{name}.mlp.0"))
            tokens[place] = token + state[f"{name}.alpha"] * linear(hidden, f"{name}.mlp.2")
    return torch.stack([linear(token, "output") for token in tokens], dim=1).view(channels, height, width)


def test_the_transformer_is_that_of_the_paper() -> None:
    with seeded(0):
        network = drawn(PixelwiseViT(channels=3, extra=0, dim=8, depth=2, heads=2, hidden=12, embedding=6, rezero=True))
        x = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[0], transformer(dict(network.state_dict()), x[0], 2))


def test_the_unet_around_it_is_that_of_the_paper() -> None:
    """Two levels written out: figure 2."""
    with seeded(0):
        network = drawn(ViTUNet(**TINY))
        image = torch.rand(1, 3, 8, 12, dtype=torch.float64) * 2 - 1
    s = dict(network.state_dict())

    def conv(x: Tensor, name: str, **how: int) -> Tensor:
        return F.conv2d(x, s[f"{name}.weight"], s[f"{name}.bias"], **how)

    def block(x: Tensor, name: str) -> Tensor:
        for place in (1, 4):
            x = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
            x = F.leaky_relu(conv(x, f"{name}.{place}", padding=1), 0.01)
        return x

    def up(x: Tensor, name: str) -> Tensor:
        return conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3), f"{name}.1", padding=1)

    with torch.no_grad():
        first = block(F.leaky_relu(conv(image, "input.0", padding=1), 0.01), "encoders.0")
        second = block(conv(first, "down.0", stride=2), "encoders.1")
        inner = network.bottleneck(conv(second, "down.1", stride=2))
        x = block(torch.cat([up(inner, "up.1"), second], 1), "decoders.1")
        x = block(torch.cat([up(x, "up.0"), first], 1), "decoders.0")
        torch.testing.assert_close(network(image), conv(x, "output.0").tanh())


def published() -> int:
    """The sum over the tensors of the authors' code (LS4GAN/uvcgan, vit-unet-12 of its CelebA script, 256 x 256)."""

    def conv(before: int, after: int, side: int) -> int:
        return before * after * side**2 + after

    levels = [(48, 48), (48, 96), (96, 192), (192, 384)]
    unet = conv(3, 48, 3) + conv(48, 3, 1)
    for before, width in levels:
        unet += conv(before, width, 3) + conv(width, width, 3) + conv(width, width, 2)  # down
        unet += conv(width, width, 3) + conv(2 * width, width, 3) + conv(width, before, 3)  # up
    d, hidden = 384, 1536
    attention, mlp, norms = 4 * (d * d + d), 2 * d * hidden + hidden + d, 2 * 2 * d
    ends = (2 * d + d) + (2 * d * d + d) + (d * d + d)
    return unet + 12 * (attention + mlp + norms + 1) + ends


def test_its_size_is_that_of_the_authors_code() -> None:
    with only_shapes():
        network = ViTUNet()
    found = sum(p.numel() for p in network.parameters())
    assert found == published() == 31_360_239


def test_rezero_begins_as_if_there_were_no_blocks() -> None:
    with seeded(0):
        network = ViTUNet(**TINY).eval()
        image = torch.rand(1, 3, 8, 8) * 2 - 1
    with torch.no_grad():
        before = network(image)
        network.bottleneck.blocks = torch.nn.Sequential()
        torch.testing.assert_close(network(image), before)


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan", "cut", "cgan", "bicyclegan", "cvae"])
def test_every_method_of_translation_takes_it(method: str) -> None:
    vit = {"name": "vit_unet", **TINY}
    options = dict(registry("methods").get(method).tiny_options) | {"generator": vit}
    if method == "cut":
        options["layers"] = ["e1", "e2"]
    model = i2izoo.create(method, **options).method
    stepper = stepper_of(model)
    for batch in batches(model, 2):
        assert all(torch.isfinite(value) for value in stepper.run([batch]).values())


def test_features_are_those_of_the_way_down() -> None:
    network = ViTUNet(**TINY)
    found = network.features(torch.zeros(1, 3, 8, 8), ["e2", "e1"])
    assert {name: tuple(x.shape) for name, x in found.items()} == {"e1": (1, 4, 8, 8), "e2": (1, 6, 4, 4)}
    with pytest.raises(ConfigError, match="no layer 'e3'"):
        network.features(torch.zeros(1, 3, 8, 8), ["e3"])


def test_heads_divide_the_tokens() -> None:
    with pytest.raises(ConfigError, match="heads divide dim"):
        ViTUNet(**{**TINY, "heads": 3})
