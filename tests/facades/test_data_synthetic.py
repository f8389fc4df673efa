"""Procedural facades, and the real ones from a local folder."""

import numpy as np
import pytest
import torch
from i2izoo_facades.facades import Facades
from i2izoo_facades.plan import PALETTE, draw_plan
from i2izoo_facades.synthetic import SyntheticFacades
from PIL import Image

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import registry
from i2izoo.data.open import open_dataset
from i2izoo.errors import ConfigError, DataError


def pixels(image: torch.Tensor) -> np.ndarray:
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", registry("datasets").names())
def test_registered_datasets_are_datasets(name):
    assert issubclass(registry("datasets").get(name), Dataset)


@pytest.mark.parametrize("size", [1, 17, 64, 200])
def test_any_size_and_only_the_twelve_colours(size):
    sample = SyntheticFacades(count=3, size=size).sample(2, None)
    assert sample["label"].shape == sample["photo"].shape == (3, size, size)
    assert {tuple(c) for c in pixels(sample["label"]).reshape(-1, 3).tolist()} <= set(PALETTE.values())


def test_all_classes_occur():
    data = SyntheticFacades(count=40, size=96)
    seen = {
        tuple(c) for i in range(40) for c in np.unique(pixels(data.sample(i, None)["label"]).reshape(-1, 3), axis=0)
    }
    assert {tuple(map(int, c)) for c in seen} == set(PALETTE.values())


def test_a_facade_is_a_function_of_seed_split_and_number():
    one, again = SyntheticFacades(size=48), SyntheticFacades(size=48, count=5)
    again.sample(0, None)
    assert torch.equal(one.sample(4, None)["photo"], again.sample(4, None)["photo"])
    others = [SyntheticFacades(size=48, seed=1), SyntheticFacades(size=48, split="val")]
    for other in others:
        assert not torch.equal(one.sample(4, None)["label"], other.sample(4, None)["label"])


@pytest.mark.parametrize("axis", [0, 1])
def test_label_and_photo_are_aligned(axis):
    """The image changes most just where the label does: not a pixel beside it."""
    data = SyntheticFacades(count=12, size=128)
    strength = dict.fromkeys(range(-4, 5), 0.0)
    for i in range(12):
        sample = {d: pixels(x).astype(int) for d, x in data.sample(i, None).items()}
        change, border = (np.abs(np.diff(sample[d], axis=axis)).sum(-1) for d in ("photo", "label"))
        for shift in strength:
            strength[shift] += change[np.roll(border > 0, shift, axis)].mean()
    assert max(strength, key=strength.get) == 0
    assert strength[0] > 1.3 * sorted(strength.values())[-2]


def test_the_plan_does_not_depend_on_the_size():
    small, large = (SyntheticFacades(size=s).sample(0, None)["label"] for s in (128, 256))
    agree = (pixels(large)[::2, ::2] == pixels(small)).all(-1).mean()
    assert agree > 0.9  # but for edges that fall between the pixels


def test_elements_stay_inside_the_image():
    for i in range(50):
        for e in draw_plan(np.random.default_rng(i)).elements:
            assert -0.01 <= e.x0 < e.x1 <= 1.01, e
            assert 0 <= e.y0 < e.y1 <= 1, e


def test_jitter_and_options_are_those_of_open_dataset():
    data = open_dataset(
        {"name": "synthetic-facades", "count": 6}, load_size=36, crop_size=32, domains=("photo", "label")
    )
    assert (data.domains, len(data)) == (("photo", "label"), 6)
    assert data.sample(0, 1)["photo"].shape == (3, 32, 32)
    assert not torch.equal(data.sample(0, 1)["label"], data.sample(0, 2)["label"])
    assert open_dataset("synthetic-facades", crop_size=16, channels={"label": 1}).sample(0, 0)["label"].shape[0] == 1
    with pytest.raises(ConfigError, match="no option 'sides'"):
        open_dataset("synthetic-facades", sides=("a", "b"))
    with pytest.raises(DataError, match="label, photo"):
        open_dataset("synthetic-facades", domains=("A", "B"))


def test_facades_from_a_local_folder_have_the_photo_on_the_left(tmp_path):
    expected = SyntheticFacades(size=16).sample(0, None)
    for split, count in (("train", 2), ("val", 1)):
        (tmp_path / split).mkdir()
        both = np.concatenate([pixels(expected["photo"]), pixels(expected["label"])], axis=1)
        for i in range(count):
            Image.fromarray(both).save(tmp_path / split / f"{i}.png")
    data = Facades(root=str(tmp_path), split="val")
    assert (data.domains, len(data)) == (("photo", "label"), 1)
    for domain, image in data.sample(0, None).items():
        torch.testing.assert_close(image, expected[domain])
    assert len(open_dataset({"name": "facades", "root": str(tmp_path)})) == 2
