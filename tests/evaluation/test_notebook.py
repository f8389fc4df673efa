"""What a notebook shows of models and results: all that counts, escaped, and without colours of its own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

import i2izoo
from i2izoo.contracts.metric import Score
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Comparison, Difference, Result

EVIL = "<script>alert('x')</script>"
CONTROL = "\x1b[2J\udcff"
TINY = {"name": "unet_256", "width": 2, "depth": 2}


def read(card: str) -> tuple[list[list[str]], str]:
    """The rows of a card's table, and all of its text; a card is well-formed, small, and in nobody's colours."""
    tree = ElementTree.fromstring(card)
    assert len(card) < 20_000
    assert {e.tag for e in tree.iter()} <= {"div", "b", "table", "tr", "th", "td"}
    styles = " ".join(e.get("style", "") for e in tree.iter())
    assert not re.search(r"(?<!-)color:(?!inherit)|background:(?!none)|#[0-9a-f]{3}", styles)
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")], "".join(tree.itertext())


def result(model: str, psnr: float, **more: object) -> Result:
    protocol = Protocol(data="houses", data_sha256="", source="label", to="photo", metrics={}, n=12, split="val")
    scores = {
        "psnr": Score(psnr, psnr - 1, psnr + 1, n=12, unit="dB"),
        "fid": Score(None, reason="needs a file", higher_is_better=False),
    }
    return Result(model, protocol, scores, **more)  # type: ignore[arg-type]


def test_a_model() -> None:
    model = i2izoo.create("pix2pix", domains=["label", "photo"], generator=TINY)
    model.config["provenance"] = {"data": EVIL, "crop_size": 64, "steps": 100, "licence": "MIT"}
    rows, text = read(model._repr_html_())
    facts = dict(rows)
    assert "pix2pix" in text
    assert facts["translates"] == "label -> photo"
    assert facts["at"] == "64 x 64 pixels"
    assert facts["learned from"] == EVIL
    assert facts["parameters"] == f"{model.num_parameters:,}"
    assert facts["on"] == "cpu, float32"


def test_a_model_that_was_not_trained() -> None:
    facts = dict(read(i2izoo.create("pix2pix", generator=TINY)._repr_html_())[0])
    assert facts.keys() == {"translates", "parameters", "on"}


def test_what_is_no_text_is_shown_as_escapes() -> None:
    assert "\\x1b[2J\\udcff" in read(result(CONTROL, 20)._repr_html_())[1]


def test_a_result() -> None:
    rows, text = read(result(EVIL, 20.123456, notes=("Only twelve.",))._repr_html_())
    assert rows[0] == ["metric", "value", "95 % interval", "images"]
    assert rows[1] == ["psnr ↑", "20.12 dB", "19.12 to 21.12", "12"]
    assert rows[2][:2] == ["fid ↓", "not computed"]
    assert "needs a file" in text
    assert "Only twelve." in text
    assert EVIL in text


@pytest.mark.parametrize("better", ["a", None])
def test_a_comparison(better: str | None) -> None:
    difference = Difference("psnr", "a", EVIL, 1.0, 0.5, 1.5, 0.001, 0.002, better)
    results = [result("a", 21), result(EVIL, 20, problem="It stopped.")]
    rows, text = read(Comparison(results[0].protocol, results, [difference])._repr_html_())
    assert rows == [["model", "psnr ↑", "fid ↓"], ["a", "21 dB", "not computed"], [EVIL, "20 dB", "not computed"]]
    assert "12 images of houses (val)" in text
    assert "It stopped." in text
    assert (f"a is better than {EVIL} on psnr, p = 0.002" in text) == bool(better)
