"""Tiles of an image in memory: equal to the whole where that can be, near it where statistics are frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.models.translator import Translator
from i2izoo.nn.norm import InstanceNorm
from i2izoo.nn.statistics import Frozen, Joint, Moments, normalising
from i2izoo.rasters.plan import TileSettings
from i2izoo.rasters.probing import Tiling, tiling
from i2izoo.rasters.tiled import translate_tiled

PALETTE = [[0, 0, 0], [250, 0, 0], [0, 0, 250]]


def image(height: int, width: int, channels: int = 3) -> Tensor:
    """Noise that is brighter to the right, so that tiles have statistics of their own."""
    noise = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1)) - 0.5
    return noise + torch.linspace(-0.5, 0.5, width)


def model(name: str = "pix2pix", seed: int = 0, **options: Any) -> Translator:
    """Weights so large that pixels depend on what is far away."""
    torch.manual_seed(seed)
    found = i2izoo.create(name, **options)
    with torch.no_grad():
        for layer in found.method.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                fan = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.weight[:, 0].numel() / 4
                nn.init.normal_(layer.weight, std=(2 / fan) ** 0.5)
    return found


RESNET = {"name": "resnet_6blocks", "width": 4, "blocks": 1}
UNET = {"name": "unet_128", "width": 4, "depth": 3}


@pytest.mark.parametrize("generator", [RESNET | {"norm": "none"}, RESNET | {"norm": "batch"}, UNET | {"norm": "none"}])
def test_tiles_of_a_finite_reach_equal_the_whole(generator: dict[str, Any]) -> None:
    translator = model(generator=generator)
    assert tiling(translator).mode == "exact"
    for size in ((150, 203), (64, 300), (37, 21)):
        whole = translator(image(*size))
        tiles = translate_tiled(translator, image(*size), settings=TileSettings(tile=96))
        assert float((tiles - whole).abs().max()) < 1e-4


def test_with_the_exact_statistics_instance_norm_equals_the_whole() -> None:
    translator = model(generator=RESNET)
    found = tiling(translator)
    assert found.mode == "frozen"
    assert found.norms == 7  # conv_in, two down, two in the block, two up
    assert 8 <= (found.reach or 0) <= 32
    picture = image(128, 192)
    whole = translator(picture)
    errors = {}
    for statistics in ("tile", "joint", "exact"):
        settings = TileSettings(tile=96, overlap=64, statistics=statistics, joint_tiles=64)  # type: ignore[arg-type]
        tiles = translate_tiled(translator, picture, settings=settings)
        errors[statistics] = float((tiles - whole).square().mean())
    assert errors["exact"] < errors["joint"] < errors["tile"]
    assert errors["exact"] < errors["tile"] / 20


def test_exact_statistics_are_those_of_the_whole() -> None:
    """Of a layer that sees the image itself, whose moments torch computes of the whole."""
    from i2izoo.rasters.choosing import window
    from i2izoo.rasters.first_pass import exact, layer
    from i2izoo.rasters.grid import spans
    from i2izoo.rasters.windows import Windows

    translator = model(generator=RESNET)
    picture = image(92, 132)
    translator.method.generator.layers = nn.Sequential(InstanceNorm(3), nn.Conv2d(3, 3, 1))
    rows, columns = spans(92, 40, overlap=16), spans(132, 40, overlap=15)

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return picture[:, top:bottom, left:right]

    run = Windows(translator, None, 0, {})
    blocks = [[w for c in columns if (w := window(read, r, c))] for r in rows]
    (found,) = exact(lambda known: (layer(run, block, known) for block in blocks))
    variance, mean = torch.var_mean(picture, dim=(1, 2), correction=0)
    assert torch.allclose(found.mean.flatten(), mean, atol=1e-6)
    assert torch.allclose(found.variance.flatten(), variance, atol=1e-6)


def test_dense_statistics_lie_between_those_of_the_tiles() -> None:
    """At the middles of tiles they are the tiles'; half-way between two they are the mean of both."""
    from i2izoo.rasters.first_pass import Dense

    table = [Moments(torch.tensor([[[[0.0, 4.0]]]]), torch.tensor([[[[1.0, 3.0]]]]))]
    policy = Dense(table, [8.0], [8.0, 24.0])
    policy.place = (0, 16, 0, 32)
    moments = policy(0, InstanceNorm(1), torch.zeros(1, 1, 4, 32))
    assert moments.mean[0, 0, 0, 0] == 0  # beyond the first middle
    assert moments.mean[0, 0, 0, 31] == 4
    assert torch.isclose(moments.mean[0, 0, 0, 15:17].mean(), torch.tensor(2.0))
    assert torch.isclose(moments.variance[0, 0, 0, 15:17].mean(), torch.tensor(2.0))


