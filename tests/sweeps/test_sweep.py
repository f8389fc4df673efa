"""Sweeps: what a file stands for, what is refused before training, what is trained, resumed and written."""

import csv
import json
import math
import statistics

import pytest
import torch
from safetensors.torch import load_file

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, TrainingError
from i2izoo.sweeps import sweep as sweeping
from i2izoo.sweeps.plan import plan
from i2izoo.sweeps.spec import Sweep, read
from i2izoo.sweeps.sweep import training_seconds
from i2izoo.training.trainer import Trainer

DATA = {"name": "synthetic-facades", "count": 4, "size": 18}
OPTIONS = {
    "steps": 2,
    "load_size": 18,
    "crop_size": 16,
    "device": "cpu",
    "tensorboard": False,
    "sample_every": 0,
    "generator": {"width": 2, "depth": 3},
    "discriminator": {"name": "patchgan", "width": 2, "layers": 1, "norm": "batch"},
}
LARGE = {"load_size": 256, "crop_size": 256}
TINY = {"method": "pix2pix", "to": "photo", "options": OPTIONS, "metrics": ["psnr"], "size": 16}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def runs_of(**keys):
    return plan(Sweep(**{**TINY, **keys}), DATA, "s")[0]


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ------------------------------------------------------------------------------------------------- what it stands for


def test_a_grid_is_the_product_of_its_values_in_order():
    runs = runs_of(grid={"generator.width": [2, 4], "gan_loss": ["vanilla", "hinge"]})
    assert [(r.facts["options"]["generator"]["width"], r.facts["options"]["gan_loss"]["name"]) for r in runs] == [
        (2, "vanilla"), (2, "hinge"), (4, "vanilla"), (4, "hinge"),
    ]  # fmt: skip
    assert [r.varied for r in runs][1] == {"generator.width": 2, "gan_loss": "hinge"}
    assert runs[3].name == runs[3].folder == "generator.width=4,gan_loss=hinge"
    assert runs[0].parameters == runs[1].parameters < runs[2].parameters < runs[2].trained


def test_parameters_of_a_task_are_those_that_translate():
    data = {"name": "synthetic-facades", "count": 4, "size": 24}
    options = {k: v for k, v in OPTIONS.items() if k not in ("generator", "discriminator")} | {
        "load_size": 24,
        "crop_size": 24,
    }
    base = {"name": "pix2pix", "generator": OPTIONS["generator"] | {"name": "unet_256"}}
    (run,) = plan(Sweep(method="jpeg_restoration", to="photo", options={**options, "base": base}), data, "s")[0]
    translator = i2izoo.create("jpeg_restoration", base=base)
    assert run.parameters == translator.num_parameters < run.trained


def test_named_runs_are_crossed_with_the_grid_and_show_defaults():
    rows = [{"name": "plain"}, {"name": "no gan", "gan_weight": 0.0}]
    runs = runs_of(runs=rows, grid={"learning_rate": [1e-3]}, seeds=[3, 5])
    assert [r.name for r in runs] == [
        "plain,learning_rate=0.001,seed=3", "plain,learning_rate=0.001,seed=5",
        "no gan,learning_rate=0.001,seed=3", "no gan,learning_rate=0.001,seed=5",
    ]  # fmt: skip
    assert [r.varied["gan_weight"] for r in runs] == [1.0, 1.0, 0.0, 0.0]  # pix2pix's own default is 1
    assert [r.training["seed"] for r in runs] == [3, 5, 3, 5]
    assert runs[2].folder == "no_gan,learning_rate=0.001,seed=3"


def test_nested_and_dotted_options_say_the_same():
    dotted = {k: v for k, v in OPTIONS.items() if k != "generator"} | {"generator.width": 2, "generator.depth": 3}
    assert runs_of(options=dotted)[0].facts == runs_of()[0].facts


