"""`i2izoo.compare` and `i2izoo compare`: differences that are known, failures, resuming, what is written."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from evaluating import Offset, make_pairs, mark, register_all
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import EvaluationError, UnknownNameError
from i2izoo.evaluation.compare import paired_tests
from i2izoo.evaluation.compared import fingerprint, name_models
from i2izoo.evaluation.comparison import load_comparison
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Result
from i2izoo.interfaces import Score
from i2izoo.report.compare import compare


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    register_all(monkeypatch, tmp_path)


@pytest.fixture
def pairs(tmp_path) -> Path:
    return make_pairs(tmp_path / "pairs")


def offset(levels: float, bad: str | None = None) -> i2izoo.Translator:
    return i2izoo.create("offset", levels=levels, bad=bad)


def shifted(pairs: Path, folder: Path, levels: int) -> Path:
    """Images made by other software."""
    folder.mkdir()
    for path in (pairs / "photo").iterdir():
        with Image.open(path) as image:
            Image.fromarray(np.asarray(image) + np.uint8(levels)).save(folder / path.name)
    return folder


QUICK = {"metrics": ["seen"], "costs": False, "report": False}

# ------------------------------------------------------------------------------------------------------------- numbers


def test_known_offsets_differ_by_their_difference(pairs):
    found = compare({"two": offset(2), "five": offset(5), "also two": offset(2)}, pairs, **QUICK)
    assert [r.model for r in found.results] == ["two", "five", "also two"]
    assert [r["seen"].value for r in found.results] == pytest.approx([2, 5, 2], abs=1e-4)
    first, equal, last = found.differences
    assert (first.metric, first.first, first.second) == ("seen", "two", "five")
    assert (first.mean, first.low, first.high) == pytest.approx((-3, -3, -3), abs=1e-4)
    # six images: 2 of 64 signs are as extreme; three tests; Holm: 3 * 2 / 64 for both, 1 for the third
    assert first.p == last.p == 2 / 64
    assert first.p_adjusted == last.p_adjusted == pytest.approx(6 / 64)
    assert first.better is None
    assert (equal.mean, equal.p, equal.p_adjusted, equal.better) == (0, 1, 1, None)


def test_better_is_said_only_below_five_per_cent_after_the_correction(tmp_path):
    pairs = make_pairs(tmp_path / "eight", count=8)
    found = compare({"five": offset(5), "two": offset(2)}, pairs, **QUICK)
    (difference,) = found.differences
    assert difference.p_adjusted == 2 / 256
    assert difference.better == "two"  # lower is better


PROTOCOL = Protocol(data="d", data_sha256="0", source="a", to="b", metrics={}, n=6)


def result(name: str, values: list[float], higher: bool = True, **more: object) -> Result:
    names = [f"p{i}" for i in range(len(values))]
    return Result(name, PROTOCOL, {"m": Score(0.0, higher_is_better=higher)}, names, {"m": values}, **more)  # type: ignore[arg-type]


def test_direction_decides_who_is_better():
    low, high = [0.0] * 8, [1.0, 2, 1, 2, 1, 2, 1, 2]
    for higher, first, second, better in (
        (True, high, low, "x"),
        (True, low, high, "y"),
        (False, high, low, "y"),
        (False, low, high, "x"),
    ):
        (found,) = paired_tests([result("x", first, higher), result("y", second, higher)])
        assert found.better == better


def test_images_are_paired_by_name_and_failures_take_no_part():
    a, b, c = result("a", [1, 2, 3, 4]), result("b", [1, 1]), result("c", [1, 2, 3], problem="it broke.")
    b.names = ["p3", "p1"]
    (found,) = paired_tests([a, b, c])
    assert (found.first, found.second, found.mean) == ("a", "b", 2)  # p1: 2 - 1, p3: 4 - 1


def test_nan_and_single_images_give_no_test():
    assert paired_tests([result("a", [1, math.nan]), result("b", [2, 3])]) == []
    assert paired_tests([result("a", [1]), result("b", [2])]) == []


# -------------------------------------------------------------------------------------------------------------- models


def test_images_made_elsewhere_and_the_input_are_compared_with_a_model(pairs, tmp_path):
    elsewhere = shifted(pairs, tmp_path / "theirs", 7)
    found = compare([elsewhere, "copy-input", offset(2)], pairs, **QUICK)
    assert [r.model for r in found.results] == ["theirs", "copy-input", "offset"]
    assert [r["seen"].value for r in found.results] == pytest.approx([7, 0, 2], abs=1e-4)


def test_a_baseline_alone_is_no_comparison(pairs):
    with pytest.raises(EvaluationError, match="'copy-input' is a baseline; name a model"):
        compare(["copy-input"], pairs, **QUICK)
    with pytest.raises(EvaluationError, match="name at least one model"):
        compare([], pairs, **QUICK)


def test_names_are_distinct_also_as_folders(tmp_path):
    made = name_models([offset(1), "user/repo@v1", offset(2), "x/OFFSET", "a/m", "b/m", "a/m"])
    names = [c.name for c in made]
    assert names == ["offset", "repo@v1", "offset (2)", "OFFSET (3)", "a/m", "b/m", "a/m (2)"]
    assert len({c.folder.lower() for c in made}) == 7
    assert not any(set(c.folder) & set("/ ()") for c in made)
    assert [c.folder for c in name_models({"../../etc": offset(1), "..": offset(2)})] == ["etc", "model"]


def test_fingerprints_tell_models_apart(pairs, tmp_path):
    model = offset(2)
    assert fingerprint(model) == fingerprint(model)
    others = [fingerprint(m) for m in (model, offset(3), offset(2), pairs / "label", pairs / "photo")]
    assert others[3] == others[4]  # the same images
    assert len(set(others)) == 4  # the last two translators drew different weights


# ------------------------------------------------------------------------------------------------------------ failures


def test_models_that_fail_stay_with_their_problem_and_the_others_go_on(pairs):
    mark(pairs, 3)
    entered = {
        "nan": offset(1, "nan"),
        "bug": offset(1, "crash"),
        "nothing": "./no-such-folder",
        "wrong": i2izoo.create("pix2pix", domains=["day", "night"], generator={"name": "resnet_6blocks", "width": 4}),
        "good": offset(2),
        "also good": offset(4),
    }
    found = compare(entered, pairs, to="photo", batch_size=1, **QUICK)
    assert [r.model for r in found.results] == list(entered)
    problems = {r.model: r.problem for r in found.results}
    assert "'p3' holds NaN or infinite values" in problems["nan"]
    assert "a bug in the method" in problems["bug"]
    assert "no-such-folder" in problems["nothing"]
    assert "'photo'" in problems["wrong"]
    assert problems["good"] is problems["also good"] is None
    assert found.results[0]["seen"].n == 3  # what was measured before is kept
    assert [(d.first, d.second) for d in found.differences] == [("good", "also good")]


def test_where_every_model_fails_the_common_cause_is_raised(tmp_path):
    with pytest.raises(i2izoo.errors.DataError, match="no folder or file"):
        compare(["copy-input", offset(1), offset(2)], tmp_path / "nowhere", **QUICK)
    with pytest.raises(EvaluationError, match=r"no model can be evaluated: .*nothing-1.*nothing-2"):
        compare(["./nothing-1", "./nothing-2"], tmp_path, **QUICK)


def test_a_misspelt_metric_is_nobodys_problem(pairs):
    with pytest.raises(UnknownNameError, match="did you mean 'psnr'"):
        compare([offset(1)], pairs, metrics=["psnrr"], costs=False)
    assert Offset.calls == []


# --------------------------------------------------------------------------------------------------------------- files


def test_what_is_written(pairs, tmp_path):
    out = tmp_path / "out"
    found = compare({"two": offset(2), "a/b": offset(5)}, pairs, metrics=["psnr", "seen"], report=False, out=out)
    assert {p.name for p in out.iterdir()} == {
        *("comparison.json", "inputs", "models", "per-image.csv", "protocol.json"),
        *("table.csv", "table.md", "table.tex", "truths"),
    }
    assert {p.name for p in (out / "models").iterdir()} == {"two", "a_b"}
    for folder in ("inputs", "truths", "models/two/images", "models/a_b/images"):
        assert sorted(p.name for p in (out / folder).iterdir()) == [f"p{i}.png" for i in range(6)]
    with Image.open(out / "inputs" / "p4.png") as copy, Image.open(pairs / "label" / "p4.png") as original:
        assert np.array_equal(np.asarray(copy), np.asarray(original))
    with Image.open(out / "models" / "two" / "images" / "p4.png") as image:
        assert np.asarray(image)[0, 0].tolist() == [42, 42, 42]
    assert Protocol.load(out) == found.protocol
    with (out / "per-image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["name"], r["model"]) for r in rows] == [(f"p{i}", m) for m in ("two", "a/b") for i in range(6)]
    assert [float(r["seen"]) for r in rows] == found.results[0].values["seen"] + found.results[1].values["seen"]
    assert all(r.costs is not None and r.costs.seconds > 0 and r.costs.parameters == 2 for r in found.results)
    assert load_comparison(out) == found
    moved = shutil.move(out, tmp_path / "moved")
    assert load_comparison(moved).results[0].images == moved / "models" / "two" / "images"


def test_damaged_comparisons_are_said(tmp_path):
    with pytest.raises(EvaluationError, match=r"holds no comparison: it has no comparison\.json"):
        load_comparison(tmp_path)
    (tmp_path / "comparison.json").write_text("{")
    with pytest.raises(EvaluationError, match="is not JSON"):
        load_comparison(tmp_path)
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(EvaluationError, match="no comparison: KeyError: 'protocol'"):
        load_comparison(tmp_path)


def test_without_out_the_images_live_as_long_as_the_comparison(pairs):
    found = compare([offset(2)], pairs, **QUICK)
    folders = [found.inputs, found.truths, found.results[0].images]
    assert all(len(list(folder.iterdir())) == 6 for folder in folders)
    del found
    assert not any(folder.exists() for folder in folders)


def test_a_failure_leaves_no_temporary_folder(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    mark(pairs, 3)
    with pytest.raises(KeyboardInterrupt):
        compare([offset(1, "interrupt")], pairs, **QUICK)
    assert list((tmp_path / "tmp").iterdir()) == []


# ------------------------------------------------------------------------------------------------------------ resuming


def test_models_that_are_there_are_not_evaluated_again(pairs, tmp_path):
    one, two = offset(1), offset(2)
    before = compare({"one": one}, pairs, out=tmp_path / "out", **QUICK)
    assert not before.results[0].notes
    Offset.calls.clear()
    after = compare({"one": one, "two": two}, pairs, out=tmp_path / "out", **QUICK)
    assert sum(Offset.calls) == 6
    assert after.results[0].values == before.results[0].values
    assert not any(result.notes for result in after.results)
    assert len(after.differences) == 1
    # and again, with nothing left to do
    Offset.calls.clear()
    assert compare({"one": one, "two": two}, pairs, out=tmp_path / "out", **QUICK).differences == after.differences
    assert Offset.calls == []


def test_a_model_that_has_changed_or_failed_is_evaluated_again(pairs, tmp_path):
    compare({"a": offset(1), "b": offset(1, "nan")}, pairs, out=tmp_path / "out", **QUICK)
    found = compare({"a": offset(3), "b": offset(1)}, pairs, out=tmp_path / "out", **QUICK)
    assert [r["seen"].value for r in found.results] == pytest.approx([3, 1], abs=1e-4)
    with Image.open(tmp_path / "out" / "models" / "a" / "images" / "p0.png") as image:
        assert np.asarray(image)[0, 0, 0] == 3


def test_an_interrupted_comparison_goes_on(pairs, tmp_path):
    mark(pairs, 3)
    good = offset(1)
    with pytest.raises(KeyboardInterrupt):
        compare({"good": good, "bad": offset(1, "interrupt")}, pairs, out=tmp_path / "out", **QUICK)
    Offset.calls.clear()
    found = compare({"good": good, "bad": offset(2)}, pairs, out=tmp_path / "out", **QUICK)
    assert sum(Offset.calls) == 6
    assert [r.problem for r in found.results] == [None, None]


def test_costs_that_were_not_measured_are(pairs, tmp_path):
    model = offset(1)
    compare([model], pairs, out=tmp_path / "out", **QUICK)
    assert compare([model], pairs, out=tmp_path / "out", **{**QUICK, "costs": True}).results[0].costs is not None


def test_a_folder_belongs_to_one_protocol(pairs, tmp_path):
    compare([offset(1)], pairs, out=tmp_path / "out", **QUICK)
    with pytest.raises(EvaluationError, match=r"out' holds a comparison with another .*limit; use another out="):
        compare([offset(1)], pairs, out=tmp_path / "out", limit=2, **QUICK)
    assert load_comparison(tmp_path / "out").protocol.n == 6


def test_the_same_protocol_gives_the_same_numbers(pairs, tmp_path):
    model = offset(1.5)
    first = compare([model, "copy-input"], pairs, limit=4, out=tmp_path / "a", **QUICK)
    again = compare([model, "copy-input"], pairs, protocol=tmp_path / "a", costs=False, report=False)
    assert again.protocol == first.protocol
    assert [r.values for r in again.results] == [r.values for r in first.results]
    assert again.differences == first.differences


# -------------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def saved(tmp_path) -> list[str]:
    return [str(offset(levels).save_pretrained(tmp_path / name)) for name, levels in (("near", 2), ("far", 5))]


def test_the_command_prints_a_table(saved, pairs, capsys):
    flags = ["--metrics", "psnr,mean", "--no-report", "--no-costs"]
    assert main(["compare", *saved, "copy-input", "--data", str(pairs), *flags]) == 0
    out, err = capsys.readouterr()
    assert "psnr (dB) ↑" in out
    assert "near" in out
    # 20 log10(255 / 2) and 20 log10(255 / 5)
    assert "42.11" in out
    assert "34.15" in out
    assert "near and far do not differ significantly on psnr: 7.9" in out
    assert err == ""


def test_the_command_goes_on_after_a_failure_and_exits_1(saved, pairs, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["compare", "./nowhere", *saved, "--data", str(pairs), "--metrics", "seen", "--no-costs", "--no-report"]
    assert main([*words, "--format", "json", "--out", str(out)]) == 1
    printed, err = capsys.readouterr()
    assert [r["model"] for r in json.loads(printed)["results"]] == ["nowhere", "near", "far"]
    assert "i2izoo: nowhere: " in err
    assert (out / "table.md").is_file()


def test_options_of_the_method_reach_it(saved, pairs, capsys):
    flags = ["--metrics", "seen", "--format", "csv", "--no-costs", "--no-report"]
    assert main(["compare", saved[0], "more=1.0", "--data", str(pairs), *flags]) == 0
    found = next(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert float(found["seen"]) > 2.1  # two levels and what is drawn, 0 to 4
    assert main(["compare", saved[0], "mor=1.0", "--data", str(pairs), *flags]) == 2
    assert "has no option 'mor'; did you mean 'more'?" in capsys.readouterr().err


def test_mistakes_are_one_sentence(pairs, saved, tmp_path, capsys):
    for words, said in (
        ([], "name at least one model to compare"),
        ([saved[0], "--report", "x.html", "--no-report"], "contradict each other"),
        ([saved[0], "--format", "word"], "invalid choice: 'word'"),
        ([saved[0], "--metrics", "psnrr"], "did you mean 'psnr'"),
    ):
        assert main(["compare", *words, "--data", str(pairs)]) == 2
        out, err = capsys.readouterr()
        assert said in err
        assert out == ""
        assert len(err.splitlines()) == 1


def test_the_report_lies_beside_the_tables_or_where_it_is_wanted(saved, pairs, tmp_path, capsys):
    words = ["compare", *saved, "--data", str(pairs), "--metrics", "seen", "--no-costs"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "near" in (tmp_path / "out" / "report.html").read_text()
    assert main([*words, "--report", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "near" in page
    assert "data:image/webp" in page
    assert "wrote" in capsys.readouterr().err