def test_scores_of_label_maps_are_blended_and_then_painted() -> None:
    translator = model(generator=RESNET | {"norm": "none"}, domains=["photo", "label"], label_maps={"label": PALETTE})
    whole = translator(image(80, 120))
    tiles = translate_tiled(translator, image(80, 120), settings=TileSettings(tile=64))
    colours = {tuple(c) for c in ((tiles + 1) * 127.5).round().int().flatten(1).T.tolist()}
    assert colours <= {tuple(c) for c in PALETTE}
    assert float((tiles != whole).any(0).float().mean()) < 0.001  # a tie may fall to either side


def test_a_latent_is_the_same_in_all_tiles_and_noise_is_refused() -> None:
    from i2izoo_gan.bicyclegan import BicycleGAN

    drawn = model("bicyclegan", **(BicycleGAN.tiny_options or {}))
    assert tiling(drawn).mode in ("exact", "frozen")
    whole, other = drawn(image(64, 96), seed=1), drawn(image(64, 96), seed=2)
    tiles = translate_tiled(
        drawn, image(64, 96), seed=1, settings=TileSettings(tile=64, overlap=32, statistics="exact")
    )
    assert (tiles - whole).square().mean() < (tiles - other).square().mean() / 2
    unet = {"name": "unet2d", "channels": [8, 16], "attention": [], "layers": 1, "norm_groups": 4}
    noisy = i2izoo.create("ddim", generator=unet, sampling_steps=2)
    assert tiling(noisy).mode == "refused"
    with pytest.raises(ConfigError, match="cannot be run in tiles: it draws noise"):
        translate_tiled(noisy, image(64, 64))
    assert tiling(i2izoo.create("inpainting", base={"name": "pix2pix", "generator": UNET})).mode == "refused"


def test_the_declaration_is_stored_with_the_model(tmp_path: Any) -> None:
    translator = model(generator=RESNET | {"norm": "none"})
    found = tiling(translator)
    translator.save_pretrained(tmp_path)
    again = i2izoo.load(tmp_path)
    assert again.config["tiling"].keys() == translator.directions.keys()
    assert Tiling(**next(iter(again.config["tiling"].values()))) == found


@pytest.mark.parametrize(
    "layer", [InstanceNorm(4), nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)]
)
def test_frozen_to_its_own_moments_a_layer_is_itself(layer: nn.Module) -> None:
    x = torch.randn(1, 4, 9, 7, generator=torch.Generator().manual_seed(0)) * 3 + 1
    own = layer(x)
    joint = Joint()
    with normalising(layer, joint):
        assert torch.allclose(layer(x), own, atol=1e-5)
    with normalising(layer, Frozen(joint.found)):
        assert torch.allclose(layer(x[..., :3]), own[..., :3], atol=1e-5)
    assert torch.equal(layer(x), own), "and after it the layer is what it was"


def test_joint_statistics_are_those_of_batch_norm() -> None:
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + torch.arange(3).view(3, 1, 1, 1)
    with normalising(layer := InstanceNorm(4), Joint()):
        found = layer(x)
    assert torch.allclose(found, nn.BatchNorm2d(4, affine=False)(x), atol=1e-5)


@pytest.mark.parametrize(("length", "tile", "overlap", "step"), [(1001, 96, 12, 4), (777, 64, 16, 4), (500, 64, 2, 2)])
def test_tiles_of_frozen_models_begin_where_the_network_halves(length: int, tile: int, overlap: int, step: int) -> None:
    """A network that halves twice halves at multiples of 4; an overlap of 2 has no room for that without more tiles."""
    from i2izoo.rasters.plan import plan
    from i2izoo.rasters.windows import Windows

    run = Windows(model(generator=RESNET), None, 0, {})
    planned = plan(run, length, tile // 2, TileSettings(tile=tile, overlap=overlap), Tiling("frozen", norms=7))
    assert {span.start % step for span in planned.rows} == {0}
    assert len(planned.rows) == -(-(length - overlap) // (tile - overlap))
    assert sum(span.weights.sum() for span in planned.rows) == pytest.approx(length)