def test_a_part_and_its_options_combine_over_the_layers():
    options = {k: v for k, v in OPTIONS.items() if k != "generator"} | LARGE | {"generator.width": 2}
    found = runs_of(options=options, grid={"generator": ["unet_256", {"name": "resnet_9blocks", "blocks": 1}]}, runs=[])
    unet, resnet = (run.facts["options"]["generator"] for run in found)
    assert (unet["name"], unet["width"], resnet["name"], resnet["width"], resnet["blocks"]) == (
        "unet_256", 2, "resnet_9blocks", 2, 1,
    )  # fmt: skip
    assert found[1].varied == {"generator": "resnet_9blocks", "generator.blocks": 1}
    assert found[0].varied == {"generator": "unet_256", "generator.blocks": "-"}


def test_a_run_shows_the_default_of_an_option_that_an_interface_gives():
    """Configs do not hold those (`Configurable.configure`) at their defaults."""
    runs = [{"name": "plain"}, {"name": "few", "gan_loss.r1": 1.0, "discriminator.augment": "diffaugment"}]
    plain, few = runs_of(grid={}, runs=runs)
    assert plain.varied == {"gan_loss.r1": 0.0, "discriminator.augment": None}
    assert few.varied == {"gan_loss.r1": 1.0, "discriminator.augment": "diffaugment"}


def test_options_of_a_default_part_keep_what_the_method_chose():
    """As on the command line: the method's discriminator has batch norm, and its width alone is changed."""
    options = {k: v for k, v in OPTIONS.items() if k != "discriminator"} | LARGE | {"discriminator.width": 2}
    found = runs_of(options=options)[0].facts["options"]["discriminator"]
    assert (found["name"], found["norm"], found["width"]) == ("patchgan", "batch", 2)


def test_methods_can_be_the_grid():
    options = {"steps": 1, "generator.width": 2, "discriminator.width": 2}
    runs = plan(Sweep(to="photo", options=options, grid={"method": ["pix2pix", "cyclegan"]}), DATA, "s")[0]
    assert [run.method for run in runs] == ["pix2pix", "cyclegan"]
    assert runs[1].varied == {"method": "cyclegan"}


def test_a_method_inside_a_method_has_its_own_defaults():
    """Colourisation by any paired method: `base.generator.width` is of the base method's default generator."""
    options = {"steps": 1, "base.generator.width": 2, "base.discriminator.width": 2}
    grid = {"base.gan_loss": ["lsgan"], "base": ["pix2pix"]}
    (run,) = plan(Sweep(method="colorization", to="photo", options=options, grid=grid), DATA, "s")[0]
    base = run.facts["options"]["base"]
    assert (base["generator"]["name"], base["generator"]["width"]) == ("unet_256", 2)
    assert (base["discriminator"]["norm"], base["discriminator"]["width"]) == ("batch", 2)
    assert run.varied == {"base.gan_loss": "lsgan", "base": "pix2pix"}


def test_planning_allocates_no_weights(monkeypatch):
    built = []
    monkeypatch.setattr("i2izoo.nn.init.nn.init.normal_", lambda tensor, *_: built.append(tensor.device.type) or tensor)
    runs_of(options={"steps": 1})
    assert set(built) == {"meta"}


# --------------------------------------------------------------------------------------------------- refused at once

