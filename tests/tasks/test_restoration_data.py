"""Datasets that damage images as Palette does: holes, missing sides, JPEG, all of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from i2izoo_tasks.inpainting import InpaintingDataset
from i2izoo_tasks.jpeg_restoration import JPEGRestorationDataset, draw_quality
from i2izoo_tasks.restoration import RestorationDataset
from i2izoo_tasks.uncropping import UncroppingDataset
from PIL import Image
from scipy.stats import chisquare

from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, I2IZooError
from i2izoo.evaluation.cases import Cases
from i2izoo.nn.colour import srgb_to_lab
from i2izoo.nn.random import derive_seed

DRAWN = {"name": "synthetic-facades", "count": 4, "size": 32}
FILLED = [(InpaintingDataset, "masked"), (UncroppingDataset, "cropped")]


@pytest.fixture
def folder(tmp_path):
    """Three images, 37 x 29, one of them with an alpha that does not count."""
    for index, mode in enumerate(["RGB", "RGBA", "RGB"]):
        pixels = np.random.default_rng(index).integers(0, 256, (29, 37, len(mode)), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize(("kind", "source"), FILLED)
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_alpha_says_what_is_unknown_and_colours_there_are_0(folder, kind, source, seed):
    data = kind(root=str(folder))
    assert data.domains == (source, "image")
    assert (len(data), data.kind, data.name(1)) == (3, "paired", "1")
    for index in range(3):
        sample = data.sample(index, seed)
        assert {d: tuple(i.shape) for d, i in sample.items()} == {source: (4, 29, 37), "image": (3, 29, 37)}
        alpha = sample[source][3]
        assert alpha.unique().tolist() == [-1, 1]
        assert (sample[source][:3, alpha == -1] == 0).all()
        assert torch.equal(sample[source][:3, alpha == 1], sample["image"][:, alpha == 1])
        if seed is None:
            file = np.asarray(Image.open(folder / f"{index}.png"))[..., :3]
            assert np.array_equal(((sample["image"] + 1) * 127.5).round().numpy().transpose(1, 2, 0), file)


@pytest.mark.parametrize(("kind", "source"), [*FILLED, (JPEGRestorationDataset, "compressed")])
def test_the_whole_image_is_that_of_the_data_with_its_jitter(kind, source):
    options = {"load_size": 36, "crop_size": 32}
    data = kind(root={**DRAWN, **options}, domains=[source, "photo"])
    plain = open_dataset({**DRAWN, **options})
    for seed in (None, 5):
        assert torch.equal(data.sample(2, seed)["photo"], plain.sample(2, seed)["photo"])


@pytest.mark.parametrize("kind", [InpaintingDataset, UncroppingDataset, JPEGRestorationDataset, RestorationDataset])
def test_seeds_in_training_and_the_index_in_validation_decide(kind):
    root = {**DRAWN, "count": 16}
    data, again = (kind(root=root, domains=["source", "photo"]) for _ in range(2))
    for index, seed in ((0, 0), (5, 9), (0, None), (5, None)):
        assert torch.equal(data.sample(index, seed)["source"], again.sample(index, seed)["source"])
    seen = {data.sample(0, seed)["source"].numpy().tobytes() for seed in range(8)}
    assert len(seen) > 3  # there are five kinds of borders


def test_validation_masks_differ_between_images():
    data = InpaintingDataset(root={**DRAWN, "count": 8}, domains=["masked", "photo"])
    masks = {data.sample(index, None)["masked"][3].numpy().tobytes() for index in range(8)}
    assert len(masks) == 8


def test_masks_of_one_kind_and_of_a_coverage():
    data = InpaintingDataset(root=DRAWN, domains=["masked", "photo"], masks="center")
    alpha = data.sample(0, 3)["masked"][3]
    assert (alpha[8:24, 8:24] == -1).all()
    assert (alpha == -1).sum() == 16 * 16
    data = InpaintingDataset(root=DRAWN, domains=["masked", "photo"], masks="free_form", coverage=[0.2, 0.3])
    shares = [float((data.sample(i, None)["masked"][3] < 0).float().mean()) for i in range(4)]
    assert all(0.2 <= share <= 0.3 for share in shares)


def jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("quality", [5, 10, 20])
def test_jpeg_of_a_fixed_quality_is_that_of_pillow(folder, quality):
    data = JPEGRestorationDataset(root=str(folder), quality=quality)
    for index in range(3):
        pixels = np.asarray(Image.open(folder / f"{index}.png"))[..., :3]
        found = (data.sample(index, None)["compressed"] + 1) * 127.5
        assert np.array_equal(found.round().numpy().transpose(1, 2, 0), jpeg(pixels, quality))


def test_qualities_are_drawn_as_the_paper_says():
    drawn = [draw_quality(derive_seed(seed)) for seed in range(5000)]
    weights = np.array([np.exp(-quality / 10) for quality in range(5, 31)])
    counts = [drawn.count(quality) for quality in range(5, 31)]
    assert sum(counts) == 5000
    assert chisquare(counts, 5000 * weights / weights.sum()).pvalue > 0.01


def test_the_drawn_quality_is_used(folder):
    data = JPEGRestorationDataset(root=str(folder))
    pixels = np.asarray(Image.open(folder / "0.png"))
    possible = {jpeg(pixels, quality).tobytes(): quality for quality in range(5, 31)}
    whole = JPEGRestorationDataset(root={"root": str(folder), "flip": False})
    found = [((whole.sample(0, seed)["compressed"] + 1) * 127.5).round().byte() for seed in range(12)]
    qualities = {possible[image.permute(1, 2, 0).numpy().tobytes()] for image in found}
    assert len(qualities) > 3
    assert torch.equal(data.sample(0, None)["compressed"], whole.sample(0, None)["compressed"])


# --------------------------------------------------------------------------------------------------------- mixed


def test_tasks_take_turns_in_validation_and_are_equally_likely_in_training():
    tasks = ["colorization", "inpainting", "uncropping", "jpeg_restoration"]
    data = RestorationDataset(root=DRAWN, domains=["damaged", "photo"])
    assert [data.task(index, None) for index in range(4)] == tasks
    drawn = [data.task(0, seed) for seed in range(1000)]
    assert chisquare([drawn.count(task) for task in tasks]).pvalue > 0.01
    few = RestorationDataset(root=DRAWN, domains=["damaged", "photo"], tasks=["uncropping", "colorization"])
    assert {few.task(1, seed) for seed in range(20)} == {"uncropping", "colorization"}


def test_each_task_damages_as_its_own_dataset_does():
    pair = ["damaged", "photo"]
    mixed = RestorationDataset(root=DRAWN, domains=pair)
    for seed in range(40):
        sample, task = mixed.sample(1, seed), mixed.task(1, seed)
        damaged, whole = sample["damaged"], sample["photo"]
        assert damaged.shape == (4, 32, 32)
        if task == "colorization":
            assert torch.equal(damaged[0], damaged[1])
            assert torch.equal(damaged[0], damaged[2])
            lightness = [srgb_to_lab((image[None].double() + 1) / 2)[:, 0] for image in (damaged[:3], whole)]
            assert (lightness[0] - lightness[1]).abs().max() < 1e-3
        elif task == "jpeg_restoration":
            assert torch.equal(damaged[:3], JPEGRestorationDataset(root=DRAWN, domains=pair).sample(1, seed)["damaged"])
        else:
            kind = InpaintingDataset if task == "inpainting" else UncroppingDataset
            assert torch.equal(damaged, kind(root=DRAWN, domains=pair).sample(1, seed)["damaged"])
        filled = task in ("inpainting", "uncropping")
        assert damaged[3].unique().tolist() == ([-1, 1] if filled else [1])


# ---------------------------------------------------------------------------------------------- around the data


def test_splits_sides_and_domains(folder, tmp_path):
    (tmp_path / "data" / "val").mkdir(parents=True)
    Image.fromarray(np.hstack([np.full((8, 8, 3), v, np.uint8) for v in (200, 50)])).save(
        tmp_path / "data" / "val" / "a.png"
    )
    root = {"root": str(tmp_path / "data"), "split": "val", "sides": ["photo", "label"]}
    data = InpaintingDataset(root=root, domains=["masked", "photo"])
    sample = data.sample(0, None)
    assert ((sample["photo"] + 1) * 127.5).round().unique().tolist() == [200]
    assert sample["masked"].shape == (4, 8, 8)
    with pytest.raises(DataError, match=r"no domain 'image'.*label, photo.*--to"):
        InpaintingDataset(root=DRAWN)
    assert data.title == "data, with holes"


def test_an_open_dataset_is_wrapped_and_options_reach_it(folder):
    whole = open_dataset(folder, kind="single", load_size=20, crop_size=16)
    data = InpaintingDataset.around(whole)
    assert data.images is whole
    assert torch.equal(data.sample(1, 3)["image"], whole.sample(1, 3)["image"])
    again = type(data)(**data.config)  # the record opens the same images
    assert torch.equal(again.sample(1, 3)["masked"], data.sample(1, 3)["masked"])
    spec = {"name": "inpainting", "root": str(folder)}
    same = open_dataset(spec, load_size=20, crop_size=16, defaults={"channels": {"masked": 4}, "kind": "paired"})
    assert torch.equal(same.sample(1, 3)["masked"], data.sample(1, 3)["masked"])
    assert (same.option("crop_size"), same.option("masks")) == (16, "mixture")
    wide = same.with_options(crop_size=None, load_size=None, masks="center")
    assert wide.sample(0, 0)["masked"].shape == (4, 29, 37)
    assert (wide.option("masks"), same.option("masks")) == ("center", "mixture")
    with pytest.raises(I2IZooError, match="crop_size cannot change a dataset that is already open"):
        open_dataset({"name": "inpainting", "root": whole}, crop_size=8)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (InpaintingDataset, {"coverage": [0.3, 0.2]}, "least and a greatest share"),
        (InpaintingDataset, {"coverage": [0.3]}, "of 2 or None, found"),
        (InpaintingDataset, {"masks": "stars"}, "'mixture', 'free_form', 'rectangles', 'center'"),
        (InpaintingDataset, {"channels": 3}, "no option 'channels'"),
        (UncroppingDataset, {"domains": ["photo", "photo"]}, "different names"),
        (JPEGRestorationDataset, {"quality": 0}, "from 1 to 100"),
        (RestorationDataset, {"tasks": []}, "at least one task"),
        (RestorationDataset, {"tasks": ["deblurring"]}, "jpeg_restoration"),
    ],
)
def test_mistakes(kind, options, words):
    with pytest.raises(I2IZooError, match=words):
        kind(**{"root": DRAWN, "domains": ["source", "photo"], **options})


@pytest.mark.parametrize(("kind", "source"), FILLED)
def test_an_evaluation_at_another_size_keeps_masks_sharp_and_known_pixels_true(folder, kind, source):
    cases = Cases(kind(root=str(folder)), source, "image", channels=3, size=[16, 24])
    for index in range(3):
        case = cases.load(index)
        assert case.source.shape == (4, 16, 24)
        assert case.source[3].unique().tolist() == [-1, 1]
        known = case.source[3] == 1
        assert torch.equal(case.source[:3, known], case.target[:, known])


def test_a_protocol_knows_what_was_masked_how(folder):
    def sha256(flip=True, **options):
        data = InpaintingDataset(root={"root": str(folder), "flip": flip}, **options)
        return Cases(data, "masked", "image").sha256

    assert sha256() == sha256(flip=False) == sha256(masks="mixture")
    assert len({sha256(), sha256(masks="center"), sha256(coverage=[0.2, 0.3])}) == 3
