"""A method and its data are fitted to each other in one place, which opens the data once."""

import pytest
import torch
import training_run
from PIL import Image

import i2izoo
from i2izoo.data import image_dataset
from i2izoo.errors import ConfigError
from i2izoo.training.prepare import with_domains

METHOD = {"name": "pix2pix", **training_run.METHODS["regression"]}
OPTIONS = {"steps": 1, "device": "cpu", "progress": False, "tensorboard": False}
TASK = {"name": "inpainting", "base": METHOD | {"gan_weight": 1.0}}


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "val"):
        for domain in ("label", "photo"):
            (tmp_path / split / domain).mkdir(parents=True)
            for name in "ab":
                Image.new("RGB", (20, 20)).save(tmp_path / split / domain / f"{name}.png")
    return tmp_path


@pytest.fixture
def listed(monkeypatch):
    """The folders that are listed."""
    seen, find = [], image_dataset.find_layout

    def find_layout(root, **options):
        seen.append(options["split"])
        return find(root, **options)

    monkeypatch.setattr(image_dataset, "find_layout", find_layout)
    return seen


def test_the_data_is_opened_once(folder, listed):
    trainer = i2izoo.Trainer(METHOD, folder, to="photo", load_size=18, crop_size=16, **OPTIONS)
    assert listed == ["train"]
    assert (trainer.model.domains, trainer.data.domains) == (("label", "photo"), ("label", "photo"))
    assert {d: tuple(i.shape) for d, i in trainer.data.sample(0, 0).items()} == {
        "label": (3, 16, 16), "photo": (3, 16, 16)
    }  # fmt: skip
    listed.clear()
    trainer = i2izoo.Trainer(METHOD, folder, to="photo", crop_size=16, metrics=["psnr"], **OPTIONS)
    trainer.fit()  # with an evaluation at its end
    assert listed == ["train", "val"]


def test_a_method_of_one_domain_opens_one_domain(folder):
    """Which data a method wants may depend on its options."""
    spec, data = with_domains({"name": "ddim", "task": "generation"}, folder, {}, "photo")
    assert (spec["domains"], data.kind, data.domains) == (["photo"], "single", ("photo",))
    spec, data = with_domains("ddim", folder, {}, "photo")
    assert (spec["domains"], data.kind) == (["label", "photo"], "paired")


def test_channels_are_those_of_the_method(folder):
    grey = i2izoo.Trainer({**METHOD, "in_channels": 1}, folder, to="photo", crop_size=16, **OPTIONS)
    assert {d: len(i) for d, i in grey.data.sample(0, 0).items()} == {"label": 1, "photo": 3}
    data = i2izoo.open_dataset(folder, split="train", crop_size=16)
    with pytest.raises(ConfigError, match="images of 'label' with 1 channels, and the data's have 3"):
        i2izoo.Trainer({**METHOD, "in_channels": 1}, data, to="photo", **OPTIONS)


def test_a_task_wraps_a_path_and_what_is_open(folder):
    options = {**OPTIONS, "to": "photo"}
    found = i2izoo.Trainer(TASK, folder, crop_size=16, load_size=18, **options)
    opened = i2izoo.open_dataset(folder, split="train", crop_size=16, load_size=18)
    around = i2izoo.Trainer(TASK, opened, **options)
    assert around.data.images is opened
    for trainer in (found, around):
        assert trainer.model.directions == {"photo": "masked"}
        assert trainer.data.option("split") == "train"
    assert torch.equal(found.data.sample(1, 5)["masked"], around.data.sample(1, 5)["masked"])
    with pytest.raises(ConfigError, match="crop_size cannot change a dataset that is already open"):
        i2izoo.Trainer(TASK, opened, crop_size=8, **options)
