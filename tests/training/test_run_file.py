"""run.json is a recipe: it repeats its run bit for bit, from anywhere, and says where it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import training_run
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Dataset
from i2izoo.training.by_recipe import train
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.recipe import read_recipe

TINY = ["generator.name=resnet_6blocks", "generator.width=2", "generator.blocks=1",
        "discriminator.name=patchgan", "discriminator.width=2", "discriminator.layers=1",
        "device=cpu", "tensorboard=false", "sample_every=0"]  # fmt: skip


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for domain in ("label", "photo"):
        (tmp_path / "houses" / domain).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "houses" / domain / f"{number}.png")
    return tmp_path / "houses"


def state(run: Path) -> dict[str, Tensor]:
    """All that a run has learned: networks, also those of training, and optimisers, as its last checkpoint has them."""
    from safetensors.torch import load_file

    files = sorted(path for path in checkpoints(run / "checkpoints")[-1].rglob("*.safetensors"))
    return {f"{path.name}/{name}": value for path in files for name, value in load_file(path).items()}


def same(one: Path, other: Path) -> bool:
    a, b = state(one), state(other)
    assert a.keys() == b.keys()
    return all(torch.equal(value, b[name]) for name, value in a.items())


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "run.json").read_text())


def test_a_run_is_repeated_exactly_from_elsewhere(
    houses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of the data was a relative path; crops, flips, the choice of the other domain, ema and pools count."""
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "epochs=2", "load_size=20", "crop_size=16", "ema=0.5", "seed=7"]
    assert main(["train", "cyclegan", "--data", "houses", "--out", "runs/one", *words]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["train", "--config", "../runs/one/run.json", "--out", "two"]) == 0
    assert same(tmp_path / "runs/one", Path("two"))
    assert "that run" not in capsys.readouterr().err
    one, two = written(tmp_path / "runs/one"), written(Path("two"))
    assert {k: v for k, v in one.items() if k != "begin"} == {k: v for k, v in two.items() if k != "begin"}
    assert one["begin"]["data"] == two["begin"]["data"] == {"root": str(houses)}
    assert one["begin"]["asked"] != two["begin"]["asked"]  # and still, the copy of the copy is the same again
    assert main(["train", "--config", "two", "--out", "three"]) == 0  # its folder does, too
    assert same(Path("two"), Path("three"))


def test_words_change_what_the_file_says(houses: Path, tmp_path: Path) -> None:
    words = [*TINY, "steps=2", "load_size=20", "crop_size=16"]
    assert main(["train", "pix2pix", "--data", str(houses), "--to", "photo", "--out", str(tmp_path / "a"), *words]) == 0
    changed = ["steps=3", "seed=1", "generator.width=3"]
    assert main(["train", "--config", str(tmp_path / "a/run.json"), "--out", str(tmp_path / "b"), *changed]) == 0
    found, before = written(tmp_path / "b"), written(tmp_path / "a")
    assert (found["training"]["steps"], found["training"]["seed"]) == (3, 1)
    assert found["options"]["generator"] == before["options"]["generator"] | {"width": 3}
    own = [word for word in words if not word.startswith(("steps", "generator.width"))]
    flags = ["--data", str(houses), "--to", "photo", "--out", str(tmp_path / "c")]
    assert main(["train", "pix2pix", *flags, *own, *changed]) == 0
    assert same(tmp_path / "b", tmp_path / "c")


def test_a_task_on_single_images(houses: Path, tmp_path: Path) -> None:
    flags = ["--task", "colorization", "--data", str(houses / "photo"), "--out", str(tmp_path / "a")]
    assert main(["train", "pix2pix", *flags, *TINY, "steps=2", "load_size=20", "crop_size=16"]) == 0
    train(tmp_path / "a/run.json", out=tmp_path / "b", progress=False)
    assert same(tmp_path / "a", tmp_path / "b")


def test_one_that_started_with_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = training_run.model("pix2pix")
    model.save_pretrained(tmp_path / "start", training=True)
    flags = ["--from", str(tmp_path / "start"), "--data", "synthetic-facades", "--out", str(tmp_path / "a")]
    words = ["steps=2", "load_size=18", "crop_size=16", "device=cpu", "tensorboard=false", "learning_rate=1e-4"]
    assert main(["train", "pix2pix", *flags, *words]) == 0
    train(tmp_path / "a/run.json", out=tmp_path / "b", progress=False)
    assert same(tmp_path / "a", tmp_path / "b")
    assert "that run" not in capsys.readouterr().err


