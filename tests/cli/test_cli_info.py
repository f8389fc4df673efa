"""`i2izoo info` of trained models: what each fact is, once, and the scores as a table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry

Capture = pytest.CaptureFixture[str]
ENTRIES = registry("pretrained").names()


def said(capsys: Capture, name: str) -> str:
    capsys.readouterr()
    assert main(["info", name]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ENTRIES)
def test_no_fact_of_an_entry_is_said_twice(
    name: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path))  # where nothing is
    text = re.sub(r"^  options:\n(    .*\n)*", "", said(capsys, name), flags=re.MULTILINE)
    for of_domains in ("values", "tiling"):  # two things that are said of each domain
        text = re.sub(
            rf"^  {of_domains}:\n(?:    .*\n)*",
            lambda block, name=of_domains: re.sub(r"^    ", f"    {name[0]}.", block[0], flags=re.MULTILINE),
            text,
            flags=re.MULTILINE,
        )
    facts = [line.strip() for line in text.splitlines()]
    keys = [fact.partition(":")[0] for fact in facts if ": " in fact[:20]]
    assert sorted(keys) == sorted(set(keys))
    assert {"method", "directions", "trained at", "licence", "size", "data"} <= set(keys)
    assert ("parameters" in keys) == bool(registry("pretrained").get(name).bundled)
    assert "crop_size" not in keys  # which "trained at" says


def test_scores_are_a_table(capsys: Capture) -> None:
    lines = [line.split() for line in said(capsys, "pix2pix-facades").splitlines()]
    entry = registry("pretrained").get("pix2pix-facades")
    scores = json.loads((entry.folder() / "config.json").read_text())["provenance"]["metrics"]
    assert ["metrics,", "100", "images", "of", "val:"] in lines
    for name, row in scores.items():
        (shown,) = (line for line in lines if line[:1] == [name] or line[:1] == [f"{name}"])
        assert f"{row['value']:.4g}" in shown
        assert row.get("95 % interval", "") in " ".join(shown)
    notes = {row["note"] for row in scores.values() if "note" in row}
    text = said(capsys, "pix2pix-facades")
    assert all(text.count(f") {note}\n") == 1 for note in notes)
    assert '{"value"' not in text


def test_of_a_task_it_says_what_learned_it(capsys: Capture) -> None:
    assert "  method: restoration, by palette\n" in said(capsys, "palette-facades")
    assert "  method: pix2pix\n" in said(capsys, "pix2pix-facades")


def test_scores_of_a_folder_by_anyone(tmp_path: Path, capsys: Capture) -> None:
    import i2izoo

    folder = Path(
        i2izoo.create("pix2pix", generator={"name": "unet_256", "width": 4, "depth": 3}).save_pretrained(tmp_path)
    )
    config = json.loads((folder / "config.json").read_text())
    odd = {"psnr": 20.5, "mine": {"value": [1, 2], "note": ["a"], "n": {"b": 1}}, "other": {"value": None}}
    config["provenance"] = {"metrics": odd, "crop_size": "large", "notes": "one\n\ntwo", "data": "\x1b[2J"}
    (folder / "config.json").write_text(json.dumps(config))
    text = said(capsys, str(folder))
    assert "20.5" in text
    assert "trained at" not in text
    assert "    notes: one\n      two\n" in text
    assert "\\x1b[2J" in text
