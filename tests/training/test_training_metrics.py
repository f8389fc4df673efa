"""Metrics in training: what they leave behind, and that training does not notice them."""

import csv
import json
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import training_run
from PIL import Image
from test_training_resume import LENGTH, assert_same_run, everything, log
from training_run import trainer
from two_processes import launch

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, EvaluationError, MetricError, TrainingError, UnknownNameError
from i2izoo.interfaces import ImageMetric, Metric, Score
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.curves import MetricCurve, draw_curves, running_mean


class Scripted(Metric):
    """Values that the test has written down, one for each evaluation; the first is for the look before training."""

    higher_is_better, inputs, unit = True, ("prediction",), "dB"
    script: list

    def update(self, prediction):
        self.seen = prediction

    def compute(self):
        value = self.script.pop(0)
        return value if isinstance(value, dict) else Score(value, n=6)


class Falling(Scripted):
    higher_is_better, unit = False, ""


class Restless(ImageMetric):
    """Disturbs all that it can reach."""

    higher_is_better, inputs = True, ("prediction", "model")

    def score(self, prediction, model):
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)
        model.method.eval()
        for buffer in model.method.buffers():
            buffer.add_(1)
        return torch.rand(len(prediction))


class Weightless(ImageMetric):
    higher_is_better = True

    def prepare(self, device):
        raise MetricError("needs eyes.pth from https://example.org in ~/eyes")

    def score(self, prediction, target):
        raise AssertionError


class Hungry(ImageMetric):
    higher_is_better, min_samples = True, 7

    def score(self, prediction, target):
        return torch.zeros(len(prediction))


for name, kind in {"up": Scripted, "down": Falling, "restless": Restless, "weightless": Weightless,
                   "hungry": Hungry}.items():  # fmt: skip
    i2izoo.register("metrics", f"toy_{name}")(kind)


def script(monkeypatch, up=(), down=()):
    monkeypatch.setattr(Scripted, "script", list(up), raising=False)
    monkeypatch.setattr(Falling, "script", list(down), raising=False)


