"""Palettes that are found in data, beside those that painted it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_facades.plan import PALETTES
from i2izoo_facades.synthetic import SyntheticFacades
from PIL import Image

from i2izoo.data.open import open_dataset
from i2izoo.data.palettes import find_palette, palettes_in
from i2izoo.errors import DataError, ImageError

LABELS = PALETTES["label"]


def levels(image: torch.Tensor) -> np.ndarray:
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def written(folder: Path, ending: str, count: int = 24, size: int = 96) -> Path:
    data = SyntheticFacades(count=count, size=size)
    for domain in data.domains:
        (folder / domain).mkdir(parents=True)
    for index in range(count):
        for domain, image in data.sample(index, None).items():
            Image.fromarray(levels(image)).save(folder / domain / f"{index}.{ending}", quality=85)
    return folder


def test_the_palette_of_jpegs_is_that_which_painted_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(12):
        image = np.full((96, 96, 3), LABELS[index], np.uint8)
        for _ in range(20):
            (y, x), colour = random.integers(0, 80, 2), LABELS[random.integers(12)]
            image[y : y + 12, x : x + 16] = colour
        Image.fromarray(image).save(tmp_path / f"{index}.jpg", quality=75)
    found = np.array(palettes_in(open_dataset(tmp_path, kind="single", domains=["label"]), ["label"])["label"])
    distance = np.linalg.norm(np.array(LABELS)[:, None] - found, axis=2)
    assert len(found) == 12
    assert (distance.min(1) < 8).all()


def test_the_palette_is_found_at_the_size_of_the_files(tmp_path: Path) -> None:
    data = open_dataset(written(tmp_path, "png", count=4), load_size=40, crop_size=32, channels=1)
    assert {tuple(c) for c in palettes_in(data, ["label"])["label"]} <= {tuple(c) for c in LABELS}


def test_indexed_and_grey_maps_are_exact(tmp_path: Path) -> None:
    indexed = Image.new("P", (8, 8))
    indexed.putpalette([9, 8, 7, 200, 100, 50, 1, 2, 3])
    indexed.paste(1, (2, 2, 8, 8))
    (tmp_path / "maps").mkdir()
    indexed.save(tmp_path / "maps" / "a.png")
    data = open_dataset(tmp_path / "maps", kind="single", domains=["maps"])
    assert palettes_in(data, ["maps"]) == {"maps": [[9, 8, 7], [200, 100, 50]]}
    numbers = torch.tensor([[[0, 3], [1, 0]]]) / 127.5 - 1
    assert find_palette([numbers]) == [[0, 0, 0], [1, 1, 1], [3, 3, 3]]


def test_photographs_have_none(tmp_path: Path) -> None:
    data = open_dataset(written(tmp_path, "jpg", count=6))
    with pytest.raises(DataError, match="'photo' are no label maps"):
        palettes_in(data, ["photo"])
    with pytest.raises(DataError, match="no label maps"):
        find_palette([torch.zeros(3, 4, 4)])


def test_a_data_set_that_declares_its_palette_is_believed_under_other_names() -> None:
    data = open_dataset("synthetic-facades", limit=1, rename={"label": "plan"})
    assert palettes_in(data, ["plan"]) == {"plan": LABELS}


def test_label_maps_are_resized_without_mixtures(tmp_path: Path) -> None:
    data = open_dataset({"root": str(written(tmp_path, "jpg", count=2)), "label_maps": {"label": LABELS}}, crop_size=40)
    sample = data.sample(0, None)
    assert {tuple(pixel) for pixel in levels(sample["label"]).reshape(-1, 3).tolist()} <= {tuple(c) for c in LABELS}
    assert sample["label"].shape == sample["photo"].shape == (3, 40, 40)
    renamed = open_dataset(
        {"root": str(tmp_path), "label_maps": {"plan": LABELS}}, crop_size=40, rename={"label": "plan"}
    )
    assert torch.equal(renamed.sample(0, None)["plan"], sample["label"])


def test_a_photograph_is_refused_as_a_label_map(tmp_path: Path) -> None:
    data = open_dataset({"root": str(written(tmp_path, "jpg", count=2)), "label_maps": {"photo": LABELS}})
    with pytest.raises(ImageError, match="no label map in the palette"):
        data.sample(0, None)
    with pytest.raises(DataError, match="label_maps= names plan; the domains are"):
        open_dataset({"root": str(tmp_path), "label_maps": {"plan": LABELS}})
