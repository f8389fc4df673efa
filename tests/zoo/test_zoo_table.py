"""results/zoo.csv: every entry, and every figure that lies beside the models, as the stored files have it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

from i2izoo.contracts.registry import registry

ROOT = Path(__file__).parents[2]
ROWS = list(csv.DictReader((ROOT / "results" / "zoo.csv").open(encoding="utf-8", newline="")))


def test_every_entry_is_there() -> None:
    own = {name for name in registry("pretrained").names() if name in {row["entry"] for row in ROWS}}
    assert {row["entry"] for row in ROWS} == own
    bundled = {path.parent.name for path in ROOT.glob("plugins/*/entries/*/config.json")}
    assert bundled <= own
    assert {row["entry"] for row in ROWS if not row["metric"]}.isdisjoint(bundled)


def test_every_stored_score_is_there() -> None:
    found = {(row["record"], row["metric"]): row for row in ROWS}
    stored = sorted(ROOT.glob("plugins/*/entries/*/evaluation/**/scores.json"))
    assert len(stored) >= 10
    for path in stored:
        content = json.loads(path.read_text(encoding="utf-8"))
        record = path.relative_to(ROOT / "plugins").as_posix()
        for metric, score in content["scores"].items():
            row = found[record, metric]
            assert row["entry"] == path.relative_to(ROOT / "plugins").parts[2]
            assert float(row["value"]) == score["value"]
            costs = content["costs"]  # of models that translate
            assert row["parameters"] == (str(costs["parameters"]) if costs else "")
    assert len({tuple(row.values()) for row in ROWS}) == len(ROWS)


def test_it_is_current() -> None:
    """In a process of its own: other tests register entries of theirs."""
    done = subprocess.run(
        [sys.executable, "tools/zoo_table.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