class Bare(Dataset):
    """Pairs of one size, which it cannot crop or flip."""

    domains = ("label", "photo")
    kind = "paired"

    def __init__(self, *, items: int = 3) -> None:
        self.items = items

    def __len__(self) -> int:
        return self.items

    def name(self, index: int) -> str:
        return str(index)

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        image = torch.full((3, 16, 16), index / self.items)
        return {"label": image, "photo": -image}


def test_what_nobody_asked_for_is_not_asked_of_the_data(tmp_path: Path) -> None:
    """pix2pix would crop by itself; a data set that cannot is not refused when the run is repeated, either."""
    i2izoo.register("datasets", "bare-pairs")(Bare)
    method = {"name": "pix2pix", **training_run.METHODS["pix2pix"]}
    options: Any = {"steps": 2, "device": "cpu", "tensorboard": False, "progress": False}
    i2izoo.Trainer(method, {"name": "bare-pairs", "items": 4}, to="photo", out=tmp_path / "a", **options).fit()
    train(tmp_path / "a", out=tmp_path / "b", progress=False)
    assert same(tmp_path / "a", tmp_path / "b")


def test_what_makes_it_another_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = training_run.trainer("pix2pix", tmp_path / "a", steps=2)  # of a model that the program made
    run.fit()
    on = training_run.trainer("pix2pix", tmp_path / "on", steps=3, resume=tmp_path / "a/checkpoints/step-00000002")
    on.fit()
    capsys.readouterr()
    train(tmp_path / "a/run.json", {"name": "synthetic-facades", "count": 5, "size": 18}, out=tmp_path / "b",
          progress=False)  # fmt: skip
    said = capsys.readouterr().err
    assert "began with weights which a program gave it" in said
    assert "that run had 6 images, and this one has 5." in said
    recipe, checkpoint = read_recipe(tmp_path / "on/run.json"), tmp_path / "a/checkpoints/step-00000002"
    train(recipe, out=tmp_path / "c", progress=False)
    assert f"--resume {checkpoint} goes on from it" in capsys.readouterr().err
    train(recipe, out=tmp_path / "d", resume=checkpoint, progress=False)
    assert "checkpoint" not in capsys.readouterr().err
    assert same(tmp_path / "on", tmp_path / "d")


def test_an_interrupted_run_says_where_it_once_began(tmp_path: Path) -> None:
    training_run.trainer("pix2pix", tmp_path / "a", steps=1).fit()
    checkpoint = tmp_path / "a/checkpoints/step-00000001"
    training_run.trainer("pix2pix", tmp_path / "b", steps=2, resume=checkpoint).fit()
    training_run.trainer("pix2pix", tmp_path / "b", steps=3, resume="auto").fit()
    assert written(tmp_path / "b")["begin"]["checkpoint"] == str(checkpoint)


def test_one_of_minutes_and_one_of_an_earlier_release(tmp_path: Path) -> None:
    method = {"name": "pix2pix", **training_run.METHODS["pix2pix"]}
    options: Any = {"device": "cpu", "tensorboard": False, "progress": False, "crop_size": 16, "load_size": 18}
    i2izoo.Trainer(method, training_run.DATA, to="photo", out=tmp_path / "a", minutes=1e-4, **options).fit()
    content = written(tmp_path / "a")
    recipe = read_recipe(content)
    assert {k: v for k, v in recipe.training.items() if k in ("minutes", "steps", "epochs")} == {"minutes": 1e-4}
    assert recipe.data == training_run.DATA
    del content["begin"]
    old = read_recipe(content)
    assert old.data is None
    assert old.training["minutes"] == 1e-4
    with pytest.raises(ConfigError, match="leaves the data to you"):
        train(old, out=tmp_path / "b", progress=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "pix3pix"}, "did you mean 'pix2pix'"),
        ({"training": {"steps": 0.5}}, "steps"),
        ({"training": {"stepz": 3, "steps": 2}}, "stepz"),
        ({"options": []}, "are mappings"),
        ({"begin": 3}, "are mappings"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    content = {"method": "pix2pix", "options": {}, "training": {"steps": 2}, "images": 1, "processes": 1, **change}
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=rf"run\.json: .*{said}"):
        read_recipe(tmp_path / "run.json")