def metrics(out):
    with (out / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(place):
    return i2izoo.load(place).method.inference_state()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def image(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


# ---------------------------------------------------------------------------------------------------- what it leaves


def test_the_best_and_the_last(tmp_path, monkeypatch, capsys):
    script(monkeypatch, up=[0.0, 1.0, 3.0, 2.0, 3.0], down=[0.0, 5.0, 6.0, 5.0, 4.25])
    run = trainer(
        "regression", tmp_path, ema=0.5, metrics=["toy_up", "toy_down"], evaluate_every=1, checkpoint_every=1,
        keep_last=4, log_every=1,
    )  # fmt: skip
    run.fit()
    assert (tmp_path / "metrics.csv").read_text() == (
        "step,toy_up,toy_down\n1,1.0,5.0\n2,3.0,6.0\n3,2.0,5.0\n4,3.0,4.25\n"
    )
    steps = {n: weights(tmp_path / f"checkpoints/step-0000000{n}") for n in range(1, 5)}
    assert not same(steps[2], steps[4])
    assert same(weights(tmp_path / "best/toy_up"), steps[2])  # the second 3.0 is not better
    assert same(weights(tmp_path / "best/toy_down"), steps[4])
    assert same(weights(tmp_path / "model"), steps[4])
    assert same(steps[4], run.ema.state)
    assert sorted(p.name for p in (tmp_path / "best").iterdir()) == ["toy_down", "toy_up"]
    facts = i2izoo.load(tmp_path / "best/toy_up").config["provenance"]
    assert facts["steps"] == 2
    assert facts["metrics"] == {
        "toy_up": {"value": 3.0, "on": "val", "n": 6}, "toy_down": {"value": 6.0, "on": "val", "n": 6},
    }  # fmt: skip
    assert i2izoo.load(tmp_path / "model").config["provenance"]["metrics"]["toy_down"]["value"] == 4.25
    assert "| toy_up | 3 | val | 6 |" in (tmp_path / "best/toy_up/README.md").read_text()
    assert len(np.unique(image(tmp_path / "curves.png"))) > 20


def test_a_metric_with_several_values_and_one_that_comes_late(tmp_path, monkeypatch, capsys):
    two = {"a": Score(1.0, 0.5, 1.5, n=6), "b": Score(None, reason="needs luck")}
    script(monkeypatch, up=[two, two, {"a": Score(0.5, n=6), "b": Score(2.0, n=6)}])
    trainer("regression", tmp_path, metrics=["toy_up"], evaluate_every=2).fit()
    assert metrics(tmp_path) == [
        {"step": "2", "toy_up.a": "1.0", "toy_up.a_low": "0.5", "toy_up.a_high": "1.5", "toy_up.b": ""},
        {"step": "4", "toy_up.a": "0.5", "toy_up.a_low": "", "toy_up.a_high": "", "toy_up.b": "2.0"},
    ]
    assert "step 2: toy_up.b is not computed: needs luck" in capsys.readouterr().err
    facts = {n: i2izoo.load(tmp_path / "best" / n).config["provenance"] for n in ("toy_up.a", "toy_up.b")}
    assert {n: f["steps"] for n, f in facts.items()} == {"toy_up.a": 2, "toy_up.b": 4}


def test_values_are_those_of_evaluate(tmp_path):
    """At the size of the training, of what is saved, and of both directions; a column has the name of its domain."""
    run = trainer("cyclegan", tmp_path, ema=0.5, metrics=["psnr"], evaluate_every=2, val_limit=4)
    run.fit()
    rows = metrics(tmp_path)
    assert [row["step"] for row in rows] == ["2", "4"]
    for to in ("photo", "label"):
        result = i2izoo.evaluate(
            tmp_path / "model", training_run.DATA, metrics=["psnr"], to=to, split="val", size=16, limit=4
        )
        found = [float(rows[1][f"psnr_{to}{end}"]) for end in ("", "_low", "_high")]
        score = result["psnr"]
        assert found == pytest.approx([score.value, score.low, score.high], rel=1e-5)
    assert sorted(p.name for p in (tmp_path / "best").iterdir()) == ["psnr_label", "psnr_photo"]


def test_on_the_command_line(tmp_path, capsys):
    words = ["generator.name=resnet_6blocks", "generator.width=2", "generator.blocks=1", "discriminator.width=2",
             "discriminator.layers=1", "steps=4", "load_size=18", "crop_size=16", "sample_every=0", "val_limit=2",
             "log_every=2"]  # fmt: skip
    command = ["train", "pix2pix", "--data", "synthetic-facades", "--to", "photo", "--metrics", "psnr,ssim",
               "--every", "2", "--val", "synthetic-facades", "--out", str(tmp_path)]  # fmt: skip
    assert main([*command, *words]) == 0
    rows = metrics(tmp_path)
    assert [list(row) for row in rows] == 2 * [
        ["step", "psnr", "psnr_low", "psnr_high", "ssim", "ssim_low", "ssim_high"]
    ]
    assert f"step 4: psnr {float(rows[1]['psnr']):.4g} dB" in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {
        "best", "checkpoints", "curves.png", "log.csv", "metrics.csv", "model", "run.json", "tensorboard",
    }  # fmt: skip
    events = b"".join(p.read_bytes() for p in (tmp_path / "tensorboard").iterdir())
    assert b"metric/psnr" in events
    assert b"metric/ssim" in events
    assert main([*command, *words, "evaluate_every=3"]) == 2
    assert "--every and evaluate_every= disagree" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ training does not notice


@pytest.mark.parametrize(
    ("kind", "method"), [("pix2pix", {"inference": "paper"}), ("cyclegan", {}), ("pix2pix", {})], ids=str
)
def test_training_is_the_same_without_metrics(kind, method, tmp_path):
    options = LENGTH | {"ema": 0.9 if method else 0.0, "method": method, "batch_size": 2}
    trainer(kind, tmp_path / "without", **options).fit()
    watched = trainer(kind, tmp_path / "with", metrics=["psnr", "toy_restless"], evaluate_every=2, **options)
    watched.fit()
    assert_same_run(tmp_path / "with", tmp_path / "without")
    assert len(metrics(tmp_path / "with")) == 6


def test_states_and_modes_come_back():
    run = trainer("pix2pix", metrics=["toy_restless"])
    run.method.train()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    buffers = {k: v.clone() for k, v in run.method.named_buffers()}
    run.validation.run(1, {}, say=lambda line: None)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert all(module.training for module in run.method.modules())
    assert all(torch.equal(v, buffers[k]) for k, v in run.method.named_buffers())
    run.loader.close()


# ----------------------------------------------------------------------------------------------------------- going on

WATCHED = LENGTH | {"ema": 0.9, "metrics": ["psnr"], "evaluate_every": 2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    trainer("pix2pix", out, **WATCHED).fit()
    assert [row["step"] for row in metrics(out)] == ["2", "4", "6", "8", "10", "12"]
    return out


def assert_same(out, whole):
    assert_same_run(out, whole)
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    for file in ("model.safetensors", "config.json", "README.md"):
        assert (out / "best/psnr" / file).read_bytes() == (whole / "best/psnr" / file).read_bytes()
        assert (out / "model" / file).read_bytes() == (whole / "model" / file).read_bytes()
    assert sorted(p.name for p in (out / "best").iterdir()) == ["psnr"]


def test_killed_and_resumed(whole, tmp_path):
    """SIGKILL while the checkpoint of step 8 is being written: from step 4, and what came after it is dropped."""
    out = tmp_path / "killed"
    command = [sys.executable, training_run.__file__, "pix2pix", str(out), str(torch.get_num_threads())]
    with subprocess.Popen(
        [*command, json.dumps(WATCHED), "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "halted\n"
        process.kill()
    assert [row["step"] for row in metrics(out)] == ["2", "4", "6"]
    with (out / "metrics.csv").open("a") as file:
        file.write("8,99.")  # a line that was cut
    resumed = trainer("pix2pix", out, resume="auto", **WATCHED)
    assert resumed.step == 4
    resumed.fit()
    assert_same(out, whole)


@pytest.mark.parametrize("where", ["_evaluate", "_keep"])
def test_stopped_between_checkpoint_and_metrics(where, whole, tmp_path, monkeypatch):
    """The evaluation that a checkpoint has not seen is made up for, whole."""
    run = trainer("pix2pix", tmp_path, **WATCHED)
    wrapped = getattr(run.validation, where)

    def dying(*arguments):
        if run.step == 4:
            raise OSError("no space left")
        return wrapped(*arguments)

    monkeypatch.setattr(run.validation, where, dying)
    if where == "_keep":  # also where step 4 would not be the best
        monkeypatch.setattr(run.validation.log, "beats", lambda value, column: True)
    with pytest.raises(OSError, match="no space left"):
        run.fit()
    assert [p.name for p in checkpoints(tmp_path / "checkpoints")] == ["step-00000004"]
    assert [row["step"] for row in metrics(tmp_path)] == ["2"]
    trainer("pix2pix", tmp_path, resume="auto", **WATCHED).fit()
    assert_same(tmp_path, whole)


def test_interrupted_while_it_evaluates(whole, tmp_path, monkeypatch):
    """Ctrl-C: the evaluation ends, a checkpoint is saved, and the run stops."""
    run = trainer("pix2pix", tmp_path, **WATCHED)
    evaluate = run.validation._evaluate

    def interrupted(*arguments):
        if run.step == 6:
            signal.raise_signal(signal.SIGINT)
        return evaluate(*arguments)

    monkeypatch.setattr(run.validation, "_evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert [p.name for p in checkpoints(tmp_path / "checkpoints")] == ["step-00000004", "step-00000006"]
    assert [row["step"] for row in metrics(tmp_path)] == ["2", "4", "6"]
    trainer("pix2pix", tmp_path, resume="auto", **WATCHED).fit()
    assert everything(tmp_path).keys() == everything(whole).keys()
    assert same(everything(tmp_path), everything(whole))
    assert (tmp_path / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def test_metrics_may_change_on_the_way(tmp_path):
    """They belong to what a run writes, not to what it is."""
    options = {"checkpoint_every": 2, "evaluate_every": 2}
    trainer("regression", tmp_path, steps=2).fit()
    assert not (tmp_path / "metrics.csv").exists()
    trainer("regression", tmp_path, steps=4, resume="auto", metrics=["psnr"], **options).fit()
    assert [row["step"] for row in metrics(tmp_path)] == ["2", "4"]  # also of the weights that it began with
    trainer("regression", tmp_path, steps=6, resume="auto", metrics=["ssim"], **options).fit()
    assert [bool(row["psnr"]) for row in metrics(tmp_path)] == [True, True, False]
    assert [bool(row["ssim"]) for row in metrics(tmp_path)] == [False, False, True]


def test_two_processes_evaluate_once(tmp_path):
    """Gloo on the CPU: the values of one process with twice the batch, and nobody waits for ever."""
    options = {"steps": 2, "metrics": ["psnr"], "evaluate_every": 1, "checkpoint_every": 1}
    trainer("regression", tmp_path / "one", batch_size=2, **options).fit()
    launch(
        tmp_path,
        """
        run = training_run.trainer("regression", sys.argv[1], batch_size=1, **json.loads(sys.argv[2]))
        assert run.world == 2 and (run.validation is None) == (run.rank == 1)
        run.fit()
        """,
        tmp_path / "two",
        json.dumps(options),
    )
    one, two = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert len(one) == len(two) == 2
    assert [float(row["psnr"]) for row in two] == pytest.approx([float(row["psnr"]) for row in one], abs=1e-3)
    assert (tmp_path / "two/best/psnr/model.safetensors").is_file()


# ---------------------------------------------------------------------------------------------------------- mistakes


def test_what_cannot_be_computed_is_said_once_at_the_start(tmp_path, capsys):
    run = trainer("regression", tmp_path, metrics=["psnr", "toy_weightless", "toy_hungry"], evaluate_every=1)
    said = capsys.readouterr().err
    assert "metric 'toy_weightless' is not computed: needs eyes.pth from https://example.org in ~/eyes" in said
    assert "metric 'toy_hungry' is not computed: needs at least 7 images; found 6" in said
    run.fit()
    assert "not computed" not in capsys.readouterr().err
    assert list(metrics(tmp_path)[0]) == ["step", "psnr", "psnr_low", "psnr_high"]
    with pytest.raises(TrainingError, match=r"there is no metric to compute: .*needs eyes\.pth"):
        trainer("regression", metrics=["toy_weightless"])


def test_what_only_one_direction_has(tmp_path, capsys):
    """Unpaired images have no truths: only what compares no pairs goes on."""
    data = training_run.DATA | {"kind": "unpaired"}
    run = trainer("cyclegan", tmp_path, data=data, metrics=["psnr", "toy_restless"])
    assert run.validation.labels == {"photo": ["toy_restless"], "label": ["toy_restless"]}
    assert capsys.readouterr().err.count("metric 'psnr' is not computed: needs pairs") == 1
    run.loader.close()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"metrics": ["psrn"]}, UnknownNameError, "'psrn'; did you mean 'psnr'"),
        ({"metrics": ["psnr[9]"]}, ConfigError, "has no variants"),
        ({"metrics": ["psnr"], "split": "val"}, ConfigError, r"takes the split 'val' itself.*--val PATH"),
        ({"metrics": ["psnr"], "val": "no-such-place"}, DataError, "no-such-place"),
        ({"metrics": ["psnr"], "evaluate_every": -1}, ConfigError, "'evaluate_every' .* from 0 to 1e9, found -1"),
        ({"metrics": ["psnr"], "val_limit": 0}, ConfigError, "'val_limit' .* from 1 to 1e9 or None, found 0"),
        ({"val": "synthetic-facades"}, ConfigError, "val says how metrics are computed.*give metrics="),
        ({"evaluate_every": 5}, ConfigError, "evaluate_every says how"),
    ],
)
def test_mistakes_are_said_at_once(options, error, words):
    with pytest.raises(error, match=words):
        trainer("regression", **options)


def save_images(folder, domains, names):
    for domain in domains:
        (folder / domain).mkdir(parents=True)
        for number, name in enumerate(names):
            values = np.random.default_rng(number).integers(0, 256, (18, 18, 3), dtype=np.uint8)
            Image.fromarray(values).save(folder / domain / f"{name}.png")


def test_where_held_out_images_come_from(tmp_path):
    save_images(tmp_path / "flat", ["label", "photo"], "abc")
    flat = tmp_path / "flat"
    with pytest.raises(ConfigError, match=r"no split 'val' for them .*not divided.*--val PATH"):
        trainer("regression", data=flat, metrics=["psnr"])
    for split, names in (("train", "abc"), ("val", "de")):
        save_images(tmp_path / "split" / split, ["label", "photo"], names)
    split = tmp_path / "split"
    opened = {k: i2izoo.open_dataset(p, crop_size=16, split=s) for k, p, s in
              (("flat", flat, None), ("train", split, "train"), ("val", split, "val"))}  # fmt: skip
    sizes = {"load_size": 18, "crop_size": 16}
    for data, val, on, n in (
        (split, None, "val", 2), (flat, split, "val", 2), (split, flat, "flat", 3), (split, split / "val", "val", 2),
        (opened["train"], None, "val", 2), (opened["flat"], opened["val"], "val", 2),
    ):  # fmt: skip
        model = training_run.model("regression")
        given = {} if data in opened.values() else sizes
        run = i2izoo.Trainer(
            model, data, val=val, steps=1, metrics=["psnr"], device="cpu", progress=False, tensorboard=False, **given
        )
        fact = run.fit().config["provenance"]["metrics"]["psnr"]
        assert (fact["on"], fact["n"]) == (on, n)
    for data in (opened["flat"], opened["val"]):
        with pytest.raises(ConfigError, match="held out"):
            i2izoo.Trainer(training_run.model("regression"), data, steps=1, metrics=["psnr"], progress=False)
    save_images(tmp_path / "other", ["label", "foto"], "abc")
    with pytest.raises((DataError, EvaluationError), match=r"no domain 'photo'.*'foto'|no domain 'photo'; did you"):
        trainer("regression", metrics=["psnr"], val=tmp_path / "other")
    (split / "val/photo/e.png").write_bytes(b"broken")
    with pytest.raises(i2izoo.errors.I2IZooError, match=r"e\.png"):
        trainer("regression", data=split, metrics=["psnr"])


def test_a_translation_that_is_not_finite(tmp_path, monkeypatch, capsys):
    """It is said, counts for nothing, and the training goes on."""
    run = trainer("regression", tmp_path, metrics=["psnr"], evaluate_every=2)
    translate = run.method.translate

    def broken(image, *, to, seeds):
        return translate(image, to=to, seeds=seeds) * (float("nan") if run.step == 2 else 1)

    monkeypatch.setattr(run.method, "translate", broken)
    run.fit()
    said = capsys.readouterr().err
    assert "the evaluation at step 2 does not count: the translation of 'facade_1000000' holds NaN" in said
    assert [row["step"] for row in metrics(tmp_path)] == ["4"]
    assert i2izoo.load(tmp_path / "best/psnr").config["provenance"]["steps"] == 4


def test_infinite_values_are_written_but_never_the_best(tmp_path, monkeypatch):
    script(monkeypatch, up=[0.0, float("inf"), 2.0, float("nan"), 1.0])
    trainer("regression", tmp_path, metrics=["toy_up"], evaluate_every=1).fit()
    assert [row["toy_up"] for row in metrics(tmp_path)] == ["inf", "2.0", "nan", "1.0"]
    assert i2izoo.load(tmp_path / "best/toy_up").config["provenance"]["steps"] == 2


# ------------------------------------------------------------------------------------------------------------ curves


def test_curves_are_drawn_where_there_is_something_to_draw(tmp_path):
    trainer("cyclegan", tmp_path / "losses", log_every=2).fit()
    losses = image(tmp_path / "losses/curves.png")
    assert (losses != 255).any(axis=2).mean() > 0.01
    trainer("cyclegan", tmp_path / "none", steps=1).fit()
    assert not (tmp_path / "none/curves.png").exists()


def test_curves_show_the_best(tmp_path):
    """A star in matplotlib's second colour where the best is, and no trace of it without one."""
    orange = np.array([255, 127, 14])
    points = [(1, 1.0), (2, 4.0), (3, 2.0)]
    places = {}
    for best in (None, (2, 4.0), (3, 2.0)):
        path = draw_curves(tmp_path / "c.png", {}, {"toy": MetricCurve(points, [], [], best, True)})
        pixels = (np.abs(image(path).astype(int) - orange).sum(axis=2) < 30)[40:]  # below the title
        places[best] = np.argwhere(pixels).mean(axis=0) if pixels.any() else None
    assert places[None] is None
    (y2, x2), (y3, x3) = places[2, 4.0], places[3, 2.0]
    assert x2 < x3
    assert y2 < y3  # 4 is above 2
    assert [p.name for p in tmp_path.iterdir()] == ["c.png"]


def test_running_mean():
    # weights 0.9^(n - i): (1 * 0.9 + 3) / 1.9
    assert running_mean([1.0, 3.0]) == pytest.approx([1.0, 3.9 / 1.9])


def test_no_metrics_no_trace(tmp_path):
    trainer("regression", tmp_path).fit()
    assert not (tmp_path / "metrics.csv").exists()
    assert not (tmp_path / "best").exists()
    assert "metrics" not in i2izoo.load(tmp_path / "model").config["provenance"]
    assert log(tmp_path)
