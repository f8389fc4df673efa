"""A resumed run is the uninterrupted one, bit for bit, and nothing else goes on by mistake."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_run
from safetensors.torch import load_file
from training_run import trainer

import i2izoo
from i2izoo.errors import ConfigError, StorageError, TrainingError
from i2izoo.training.checkpoint import FACTS, checkpoints
from i2izoo.training.resume import start_from

LENGTH = {"steps": 7, "decay_steps": 5, "log_every": 3, "checkpoint_every": 4}


def log(out):
    """log.csv without what depends on the clock."""
    with (out / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in ("images_per_second", "data_wait_share")}
                for row in csv.DictReader(file)]  # fmt: skip


def everything(out):
    """All tensors that a run has at its end."""
    last = out / "checkpoints" / "step-00000012"
    files = [out / "model/model.safetensors", last / "model.safetensors", last / "training/state.safetensors"]
    return {f"{file.parent.name}/{k}": v for file in files for k, v in load_file(file).items()}


def assert_same_run(out, other):
    found, expected = everything(out), everything(other)
    assert found.keys() == expected.keys()
    assert [k for k in expected if not torch.equal(found[k], expected[k])] == []
    assert log(out) == log(other)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("pix2pix", {"ema": 0.9, "channels_last": True, "batch_size": 2, "gradient_accumulation": 2}),
        ("cyclegan", {"channels_last": True, "ema_half_life": 0.004, "ema_ramp_up": 0.5}),
    ],
)
def test_killed_and_resumed(kind, options, tmp_path):
    """SIGKILL while the checkpoint of step 8 is being written: the run goes on from step 4."""
    options = LENGTH | options
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, training_run.__file__, kind, str(killed), str(torch.get_num_threads())]
    with subprocess.Popen(
        [*command, json.dumps(options), "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        trainer(kind, whole, **options).fit()  # meanwhile
        assert process.stdout.readline() == "halted\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    folder = killed / "checkpoints"
    assert sorted(p.name for p in folder.iterdir()) == [".step-00000008.lock", ".step-00000008.tmp", "step-00000004"]
    assert [row["step"] for row in log(killed)] == ["3", "4", "6", "8"]

    resumed = trainer(kind, killed, resume="auto", **options)
    assert resumed.step == 4
    resumed.fit()
    assert sorted(p.name for p in folder.iterdir()) == ["step-00000008", "step-00000012"]
    assert [row["step"] for row in log(killed)] == ["3", "4", "6", "8", "9", "12"]
    assert_same_run(killed, whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("kind", ["pix2pix", "cyclegan"])
def test_resumed_on_a_gpu(kind, precision, tmp_path):
    """Sums on a GPU have no fixed order, so only nearly the same; an optimiser's state must be where it belongs."""
    options = {"device": "cuda", "precision": precision, "ema": 0.9, "checkpoint_every": 2, "log_every": 1}
    whole = trainer(kind, tmp_path / "whole", steps=4, **options).fit()
    trainer(kind, tmp_path / "cut", steps=2, **options).fit()
    resumed = trainer(kind, tmp_path / "cut", resume="auto", steps=4, **options)
    assert resumed.step == 2
    found = resumed.fit().method.state_dict()
    for name, value in whole.method.state_dict().items():
        assert (found[name] - value).abs().max() < 5e-3, name


