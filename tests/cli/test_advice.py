"""What an error advises is there: options have these names, files were written, and nothing waits for the answer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.config import schema
from i2izoo.errors import ConfigError, DataError
from i2izoo.files.yaml import read_yaml
from i2izoo.models import building
from i2izoo.training import prepare
from i2izoo.training.config import TrainingOptions

MANY = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 9)}]" for i in range(9))
"""A few lines that stand for 9 ** 9 values."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    options = {"generator": {"name": "resnet_6blocks", "width": 2, "blocks": 0}, "latent": 2, "noise": "latent"}
    return i2izoo.create("cgan", **options).save_pretrained(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("images") / "x.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize(("short", "long"), [("lr", "learning_rate"), ("bs", "batch_size")])
def test_initials_are_a_near_name(capsys, short, long):
    assert main(["train", "pix2pix", "--data", "synthetic-facades", "--to", "photo", "--dry-run", f"{short}=1"]) == 2
    assert f"has no option '{short}'; did you mean '{long}'?" in capsys.readouterr().err


def test_options_of_a_translation_are_listed_once(model):
    for name in ("ddim", "cgan"):
        made = i2izoo.create(name, **i2izoo.contracts.registry.registry("methods").get(name).tiny_options)
        with pytest.raises(ConfigError) as found:
            made(torch.zeros(3, 8, 8), no_such_option=1)
        words = re.findall(r"\w+", str(found.value).partition("Allowed: ")[2])
        assert len(words) == len(set(words))
        assert "progress" in words


def test_samples_name_the_files_that_were_written(model, image, tmp_path, capsys):
    assert main(["translate", str(model), image, "-o", str(tmp_path / "y.png"), "--samples", "3"]) == 0
    said = re.findall(r"\S+\.png", capsys.readouterr().out.replace(",", " "))
    assert said == [str(tmp_path / f"y_{i}.png") for i in range(3)]
    assert all(Path(path).is_file() for path in said)


def test_a_batch_larger_than_the_data_advises_options_of_the_trainer():
    tiny = {"generator": {"name": "resnet_6blocks", "width": 2, "blocks": 0}, "discriminator": "pixel"}
    data = {"name": "synthetic-facades", "count": 2, "size": 32}
    with pytest.raises(DataError, match="use a smaller batch_size, or more data") as found:
        i2izoo.Trainer({"name": "pix2pix", **tiny}, data, to="photo", batch_size=3, crop_size=32, load_size=32)
    assert set(re.findall(r"\b\w+_\w+\b", str(found.value))) <= set(schema(TrainingOptions))


@pytest.mark.parametrize("crop", [8, 36])
def test_a_crop_that_does_not_fit_is_found_before_weights_are_drawn(monkeypatch, crop):
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError("weights were drawn")

    monkeypatch.setattr(prepare, "create", drawn)
    monkeypatch.setattr(building, "build", drawn)
    with pytest.raises(ConfigError, match="multiples of 256 and at least 256 pixels"):
        i2izoo.Trainer("pix2pix", "synthetic-facades", to="photo", crop_size=crop)


@pytest.mark.parametrize("name", ["--size", "--count", "--seed"])
@pytest.mark.parametrize("number", ["1" + "0" * 30, "-1", "x" * 5000])
def test_data_make_with_impossible_numbers(tmp_path, capsys, name, number):
    assert main(["data", "make", "synthetic-facades", str(tmp_path / "made"), f"{name}={number}"]) == 2
    assert len(capsys.readouterr().err) < 400
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 2020-13-45", r"s\.yaml: line 1: '2020-13-45' cannot be read \(month must be in 1\.\.12\); in quotes"),
        ("b: 1\na: !!int x", "line 2: 'x' cannot be read"),
        ("a: !!timestamp x", "line 1: 'x' cannot be read"),
        ("a: &o {a: *o}", "values are nested deeper than 64 levels"),
        ("[" * 900 + "]" * 900, "values are nested too deep"),
        (MANY, "1,000,000 values"),
        ('a: "\\ud800"', "half of a character"),
        ("a: 1\na: 2", "line 1: the key 'a' is there twice"),
    ],
)  # fmt: skip
def test_yaml_that_is_none(tmp_path, text, said):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_yaml(tmp_path / "s.yaml", "s.yaml")
    assert main(["sweep", str(tmp_path / "s.yaml"), "--data", "synthetic-facades", "--out", str(tmp_path / "o")]) == 2


def test_yaml_may_still_repeat_itself(tmp_path):
    (tmp_path / "s.yaml").write_text("base: &base {a: 1}\nother:\n  <<: *base\n  b: 2\n")
    assert read_yaml(tmp_path / "s.yaml", "s.yaml") == {"base": {"a": 1}, "other": {"a": 1, "b": 2}}
