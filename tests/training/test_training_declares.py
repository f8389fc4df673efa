"""What a trained model says of itself for rasters: the values that it saw, and how it may be run in tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tifffile
import torch
from torch import Tensor

import i2izoo
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.raster import Box
from i2izoo.models.translator import Translator
from i2izoo.rasters.probing import declare, tiling
from i2izoo.rasters.source import raster_scale
from i2izoo.rasters.tiff import Tiff
from i2izoo.rasters.values import learned_range
from i2izoo.training.values import value_ranges

UNET = {"name": "unet_128", "depth": 2, "width": 4}


class Ramps(Dataset):
    """Pairs of ramps from `low` to `high`, of [0, 1], the target white where the source is black."""

    domains = ("label", "photo")
    kind = "paired"
    tiny_options: ClassVar[dict[str, Any]] = {}

    def __init__(self, low: float = 0.1, high: float = 0.35, count: int = 100) -> None:
        self.low, self.high, self._count = low, high, count

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        return str(index)

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        ramp = torch.linspace(self.low, self.high, 32 * 32).view(1, 32, 32).expand(3, -1, -1) * 2 - 1
        return {"label": ramp, "photo": -ramp}


def trained(tmp_path: Path, method: dict[str, Any], **options: Any) -> Translator:
    options = {"steps": 1, "tensorboard": False, "progress": False, **options}
    i2izoo.Trainer(method, Ramps(), to="photo", out=tmp_path / "run", **options).fit()
    return i2izoo.load(tmp_path / "run/model")


def test_a_trained_model_says_both(tmp_path: Path) -> None:
    """Percentiles 1 and 99 of an even ramp from 0.1 to 0.35 are 0.1025 and 0.3475."""
    generator = {"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "instance"}
    model = trained(tmp_path, {"name": "pix2pix", "generator": generator, "discriminator": "pixel"})
    assert model.config["values"] == {"label": pytest.approx([0.1025, 0.3475], abs=1e-3)}
    assert model.config["tiling"]["photo"]["mode"] == "frozen"
    assert model.config["tiling"]["photo"]["norms"] == 7


def test_a_raster_of_16_bits_is_scaled_to_what_was_learned(tmp_path: Path) -> None:
    """Its percentiles become those of the ramps, so a raster that is such a ramp in other units is seen as they are."""
    values = np.linspace(1000, 3000, 64 * 64).reshape(64, 64).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    raster = Tiff().open(tmp_path / "a.tif")
    model = trained(tmp_path, {"name": "pix2pix", "generator": UNET, "discriminator": "pixel"})
    scale = raster_scale(raster, [0], None, learned_range(model.config, "label"), Box(0, 64, 0, 64))
    seen = (scale.inside(values[..., None]) + 1) / 2
    assert float(seen.min()) == pytest.approx(0.1, abs=2e-3)
    assert float(seen.max()) == pytest.approx(0.35, abs=2e-3)
    raster.close()


def test_label_maps_and_images_of_one_value_have_no_range() -> None:
    palette = {"label": [[0, 0, 0], [255, 0, 0]]}
    labels = i2izoo.create("pix2pix", domains=["label", "photo"], generator=UNET, label_maps=palette)
    assert value_ranges(labels.method, Ramps()) == {}
    plain = i2izoo.create("pix2pix", domains=["label", "photo"], generator=UNET)
    assert value_ranges(plain.method, Ramps(low=0.5, high=0.5)) == {}
    both = i2izoo.create("cyclegan", domains=["label", "photo"], generator={"name": "resnet_6blocks", "width": 2})
    assert value_ranges(both.method, Ramps()).keys() == {"label", "photo"}


def test_what_is_dear_or_fails_is_left_to_the_first_use() -> None:
    model = i2izoo.create("pix2pix", generator=UNET)
    model.config["tiling"] = {"photo": {"mode": "exact"}}  # of other weights
    declare(model, operations=1e3)
    assert model.config.get("tiling", {}) == {}
    declare(model)
    declared = dict(model.config["tiling"])
    model.config.pop("tiling")
    tiling(model)
    assert model.config["tiling"] == declared
    model.method.forward = lambda *_, **__: 1 / 0
    declare(model)
    assert model.config["tiling"] == {}
