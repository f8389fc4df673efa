"""Domains that are label maps, in every method that can have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from i2izoo_facades.plan import PALETTES

import i2izoo
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.training.prepare import prepare

PALETTE = [[0, 0, 0], [250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 250]]
METHODS = [name for name in registry("methods").names() if "label_maps" in schema(registry("methods").get(name))]


def options(name: str, **changes: Any) -> dict[str, Any]:
    kind = registry("methods").get(name)
    lone = {"identity_weight": 0} if name in ("cyclegan",) else {}  # which needs equal channels, and says so
    return {**(kind.tiny_options or {}), **lone, **changes}


def colours(image: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in image.reshape(-1, image.shape[-1]).tolist()}


def test_most_methods_can() -> None:
    assert {"pix2pix", "cyclegan", "unit", "cut", "bicyclegan", "cvae", "ddim", "palette"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_paint_goes_in_and_comes_out(name: str, tmp_path: Path) -> None:
    image = np.random.default_rng(0).choice(np.array(PALETTE, np.uint8), size=(24, 20))
    for place in (0, 1):
        domains = ["source", "target"]
        model = i2izoo.create(name, **options(name, domains=domains, label_maps={domains[place]: PALETTE}))
        assert model.method.channels[domains[place]] == 5
        assert model.method.image_channels == dict.fromkeys(domains, 3)
        quick = {"steps": 2} if "steps" in model.method.translate_options() else {}
        target = model(image, to="target", **quick)
        assert target.shape == image.shape
        if place:
            assert colours(target) <= {tuple(colour) for colour in PALETTE}
    model.save_pretrained(tmp_path)
    again = i2izoo.load(tmp_path)
    assert again.method.label_maps == {"target": PALETTE}
    assert np.array_equal(again(image, to="target", **quick), target)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_from_planes(name: str, tmp_path: Path) -> None:
    tiny = options(name, domains=["label", "photo"], label_maps=["label"])
    trainer = i2izoo.Trainer(
        {"name": name, **tiny}, "synthetic-facades", out=tmp_path, steps=1, batch_size=2, load_size=32, crop_size=32,
        decay_steps=0,
    )  # fmt: skip
    assert trainer.method.channels["label"] == 12
    before = {k: v.clone() for k, v in trainer.method.inference_state().items()}
    trainer.fit()
    after = trainer.method.inference_state()
    assert any(not torch.equal(before[k], after[k]) for k in before)
    assert i2izoo.load(tmp_path / "model").method.label_maps == PALETTES


def test_the_round_trip_through_scores_is_differentiable() -> None:
    cyclegan = i2izoo.create("cyclegan", **options("cyclegan", label_maps={"target": PALETTE})).method
    photo = torch.rand(1, 3, 16, 16) * 2 - 1
    scores = cyclegan.generator["to_target"](photo)
    (cyclegan.generator["to_source"](scores) - photo).abs().mean().backward()
    for generator in cyclegan.generator.values():
        assert all(
            p.grad is not None and p.grad.abs().sum() > 0 for n, p in generator.named_parameters() if "weight" in n
        )


def test_a_label_map_that_is_resized_stays_one() -> None:
    model = i2izoo.create("pix2pix", **options("pix2pix", label_maps={"source": PALETTE, "target": PALETTE}))
    seen = []
    model.method.generator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = np.random.default_rng(0).choice(np.array(PALETTE, np.uint8), size=(33, 47))
    assert colours(model(image, size=16)) <= {tuple(colour) for colour in PALETTE}
    assert set(seen[0].unique().tolist()) == {-1, 1}


def test_grey_numbers_of_classes_come_back_in_one_channel() -> None:
    model = i2izoo.create("pix2pix", **options("pix2pix", label_maps={"target": 4}))
    assert model.method.label_maps == {"target": [[k] * 3 for k in range(4)]}
    found = model(np.zeros((8, 8, 3), np.uint8))
    assert found.shape == (8, 8, 1)
    assert found.max() < 4


def test_what_is_no_palette_is_refused() -> None:
    for maps, said in (
        ({"tarket": PALETTE}, "did you mean 'target'"),
        ({"target": [[0, 0, 0], [0, 0, 0]]}, "is there twice"),
        (["target"], "only training can do"),
        ({"target": 1}, "2 to 256"),
    ):
        with pytest.raises(ConfigError, match=said):
            i2izoo.create("pix2pix", label_maps=maps)
    with pytest.raises(ConfigError, match="no option 'label_maps'"):
        i2izoo.create("segmenter", label_maps={"label": PALETTE})


def test_the_palette_is_found_in_the_data_that_is_learned_from(tmp_path: Path) -> None:
    model, data, _ = prepare(
        {"name": "pix2pix", **options("pix2pix", label_maps=["label"])}, "synthetic-facades", {"crop_size": 32}, "label"
    )
    assert model.method.label_maps == PALETTES
    assert data.sample(0, 0)["label"].shape == (3, 32, 32)  # paint, until a batch is learned from
    with pytest.raises(ConfigError, match="label_maps names 'lable'; did you mean 'label'"):
        prepare({"name": "pix2pix", "label_maps": ["lable"]}, "synthetic-facades", {}, "label")
