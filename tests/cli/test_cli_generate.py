"""`i2izoo generate`: files, sheets, and going on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_diffusion.ddim import DDIM
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.models.translator import Translator

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = i2izoo.create("ddim", **DDIM.tiny_options, task="generation", domains=["photo"])
    model.config["provenance"] = {"image_size": [16, 12]}
    return model.save_pretrained(tmp_path_factory.mktemp("models") / "photos")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_files_are_those_of_python(folder: Path, capsys: Capture) -> None:
    assert main(["generate", str(folder), "-n", "3", "-o", "out", "--seed", "5", "steps=3"]) == 0
    assert capsys.readouterr().out == "generated 3 images to out\n"
    for i, image in enumerate(i2izoo.load(folder).generate(3, seed=5, steps=3)):
        assert image.size == (12, 16)
        assert (pixels(f"out/{i:04d}.png") == np.asarray(image)).all()


def test_what_is_there_stays_and_the_rest_is_made(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["generate", str(folder), "-o", "out", "--size", "8,12"]
    assert main([*command, "-n", "2"]) == 0
    Path("out/0000.png").unlink()
    before = Path("out/0001.png").stat().st_mtime_ns
    made, stream = [], Translator.generate_stream

    def watched(self, places, **options):
        made.extend(places)
        return stream(self, places, **options)

    monkeypatch.setattr(Translator, "generate_stream", watched)
    capsys.readouterr()
    assert main([*command, "-n", "4"]) == 0
    assert capsys.readouterr().out == "generated 3 images to out; 1 were there\n"
    assert made == [0, 2, 3]
    assert Path("out/0001.png").stat().st_mtime_ns == before
    four = i2izoo.load(folder).generate(4, size=(8, 12))
    assert all((pixels(f"out/{i:04d}.png") == np.asarray(image)).all() for i, image in enumerate(four))


@pytest.mark.parametrize("words", [["--seed", "1"], ["--size", "12"], ["steps=3"]])
def test_a_folder_of_other_settings_is_not_gone_on_with(folder: Path, capsys: Capture, words: list[str]) -> None:
    command = ["generate", str(folder), "-o", "out", "--size", "8"]
    assert main([*command, "-n", "3"]) == 0
    assert main([*command, "-n", "2", *words]) == 2
    name = words[0].strip("-") if words[0][0] == "-" else "options"
    assert capsys.readouterr().err == (
        f"i2izoo: 'out' holds images already, with another {name}; use --force, or another -o.\n"
    )
    assert main([*command, "-n", "2", "--force", *words]) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["0000.png", "0001.png", "generate.json"]
    assert json.loads(Path("out/generate.json").read_text())["to"] is None


def test_images_of_unknown_origin_are_not_skipped(folder: Path, capsys: Capture) -> None:
    Path("out").mkdir()
    Image.new("RGB", (8, 8)).save("out/0000.png")
    assert main(["generate", str(folder), "-o", "out"]) == 2
    assert "holds images already, with no generate.json" in capsys.readouterr().err


def test_a_sheet_of_what_is_there_and_what_is_new(folder: Path, capsys: Capture) -> None:
    assert main(["generate", str(folder), "-n", "1", "-o", "out"]) == 0
    assert main(["generate", str(folder), "-n", "5", "-o", "out", "--grid", "sheet.png"]) == 0
    assert "to out and sheet.png" in capsys.readouterr().out
    sheet = pixels("sheet.png")
    assert sheet.shape == (2 * 18 - 2, 3 * 14 - 2, 3)
    assert (sheet[:16, :12] == pixels("out/0000.png")).all()
    assert (sheet[18:34, 14:26] == pixels("out/0004.png")).all()
    assert main(["generate", str(folder), "-n", "5", "--grid", "alone.png"]) == 0
    assert (pixels("alone.png") == sheet).all()


def test_an_image_to_start_from(folder: Path) -> None:
    Image.fromarray(np.full((10, 8, 3), 200, np.uint8)).save("start.png")
    assert main(["generate", str(folder), "-o", "out", "start=start.png", "strength=0.5", "steps=4"]) == 0
    assert pixels("out/0000.png").shape == (10, 8, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a folder with -o, or a file for one sheet with --grid"),
        (["-o", "out", "-n", "0"], "-n is a number of images from 1, found 0"),
        (["-o", "out", "--size", "big"], "--size is a side or HEIGHT,WIDTH in pixels, such as 256; found 'big'"),
        (["-o", "out", "--to", "phto"], "did you mean 'photo'"),
        (["-o", "out", "stps=3"], "has no option 'stps'; did you mean 'steps'"),
        (["-o", "out", "seed=3"], "'seed' is an option of the command: write --seed 3"),
        (["-o", "out", "image.png"], "expected option=value, found 'image.png'"),
    ],
)
def test_mistakes_are_one_sentence(folder: Path, capsys: Capture, words: list[str], message: str) -> None:
    assert main(["generate", str(folder), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert not Path("out").exists()


def test_a_model_that_translates_says_so(capsys: Capture) -> None:
    assert main(["generate", "pix2pix-facades", "-o", "out"]) == 2
    assert "call model(image), or `i2izoo translate`" in capsys.readouterr().err


def test_a_model_that_generates_says_so(folder: Path, capsys: Capture) -> None:
    Image.new("RGB", (8, 8)).save("image.png")
    assert main(["translate", str(folder), "image.png", "-o", "out"]) == 2
    assert "or `i2izoo generate`" in capsys.readouterr().err
