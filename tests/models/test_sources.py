"""What may be given to a call: globs, generators; and what is said of animations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import Negative

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import I2IZooWarning, ImageError
from i2izoo.images import decoding
from i2izoo.models.translator import Translator


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Translator:
    methods = registry("methods")
    monkeypatch.setattr(methods, "_registered", dict(methods._registered))
    methods.register("negative", Negative)
    return i2izoo.create("negative")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of 10, 20 and 30."""
    (tmp_path / "in").mkdir()
    for value in (10, 20, 30):
        Image.new("RGB", (4, 3), (value,) * 3).save(tmp_path / "in" / f"p{value}.png")
    return tmp_path / "in"


def test_a_glob_is_the_list_of_its_images(model: Translator, folder: Path) -> None:
    found = model(f"{folder}/p[12]0.png")
    assert [image.getpixel((0, 0))[0] for image in found] == [245, 235]
    assert [image.getpixel((0, 0))[0] for image in model(folder / "*.png")] == [245, 235, 225]
    with pytest.raises(ImageError, match="matches no images"):
        model(f"{folder}/*.tif")


def test_a_name_with_brackets_is_a_file_where_there_is_one(model: Translator, folder: Path) -> None:
    (folder / "p10.png").rename(folder / "p[1].png")
    assert model(folder / "p[1].png").getpixel((0, 0)) == (245,) * 3


def test_a_generator_is_a_list_that_is_read_once(model: Translator, folder: Path) -> None:
    found = model(np.full((2, 3, 3), value, np.uint8) for value in (1, 2))
    assert [array[0, 0, 0] for array in found] == [254, 253]
    assert len(model(folder.glob("*.png"))) == 3
    assert model(iter(())) == []
    with pytest.raises(ImageError, match="is a bytes"):
        model(b"p10.png")


def test_an_rgba_array_is_translated_as_an_rgba_file(model: Translator, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (5, 4, 4), dtype=np.uint8)
    Image.fromarray(values, "RGBA").save(tmp_path / "a.png")
    assert np.array_equal(model(values), np.array(model(tmp_path / "a.png")))


def test_inputs_of_one_stem_keep_their_endings(model: Translator, folder: Path, capsys) -> None:
    place = str(model.save_pretrained(folder.parent / "model"))
    Image.new("RGB", (2, 2), (40,) * 3).save(folder / "p10.bmp")
    out = folder.parent / "out"
    assert main(["translate", place, str(folder), "-o", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["p10.bmp.png", "p10.png.png", "p20.png", "p30.png"]
    assert Image.open(out / "p10.bmp.png").getpixel((0, 0)) == (215,) * 3
    capsys.readouterr()
    (folder.parent / "in2").mkdir()
    Image.new("RGB", (2, 2)).save(folder.parent / "in2" / "p10.bmp")  # of the same name: there is no telling
    assert main(["translate", place, str(folder), str(folder.parent / "in2"), "-o", f"{out}2"]) == 2
    assert "p10.bmp' would both become" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------- animations


@pytest.fixture
def animations(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(decoding, "_said", set())
    frames = [Image.open(path) for path in sorted(folder.iterdir())]
    for ending in ("gif", "png", "webp"):
        lossless = {"lossless": True} if ending == "webp" else {}
        frames[0].save(folder.parent / f"moves.{ending}", save_all=True, append_images=frames[1:], **lossless)
    return folder.parent


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_one_frame_of_an_animation_is_used_and_that_is_said_once(
    model: Translator, animations: Path, ending: str, recwarn: pytest.WarningsRecorder
) -> None:
    for _ in range(2):
        assert model(animations / f"moves.{ending}").getpixel((0, 0)) == (245,) * 3
    (said,) = (w for w in recwarn if w.category is I2IZooWarning)
    assert f"moves.{ending}' is an animation" in str(said.message)


def test_the_command_says_it_in_a_line(model: Translator, animations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(model.save_pretrained(animations / "model"))
    capsys.readouterr()
    inputs = [str(animations / f"moves.{ending}") for ending in ("gif", "webp")]
    assert main(["translate", place, *inputs, "-o", str(animations / "out")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("i2izoo: image '")
    assert line.endswith("is an animation; one frame of it is used, the first, and so of others.")
