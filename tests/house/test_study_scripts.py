"""What holds for every study in examples/: it goes on where it was stopped, and the site lays its figures out."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from types import ModuleType

import pytest
import study as shared
import torch
from scripts import ROOT, script

import i2izoo

STUDIES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "examples").glob("*.py"))
    if "from study import" in path.read_text(encoding="utf-8")
]


@pytest.fixture(scope="module", params=STUDIES, ids=lambda path: Path(path).stem)
def study(request: pytest.FixtureRequest) -> ModuleType:
    return script(request.param)


def run(study: ModuleType, out: Path) -> None:
    """The first of what it compares, tiny, for a few steps."""
    name = study.settings(["--out", str(out)]).only[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [study.__name__, "--out", str(out), "--only", name, "--steps", "3"])
        study.main()


@pytest.fixture(scope="module")
def whole(study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run(study, out)
    return out


def test_there_are_studies() -> None:
    assert len(STUDIES) >= 3


def test_a_second_call_trains_and_measures_nothing(
    study: ModuleType, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (whole / "study.json").read_bytes()

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("it was there already")

    monkeypatch.setattr(i2izoo.Trainer, "train_step", refused)
    monkeypatch.setattr("i2izoo.evaluation.compare.run", refused)
    run(study, whole)
    assert (whole / "study.json").read_bytes() == before


def test_a_study_that_was_stopped_goes_on_exactly(
    study: ModuleType, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_step = i2izoo.Trainer.train_step

    def stop_after_two(trainer: i2izoo.Trainer) -> dict[str, torch.Tensor]:
        if trainer.step == 2:
            raise KeyboardInterrupt
        return one_step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(i2izoo.Trainer, "train_step", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run(study, tmp_path)
    run(study, tmp_path)
    assert (tmp_path / "study.json").read_bytes() == (whole / "study.json").read_bytes()
    models = [path.relative_to(whole) for path in whole.glob("runs/*/model/model.safetensors")]
    assert models
    assert all((tmp_path / model).read_bytes() == (whole / model).read_bytes() for model in models)


def test_what_it_does_not_compare_is_refused(
    study: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        study.settings(["--out", str(tmp_path), "--only", "StarGAN"])
    assert "no 'StarGAN' in the study; it has " in capsys.readouterr().err


def test_the_site_lays_out_the_stored_figures(
    study: ModuleType, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = script("tools/site_hooks.py")
    monkeypatch.setattr(hooks, "DOCS", tmp_path)
    comment = f"<!-- study {study.__name__} -->"
    assert hooks.fill(comment) == "*The study has not been run at its full size yet.*"
    (tmp_path / "assets" / "studies").mkdir(parents=True)
    found = (whole / "study.json").read_bytes()
    (tmp_path / "assets" / "studies" / f"{study.__name__.removesuffix('_study')}.json").write_bytes(found)
    assert hooks.fill(f"before {comment} after") == f"before {(whole / 'tables.md').read_text().strip()} after"
    page = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*-study.md"))
    assert comment in page


def test_settings_are_tiny_where_nothing_is_named() -> None:
    usual, tiny = {"out": Path("out"), "steps": 400, "minutes": None}, {"steps": 1}
    about = {"data": (str, "images"), "steps": (int, "length"), "minutes": (float, "length as time")}

    def settings(*words: str) -> dict[str, object]:
        return vars(shared.parse("A study.", usual, tiny, about, ["a", "b"], list(words)))

    drawn = {"data": None, "out": Path("out"), "steps": 1, "minutes": None, "only": ["a", "b"]}
    assert settings() == drawn
    assert settings("--steps", "7", "--only", "b") == {**drawn, "steps": 7, "only": ["b"]}
    assert settings("--data", "photos") == {**drawn, "data": "photos", "steps": 400}


def test_means_have_students_interval() -> None:
    """t of 2 degrees of freedom at 0.975 is 4.3027 (any table), and 4.3027 / sqrt(3) is 2.484."""
    assert shared.cell([1.0, 2.0, 3.0], 3) == "2.000 ± 2.484"
    assert shared.cell([2.0, 2.0], 1) == "2.0", "no interval where all seeds agree, as of what is not trained"
    done = doctest.testmod(shared)
    assert done.attempted
    assert not done.failed
