"""Names that are no text, that a terminal would obey, or that a spreadsheet would compute: shown, and nothing else."""

from __future__ import annotations

import csv
import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from evaluating import make_pairs, register_all
from tiny import TinyGenerator, TinyMethod

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import DataError, ImageError
from i2izoo.files.tables import csv_text

NAMES = [b"a\xff", b"=1+1", b"@SUM(A1)", b"-x", b"\x1b[31mred", b"two\nlines", "日本　語".encode(), b"plain"]
SHOWN = ["a_udcff", "=1+1", "@SUM(A1)", "-x", "_x1b[31mred", "two_lines", "日本　語", "plain"]
"""As file names that every system takes: the backslash of an escape is an underscore."""


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register_all(monkeypatch, tmp_path)
    for kind, part in (("methods", TinyMethod), ("generators", TinyGenerator)):
        monkeypatch.setattr(registry(kind), "_registered", dict(registry(kind)._registered))
        registry(kind).register(part.__name__, part)
    monkeypatch.chdir(tmp_path)
    folder = make_pairs(tmp_path / "pairs", count=len(NAMES))
    try:
        for domain in ("label", "photo"):
            for index, name in enumerate(NAMES):
                os.rename(folder / domain / f"p{index}.png", os.fsencode(folder / domain) + b"/" + name + b".png")
    except OSError:
        pytest.skip("this file system takes no such names")
    return folder


def clean(text: str) -> str:
    """The text, of characters that a terminal shows as they are."""
    bad = {c for c in text if c != "\n" and not c.isprintable() and unicodedata.category(c) != "Zs"}
    assert not bad
    return text


def test_evaluate_compare_and_reports(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(i2izoo.create("offset", levels=1).save_pretrained(tmp_path / "model"))
    words = ["--data", str(pairs), "--metrics", "seen"]
    assert main(["evaluate", model, *words, "--out", "scores"]) == 0
    made = shutil.copytree(pairs / "photo", tmp_path / "made")
    assert main(["compare", model, str(made), "copy-input", *words, "--out", "compared"]) == 0
    said = capsys.readouterr()
    assert "problem" not in clean(said.out + said.err)
    for place in ("scores", "compared"):
        with (tmp_path / place / "per-image.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        cells = {"=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "-x": "'-x"}  # OWASP: CSV injection
        assert {row["name"] for row in rows} == {cells.get(name, name) for name in SHOWN}
        assert all(row["seen"][0].isdigit() for row in rows)
    page = clean((tmp_path / "compared" / "report.html").read_text(encoding="utf-8"))
    assert "a_udcff" in page
    kept = json.loads((tmp_path / "scores" / "scores.json").read_text())["names"]
    assert sorted(kept) == sorted(SHOWN)
    assert sorted(p.stem for p in (tmp_path / "compared" / "inputs").iterdir()) == sorted(SHOWN)


def test_training_and_translating(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["batch_size=2", "steps=2", "log_every=1"]
    assert main(["train", "TinyMethod", "generator=TinyGenerator", "--data", str(pairs), "--out", "run", *words]) == 0
    assert main(["translate", "run/model", str(pairs / "label"), "-o", "out"]) == 0
    clean("".join(capsys.readouterr()))
    assert sorted(os.fsencode(p.stem) for p in (tmp_path / "out").iterdir()) == sorted(NAMES)
    assert main(["translate", "run/model", str(pairs / "label"), "-o", "out"]) == 2
    clean(capsys.readouterr().err)
    strange = os.fsdecode(b"to\xff\x1b[31m")
    assert main(["translate", "run/model", str(pairs / "label"), "-o", strange]) == 0
    assert "translated 8 images to to" in clean(capsys.readouterr().out)


def test_problems_with_them(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(pairs / "label") + b"/" + name + b".png")).write_bytes(b"nothing")
    assert main(["data", "check", str(pairs)]) == 2
    said = clean(capsys.readouterr().out)
    assert "a\\udcff.png" in said
    assert "\\x1b[31mred.png" in said
    with pytest.raises((ImageError, DataError)) as error:
        i2izoo.Trainer(
            {"name": "TinyMethod", "generator": "TinyGenerator"}, pairs, steps=1, batch_size=8, progress=False
        ).fit()
    clean(str(error.value))


@pytest.mark.parametrize("name", [b"half\xff", b"\x1b[31mred", b"two\nlines"])
def test_domains_and_classes_have_names_that_can_be_shown(pairs: Path, tmp_path: Path, name: bytes) -> None:
    strange = Path(os.fsdecode(os.fsencode(tmp_path / "domains") + b"/" + name))
    shutil.copytree(pairs / "label", strange)
    shutil.copytree(pairs / "photo", tmp_path / "domains" / "photo")
    for options in ({}, {"kind": "single"}):
        with pytest.raises(DataError, match="is no name for a domain or class") as error:
            i2izoo.open_dataset(tmp_path / "domains", **options)
        clean(str(error.value))


def test_a_folder_that_safetensors_cannot_open_is_refused_at_the_start(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = os.fsdecode(b"run \xff")
    words = ["--data", str(pairs), "--out", out, "generator=TinyGenerator", "batch_size=2", "steps=1"]
    assert main(["train", "TinyMethod", *words]) == 2
    assert "'run \\udcff' has a name that is not UTF-8" in clean(capsys.readouterr().err)
    assert not list(Path(out).glob("checkpoints/*"))


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\ta", "'\ta"), ("'=1", "''=1"), ("''+", "'''+"),
        ("'a", "'a"), ("a=1", "a=1"), ("", ""), (-1.5, "-1.5"), (float("-inf"), "-inf"), (3, "3"), (None, ""),
        ("\uff1d1", "'\uff1d1"),
    ],
)  # fmt: skip
def test_cells(cell: object, written: str) -> None:
    (row,) = csv.reader(csv_text([["first", cell]]).splitlines(keepends=True))
    assert row == ["first", written]