def test_interrupted_by_the_user_and_resumed(tmp_path):
    """Ctrl-C in the middle of a step: the step ends, is saved, and the run stops."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    options = LENGTH | {"ema": 0.5, "log_every": 12, "checkpoint_every": 12}
    trainer("cyclegan", whole, **options).fit()
    run = trainer("cyclegan", stopped, **options)
    step = run.method.training_step

    def interrupted(batch):
        for number, update in enumerate(step(batch)):
            yield update
            if batch.step == 4 and number == 0:  # between the two networks' updates
                signal.raise_signal(signal.SIGINT)

    run.method.training_step = interrupted
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert [p.name for p in checkpoints(stopped / "checkpoints")] == ["step-00000005"]
    assert not (stopped / "model").exists()
    trainer("cyclegan", stopped, resume="auto", **options).fit()
    found, expected = everything(stopped), everything(whole)
    assert [k for k in expected if not torch.equal(found[k], expected[k])] == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    trainer("regression", out, steps=4, checkpoint_every=1, keep_last=3).fit()
    return out


def test_the_last_checkpoints_are_kept_and_each_is_a_model(run):
    found = checkpoints(run / "checkpoints")
    assert [p.name for p in found] == ["step-00000002", "step-00000003", "step-00000004"]
    files = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    assert {Path(f).suffix for f in files} <= {".json", ".safetensors", ".csv", ".md", ".png"}
    image = torch.zeros(3, 16, 16)
    models = [i2izoo.load(p)(image) for p in (*found, run / "model")]
    assert torch.equal(models[-1], models[-2])
    assert not torch.equal(models[0], models[1])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"resume": None}, TrainingError, "already holds a run with 3 checkpoints.*resume='auto'"),
        ({"resume": "auto", "batch_size": 2}, TrainingError, "batch_size was 1, is 2"),
        ({"resume": "auto", "method": {"learning_rate": 1.0}}, TrainingError, r"learning_rate was 0\.0002, is 1\.0"),
        (
            {"resume": "auto", "method": {"generator": {"name": "resnet_6blocks", "width": 8, "blocks": 1}}},
            TrainingError,
            r"other options: generator\.width was 2, is 8, generator\.norm was 'none', is 'instance'\. Give",
        ),
        ({"resume": "auto", "data": {**training_run.DATA, "count": 5}}, TrainingError, "images was 6, is 5"),
        ({"resume": "auto", "steps": 3}, TrainingError, "has done 4 steps and the run is to have 3"),
        ({"resume": "lately"}, StorageError, "no complete checkpoint 'lately'"),
    ],
)
def test_what_cannot_go_on_says_why(run, arguments, error, words):
    before = sorted(run.rglob("*"))
    with pytest.raises(error, match=words):
        trainer("regression", run, **{"steps": 8, **arguments})
    assert sorted(run.rglob("*")) == before


def test_a_run_of_a_release_with_fewer_options_goes_on(tmp_path):
    """What was written before there was an option goes on at its default, and at no other value."""
    options = {"checkpoint_every": 2, "keep_last": 1}
    trainer("regression", tmp_path, steps=2, **options).fit()
    facts = tmp_path / "checkpoints" / "step-00000002" / FACTS
    state = json.loads(facts.read_text())
    del state["run"]["training"]["ema_ramp_up"], state["run"]["options"]["generator"]["antialias"]
    del state["run"]["options"]["inference"]
    facts.write_text(json.dumps(state))
    with pytest.raises(TrainingError, match=r"ema_ramp_up was 0\.05, is 0\.5"):
        trainer("regression", tmp_path, resume="auto", steps=4, ema_ramp_up=0.5, **options)
    other = {**training_run.METHODS["regression"]["generator"], "antialias": True}
    with pytest.raises(TrainingError, match=r"generator\.antialias was False, is True"):
        trainer("regression", tmp_path, resume="auto", steps=4, method={"generator": other}, **options)
    run = trainer("regression", tmp_path, resume="auto", steps=4, **options)
    run.fit()
    assert run.step == 4


def test_one_checkpoint_is_not_several(tmp_path):
    facts = tmp_path / "checkpoints/step-00000001" / FACTS
    facts.parent.mkdir(parents=True)
    facts.write_text("{}")
    with pytest.raises(TrainingError, match="a run with 1 checkpoint; go on"):
        start_from(tmp_path, None)


def test_resume_from_a_named_checkpoint(run, tmp_path):
    place = run / "checkpoints" / "step-00000002"
    with pytest.raises(TrainingError, match=r"ends in step-00000004"):
        trainer("regression", run, resume=place)
    branch = trainer("regression", tmp_path / "a", resume=place, steps=3, method={"learning_rate": 1e-3})
    assert branch.step == 2
    branch.fit()
    with pytest.raises(StorageError, match=r"other options; these tensors differ: discriminator"):
        trainer("cyclegan", tmp_path / "b", resume=place)
    with pytest.raises(StorageError, match="trained without an EMA"):
        trainer("regression", tmp_path / "c", resume=place, ema=0.5)
    (damaged := tmp_path / "step-00000002" / "training").mkdir(parents=True)
    (damaged / "state.json").write_text("{")
    with pytest.raises(StorageError, match=r"state\.json is missing or damaged"):
        trainer("regression", tmp_path / "d", resume=damaged.parent)
    with pytest.raises(ConfigError, match="give out="):
        trainer("regression", resume="auto")


@pytest.mark.parametrize("watched", [{}, {"metrics": ["psnr"], "evaluate_every": 1}])
def test_killed_after_its_last_step(watched, tmp_path):
    """Nothing is left to train: the model and the curves are still those of the run that was not killed."""
    options = {"steps": 2, "checkpoint_every": 1, "log_every": 1, **watched}
    trainer("regression", tmp_path, **options).fit()
    files = [tmp_path / "curves.png", *sorted((tmp_path / "model").iterdir())]
    before = [file.read_bytes() for file in files]
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "curves.png").replace(tmp_path / ".curves.png.tmp")
    trainer("regression", tmp_path, resume="auto", **options).fit()
    assert [file.read_bytes() for file in files] == before
    assert list(tmp_path.glob(".*")) == []


def test_auto_begins_where_nothing_is_and_ends_where_all_is_done(tmp_path):
    options = {"steps": 2, "checkpoint_every": 1}
    first = trainer("regression", tmp_path, resume="auto", **options).fit()
    again = trainer("regression", tmp_path, resume="auto", **options).fit()
    longer = trainer("regression", tmp_path, resume="auto", **{**options, "steps": 3})
    assert all(torch.equal(v, again.method.state_dict()[k]) for k, v in first.method.state_dict().items())
    assert longer.step == 2
    longer.fit()
    assert json.loads((tmp_path / "model/config.json").read_text())["provenance"]["steps"] == 3


def test_what_a_kill_left_to_delete_goes(tmp_path):
    """Killed between the last checkpoint and the end of the one before it, a run has one too many."""
    trainer("regression", tmp_path, steps=3, checkpoint_every=1, keep_last=2).fit()
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "step-00000002", folder / "step-00000001")
    trainer("regression", tmp_path, steps=3, checkpoint_every=1, keep_last=2, resume="auto").fit()
    assert [place.name for place in checkpoints(folder)] == ["step-00000002", "step-00000003"]
