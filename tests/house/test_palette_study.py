"""examples/palette_study.py end to end, on drawn facades with tiny networks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripts import script

EXAMPLE = "examples/palette_study.py"
WORDS = ["--only", "inpainting,jpeg_restoration"]


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", [EXAMPLE, "--out", str(out), *(words or WORDS)])
    script(EXAMPLE).main()
    return (out / "tables.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, out)
    return out


def test_the_three_answers_have_the_budgets_that_they_are_named_for(out: Path) -> None:
    facts = {path.parent.name: json.loads(path.read_text()) for path in out.glob("runs/*/run.json")}
    steps = {name: fact["training"]["steps"] for name, fact in facts.items()}
    assert steps == {"all-0": 4, "inpainting-0": 1, "jpeg_restoration-0": 1}
    assert facts["all-0"]["options"]["tasks"] == ["colorization", "inpainting", "uncropping", "jpeg_restoration"]
    assert facts["inpainting-0"]["options"]["tasks"] == ["inpainting"]
    found = json.loads((out / "study.json").read_text())["tasks"]["inpainting"]
    one, long = found["one model, same steps"]["psnr"], found["one model, same compute"]["psnr"]
    assert one != long, "one is the model after a quarter of the other's steps"


def test_figures_are_those_of_the_images(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PSNR of the damaged images and of a model's, by hand: 10 log10(1 / mean squared error) on values in [0, 1]."""
    found = json.loads((out / "study.json").read_text())["tasks"]["jpeg_restoration"]
    place = out / "evaluation" / "jpeg_restoration-0"
    for answer, folder in (("damaged image", "damaged_image"), ("four models", "four_models")):
        errors = []
        for path in sorted((place / "models" / folder / "images").glob("*.png")):
            made, true = (
                np.asarray(Image.open(p).convert("RGB"), float) / 255 for p in (path, place / "truths" / path.name)
            )
            errors.append(-10 * np.log10(((made - true) ** 2).mean()))
        assert len(errors) == 3
        assert found[answer]["psnr"] == pytest.approx([np.mean(errors)], abs=0.01)


def test_the_papers_figures_stand_beside(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, out)
    after = text.partition("### jpeg_restoration")[2]
    rows = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in after.splitlines() if "|" in line}
    assert rows["four models"] == "8.3 / 95.5"
    assert rows["one model, same steps"] == "7.0 / 92.4"
