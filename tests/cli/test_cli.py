"""The command line, mostly through `main([...])`: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.interfaces import Batch, Method, Update

Capture = pytest.CaptureFixture[str]
TINY = {"name": "unet_256", "width": 4, "depth": 3}


class Negative(Method):
    """Turns an image into its negative: what comes out is known without any network."""

    samples = True
    inference_parts = ("sign",)
    directions = {"negative": "positive"}  # noqa: RUF012
    channels = {"positive": 3, "negative": 3}  # noqa: RUF012

    def __init__(self, *, width: int = 1) -> None:
        super().__init__()
        self.sign = torch.nn.Conv2d(1, 1, 1, bias=False)
        torch.nn.init.constant_(self.sign.weight, -1)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], strength: float = 1.0) -> Tensor:
        return image * self.sign.weight.flatten()[0] * strength

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


@pytest.fixture
def negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pretrained folder of `Negative`."""
    methods = registry("methods")
    monkeypatch.setattr(methods, "_registered", {})
    methods.register("negative", Negative)
    return str(i2izoo.create("negative").save_pretrained(tmp_path / "negative"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images of different sizes, uniformly 10, 20 and 30."""
    folder = tmp_path / "images"
    folder.mkdir()
    for value, size in ((10, (8, 6)), (20, (5, 9)), (30, (1, 1))):
        Image.new("RGB", size, (value, value, value)).save(folder / f"p{value}.png")
    return folder


def fails(capsys: Capture, *argv: str) -> str:
    """Run a command that must fail as a user's mistake does, and give its one sentence."""
    capsys.readouterr()
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("i2izoo: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


# ----------------------------------------------------------------------------------------------------- names, info


def test_list_and_module_entry_point_without_torch() -> None:
    code = "import sys; from i2izoo.cli.main import main; main(['list']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cyclegan" in done.stdout


def test_usage_in_a_real_process() -> None:
    done = subprocess.run([sys.executable, "-m", "i2izoo", "lits"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'lits'" in done.stderr
    done = subprocess.run([sys.executable, "-m", "i2izoo", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"i2izoo {i2izoo.__version__}\n")


@pytest.mark.parametrize(("argv", "shown"), [([], "evaluate"), (["data"], "make")])
def test_no_command_is_answered_with_help(argv: list[str], shown: str, capsys: Capture) -> None:
    assert main(argv) == 2  # as ruff and git: help, and not 0, since nothing was done
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: i2izoo")
    assert f"  {shown}" in err


def test_the_version_in_short(capsys: Capture) -> None:
    assert main(["-V"]) == 0
    assert capsys.readouterr().out == f"i2izoo {i2izoo.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["lst"], "did you mean 'list'"),
        (["list", "--kind", "generator"], "did you mean 'generators'"),
        (["list", "--kindd", "x"], "did you mean '--kind'"),
        (["list", "a", "b"], "unknown argument 'b'"),
        (["info", "pix2pux"], "did you mean 'pix2pix'"),
        (["info", "./nowhere"], "./nowhere"),
        (["translate", "negative", "x.png"], "-o/--out"),
        (["translate", "negative", "-o", "out"], "at least one image"),
        (["train", "pix2pix"], "--data"),
        (["train", "pix2pux", "--data", "x", "--out", "y"], "did you mean 'pix2pix'"),
        (["import", "pix2pix", "--out", "y"], "at least one checkpoint"),
        (["data", "make", "synthetic-facads", "x"], "did you mean 'synthetic-facades'"),
        (["push", "./nowhere", "me/x"], "nowhere"),
    ],
)
def test_mistakes_are_one_sentence(argv: list[str], words: str, capsys: Capture) -> None:
    assert words in fails(capsys, *argv)


def test_a_closed_pipe_is_no_mistake() -> None:
    code = "import os; from i2izoo.cli.main import main; r, w = os.pipe(); os.close(r); os.dup2(w, 1); main(['list'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_no_mistake(capsys: Capture) -> None:
    assert main(["translate", "--help"]) == 0
    assert "--batch-size" in capsys.readouterr().out


def test_debug_shows_the_traceback(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I2IZOO_DEBUG", "1")
    assert main(["info", "pix2pux"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("i2izoo.cli.listing.registry", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "i2izoo: interrupted.\n"


def test_info_of_a_method_names_options_types_and_defaults(capsys: Capture) -> None:
    assert main(["info", "pix2pix"]) == 0
    out = capsys.readouterr().out
    assert "learns from paired data" in out
    assert "reconstruction_weight (float from 0 to 1e6), default 100.0: lambda" in out
    assert "one of 'deterministic', 'paper'" in out
    assert "steps (int from 0 to 1e9 or None), default None" in out
    assert "decay_epochs (int from 0 to 1e9), default 100" in out  # the recipe's, where the trainer's own default is 0


def test_info_of_a_part_and_of_a_folder(capsys: Capture, negative: str) -> None:
    assert main(["info", "patchgan"]) == 0
    assert "discriminator of plugin i2izoo" in capsys.readouterr().out
    assert main(["info", negative]) == 0
    out = capsys.readouterr().out
    for line in ("method: negative", "directions: positive -> negative", "parameters: 1", "width: 1"):
        assert f"  {line}\n" in out


def test_info_of_a_name_with_two_meanings_begins_with_the_method(capsys: Capture) -> None:
    assert main(["info", "ddim"]) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ddim: ")]
    assert [line.split()[1] for line in found] == ["method", "scheduler"]


def test_plugins_reports_parts_and_what_is_broken(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from i2izoo.contracts import registry as module

    main(["plugins"])  # imports triton, which reads entry points then and does not survive a malformed one
    capsys.readouterr()
    info = tmp_path / "sick-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sick\nVersion: 0.3\n")
    lines = "[i2izoo.losses]\nnot a line\nill = absent_module:X\npix = i2izoo_gan.patchgan:PatchGAN\n"
    (info / "entry_points.txt").write_text(lines + "[i2izoo.generators]\nunet_256 = i2izoo_gan.unet:UNet256\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module.refresh()
    try:
        assert main(["plugins"]) == 0
    finally:
        monkeypatch.undo()
        module.refresh()
    out = capsys.readouterr().out
    mine = out[out.index("sick 0.3") :]
    assert "loss ill  BROKEN:" in mine
    assert "No module named 'absent_module'" in mine
    assert "loss pix  BROKEN:" in mine
    assert "not a subclass" in mine
    assert "MALFORMED: 'not a line'" in mine
    assert "generator unet_256  BROKEN: the name is also claimed by i2izoo" in mine
    assert "generator resnet_9blocks\n" in out


# -------------------------------------------------------------------------------------------------------- translate


def test_translate_a_folder_keeps_sizes_and_names(negative: str, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["translate", negative, str(images), "-o", str(out), "--to", "negative", "--batch-size", "2"]) == 0
    for value, size in ((10, (8, 6)), (20, (5, 9)), (30, (1, 1))):
        result = Image.open(out / f"p{value}.png")
        assert (result.size, result.mode) == (size, "RGB")
        assert np.unique(result).tolist() == [255 - value]


def test_translate_takes_globs_options_and_a_single_file(negative: str, images: Path, tmp_path: Path) -> None:
    place = tmp_path / "one.jpg"
    argv = ["translate", negative, str(images / "p1*.png"), "-o", str(place), "strength=0"]
    assert main(argv) == 0
    assert abs(np.asarray(Image.open(place)).astype(int) - 127.5).max() <= 1.5  # 0 is mid-grey


def test_translate_samples(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    argv = ["translate", negative, str(images / "p10.png"), "-o", str(tmp_path / "out"), "--samples", "2"]
    assert main(argv) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["p10_0.png", "p10_1.png"]
    assert "--samples" not in fails(capsys, *argv[:-1], "0")


def test_translate_overwrites_only_when_told(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "p20.png").write_text("mine")
    message = fails(capsys, "translate", negative, str(images), "-o", str(out))
    assert "p20.png would be overwritten" in message
    assert "--force" in message
    assert sorted(p.name for p in out.iterdir()) == ["p20.png"]  # checked before anything was written
    assert (out / "p20.png").read_text() == "mine"
    assert main(["translate", negative, str(images), "-o", str(out), "--force"]) == 0
    assert Image.open(out / "p20.png").size == (5, 9)


def test_translate_refuses_outputs_that_collide(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "more").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "more" / "p10.png")
    out = str(tmp_path / "out")
    assert "would both become" in fails(capsys, "translate", negative, str(images), str(tmp_path / "more"), "-o", out)
    assert "do not fit into the one file" in fails(capsys, "translate", negative, str(images), "-o", out + ".png")
    one = str(images / "p20.png")
    assert "'.xyz'" in fails(capsys, "translate", negative, one, "-o", out + ".xyz")
    assert "is a file" in fails(capsys, "translate", negative, one, "-o", one + "/")
    assert not Path(out).exists()


def test_translate_goes_on_after_a_bad_image(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    (images / "p15.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (images / "p40.png").write_bytes((images / "p10.png").read_bytes()[:50])
    assert main(["translate", negative, str(images), "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["p10.png", "p20.png", "p30.png"]
    assert "translated 3 images" in out
    lines = err.strip().splitlines()
    assert len(lines) == 2
    assert "p15.png" in lines[0]
    assert "p40.png" in lines[1]


def test_translate_mistakes(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    base = ["translate", negative, str(images), "-o", str(tmp_path / "out")]
    assert "did you mean 'negative'" in fails(capsys, *base, "--to", "negativ")
    assert "did you mean 'strength'" in fails(capsys, *base, "strenght=2")
    assert "--seed" in fails(capsys, *base, "--seed", "x")
    assert "does not exist" in fails(capsys, *base, "nowhere.png")
    assert not (tmp_path / "out").exists()


def test_translate_stops_where_it_cannot_write(negative: str, images: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    (out / "p20.png").mkdir(parents=True)  # a folder in the place of the second image
    message = fails(capsys, "translate", negative, str(images), "-o", str(out), "--force")
    assert "p20.png" in message
    assert sorted(p.name for p in out.iterdir()) == ["p10.png", "p20.png"]
    nowhere = str(Path(negative) / "config.json" / "below")  # below a file
    assert "below" in fails(capsys, "translate", negative, str(images), "-o", nowhere)


# ---------------------------------------------------------------------------------------------------- train, data


@pytest.fixture
def paired(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    assert main(["data", "make", "synthetic-facades", str(place), "--count", "3", "--size", "32"]) == 0
    return place


def test_data_make_writes_pairs(paired: Path, capsys: Capture) -> None:
    assert sorted(p.name for p in paired.iterdir()) == ["label", "photo"]
    for domain in ("label", "photo"):
        sizes = [Image.open(p).size for p in sorted((paired / domain).iterdir())]
        assert sizes == [(32, 32)] * 3
    assert {p.name for p in (paired / "label").iterdir()} == {p.name for p in (paired / "photo").iterdir()}
    assert "not empty" in fails(capsys, "data", "make", "synthetic-facades", str(paired))
    assert "from 1 to 1e9, found 0" in fails(
        capsys, "data", "make", "synthetic-facades", str(paired / "x"), "--count", "0"
    )


def test_data_check(paired: Path, capsys: Capture) -> None:
    assert main(["data", "check", str(paired)]) == 0
    assert "label" in capsys.readouterr().out
    stray = sorted((paired / "label").iterdir())[0]
    stray.rename(stray.with_name("stray.png"))
    sorted((paired / "photo").iterdir())[1].write_bytes(b"no image")
    assert main(["data", "check", str(paired)]) == 2
    captured = capsys.readouterr()
    assert "stray" in captured.out + captured.err
    assert sorted((paired / "photo").iterdir())[1].name in captured.out + captured.err


TRAINING = [
    "steps=2",
    "batch_size=1",
    "load_size=36",
    "crop_size=32",
    "device=cpu",
    "tensorboard=false",
    "sample_every=0",
]
NETWORK = ["generator.width=4", "generator.depth=3", "discriminator.width=4", "discriminator.layers=1"]


def test_train_translate_resume(paired: Path, tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run"
    argv = ["train", "pix2pix", "--data", str(paired), "--to", "label", "--out", str(run), *TRAINING, *NETWORK]
    assert main(argv) == 0
    assert "photo -> label" in capsys.readouterr().out
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["options"]["domains"] == ["photo", "label"]
    assert config["options"]["generator"]["width"] == 4
    assert config["options"]["generator"]["name"] == "unet_256"
    out = tmp_path / "out"
    assert main(["translate", str(run / "model"), str(paired / "photo"), "-o", str(out), "--to", "label"]) == 0
    assert len(list(out.iterdir())) == 3
    assert "already holds a run" in fails_after_output(capsys, argv)
    more = ["steps=3" if word == "steps=2" else word for word in argv]
    assert main([*more, "--resume", "auto"]) == 0
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["provenance"]["steps"] == 3


def fails_after_output(capsys: Capture, argv: list[str]) -> str:
    capsys.readouterr()
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_train_mistakes(paired: Path, tmp_path: Path, capsys: Capture) -> None:
    base = ["train", "pix2pix", "--data", str(paired), "--out", str(tmp_path / "run")]
    assert "--to label or --to photo" in fails(capsys, *base)
    assert "did you mean 'photo'" in fails(capsys, *base, "--to", "photos")
    assert "did you mean 'epochs'" in fails(capsys, *base, "--to", "photo", "epoch=3")
    assert "disagree" in fails(capsys, *base, "--to", "label", "domains=label,photo")
    assert "names two domains" in fails(capsys, *base, "--sides", "a")
    assert "wants int" in fails(capsys, *base, "--to", "photo", "in_channels=x")
    assert not (tmp_path / "run").exists()


def test_train_on_side_by_side_images_wants_names_for_the_halves(tmp_path: Path, capsys: Capture) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    (data / "train").mkdir(parents=True)
    for name in ("1.png", "2.png"):
        Image.new("RGB", (80, 40)).save(data / "train" / name)
    base = ["train", "pix2pix", "--data", str(data), "--to", "photo", "--out", str(run)]
    assert "--sides LEFT,RIGHT" in fails(capsys, *base)
    assert "--sides LEFT,RIGHT" in fails(capsys, "evaluate", "pix2pix-facades", "--data", str(data / "train"))
    assert main([*base, "--sides", "photo,label", *TRAINING, *NETWORK]) == 0
    assert "label -> photo" in capsys.readouterr().out
    assert json.loads((run / "run.json").read_text())["training"]["sides"] == ["photo", "label"]


def test_train_unpaired_takes_the_domains_of_the_data(paired: Path, tmp_path: Path, capsys: Capture) -> None:
    argv = ["train", "cyclegan", "--data", str(paired), "--out", str(tmp_path / "run"), "generator=resnet_6blocks"]
    networks = ["generator.width=2", "generator.blocks=1", "discriminator.width=2", "discriminator.layers=1"]
    assert main([*argv, *networks, *TRAINING]) == 0
    assert set(json.loads((tmp_path / "run/model/config.json").read_text())["options"]["domains"]) == {"label", "photo"}


# ------------------------------------------------------------------------------------------------------------- push


def test_push_says_what_it_was_told(negative: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The Hub itself is tested in test_hub.py; here only that every flag arrives."""
    from inspect import signature

    from i2izoo.files import hub

    calls = []

    def push(*args: object, **options: object) -> str:
        calls.append(signature(original).bind(*args, **options).arguments)
        return "https://hub/commit/1"

    original = hub.push_folder
    monkeypatch.setattr(hub, "push_folder", push)
    flags = ["--private", "--revision", "r", "--create-pr", "--message", "new weights"]
    assert main(["push", negative, "me/model", *flags]) == 0
    assert main(["push", negative, "me/model"]) == 0
    assert capsys.readouterr().out == "https://hub/commit/1\n" * 2
    told = {"private": True, "revision": "r", "create_pr": True, "commit_message": "new weights"}
    assert {k: v for k, v in calls[0].items() if k in told} == told
    assert [calls[1][name] for name in ("folder", "repo_id", "method")] == [negative, "me/model", "negative"]
    assert not any(calls[1][k] for k in told)
