"""Unconditional models from the command line: whichever images there are, of which one domain is learned."""

import numpy as np
import pytest
from PIL import Image

import i2izoo
from i2izoo.cli.main import main

TINY = [
    "task=generation", "batch_size=2", "load_size=20", "crop_size=16", "generator.channels=[8,16]",
    "generator.norm_groups=4", "generator.attention=[1]", "generator.layers=1", "steps=1", "sampling_steps=2",
    "tensorboard=False",
]  # fmt: skip


def write(folder, width, colour, count=4):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        array = np.full((16, width, 3), colour, np.uint8)
        array[:, 16:] = 255
        Image.fromarray(array).save(folder / f"{index}.png")


def train(*words):
    return main(["train", "ddpm", *map(str, words), *TINY])


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plain", 16, 10)
    write(tmp_path / "halves", 32, 10)
    write(tmp_path / "split" / "train", 32, 10)
    write(tmp_path / "split" / "val", 32, 10)
    write(tmp_path / "folders" / "photo", 16, 10)
    write(tmp_path / "folders" / "label", 16, 90)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "domain"),
    [
        (["--data", "plain"], "image"),
        (["--data", "plain", "domains=photo"], "photo"),
        (["--data", "halves", "--sides", "photo,label", "domains=photo"], "photo"),
        (["--data", "halves", "--sides", "photo,label", "--to", "label"], "label"),
        (["--data", "halves", "--sides", "photo,label", "domains=label,photo"], "photo"),
        (["--data", "split", "--sides", "photo,label", "--to", "photo", "--metrics", "psnr"], None),
        (["--data", "folders", "--to", "photo"], "photo"),
        (["--data", "synthetic-facades", "--to", "photo"], "photo"),
    ],
)
def test_a_folder_a_half_or_a_data_set_is_learned(data, capsys, words, domain):
    if domain is None:  # a metric of pairs cannot be computed, but the held-out halves are found
        assert train(*words, "--out", "run") == 2
        assert "needs pairs" in capsys.readouterr().err
        return
    assert train(*words, "--out", "run") == 0, capsys.readouterr().err
    model = i2izoo.load("run/model")
    assert model.directions == {domain: None}
    assert model.generate(size=(9, 17), output="array").shape == (1, 9, 17, 3)


def test_the_right_half_is_learned(data):
    from i2izoo.data.open import open_dataset

    for domain, value in (("photo", 10 / 127.5 - 1), ("label", 1.0)):
        half = open_dataset("halves", kind="single", sides=["photo", "label"], domains=[domain])
        assert half.kind == "single"
        assert half.domains == (domain,)
        assert half.sample(0, None)[domain].mean().item() == pytest.approx(value, abs=1e-6)


def test_synthetic_facades_of_one_domain_are_those_of_the_pairs():
    from i2izoo.data.open import open_dataset

    both, one = (
        open_dataset("synthetic-facades", crop_size=32, limit=2, **options)
        for options in ({}, {"kind": "single", "domains": ["photo"]})
    )
    assert one.domains == ("photo",)
    assert one.kind == "single"
    assert (one.sample(1, None)["photo"] == both.sample(1, None)["photo"]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "halves", "--sides", "photo,label"], "are photo, label, and only one is wanted"),
        (["--data", "halves", "--sides", "photo,label", "--to", "foto"], "none is 'foto'"),
        (["--data", "synthetic-facades"], "one domain, label or photo; found domains=None"),
    ],
)
def test_the_data_cannot_know_which_domain(data, capsys, words, message):
    assert train(*words, "--out", "run") == 2
    assert message in capsys.readouterr().err


def test_guidance_from_the_command_line(data, capsys):
    assert train("--data", "plain", "--out", "run") == 0
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save("mask.png")
    generate = ["generate", "run/model", "-n", "1", "start=plain/0.png"]
    assert main([*generate, "-o", "out", "mask=mask.png"]) == 0
    out, known = (np.array(Image.open(name)) for name in ("out/0000.png", "plain/0.png"))
    assert (out[:, :8] == known[:, :8]).all()
    assert (out[:, 8:] != known[:, 8:]).any()
    assert main([*generate, "-o", "a", "ilvr=8"]) == 0
    assert main([*generate, "-o", "b", "ilvr=99"]) == 2
    assert "factor of ILVR" in capsys.readouterr().err
