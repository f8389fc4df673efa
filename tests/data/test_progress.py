"""Data that changes while a training goes on: a crop that stops jittering, as a function of the step alone."""

import numpy as np
import pytest
import torch
from PIL import Image

import i2izoo
from i2izoo.data.loader import Loader
from i2izoo.data.open import open_dataset
from i2izoo.errors import ConfigError

SIDE, CROP = 20, 12


@pytest.fixture
def images(tmp_path):
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return tmp_path


def bytes_of(image):
    return ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def window(image, file):
    """Where in a file an image was cut out, and whether it was mirrored; None: nowhere."""
    for flipped in (False, True):
        whole = file[:, ::-1] if flipped else file
        for top in range(SIDE - CROP + 1):
            for left in range(SIDE - CROP + 1):
                if np.array_equal(whole[top : top + CROP, left : left + CROP], image):
                    return top, left
    return None


def batches(data, start, count, total):
    with Loader(data, 1, seed=3, start_step=start, progress=lambda step: step / total) as loader:
        return [next(loader) for _ in range(count)]


def test_crops_jitter_until_their_share_and_are_whole_images_after_it(images):
    data = open_dataset(images, kind="single", load_size=SIDE, crop_size=CROP, jitter_until=0.5)
    drawn = batches(data, 0, 16, total=16)
    files = [Image.open(images / f"{index}.png") for index in range(4)]
    places = [next((w for f in files if (w := window(bytes_of(b["image"][0]), np.asarray(f)))), None) for b in drawn]
    assert None not in places[:8]
    assert len(set(places[:8])) > 4
    whole = [np.asarray(file.resize((CROP, CROP), Image.Resampling.BICUBIC)) for file in files]
    known = {w.tobytes() for w in whole}, {np.ascontiguousarray(w[:, ::-1]).tobytes() for w in whole}
    found = [[bytes_of(b["image"][0]).tobytes() in some for some in known] for b in drawn[8:]]
    assert all(any(one) for one in found)
    assert any(one[0] for one in found)
    assert any(one[1] for one in found)  # mirrored as before
    for start in (5, 8, 11):  # resumed before, at and after the change
        for batch, other in zip(drawn[start:], batches(data, start, 16 - start, total=16), strict=True):
            assert torch.equal(batch["image"], other["image"])
            assert batch.progress == other.progress


def test_what_wraps_images_and_what_does_not_change(images):
    jitter = {"load_size": SIDE, "crop_size": CROP, "jitter_until": 0.25}
    data = open_dataset({"name": "jpeg_restoration", "root": str(images)}, **jitter)
    assert data.at(0.24) is data
    late = data.at(0.25)
    assert late is not data
    whole = open_dataset(images, kind="single", load_size=CROP, crop_size=CROP)
    assert torch.equal(late.sample(2, 7)["image"], whole.sample(2, 7)["image"])
    assert open_dataset(images, kind="single", crop_size=CROP).at(0.99).load_size is None
    with pytest.raises(ConfigError, match="from 0 to 1 or None, found 2"):
        open_dataset(images, kind="single", jitter_until=2)


CUT = {
    "name": "cut", "generator": {"name": "resnet_9blocks", "width": 2, "blocks": 1}, "patches": 4, "projection": 4,
    "discriminator": {"name": "patchgan", "width": 2, "layers": 1}, "layers": ["pad_in", "down1", "block1"],
}  # fmt: skip
SIZES = {"load_size": 20, "crop_size": 16}


def trainer(out, **options):
    return i2izoo.Trainer(
        CUT, {"name": "synthetic-facades", "count": 4, "size": 20}, to="photo", out=out, progress=False, device="cpu",
        tensorboard=False, sample_every=0, **SIZES, **options,
    )  # fmt: skip


def test_cut_stops_jittering_when_its_learning_rate_falls_and_resumes_exactly_there(tmp_path):
    lengths = {"steps": 3, "decay_steps": 3}
    whole = trainer(tmp_path / "whole", **lengths)
    assert whole.data.jitter_until == 0.5
    whole.fit()
    for stop in (2, 3):  # the thread has by then prepared batches of the other phase
        part = trainer(tmp_path / f"{stop}", **lengths)
        for _ in range(stop):
            part.train_step()
        part.save()
        part.loader.close()
        rest = trainer(tmp_path / f"{stop}", resume="auto", **lengths)
        rest.fit()
        for name, tensor in whole.method.state_dict().items():
            assert torch.equal(tensor, rest.method.state_dict()[name]), name
    for options, share in (({"steps": 4}, None), ({"steps": 1, "decay_steps": 3}, 0.25), ({"jitter_until": 0.7}, 0.7)):
        assert trainer(None, **options).data.jitter_until == share
