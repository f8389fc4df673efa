"""examples/compare_facades.py end to end, on drawn facades with tiny networks."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scripts import script

import i2izoo

SCRIPT = Path(__file__).parents[2] / "examples" / "compare_facades.py"
EXAMPLE = "examples/compare_facades.py"
STUDY = {  # as the study reports them: PSNR in dB, SSIM
    "Pix2Pix L2 + L1": ("23.725", "0.588"),
    "CVAE": ("14.387", "0.300"),
    "Pix2Pix BCE + L1": ("13.675", "0.228"),
    "CycleGAN": ("9.812", "0.055"),
    "CGAN": ("7.492", "0.124"),
    "DDIM": ("2.346", "-0.004"),
}


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> dict[str, list[str]]:
    """Model -> cells of the first table."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--out", str(out), *words])
    script(EXAMPLE).main()
    first, _, _ = (out / "study.md").read_text(encoding="utf-8").partition("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in first.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which every model was trained, for one step."""
    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, out, "--train-all", "--limit", "2", "--steps", "1")
    return out


def test_all_six_models_are_trained_and_stand_beside_the_studys_figures(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = run(monkeypatch, out, "--train-all", "--limit", "2")
    assert {name: (cells[4], cells[8]) for name, cells in rows.items()} == STUDY
    losses = {p.parent.name: json.loads(p.read_text())["options"].get("gan_loss") for p in out.glob("runs/*/run.json")}
    assert losses["Pix2Pix BCE + L1"]["name"] == "vanilla"
    assert losses["Pix2Pix L2 + L1"]["name"] == "lsgan"
    assert all((out / f"{split}-32" / "report.html").exists() for split in ("train", "val"))


def test_figures_are_those_of_the_images_of_their_split(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = run(monkeypatch, out, "--train-all", "--limit", "2")["CGAN"]

    def psnr(split: str) -> float:
        """10 log10(1 / mean squared error) on values in [0, 1], mean over images."""
        folder = out / f"{split}-32"
        names = [p.name for p in sorted((folder / "truths").glob("*.png"))]
        assert len(names) == 2
        pairs = [(folder / "models" / "CGAN" / "images" / name, folder / "truths" / name) for name in names]
        arrays = [[np.asarray(Image.open(path), float) / 255 for path in pair] for pair in pairs]
        return float(np.mean([-10 * np.log10(((a - b) ** 2).mean()) for a, b in arrays]))

    seen, unseen = psnr("train"), psnr("val")
    assert seen != pytest.approx(unseen, abs=0.01), "the two splits should be different images"
    assert [float(c) for c in cells[1:4]] == pytest.approx([seen, unseen, seen - unseen], abs=0.006)


def test_a_second_call_trains_and_measures_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (out / "study.md").read_bytes()

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("it was there already")

    monkeypatch.setattr(i2izoo.Trainer, "__init__", refused)
    monkeypatch.setattr("i2izoo.evaluation.compare.run", refused)
    run(monkeypatch, out, "--train-all", "--limit", "2", "--steps", "50")
    assert (out / "study.md").read_bytes() == before


def test_a_run_that_was_stopped_keeps_its_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--models", "CGAN", "--limit", "2", "--steps"]
    one_step = i2izoo.Trainer.train_step

    def stop_after_two(trainer: i2izoo.Trainer) -> dict[str, torch.Tensor]:
        if trainer.step == 2:
            raise KeyboardInterrupt
        return one_step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(i2izoo.Trainer, "train_step", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run(patch, tmp_path, *words, "3")
    rows = run(monkeypatch, tmp_path, *words, "50")
    config = json.loads((tmp_path / "runs/CGAN/model/config.json").read_text())
    assert config["provenance"]["steps"] == 3
    assert rows["CGAN"][1] != "-"
    assert rows["DDIM"] == ["-"] * 4 + ["2.346"] + ["-"] * 3 + ["-0.004"], "not asked for"


def test_six_fixed_crops_of_each_image() -> None:
    data = script(EXAMPLE).SixCrops(data={"name": "synthetic-facades", "count": 3}, kind="paired", size=64)
    assert len(data) == 18
    assert data.images.load_size == 75  # 300 / 256 of 64
    first = [data.sample(index, seed=1)["photo"] for index in range(0, 18, 3)]
    assert len({tensor.numpy().tobytes() for tensor in first}) == 6
    again = data.sample(3, seed=2)["photo"]
    assert torch.equal(first[1], again), "the crop does not depend on the epoch"
    assert [data.name(i) for i in (0, 3)] == ["facade_00000"] * 2


def test_a_metric_that_cannot_be_computed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    run(monkeypatch, tmp_path, "--models", "CGAN", "--limit", "2", "--metrics", "psnr,ssim,lpips")
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert re.search(r"`lpips` was not computed: .*alexnet", text)


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        script(EXAMPLE).parse(["--models", "CVAE,StarGAN"])
    assert "no model 'StarGAN'" in capsys.readouterr().err
