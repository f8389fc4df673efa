"""The recipes of the bundled entries: each is checked as `--dry-run` does, and makes what the entry is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.training.by_recipe import dry_run, train, trainers
from i2izoo.training.recipe import read_recipe

ENTRIES = [name for name in registry("pretrained").names() if registry("pretrained").get(name).bundled]


@pytest.fixture(scope="module")
def facades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the layout of the facades: small images, as many as the largest batch."""
    return images(tmp_path_factory.mktemp("facades"), ".", (8, 16))


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in the layout of the maps."""
    folder = tmp_path_factory.mktemp("maps")
    return images(images(folder, "aerial", (8, 8)), "map", (8, 8))


def images(folder: Path, within: str, size: tuple[int, int]) -> Path:
    """Sixteen images of noise for training, and as many held out."""
    rng = np.random.default_rng(0)
    for place in (folder / "train" / within, folder / "val" / within):
        place.mkdir(parents=True)
        for number in range(16):
            Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(place / f"{number}.png")
    return folder


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recipe_makes_what_its_entry_is(name: str, facades: Path, maps: Path) -> None:
    recipe, model = read_recipe(name), i2izoo.load(name)
    *_, last = trainers(recipe, maps if recipe.data == "maps" else facades, progress=False)
    last.loader.close()
    assert (last.name, last.method.config) == (model.name, model.method.config)
    facts = model.config["provenance"]
    assert facts["recipe"] == name
    assert (last.schedule.total, last.options.seed) == (facts["steps"], facts["seed"])
    assert last.options.precision == facts["precision"]


def test_a_dry_run_of_one_in_stages(facades: Path) -> None:
    lines = list(dry_run(read_recipe("palette-facades"), facades))
    assert lines[0] == "stage-1: restoration, damaged -> photo"
    assert "  length: up to step 6500, the learning rate falls over the last 1900" in lines


def test_one_is_trained(facades: Path, tmp_path: Path) -> None:
    recipe = read_recipe("ddim-facades").changed(
        {"steps": 3, "decay_steps": 2, "batch_size": 2, "load_size": 18, "crop_size": 16, "sample_every": 0,
         "generator.channels": [8, 16], "generator.attention": [], "generator.norm_groups": 4, "tensorboard": False}
    )  # fmt: skip
    model = train(recipe, facades, out=tmp_path, progress=False)
    assert model.config["provenance"]["steps"] == 5
    assert (tmp_path / "stage-1/model/config.json").is_file()
    assert read_recipe(tmp_path / "model").config == recipe.config


def test_info_names_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "cut-facades"]) == 0
    assert "recipe: i2izoo train --recipe cut-facades --data PATH --out runs/cut-facades" in capsys.readouterr().out
