"""What the site keeps of a comparison comes back whole: its figures, and the images of its cases."""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from report_example import MODELS, comparison

from i2izoo.report.tables import render

sys.path.append(str(Path(__file__).parents[2] / "tools"))
import stored


def test_figures_and_images_come_back(tmp_path):
    whole = comparison(tmp_path / "run", models=MODELS[:3])
    whole.results[1].images = None  # as of a model whose images were not kept
    stored.store(whole, "example", results=tmp_path)
    assert render(stored.figures("example", tmp_path), "markdown") == render(whole, "markdown")
    back = stored.with_images("example", tmp_path / "images", tmp_path)
    assert [result.images is None for result in back.results] == [False, True, False]
    places = [(whole.inputs, back.inputs), (whole.truths, back.truths)]
    places += [(old.images, new.images) for old, new in zip(whole.results, back.results, strict=True) if new.images]
    for before, after in places:
        found = sorted(after.iterdir())
        assert len(found) == stored.CASES
        for path in found:
            old, new = (
                np.asarray(Image.open(p).convert("RGB").reduce(8), float) for p in (before / f"{path.stem}.png", path)
            )
            assert np.abs(old - new).mean() < 5  # of 255: WebP, and no other image


def test_stored_comparisons_are_small_reports_of_twelve_cases():
    names = [path.stem for path in stored.RESULTS.glob("*.json")]
    assert names
    for name in names:
        sheet = stored.RESULTS / f"{name}-cases.webp"
        assert sheet.stat().st_size <= stored.SHEET_BYTES
        cases = json.loads((stored.RESULTS / f"{name}.json").read_text(encoding="utf-8"))["sheet"]["cases"]
        assert len(cases) <= stored.CASES
        with Image.open(sheet) as image:
            assert image.height % len(cases) == 0
