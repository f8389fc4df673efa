"""Recipes: read, checked, planned, trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import training_run

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, UnknownNameError
from i2izoo.files.download import fetching_nothing
from i2izoo.training.by_recipe import train, trainers
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.recipe import Recipe, read_recipe

TEXT = """
method: pix2pix
to: photo
options:
  generator: {name: resnet_6blocks, width: 2, blocks: 1}
  discriminator: {name: patchgan, width: 2, layers: 1}
data: {name: synthetic-facades, count: 6, size: 18}
training: {steps: 4, decay_steps: 2, load_size: 18, crop_size: 16, device: cpu, tensorboard: false, sample_every: 0}
"""
STAGES = """
stages:
  - {steps: 3, learning_rate: 1e-3, crop_size: 8}
  - {batch_size: 2}
"""


def written(folder: Path, text: str = TEXT) -> str:
    (folder / "recipe.yaml").write_text(text)
    return str(folder / "recipe.yaml")


def weights(place: Path) -> dict[str, torch.Tensor]:
    return i2izoo.load(place).method.inference_state()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_trains_what_a_trainer_of_the_same_options_does(tmp_path: Path) -> None:
    """And the recipe lies beside the model, with what the command line changed, and makes it again."""
    file, out = written(tmp_path), tmp_path / "out"
    assert main(["train", "--recipe", file, "--out", str(out), "steps=3", "discriminator.layers=2"]) == 0
    method = {
        "name": "pix2pix",
        "generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1},
        "discriminator": {"name": "patchgan", "width": 2, "layers": 2},
    }
    options = {"steps": 2, "decay_steps": 1, "load_size": 18, "crop_size": 16, "device": "cpu", "progress": False}
    i2izoo.Trainer(method, training_run.DATA, to="photo", out=tmp_path / "hand", **options).fit()
    assert equal(weights(out / "model"), weights(tmp_path / "hand/model"))
    facts = json.loads((out / "model/config.json").read_text())["provenance"]
    assert (facts["steps"], facts["recipe"]) == (3, "recipe.yaml")
    assert "i2izoo train --recipe recipe.yaml --data PATH --out runs/" in (out / "model/README.md").read_text()
    train(out / "model", out=tmp_path / "again", progress=False)  # type: ignore[arg-type]  # a folder is a place, too
    assert equal(weights(out / "model"), weights(tmp_path / "again/model"))


def test_stages_follow_one_another_in_one_schedule(tmp_path: Path) -> None:
    recipe, out = read_recipe(written(tmp_path, TEXT + STAGES)), tmp_path / "out"
    one, two = recipe.plan()
    assert (one.name, one.method["learning_rate"], one.training["steps"]) == ("stage-1", 1e-3, 3)
    assert (one.training["crop_size"], two.training["crop_size"]) == (8, 16)
    assert one.training["decay_steps"] == 0
    assert (two.training["steps"], two.training["decay_steps"], two.training["batch_size"]) == (4, 2, 2)
    train(recipe, out=out, progress=False)
    assert [place.name for place in checkpoints(out / "stage-1/checkpoints")] == ["step-00000003"]
    assert [place.name for place in checkpoints(out / "checkpoints")] == ["step-00000006"]
    # by hand: the second from the first one's checkpoint
    parts: dict[str, Any] = {**recipe.config["options"], "domains": ["label", "photo"]}
    options = {**recipe.training, "batch_size": 2, "progress": False}
    model = i2izoo.create("pix2pix", **parts)
    i2izoo.Trainer(model, training_run.DATA, resume=out / "stage-1/checkpoints/step-00000003",
                   out=tmp_path / "hand", **options).fit()  # fmt: skip
    assert equal(weights(out / "model"), weights(tmp_path / "hand/model"))

    before = (out / "stage-1/run.json").stat().st_mtime_ns
    longer = recipe.changed({"decay_steps": 4})
    train(longer, out=out, resume="auto", progress=False)  # its first stage is done
    assert (out / "stage-1/run.json").stat().st_mtime_ns == before
    assert checkpoints(out / "checkpoints")[-1].name == "step-00000008"


def test_another_length_scales_the_stages() -> None:
    recipe = Recipe(
        method="pix2pix", training={"steps": 60, "decay_steps": 40}, stages=[{"steps": 30, "crop_size": 8}, {}]
    )
    one, two = recipe.changed({"minutes": 10, "generator.width": 8}).plan()
    assert (one.training["minutes"], one.training["decay_share"], one.training["crop_size"]) == (3.0, 0.0, 8)
    assert (two.training["minutes"], two.training["decay_share"]) == (10, 0.4)
    assert one.method["generator"] == {"name": "unet_256", "width": 8}
    for asked in ({"steps": 6, "decay_steps": 4}, {"steps": 10}):  # alone it is the length of the whole
        assert [stage.training["steps"] for stage in recipe.changed(asked).plan()] == [3, 6]


@pytest.mark.parametrize(
    ("recipe", "asked", "found"),
    [
        ({"steps": 14000, "decay_steps": 6000}, {"steps": 10}, {"steps": 7, "decay_steps": 3}),
        ({"steps": 14000, "decay_steps": 6000}, {"steps": 1}, {"steps": 1, "decay_steps": 0}),
        ({"epochs": 100, "decay_epochs": 100}, {"epochs": 5}, {"epochs": 3, "decay_epochs": 2}),
        ({"epochs": 0, "decay_epochs": 100}, {"epochs": 5}, {"epochs": 0, "decay_epochs": 5}),
        ({"epochs": 100, "decay_epochs": 100}, {"steps": 5}, {"steps": 5}),  # no share of another unit
        ({"steps": 14000, "decay_steps": 6000}, {"steps": 10, "decay_steps": 0}, {"steps": 10, "decay_steps": 0}),
        ({"steps": 14000, "decay_steps": 6000}, {"decay_steps": 5}, {"steps": 14000, "decay_steps": 5}),
    ],
)
def test_a_length_alone_is_that_of_the_whole_and_the_fall_keeps_its_share(
    recipe: dict[str, Any], asked: dict[str, Any], found: dict[str, Any]
) -> None:
    assert Recipe(method="pix2pix", training=recipe).changed(asked).training == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "a recipe is a mapping with the key 'method'"),
        ("methd: pix2pix", "a recipe is a mapping with the key 'method'"),
        (TEXT + "optoins: {}", "Recipe has no option 'optoins'; did you mean 'options'"),
        (TEXT.replace("pix2pix", "pix2pixx"), "did you mean 'pix2pix'"),
        (TEXT.replace("steps: 4", "step: 4"), "training has no option 'step'; did you mean 'steps'"),
        (
            TEXT.replace("steps: 4", "steps: four"),
            "'steps' of TrainingOptions wants int from 0 to 1e9 or None, found 'four'",
        ),
        (TEXT.replace("generator:", "generater:"), "options has no option 'generater'; did you mean 'generator'"),
        (TEXT + "stages: [{crop_size: 8}, {}]", "each stage but the last says its steps"),
        (TEXT + "stages: [{steps: 5}, {}]", "take 5 steps, and only 4 are at the full learning rate"),
        (TEXT + "to: label", "the key 'to' is there twice"),
        ("method: [", "this is not YAML"),
    ],
)
def test_what_is_no_recipe_says_why(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        read_recipe(written(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "recipe.yaml"))


def test_what_does_not_go_together_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    for words, sentence in (
        (["train", "--recipe", file, "--dry-run", "--to", "label"], "a recipe says itself what --to says"),
        (["train", "--recipe", file, "--dry-run", "widht=3"], "has no option 'widht'"),
        (["train", "pix2pix", "--recipe", file], "a recipe names its own method; leave 'pix2pix' out"),
        (["train", "--recipe", file], "required: --out"),
        (["train"], "required: METHOD or --config, --data, --out"),
        (["train", "--recipe", "pix2pix-facadez", "--dry-run"], "there is no recipe 'pix2pix-facadez'"),
        (["train", "--recipe", file, "--dry-run", "crop_size=17"], "crop_size"),
    ):
        assert main(words) == 2
        assert sentence in capsys.readouterr().err
    with pytest.raises(UnknownNameError):
        read_recipe("nowhere.yaml")


def test_a_dry_run_checks_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, TEXT + STAGES)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--recipe", file, "--dry-run", "seed=5"]) == 0
    out = capsys.readouterr().out
    assert "stage-1: pix2pix, label -> photo" in out
    assert "up to step 6, the learning rate falls over the last 2" in out
    assert "seed 5" in out
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_dry_run_without_the_data_checks_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))
    unsaid = "data: " + TEXT.split("data: ")[1].splitlines()[0] + "\n"
    for text in (TEXT.replace(unsaid, "data: facades\n"), TEXT.replace(unsaid, "")):
        file = written(tmp_path, text)
        assert main(["train", "--recipe", file, "--dry-run", "steps=10"]) == 0
        out = capsys.readouterr().out
        assert "data: not looked at" in out
        assert "--data PATH" in out
        assert "up to step 10, the learning rate falls over the last 3" in out
        assert main(["train", "--recipe", file, "--dry-run", "crop_size=17"]) == 2
        assert "17 x 17" in capsys.readouterr().err


def test_data_that_cannot_be_fetched_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))
    recipe = Recipe(method="pix2pix", to="photo", data="facades")
    with fetching_nothing(), pytest.raises(DataError, match=r"If you have the data, say where: .*--data PATH"):
        next(trainers(recipe, progress=False))


def test_where_the_data_is(tmp_path: Path) -> None:
    facades = Recipe(method="pix2pix", data="facades")
    assert facades.data_at() == {"name": "facades"}
    assert facades.data_at("./mine") == {"name": "facades", "root": "./mine"}
    assert facades.data_at("synthetic-facades") == "synthetic-facades"
    sides = Recipe(method="pix2pix", data={"sides": ["photo", "label"]})
    assert sides.data_at("./mine") == {"sides": ["photo", "label"], "root": "./mine"}
    assert Recipe(method="pix2pix").data_at("./mine") == "./mine"
    for unsaid in (sides, Recipe(method="pix2pix")):
        with pytest.raises(ConfigError, match="the recipe leaves the data to you"):
            unsaid.data_at()
