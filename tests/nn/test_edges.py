"""Tiles whose edges are continued: each layer against a whole map, and the whole network against the image's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from i2izoo.nn.edges import Edges, continued

MIRROR = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(0))


def whole_around(x: Tensor) -> Tensor:
    """A map that goes on beyond x as its reflection, by four pixels to each side."""
    return nn.functional.pad(x, (4, 4, 4, 4), mode="reflect")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 4, stride=2, padding=1), nn.Conv2d(2, 3, 5, padding=(2, 2)),
        nn.Conv2d(2, 2, 3, padding=2, dilation=2, groups=2), nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1),
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), nn.ConvTranspose2d(2, 3, 2, stride=2),
    ],
)  # fmt: skip
def test_a_layer_sees_the_reflection(layer: nn.Module) -> None:
    """It gives what it gives in the middle of a map that is the tile and its reflections."""
    edges = Edges()
    edges.own, edges.side = torch.zeros(1, 4, dtype=torch.bool), 1000
    whole = layer(whole_around(MIRROR))
    own = layer(MIRROR)
    with continued(layer, edges):
        found = layer(MIRROR)
    assert found.shape == own.shape
    scale = own.shape[-1] / MIRROR.shape[-1]
    start = int(4 * scale)
    assert torch.allclose(found, whole[..., start : start + own.shape[-2], start : start + own.shape[-1]], atol=1e-5)
    assert torch.equal(layer(MIRROR), own), "and after it the layer is what it was"


def test_edges_of_the_image_are_padded_as_ever_and_each_window_has_its_own() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(2, 4, 4, stride=2, padding=1), nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1))
    both = torch.cat([MIRROR, MIRROR])
    edges = Edges()
    edges.own, edges.side = torch.tensor([[True] * 4, [False] * 4]), 1000
    with continued(layers, edges):
        found = layers(both)
    own = layers(MIRROR)
    assert torch.allclose(found[:1], own, atol=1e-6)
    assert not torch.allclose(found[1:], own, atol=1e-3)
    edges.own = torch.tensor([[False, True, True, True]])
    with continued(layers, edges):
        top = layers(MIRROR)
    assert torch.allclose(top[..., 3:, :], own[..., 3:, :], atol=1e-6)
    assert not torch.allclose(top[..., :2, :], own[..., :2, :], atol=1e-3)


def test_large_maps_and_other_batches_stay_as_they_are() -> None:
    layer = nn.Conv2d(2, 2, 3, padding=1)
    edges = Edges()
    edges.own, edges.side = torch.zeros(1, 4, dtype=torch.bool), 63  # 8 * 8 > 63
    with continued(layer, edges):
        assert torch.equal(layer(MIRROR), nn.functional.conv2d(MIRROR, layer.weight, layer.bias, padding=1))
        edges.side = 64
        assert torch.equal(layer(torch.cat([MIRROR, MIRROR]))[:1], layer(torch.cat([MIRROR, MIRROR]))[1:])
