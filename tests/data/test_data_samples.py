"""Resize, crop and flip: as in pix2pix, shared by a pair, functions of the seed. Images encode coordinates."""

import numpy as np
import pytest
import torch
from PIL import Image

from i2izoo.data.cache import ImageCache, read_grey
from i2izoo.data.check import check_dataset
from i2izoo.data.image_dataset import ImageDataset
from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, ImageError

SIDE, CROP = 20, 16


def coordinates(side: int = SIDE) -> np.ndarray:
    """Red is the column, green the row."""
    y, x = np.mgrid[0:side, 0:side]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def levels(image: torch.Tensor) -> np.ndarray:
    return ((image + 1) * 127.5).round().int().numpy()


def window(image: torch.Tensor) -> tuple[int, int, bool]:
    """Top, left and flip of a sample, read off its coordinates; every pixel must agree."""
    red, green, _ = levels(image)
    flip = bool(red[0, 0] > red[0, -1])
    top, left = int(green[0, 0]), int(red.min())
    size = red.shape[0]
    columns = np.arange(left, left + size)[:: -1 if flip else 1]
    assert (red == columns[None]).all()
    assert (green == np.arange(top, top + size)[:, None]).all()
    return top, left, flip


@pytest.fixture
def pairs(tmp_path):
    for domain in ("label", "photo"):
        (tmp_path / domain).mkdir()
        for i in range(3):
            array = coordinates()
            array[..., 2] = i
            Image.fromarray(array).save(tmp_path / domain / f"{i}.png")
    return tmp_path


def test_a_pair_shares_crop_and_flip(pairs):
    data = open_dataset(pairs, crop_size=CROP)
    seen = []
    for seed in range(400):
        sample = data.sample(1, seed)
        assert sample["label"].shape == sample["photo"].shape == (3, CROP, CROP)
        label, photo = window(sample["label"]), window(sample["photo"])
        assert label == photo
        seen.append(label)
    assert {s[0] for s in seen} == {s[1] for s in seen} == set(range(SIDE - CROP + 1))
    assert 160 < sum(s[2] for s in seen) < 240  # 400 fair coins: four standard deviations


def test_unpaired_domains_are_jittered_apart_and_the_second_is_drawn(pairs):
    data = open_dataset(pairs, kind="unpaired", crop_size=CROP)
    samples = [data.sample(1, seed) for seed in range(100)]
    assert {int(levels(s["label"])[2, 0, 0]) for s in samples} == {1}
    assert {int(levels(s["photo"])[2, 0, 0]) for s in samples} == {0, 1, 2}
    assert sum(window(s["label"]) != window(s["photo"]) for s in samples) > 80


def test_side_by_side_images_may_be_used_unpaired(tmp_path):
    for i in range(3):
        halves = [np.full((8, 8, 3), 10 * i), np.full((8, 8, 3), 100 + i)]
        Image.fromarray(np.concatenate(halves, axis=1).astype(np.uint8)).save(tmp_path / f"{i}.png")
    data = open_dataset(tmp_path, kind="unpaired")
    drawn = {(int(levels(s["A"]).max()), int(levels(s["B"]).max())) for s in (data.sample(2, i) for i in range(60))}
    assert drawn == {(20, 100), (20, 101), (20, 102)}


def test_a_sample_is_a_function_of_index_and_seed(pairs):
    first, second = (open_dataset(pairs, crop_size=CROP) for _ in range(2))
    second.sample(0, 99)
    assert torch.equal(first.sample(2, 7)["photo"], second.sample(2, 7)["photo"])


def test_without_flip_nothing_is_flipped_and_the_crops_stay(pairs):
    plain, flipped = (open_dataset(pairs, crop_size=CROP, flip=flip) for flip in (False, True))
    for seed in range(30):
        assert window(plain.sample(0, seed)["photo"]) == (*window(flipped.sample(0, seed)["photo"])[:2], False)


