"""Evaluation of a model that makes images from nothing: sets are compared, and what wants pairs says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_diffusion.ddim import DDIM
from i2izoo_generation.stackgan import StackGAN
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import EvaluationError
from i2izoo.models.translator import Translator

DATA = {"name": "synthetic-facades", "count": 6, "size": 16, "split": "val"}


@pytest.fixture(scope="module")
def model() -> Translator:
    torch.manual_seed(0)
    made = i2izoo.create("ddim", **DDIM.tiny_options, task="generation", domains=["photo"])
    made.config["provenance"] = {"image_size": [16, 16]}
    return made


def test_sets_are_compared_and_pairs_are_not(model: Translator, tmp_path: Path) -> None:
    metrics = [{"name": "kid", "features": "pixels", "subset_size": 4}, "psnr", "lpips_diversity", "gram_distance"]
    result = i2izoo.evaluate(model, DATA, metrics=metrics, out=tmp_path, keep_images=True, seed=4, costs=True)
    label = next(label for label in result.scores if label.startswith("kid"))
    assert result[label].value is not None, result[label].reason
    assert "needs pairs" in str(result["psnr"].reason)
    assert "makes its own from nothing" in str(result["lpips_diversity"].reason)
    protocol = result.protocol
    assert (protocol.source, protocol.to, protocol.n, protocol.size) == (None, "photo", 6, [16, 16])
    for i, image in enumerate(model.generate(6, seed=4)):
        assert (np.asarray(Image.open(tmp_path / f"images/{i:04d}.png")) == np.asarray(image)).all()
    again = i2izoo.evaluate(model, DATA, protocol=tmp_path / "protocol.json")
    assert again[label].value == result[label].value


def test_images_of_texts_are_of_the_captions_of_the_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    captioned = i2izoo.create("stackgan", **StackGAN.tiny_options, domains=["photo"])
    data = i2izoo.open_dataset(DATA)
    texts = [data.text(i) for i in range(6)]

    def made_for(place: str, **options: str) -> list[np.ndarray]:
        images = {"metrics": ["kid[pixels]"], "out": tmp_path / place, "keep_images": True, "seed": 4}
        i2izoo.evaluate(captioned, DATA, **images, options=options)
        return [np.asarray(Image.open(tmp_path / place / f"images/{i:04d}.png")) for i in range(6)]

    for found, wanted in zip(made_for("own"), captioned.generate(6, seed=4, text=texts), strict=True):
        assert (found == np.asarray(wanted)).all()
    asked = captioned.generate(6, seed=4, text="red brick")
    for found, wanted in zip(made_for("asked", text="red brick"), asked, strict=True):
        assert (found == np.asarray(wanted)).all()


def test_true_images_have_the_size_that_is_generated(model: Translator) -> None:
    assert i2izoo.evaluate(model, DATA, metrics=["kid[pixels]"], size=[8, 12]).protocol.size == [8, 12]
    unknown = Translator(model.method, {**model.config, "provenance": {}})
    assert i2izoo.evaluate(unknown, {**DATA, "size": 20}, metrics=["kid[pixels]"]).protocol.size == [20, 20]


def test_there_are_no_samples_of_one_image(model: Translator) -> None:
    with pytest.raises(EvaluationError, match="'photo' is made from nothing, so no image has several samples"):
        i2izoo.evaluate(model, DATA, samples=2)


def test_on_the_command_line(
    model: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("model")
    assert main(["data", "make", "synthetic-facades", "houses", "--count", "3", "--size", "16"]) == 0
    capsys.readouterr()
    words = ["--data", "houses/photo", "--to", "photo", "--metrics", "kid[pixels]", "--card", "steps=1"]
    assert main(["evaluate", "model", *words]) == 0, capsys.readouterr().err
    assert "nothing -> photo, 3 images of photo at 16 x 16" in capsys.readouterr().out
    assert "kid[pixels]" in Path("model/README.md").read_text()