BASE = """
method: pix2pix
to: photo
options: {steps: 1, crop_size: 24, generator.depth: 3}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + "grd: {}", r"s\.yaml: Sweep has no option 'grd'; did you mean 'grid'\?"),
        (BASE + "grid: {gan_los: [hinge]}", r"s\.yaml: grid\.gan_los: .*did you mean 'gan_loss'\?"),
        (BASE + "grid: {generator.widht: [4]}", r"s\.yaml: grid\.generator\.widht: .*did you mean 'width'\?"),
        (BASE + "grid: {gan_loss: [vanilla, hing]}", r"s\.yaml: grid\.gan_loss: .*did you mean 'hinge'\?"),
        (
            BASE + "grid: {learning_rate: [fast]}",
            r"s\.yaml: grid\.learning_rate: .*wants float from 0 to 1e6, found 'fast'",
        ),
        (BASE + "grid: {batch_size: [0]}", r"s\.yaml: grid\.batch_size: .*from 1 to 1e9, found 0"),
        (BASE + "grid: {generator.width: [-4]}", r"s\.yaml: grid\.generator\.width: "),
        (BASE + "grid: {generator.width: []}", r"s\.yaml: grid\.generator\.width has no values"),
        (BASE + "grid: {generator.width: 4}", r"s\.yaml: option 'grid' of Sweep wants dict\[str, list"),
        (BASE + "grid: {epochs: [5]}", r"s\.yaml: .*'steps' and 'epochs' both say how long"),
        (BASE + "grid: {learning_rate.x: [5]}", r"s\.yaml: grid\.learning_rate\.x: .*is one value and has no x inside"),
        (BASE + "grid: {gan_loss: [hinge, hinge]}", r"s\.yaml: two runs have one name: 'gan_loss=hinge'"),
        (BASE + "runs: [{name: a}, {name: A}]", r"s\.yaml: two runs have one name: 'A'.*share a folder"),
        (BASE + "runs: [{gan_loss: hinge}]", r"s\.yaml: runs\[0\] needs a 'name'"),
        (BASE + "runs: [{name: a, gan_weihgt: 1}]", r"s\.yaml: runs\[0\]\.gan_weihgt: .*did you mean 'gan_weight'"),
        (BASE + "runs:\n- name: a\n  name: b", r"s\.yaml: line 6: the key 'name' is there twice"),
        (BASE + "seeds: [1, 1]", r"s\.yaml: seeds are different whole numbers"),
        (BASE + "seeds: [1]\ngrid: {seed: [2]}", r"s\.yaml: 'seeds' and the option 'seed' both"),
        (BASE + "metrics: [psrn]", r"s\.yaml: metrics: .*did you mean 'psnr'\?"),
        (BASE + "grid: {crop_size: [20]}", r"s\.yaml: grid\.crop_size: .*multiples of 8 .* come as 20 x 20"),
        (BASE + "samples: 4", r"s\.yaml: .*'pix2pix' has one answer for each image"),
        (BASE + "limit: 0", r"s\.yaml: option 'limit' .* from 1 to 1e9 or None, found 0"),
        (BASE + "size: [1, 2, 3]", r"s\.yaml: option 'size' of Sweep wants int from 1 to 65536 or"),
        (BASE + "val: nowhere", r"s\.yaml: .*'nowhere'"),
        (BASE.replace("photo", "foto"), r"s\.yaml: .*no domain 'foto'; did you mean 'photo'\?"),
        (BASE.replace("pix2pix", "pixpix"), r"s\.yaml: method: .*did you mean 'pix2pix'\?"),
        ("to: photo", r"s\.yaml: .*needs 'method: NAME'"),
        ("- a\n- b", r"s\.yaml: a sweep is a mapping"),
        ("a: [", r"s\.yaml: this is not YAML"),
    ],
)
def test_mistakes_are_found_before_training_with_file_and_key(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        i2izoo.sweep("s.yaml", DATA, out="out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(no such file"):
        read(tmp_path / "none.yaml")


def test_yaml_numbers_are_those_of_json(tmp_path):
    """YAML 1.1 reads 2e-4 as text."""
    (tmp_path / "s.yaml").write_text("options: {a: 2e-4, b: 1.5E3, c: -1e0, d: 10, e: 0.5, f: e5}")
    assert read(tmp_path / "s.yaml")[0].options == {"a": 2e-4, "b": 1500.0, "c": -1.0, "d": 10, "e": 0.5, "f": "e5"}


def test_data_without_held_out_images_is_refused(tmp_path, capsys):
    assert main(["data", "make", "synthetic-facades", str(tmp_path / "houses"), "--count", "2", "--size", "18"]) == 0
    with pytest.raises(ConfigError, match="the sweep: metrics want images that are held out"):
        i2izoo.sweep(TINY, tmp_path / "houses", out=tmp_path / "out")


# ------------------------------------------------------------------------------------------------------ what it trains


def test_a_run_is_that_of_the_train_command(tmp_path, capsys):
    """Bit for bit, with the same words."""
    for name, seed in (("houses", 0), ("others", 1)):
        make = ["data", "make", "synthetic-facades", str(tmp_path / name), "--count", "3", "--size", "18"]
        assert main([*make, "--seed", str(seed)]) == 0
    sweep = {**TINY, "grid": {"generator.width": [3]}, "seeds": [7], "val": str(tmp_path / "others")}
    i2izoo.sweep(sweep, tmp_path / "houses", out=tmp_path / "out")
    words = "steps=2 load_size=18 crop_size=16 device=cpu tensorboard=false sample_every=0 generator.width=3 seed=7"
    parts = "generator.depth=3 discriminator=patchgan discriminator.width=2 discriminator.layers=1"
    command = ["train", "pix2pix", "--data", str(tmp_path / "houses"), "--to", "photo", "--out", str(tmp_path / "one")]
    assert main([*command, *words.split(), *parts.split(), "discriminator.norm=batch"]) == 0
    run = tmp_path / "out" / "runs" / "generator.width=3,seed=7"
    assert same(weights(run), weights(tmp_path / "one"))
    assert json.loads((run / "run.json").read_text()) == json.loads((tmp_path / "one" / "run.json").read_text())


def test_what_is_finished_is_kept_and_what_was_interrupted_goes_on_exactly(tmp_path, monkeypatch):
    sweep = {
        **TINY,
        "options": {**OPTIONS, "steps": 3, "checkpoint_every": 1},
        "grid": {"gan_loss": ["lsgan", "hinge"]},
    }
    whole = i2izoo.sweep(sweep, DATA, out=tmp_path / "whole")
    step = Trainer.train_step

    def stopping(self):
        if self.method.config["gan_loss"]["name"] == "hinge" and self.step == 2:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Trainer, "train_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        i2izoo.sweep(sweep, DATA, out=tmp_path / "parts")
    done = []
    monkeypatch.setattr(
        Trainer,
        "train_step",
        lambda self: done.append((self.method.config["gan_loss"]["name"], self.step)) or step(self),
    )
    left = tmp_path / "parts" / "runs" / "gan_loss=lsgan" / ".lock"
    left.touch()  # as by a run that was killed at its very end
    found = i2izoo.sweep(sweep, DATA, out=tmp_path / "parts")
    assert done == [("hinge", 2)]
    assert not left.exists()
    for name in ("gan_loss=lsgan", "gan_loss=hinge"):
        assert same(weights(tmp_path / "parts" / "runs" / name), weights(tmp_path / "whole" / "runs" / name))
    assert [row.scores["psnr"].value for row in found.rows] == [row.scores["psnr"].value for row in whole.rows]


def test_a_longer_sweep_goes_on_from_the_shorter(tmp_path):
    def sweep(steps, out):
        return i2izoo.sweep({**TINY, "options": {**OPTIONS, "steps": steps}}, DATA, out=out).folder / "runs" / "pix2pix"

    sweep(1, tmp_path / "a")
    assert same(weights(sweep(3, tmp_path / "a")), weights(sweep(3, tmp_path / "b")))


def test_a_failed_run_is_in_the_table_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    step = Trainer.train_step

    def breaking(self):
        if self.method.config["gan_weight"] == 2.0:
            raise RuntimeError("out of memory")
        return step(self)

    monkeypatch.setattr(Trainer, "train_step", breaking)
    sweep = {**TINY, "grid": {"gan_weight": [1.0, 2.0, 3.0]}}
    found = i2izoo.sweep(sweep, DATA, out=tmp_path / "out")
    assert found.problems == {"gan_weight=2.0": "RuntimeError: out of memory"}
    assert ["psnr" in row.scores for row in found.rows] == [True, False, True]
    assert "weight=2.0 failed: RuntimeError: out of memory" in (tmp_path / "out" / "table.md").read_text()
    assert "out of memory" in (tmp_path / "out" / "report.html").read_text()
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").open()))
    assert [bool(row["problem"]) for row in rows] == [False, True, False]
    monkeypatch.setattr(Trainer, "train_step", step)  # with more memory it goes on
    assert i2izoo.sweep(sweep, DATA, out=tmp_path / "out").problems == {}


def test_all_runs_fail(tmp_path):
    sweep = {**TINY, "options": {**OPTIONS, "learning_rate": 1e6, "generator.norm": "none"}}
    found = i2izoo.sweep(sweep, DATA, out=tmp_path / "out")
    assert "not finite" in found.problems["pix2pix"]
    assert "No run could be evaluated" in str(found)
    assert not (tmp_path / "out" / "report.html").exists()


def test_other_options_under_the_same_name_are_refused(tmp_path):
    i2izoo.sweep(TINY, DATA, out=tmp_path / "out")
    before = weights(tmp_path / "out" / "runs" / "pix2pix")
    changed = {**TINY, "options": {**OPTIONS, "reconstruction_weight": 5.0}}
    with pytest.raises(TrainingError, match=r"reconstruction_weight was 100\.0, is 5\.0"):
        i2izoo.sweep(changed, DATA, out=tmp_path / "out")
    assert same(before, weights(tmp_path / "out" / "runs" / "pix2pix"))


def test_other_metrics_are_computed_without_training(tmp_path, monkeypatch):
    i2izoo.sweep(TINY, DATA, out=tmp_path / "out")
    monkeypatch.setattr(sweeping, "Trainer", None)
    found = i2izoo.sweep({**TINY, "metrics": ["ssim"], "limit": 2}, DATA, out=tmp_path / "out")
    assert found.rows[0].scores.keys() == {"ssim"}
    assert found.rows[0].scores["ssim"].n == 2


def test_seeds_give_mean_and_spread(tmp_path):
    found = i2izoo.sweep({**TINY, "seeds": [0, 1, 2]}, DATA, out=tmp_path / "out")
    held_out = {**DATA, "split": "val"}
    alone = [
        i2izoo.evaluate(
            tmp_path / "out" / "runs" / f"pix2pix,seed={seed}" / "model", held_out, metrics=["psnr"], size=16
        )
        for seed in (0, 1, 2)
    ]
    values = [result["psnr"].value for result in alone]
    assert len(set(values)) == 3
    (row,) = found.rows
    assert row.scores["psnr"].value == pytest.approx(statistics.mean(values))
    assert row.spread["psnr"] == pytest.approx(statistics.stdev(values))
    assert row.scores["psnr"].low < row.scores["psnr"].value < row.scores["psnr"].high
    spread = statistics.stdev(values)
    places = 1 - math.floor(math.log10(spread))  # two digits of it
    assert f"± {spread:.{places}f}" in str(found)
    assert len(found.comparison.differences) == 3


def test_training_time_is_that_of_all_sessions(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"training": {"batch_size": 2, "gradient_accumulation": 3}, "processes": 1})
    )
    (tmp_path / "log.csv").write_text("step,images_per_second\n10,6.0\n20,12.0\n25,3.0\n")
    assert training_seconds(tmp_path) == pytest.approx(60 / 6 + 60 / 12 + 30 / 3)
    assert training_seconds(tmp_path / "none") is None


# ------------------------------------------------------------------------------------------------------ the command

FILE = BASE.replace("crop_size: 24", "crop_size: 16, generator.width: 2, discriminator: pixel") + "metrics: [psnr]\n"


def test_the_command_prints_and_writes_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(FILE + "limit: 2\nsize: 16\ngrid: {generator.width: [2, 4]}\n")
    assert main(["sweep", "s.yaml", "--data", "synthetic-facades", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["generator.width=2", "generator.width=4", "2"]
    assert list(tmp_path.iterdir()) == [tmp_path / "s.yaml"]
    assert main(["sweep", "s.yaml", "--data", "synthetic-facades", "--out", "out"]) == 0
    printed = capsys.readouterr().out
    assert "label → photo: 2 images of synthetic-facades (val) at 16 x 16" in printed
    assert {"generator.width", "psnr", "parameters", "training"} <= set(printed.split())
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"table.md", "table.csv", "table.json", "table.tex", "report.html", "runs", "sweep.json"}
    rows = json.loads((tmp_path / "out" / "table.json").read_text())["rows"]
    assert [row["varied"] for row in rows] == [{"generator.width": 2}, {"generator.width": 4}]
    assert rows[0]["parameters"] == i2izoo.load("out/runs/generator.width=2/model").num_parameters


def test_the_command_says_mistakes_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(FILE)
    assert main(["sweep", "s.yaml", "--data", "synthetic-facades"]) == 2
    assert "--out DIR is needed" in capsys.readouterr().err
    (tmp_path / "s.yaml").write_text(FILE + "grid: {generator.widht: [2]}\n")
    assert main(["sweep", "s.yaml", "--data", "synthetic-facades", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("i2izoo: s.yaml: grid.generator.widht: ")
