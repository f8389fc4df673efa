"""The data sets of photographs from the air."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import i2izoo
from i2izoo.errors import DataError
from i2izoo.training.trainer import Trainer

PARTS = {"generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1}, "discriminator": "pixel"}


def images(folder: Path, count: int, mode: str) -> Path:
    folder.mkdir(parents=True)
    for k in range(count):
        shape = (16, 16, 3) if mode == "RGB" else (16, 16)
        Image.fromarray(np.full(shape, 80 + k, np.uint8)).save(folder / f"{mode}-{k}.png")
    return folder


def test_each_alone(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        images(tmp_path / "new" / split, count, "RGB")
        images(tmp_path / "old" / split, count, "L")
    new = i2izoo.open_dataset({"name": "aerial", "root": str(tmp_path / "new")}, split="val", kind="single")
    old = i2izoo.open_dataset({"name": "aerial-historical", "root": str(tmp_path / "old")})
    assert (new.kind, new.domains, len(new)) == ("single", ("colour",), 2)
    assert (old.kind, old.domains, len(old)) == ("single", ("grey",), 3)
    assert new.sample(1, None)["colour"].shape == (3, 16, 16)
    assert old.sample(1, None)["grey"].shape == (1, 16, 16)


def test_both_unpaired_through_links(tmp_path: Path) -> None:
    """Two folders that lie elsewhere, with different numbers of images."""
    (tmp_path / "both" / "train").mkdir(parents=True)
    for domain, mode, count in (("grey", "L", 2), ("colour", "RGB", 5)):
        folder = images(tmp_path / domain / "train", count, mode)
        (tmp_path / "both" / "train" / domain).symlink_to(folder, target_is_directory=True)
    method = {"name": "cut", **PARTS, "layers": ["pad_in"], "patches": 4, "projection": 4}
    data = {"name": "aerial-historical", "root": str(tmp_path / "both")}
    trainer = Trainer(method, data, to="colour", steps=1, load_size=16, crop_size=16, progress=False)
    assert (trainer.data.kind, trainer.data.domains, len(trainer.data)) == ("unpaired", ("grey", "colour"), 5)
    assert trainer.model.directions == {"colour": "grey"}
    trainer.loader.close()


@pytest.mark.parametrize(("task", "source"), [("colorization", "grey"), ("photo_restoration", "damaged")])
def test_the_tasks_make_pairs_of_it(tmp_path: Path, task: str, source: str) -> None:
    images(tmp_path / "train", 3, "RGB")
    method: dict[str, Any] = {"name": task, "base": {"name": "pix2pix", **PARTS}}
    data = {"name": "aerial", "root": str(tmp_path)}
    trainer = Trainer(method, data, to="colour", steps=1, load_size=16, crop_size=16, progress=False)
    assert trainer.model.directions == {"colour": source}
    assert trainer.data.sample(0, 1)["colour"].shape == (3, 16, 16)
    trainer.loader.close()


@pytest.mark.parametrize("name", ["aerial", "aerial-historical"])
def test_without_a_folder_it_says_how_to_lay_one_out(name: str) -> None:
    with pytest.raises(DataError, match=r"train/\*\.jpg"):
        i2izoo.open_dataset(name)
