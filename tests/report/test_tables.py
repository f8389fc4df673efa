"""Tables of scores against text written by hand."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace

import pytest

from i2izoo.errors import ConfigError
from i2izoo.evaluation.comparison import from_dict
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Comparison, Costs, Difference, Result
from i2izoo.interfaces import Score
from i2izoo.report.layout import differences_in_words, lay_out
from i2izoo.report.tables import render

PROTOCOL = Protocol(
    data="facades",
    data_sha256="0" * 64,
    split="val",
    source="label",
    to="photo",
    size=[128, 256],
    n=100,
    metrics={"psnr": {"name": "psnr"}, "fid": {"name": "fid"}},
    versions={"torch": "2"},
)


def psnr(value: float, half: float) -> Score:
    return Score(value, value - half, value + half, n=100, unit="dB")


def fid(value: float | None, reason: str | None = None, notes: tuple[str, ...] = ()) -> Score:
    return Score(value, n=100, higher_is_better=False, reason=reason, notes=notes)


@pytest.fixture
def comparison() -> Comparison:
    small = "100 images: FID wants 2048."
    cost = Costs(54_413_955, 0.0123, 250_000_000, "cpu (4 threads)")
    return Comparison(
        PROTOCOL,
        [
            Result("a_1", PROTOCOL, {"psnr": psnr(15.32, 0.3), "fid": fid(212.41, notes=(small,))}, costs=cost),
            Result("b", PROTOCOL, {"psnr": psnr(15.01, 0.3), "fid": fid(98.76, notes=(small,))}, costs=cost),
            Result(
                "c", PROTOCOL, {"psnr": psnr(9.5, 0.45), "fid": fid(None, "needs X")}, costs=Costs(0, None, None, "")
            ),
            Result("d", PROTOCOL, problem="it diverged."),
        ],
        [
            Difference("psnr", "a_1", "b", 0.31, -0.05, 0.67, 0.09, 0.09, None),
            Difference("psnr", "a_1", "c", 5.82, 5.31, 6.33, 1e-9, 3e-9, "a_1"),
            Difference("psnr", "c", "b", -5.51, -6.04, -4.98, 1e-4, 3e-4, "b"),
        ],
    )


def test_markdown(comparison):
    """Every line of the grid has as many cells; best in bold, ties and footnotes marked, names escaped."""
    title, _, *lines = render(comparison, "markdown").splitlines()
    assert title == "label → photo: 100 images of facades (val) at 256 x 128, seed 0"
    grid = [re.split(r" \| ", line.strip("| ")) for line in lines if line.startswith("|")]
    assert grid[0] == ["model", "psnr (dB) ↑", "fid ↓", "parameters", "ms/image (d)", "memory (MB) (d)"]
    assert grid[1] == ["---", *["---:"] * 5]
    assert grid[2] == ["a\\_1", "**15.32** [15.02, 15.62]", "212.4 (b)", "54.4 M", "12.3", "250"]
    assert [row[1] for row in grid[3:]] == ["15.01 [14.71, 15.31] ≈", "9.50 [9.05, 9.95]", "-"]
    assert [row[2] for row in grid[3:]] == ["**98.8** (b)", "- (c)", "-"]
    assert grid[5][0] == "d (a)"
    remarks = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert remarks[:3] == [
        "(a) it diverged.",
        "(b) fid: 100 images: FID wants 2048.",
        "(c) fid: not computed: needs X.",
    ]
    assert remarks[3] == "(d) Time and memory were measured on cpu (4 threads)."
    assert [remark.split(":")[0] for remark in remarks[4:6]] == ["[low, high]", "≈"]
    assert remarks[6:] == [
        "a\\_1 and b do not differ significantly on psnr: 0.31 dB [\u22120.05, 0.67], p = 0.090",
        "a\\_1 is better than c on psnr by 5.82 dB [5.31, 6.33], p &lt; 0.0001",
        "b is better than c on psnr by 5.51 dB [4.98, 6.04], p = 0.0003",
    ]


def test_latex(comparison):
    """A booktabs table: what LaTeX takes for a command is escaped, every row has as many cells."""
    found = replace(comparison, results=comparison.results[:2], differences=comparison.differences[:1])
    found.results[1].model = r"50%_a&b#{x}~^\y$"
    text = render(found, "latex")
    assert re.findall(r"\\(?:begin|end)\{(\w+)\}", text) == ["table", "tabular", "tabular", "table", *["itemize"] * 2]
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    head, first, second = (re.split(r" (?<!\\)& ", line[:-3]) for line in text.splitlines() if line.endswith(r" \\"))
    assert head[1:3] == [r"psnr (dB) $\uparrow$", r"fid $\downarrow$\textsuperscript{a}"]
    assert first == [r"a\_1", r"\textbf{15.32} [15.02, 15.62]", "212.4", "54.4 M", "12.3", "250"]
    assert second[0] == r"50\%\_a\&b\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}y\$"
    assert second[1:3] == ["15.01 [14.71, 15.31]", r"\textbf{98.8}"]
    assert r"\textsuperscript{a} fid: 100 images: FID wants 2048." in text
    assert r"\item a\_1 and b do not differ significantly on psnr: 0.31 dB [$-$0.05, 0.67], p = 0.090" in text


def test_latex_marks_ties(comparison):
    assert r"15.01 [14.71, 15.31] $\approx$ & \textbf{98.8}\textsuperscript{b}" in render(comparison, "latex")


def test_terminal(comparison):
    text = render(comparison)
    lines = text.splitlines()
    assert lines[0] == "label → photo: 100 images of facades (val) at 256 x 128, seed 0"
    words = [" ".join(line.split()) for line in lines]
    assert words[1] == "model psnr (dB) ↑ fid ↓ parameters ms/image (d) memory (MB) (d)"
    assert words[3] == "a_1 15.32 [15.02, 15.62] 212.4 (b) 54.4 M 12.3 250"
    assert words[6] == "d (a) - - - - -"
    assert "[low, high]: bootstrap" in text
    assert "\x1b" not in text
    assert "\x1b[1m15.32\x1b[0m [15.02, 15.62]" in render(comparison, colour=True)
    assert "\x1b[1m15.01" not in render(comparison, colour=True)


def test_a_narrow_terminal_loses_no_digit(comparison):
    table = render(comparison, width=60).split("(a) it diverged")[0]
    assert max(map(len, table.splitlines()[1:])) <= 60
    assert "15.32" in table
    assert "212.4" in table


def test_csv_gives_the_values_back(comparison):
    rows = list(csv.DictReader(io.StringIO(render(comparison, "csv"))))
    assert [row["model"] for row in rows] == ["a_1", "b", "c", "d"]
    for row, result in zip(rows, comparison.results, strict=True):
        for label in ("psnr", "fid"):
            score = result.scores.get(label)
            for column, value in (("", "value"), ("_low", "low"), ("_high", "high"), ("_n", "n")):
                expected = getattr(score, value) if score else None
                assert row[label + column] == ("" if expected is None else str(expected))
    assert [row["parameters"] for row in rows] == ["54413955", "54413955", "0", ""]
    assert (rows[0]["seconds"], rows[0]["memory"], rows[0]["device"]) == ("0.0123", "250000000", "cpu (4 threads)")
    assert [row["problem"] for row in rows] == ["", "", "", "it diverged."]


def test_json_gives_the_comparison_back(comparison):
    comparison.results[0].scores["psnr"] = Score(math.inf, 20.0, math.inf, n=100, unit="dB")
    comparison.results[0].names, comparison.results[0].values = ["x", "y"], {"psnr": [math.inf, 20.0]}
    comparison.differences[0] = replace(comparison.differences[0], mean=math.inf)
    text = render(comparison, "json")
    assert from_dict(json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))) == comparison


def test_infinite_values_are_shown():
    result = Result("copy", PROTOCOL, {"psnr": Score(math.inf, 24.5, math.inf, n=3, unit="dB")})
    assert "| copy | ∞ [24.50, ∞] |" in render(result, "markdown")
    assert r"$\infty$ [24.50, $\infty$]" in render(result, "latex")
    assert "copy,inf,24.5,inf,3," in render(result, "csv")


def test_one_result_has_no_best(comparison):
    text = render(comparison.results[0], "markdown")
    assert "| a\\_1 | 15.32 [15.02, 15.62] | 212.4 (a) | 54.4 M | 12.3 (b) | 250 (b) |" in text
    assert json.loads(render(comparison.results[0], "json"))["model"] == "a_1"


@pytest.mark.parametrize(
    ("half", "shown"),
    [(0.3, "0.12 [\u22120.18, 0.42]"), (0.011, "0.123 [0.112, 0.134]"), (0.00092, "0.12346 [0.12254, 0.12438]")],
)
def test_digits_follow_the_width_of_the_interval(half, shown):
    score = Score(0.123456, 0.123456 - half, 0.123456 + half, n=9)
    assert shown in render(Result("m", PROTOCOL, {"lpips": score}), "markdown")


def test_true_images_have_a_row():
    scores = {"psnr": psnr(15.32, 0.3), "fcn_score.pixel_accuracy": Score(0.61, n=100, reference=0.744)}
    text = render(Result("m", PROTOCOL, scores), "markdown")
    assert "| m | 15.32 [15.02, 15.62] | 0.6100 |" in text
    assert "| true images | - | 0.7440 |" in text


def test_a_failed_model_is_neither_best_nor_tied(comparison):
    comparison.results[3].scores["psnr"] = psnr(99.0, 1.0)
    best = [cell.best for cell in (row[1] for row in lay_out(comparison).rows)]
    assert best == [True, False, False, False]


def test_lower_is_better_in_words():
    d = Difference("fid", "a", "b", -2.0, -3.0, -1.0, 0.001, 0.002, "a")
    results = [Result(name, PROTOCOL, {"fid": fid(value)}) for name, value in (("a", 1.0), ("b", 3.0))]
    assert differences_in_words(Comparison(PROTOCOL, results, [d])) == [
        "a is better than b on fid by 2.0 [1.0, 3.0], p = 0.0020"
    ]


def test_of_many_tests_only_those_with_the_best_are_said():
    names = [f"m{i}" for i in range(10)]
    results = [Result(n, PROTOCOL, {"psnr": psnr(10.0 + i, 0.3)}) for i, n in enumerate(names)]
    tests = [Difference("psnr", a, b, -1, -2, -0.5, 0.01, 0.01, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    said = differences_in_words(Comparison(PROTOCOL, results, tests))
    assert len(tests) == 45
    assert len(said) == 9
    assert all("m9" in sentence for sentence in said)


def test_more_than_26_footnotes():
    results = [Result(f"m{i}", PROTOCOL, problem=f"problem {i}.") for i in range(28)]
    assert [note.mark for note in lay_out(Comparison(PROTOCOL, results)).footnotes][24:] == ["y", "z", "aa", "ab"]


def test_unknown_format(comparison):
    with pytest.raises(ConfigError, match=r"no table format 'latx'; did you mean 'latex'\? Use table, markdown"):
        render(comparison, "latx")
