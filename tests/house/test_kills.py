"""Whatever is killed, wherever: nothing is half-written, and going on gives the bytes of the run that was not."""

import os
import random
import re
import signal
import socket
from pathlib import Path
from time import perf_counter

import kills
import pytest
import torch
from training_run import DOMAINS, model

import i2izoo
from i2izoo.cli.main import main
from i2izoo.files.locks import LOCK, locked

RANDOM = 100
"""Kills at random moments, under `slow`; docs/reliability.md names the number."""

TRAINING = ["steps=4", "load_size=18", "crop_size=16", "device=cpu", "tensorboard=false", "sample_every=2"]
GRID = """
method: pix2pix
to: photo
options: {steps: 2, load_size: 18, crop_size: 16, device: cpu, tensorboard: false, sample_every: 0,
          checkpoint_every: 1, generator: {width: 2, depth: 3}, discriminator: pixel}
grid: {gan_loss: [lsgan, hinge]}
metrics: [psnr]
size: 16
val: DATA
"""
UNET = {"name": "unet2d", "channels": [8, 16], "attention": [], "layers": 1, "norm_groups": 4}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Images and models that the commands work on."""
    place = tmp_path_factory.mktemp("kills")
    assert main(["data", "make", "synthetic-facades", str(place / "data"), "--count", "4", "--size", "18"]) == 0
    model("pix2pix").save_pretrained(place / "one")
    model("regression").save_pretrained(place / "two")
    torch.manual_seed(0)
    teacher = i2izoo.create("ddim", domains=DOMAINS, prediction="v_prediction", generator=UNET, sampling_steps=4)
    teacher.save_pretrained(place / "teacher")
    i2izoo.create("ddim", task="generation", generator=UNET, sampling_steps=2).save_pretrained(place / "maker")
    kills.run(print, below=place)  # starts the server, whose imports would count as the first command's time
    (place / "grid.yaml").write_text(GRID.replace("DATA", str(place / "data")))
    return place


def commands(place, out):
    """Name -> the call and the arguments of the first time, and of going on."""
    data = ["--data", place / "data"]
    words = {
        "train": (["train", "pix2pix", *data, "--to", "photo", "--out", out, "--metrics", "psnr", "--every", 2, "--val",
                   place / "data", "generator.width=2", "generator.depth=3", "discriminator=pixel",
                   "checkpoint_every=1", *TRAINING], ["--resume", "auto"]),
        "screen": (["train", "pix2pix", *data, "--to", "photo", "--out", out, "--screen-seeds", 3, "--screen-steps", 2,
                    "--screen-metric", "kid[pixels]", "--val", place / "data", "generator.width=2", "generator.depth=3",
                    "discriminator=pixel", "checkpoint_every=1", *TRAINING], ["--resume", "auto"]),
        "translate": (["translate", place / "one", place / "data/label", "-o", out], ["--force"]),
        "generate": (["generate", place / "maker", "-n", 3, "--size", 16, "-o", out], []),
        "evaluate": (["evaluate", place / "one", *data, "--metrics", "psnr,ssim", "--out", out], []),
        "compare": (["compare", place / "one", place / "two", *data, "--metrics", "psnr", "--out", out, "--report",
                     out / "report.html"], []),
        "sweep": (["sweep", place / "grid.yaml", *data, "--out", out], []),
        "distill": (["distill", place / "teacher", "--student-steps", 1, "--start", 2, *data, "--out", out,
                     "batch_size=2", "checkpoint_every=1", *TRAINING], ["--resume", "auto"]),
    }  # fmt: skip
    calls = {name: [(kills.cli, *first), (kills.cli, *first, *more)] for name, (first, more) in words.items()}
    return {**calls, "save_pretrained": [(kills.save, place / "one", out)] * 2}


COMMANDS = list(commands(Path(), Path()))


@pytest.fixture(scope="module")
def undisturbed(place):
    """Name -> changes, seconds and files of a run that nothing befell."""
    found = {}

    def of(name):
        if name not in found:
            out = place / "whole" / name
            out.parent.mkdir(exist_ok=True)
            began = perf_counter()
            ended = kills.run(*commands(place, out)[name][0], below=out)
            assert ended.code == 0, ended.said
            found[name] = ended.changes, perf_counter() - began, kills.tree(out)
            assert not [path for path in found[name][2] if "/." in f"/{path}"]
        return found[name]

    return of


def assert_nothing_hidden(out):
    assert list(out.rglob(".*")) == []


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert [path for path in expected if found[path] != expected[path]] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_three_times_and_gone_on(name, place, undisturbed, tmp_path):
    """At an eighth of its changes of files, and twice more on the way."""
    changes, _, expected = undisturbed(name)
    out = tmp_path / name
    first, again = commands(place, out)[name]
    assert kills.run(*first, below=out, kill_at=max(1, changes // 8)).killed
    kills.assert_whole(out)
    for part in (3, 2):
        ended = kills.run(*again, below=out, kill_at=max(1, changes // part))
        assert ended.killed or ended.code == 0, ended.said
        kills.assert_whole(out)
    ended = kills.run(*again, below=out)
    assert ended.code == 0, ended.said
    assert_same(kills.tree(out), expected)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_sentence_and_nothing_half_written(name, place, undisturbed, tmp_path):
    """From the middle of a run on. Which file it names depends on the command."""
    out = tmp_path / name
    ended = kills.run(*commands(place, out)[name][0], below=out, full_at=undisturbed(name)[0] // 2)
    assert re.search(rf"'{out}/[^.'][^']*' cannot be written: no space left on device; make room and", ended.said)
    if name != "save_pretrained":
        assert ended.code == 2, ended.said
        assert "Traceback" not in ended.said
    kills.assert_whole(out)
    assert_nothing_hidden(out)


@pytest.mark.parametrize("name", ["train", "save_pretrained"])
def test_a_file_that_cannot_grow_is_one_sentence(name, place, undisturbed, tmp_path):
    """The system refuses while safetensors writes, which says so in its own way."""
    out = tmp_path / name
    ended = kills.run(*commands(place, out)[name][0], below=out, largest=4096)
    assert re.search(rf"'{out}/.*safetensors' cannot be written: file too large; make room", ended.said)
    kills.assert_whole(out)
    assert_nothing_hidden(out)


@pytest.mark.parametrize(
    ("name", "number"), [(name, signal.SIGTERM) for name in COMMANDS[:-1]] + [("train", signal.SIGHUP)]
)
def test_sigterm_ends_a_command_in_good_order(name, number, place, undisturbed, tmp_path):
    out = tmp_path / name
    ended = kills.run(*commands(place, out)[name][0], below=out, signal_at=(undisturbed(name)[0] // 2, number))
    assert ended.code == 128 + number, ended.said
    assert f"i2izoo: stopped by {signal.Signals(number).name}." in ended.said
    kills.assert_whole(out)
    left = {p.name for p in out.rglob(".*")}
    assert left <= {LOCK}  # of a signal between two instructions of taking it; no process has it


@pytest.mark.parametrize("name", ["train", "evaluate", "compare", "sweep", "distill"])
def test_a_folder_in_use_is_refused_with_who_uses_it(name, place, tmp_path):
    out = tmp_path / name
    with locked(out):
        ended = kills.run(*commands(place, out)[name][0], below=out)
        assert ended.code == 2, ended.said
        assert f"i2izoo: process {os.getpid()} on {socket.gethostname()} has been writing into '{out}'" in ended.said
        assert [p.name for p in out.iterdir()] == [LOCK]
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RANDOM))
def test_killed_at_a_random_moment_and_gone_on(seed, place, undisturbed, tmp_path, record_property):
    """Twice. `-o junit_family=xunit1 --junitxml FILE` says how many were killed, and how many were done before."""
    name = COMMANDS[seed % len(COMMANDS)]
    _, seconds, expected = undisturbed(name)
    out = tmp_path / name
    first, again = commands(place, out)[name]
    drawn = random.Random(seed)
    for call in (first, again):
        ended = kills.run(*call, below=out, kill_after=drawn.uniform(0, seconds))
        assert ended.killed or ended.code == 0, ended.said
        kills.assert_whole(out)
        record_property("killed", ended.killed)
    ended = kills.run(*again, below=out)
    assert ended.code == 0, ended.said
    assert_same(kills.tree(out), expected)
