"""The recipes of the bundled entries: each is checked as `--dry-run` does, and makes what the entry is."""

from __future__ import annotations

from collections.abc import Iterator
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
    folder = tmp_path_factory.mktemp("facades")
    for path, photo, label in pairs(folder, "facades", "label"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate([photo, label], axis=1)).save(path)
    return folder


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One in the layout of the maps."""
    folder = tmp_path_factory.mktemp("maps")
    for path, *images in pairs(folder, "maps", "map"):
        for domain, image in zip(("aerial", "map"), images, strict=True):
            (path.parent / domain).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path.parent / domain / path.name)
    return folder


@pytest.fixture(scope="module")
def aerial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with grey and colour photographs from the air, of noise."""
    folder, rng = tmp_path_factory.mktemp("aerial"), np.random.default_rng(0)
    for split in ("train", "val"):
        for domain, shape in (("grey", (8, 8)), ("colour", (8, 8, 3))):
            (folder / split / domain).mkdir(parents=True)
            for number in range(16):
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / domain / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a folder for each digit, of noise."""
    folder, rng = tmp_path_factory.mktemp("digits"), np.random.default_rng(0)
    for split in ("train", "val"):
        for label in range(10):
            (folder / split / str(label)).mkdir(parents=True)
            for number in range(4):
                pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / str(label) / f"{number}.png")
    return folder


def pairs(folder: Path, data: str, domain: str) -> Iterator[tuple[Path, np.ndarray, np.ndarray]]:
    """Photographs of noise, and as label maps the colours of a data set at random: for training, and held out."""
    palette = np.array(registry("datasets").get(data).palettes[domain], np.uint8)
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(16):
            photo, classes = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), rng.integers(len(palette), size=(8, 8))
            yield folder / split / f"{number}.png", photo, palette[classes]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recipe_makes_what_its_entry_is(name: str, facades: Path, maps: Path, aerial: Path, digits: Path) -> None:
    recipe, model = read_recipe(name), i2izoo.load(name)
    places = {"maps": maps, "aerial": aerial, "aerial-historical": aerial, None: digits}  # which is no data set by name
    place = facades if isinstance(recipe.data, dict) else places.get(recipe.data, facades)
    *_, last = trainers(recipe, place, progress=False)
    last.loader.close()
    assert (last.name, last.method.config) == (model.name, model.method.config)
    facts = model.config["provenance"]
    assert facts["recipe"] == name
    assert (last.schedule.total, last.options.seed) == (facts["steps"], facts["seed"])
    assert last.options.precision == facts["precision"]


def test_a_dry_run_of_one_in_stages(facades: Path) -> None:
    lines = list(dry_run(read_recipe("palette-facades"), facades))
    assert lines[0] == "stage-1: restoration, damaged -> photo"
    assert "  length: up to step 10396, the learning rate falls over the last 1700" in lines


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