def test_without_a_seed_the_image_is_whole_and_resized_as_pillow_does(pairs):
    native = open_dataset(pairs).sample(0, None)["photo"]
    assert window(native) == (0, 0, False)
    data = open_dataset(pairs, load_size=18, crop_size=CROP)
    expected = np.asarray(Image.fromarray(coordinates()).resize((CROP, CROP), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(levels(data.sample(0, None)["photo"]), expected.transpose(2, 0, 1))


def test_load_size_resizes_before_the_crop(pairs):
    data = open_dataset(pairs, load_size=40, crop_size=40, flip=False)
    expected = np.asarray(Image.fromarray(coordinates()).resize((40, 40), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(levels(data.sample(0, 3)["label"]), expected.transpose(2, 0, 1))


def test_values_span_minus_one_to_one_exactly(tmp_path):
    for domain in "AB":
        (tmp_path / domain).mkdir()
        Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / domain / "1.png")
    assert open_dataset(tmp_path, flip=False).sample(0, 0)["A"].tolist() == [[[-1.0, 1.0]]]


def test_sixteen_bits_are_kept(tmp_path):
    for domain in "AB":
        (tmp_path / domain).mkdir()
        Image.fromarray(np.array([[0, 1], [256, 65535]], np.uint16)).save(tmp_path / domain / "1.png")
    sample = open_dataset(tmp_path, flip=False).sample(0, 0)["A"]
    expected = torch.tensor([[[0, 1], [256, 65535]]]) / 32767.5 - 1
    torch.testing.assert_close(sample, expected, atol=1e-7, rtol=0)


def test_channels_by_domain(pairs):
    sample = open_dataset(pairs, channels={"label": 1}).sample(0, None)
    assert (sample["label"].shape[0], sample["photo"].shape[0]) == (1, 3)
    with pytest.raises(DataError, match=r"channels= names edges; the domains are label, photo"):
        open_dataset(pairs, channels={"edges": 1})


@pytest.mark.parametrize("width", [20, 21])
def test_halves_of_an_odd_width_are_those_of_the_pix2pix_code(tmp_path, width):
    """w2 = w // 2; A is [0, w2), and B [w2, w), with the middle column; each is then resized."""
    both = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, width, 3), dtype=np.uint8))
    both.save(tmp_path / "1.png")
    w2 = width // 2
    boxes = {"A": (0, 0, w2, 12), "B": (w2, 0, width, 12)}
    sample = open_dataset(tmp_path, load_size=16, crop_size=16, flip=False).sample(0, 1)
    for domain, box in boxes.items():
        expected = np.asarray(both.crop(box).resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
        np.testing.assert_array_equal(levels(sample[domain]), expected)
    whole = open_dataset(tmp_path).sample(0, None)  # at their own size they are a pair of one size
    assert whole["A"].shape == whole["B"].shape == (3, 12, w2)
    np.testing.assert_array_equal(levels(whole["B"]), np.asarray(both).transpose(2, 0, 1)[..., width - w2 :])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_grey_is_in_eight_bits_before_it_is_resized(tmp_path, mode):
    """Pillow's convert("L") and then its resize, as torchvision's Grayscale and Resize in the pix2pix code do it."""
    shape = (21, 20) if mode == "L" else (21, 20, len(mode))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    image.save(tmp_path / "1.png")
    grey = image.convert("RGB").convert("L") if mode == "RGBA" else image.convert("L")
    for size in (None, 16):
        data = open_dataset(tmp_path, kind="single", channels=1, load_size=size, crop_size=size, flip=False)
        expected = grey if size is None else grey.resize((size, size), Image.Resampling.BICUBIC)
        for seed in (None, 3):
            np.testing.assert_array_equal(levels(data.sample(0, seed)["image"])[0], np.asarray(expected))


def test_grey_of_sixteen_bits_of_colour_is_not_rounded():
    deep = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    expected = deep @ np.array([0.299, 0.587, 0.114]) / 32767.5 - 1
    np.testing.assert_allclose(read_grey(deep)[0].numpy(), expected, rtol=0, atol=1e-6)
    with pytest.raises(ImageError, match="has 5 channels, 1 are wanted"):
        read_grey(np.zeros((4, 4, 5), np.uint8))


def test_images_that_do_not_fit_are_named(pairs):
    Image.fromarray(coordinates(12)).save(pairs / "label" / "1.png")
    data = open_dataset(pairs, crop_size=CROP)
    with pytest.raises(DataError, match=r"pair differ in size: .*label/1\.png is 12 x 12, .*photo/1\.png is 20 x 20"):
        data.sample(1, 0)
    with pytest.raises(DataError, match=r"label/1\.png is 12 x 12, smaller than crop_size=16"):
        open_dataset(pairs, kind="unpaired", crop_size=CROP).sample(1, 0)


def test_a_damaged_file_is_named_when_it_is_met(pairs):
    path = pairs / "photo" / "2.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match=r"photo/2\.png"):
        open_dataset(pairs).sample(2, None)


@pytest.mark.parametrize("budget", [None, 0, 1500])
def test_the_cache_changes_nothing_and_keeps_to_its_budget(pairs, budget):
    data = ImageDataset(root=str(pairs), crop_size=CROP, cache_bytes=budget)
    plain = ImageDataset(root=str(pairs), crop_size=CROP, cache_bytes=0)
    for _ in range(2):
        for i in range(3):
            assert torch.equal(data.sample(i, i)["photo"], plain.sample(i, i)["photo"])
    kept = {None: 6, 0: 0, 1500: 1}[budget]  # an image takes 3 x 20 x 20 = 1200 bytes
    assert data._cache.used == 1200 * kept


def test_cached_images_are_not_read_again(pairs):
    data = open_dataset(pairs)
    before = data.sample(0, None)["photo"]
    (pairs / "photo" / "0.png").unlink()
    assert torch.equal(data.sample(0, None)["photo"], before)


def test_the_budget_follows_from_the_memory_there_is():
    assert ImageCache().budget > 1 << 20


def test_an_image_of_one_column_has_no_halves(tmp_path):
    Image.new("RGB", (16, 8)).save(tmp_path / "1.png")
    Image.new("RGB", (1, 8)).save(tmp_path / "2.png")
    for options in ({}, {"crop_size": 4}, {"load_size": 8, "crop_size": 4}):
        data = open_dataset(tmp_path, sides=("a", "b"), **options)
        with pytest.raises(ImageError, match=r"2\.png' is 1 pixel wide and has no halves"):
            data.sample(1, 0)
    report = check_dataset(tmp_path, sides=("a", "b"))
    assert [problem for problem in report.problems if "2.png' is 1 pixel wide" in problem] == report.problems
    assert report.counts == {"a": 2, "b": 2}
