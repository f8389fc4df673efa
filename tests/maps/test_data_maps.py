"""The data set of satellite photographs and land-cover maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_maps.maps import PALETTE
from PIL import Image

import i2izoo
from i2izoo.errors import DataError
from i2izoo.training.trainer import Trainer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two windows of each split: a map of two halves, the left one of class k and the right one unlabelled."""
    for split in ("train", "val"):
        for domain in ("aerial", "map"):
            (tmp_path / split / domain).mkdir(parents=True)
        for k, colour in enumerate(list(PALETTE.values())[:2]):
            Image.fromarray(np.full((32, 32, 3), 80 + k, np.uint8)).save(tmp_path / split / "aerial" / f"{k}.jpg")
            painted = np.full((32, 32, 3), 155, np.uint8)
            painted[:, :16] = colour
            Image.fromarray(painted).quantize().save(tmp_path / split / "map" / f"{k}.png")
    return tmp_path


def test_pairs_by_name(folder: Path) -> None:
    data = i2izoo.open_dataset("maps", split="val", defaults={"root": str(folder)})
    assert (data.kind, data.domains, len(data), data.name(1)) == ("paired", ("aerial", "map"), 2, "1")
    sample = data.sample(1, None)
    assert sample["map"][:, 0, 0].add(1).mul(127.5).round().tolist() == [226, 169, 41]  # water, in the files' colours
    torch.testing.assert_close(sample["aerial"], torch.full((3, 32, 32), 81 / 127.5 - 1))


def test_its_classes_are_five_and_what_is_unlabelled_takes_its_surroundings(folder: Path) -> None:
    parts = {"generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1}, "discriminator": "pixel"}
    trainer = Trainer(
        {"name": "pix2pix", **parts, "label_maps": ["map"]}, {"name": "maps", "root": str(folder)}, to="map",
        steps=1, crop_size=32, load_size=32, progress=False,
    )  # fmt: skip
    assert trainer.method.channels == {"aerial": 3, "map": 5}
    assert trainer.method.config["label_maps"] == {"map": [list(colour) for colour in PALETTE.values()]}
    sample = trainer.data.sample(1, None)
    assert len(sample["map"].flatten(1).unique(dim=1).T) == 1
    trainer.loader.close()


def test_without_a_folder_it_says_how_to_lay_one_out() -> None:
    with pytest.raises(DataError, match=r"train/aerial/\*\.jpg and train/map/\*\.png"):
        i2izoo.open_dataset("maps")


def test_a_folder_of_other_names_is_refused(folder: Path) -> None:
    (folder / "train" / "map").rename(folder / "train" / "land")
    with pytest.raises(DataError):
        i2izoo.open_dataset({"name": "maps", "root": str(folder)})
