"""The numbers of an evaluation in a model's own folder: beside the weights, in config.json and on its card."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2izoo.errors import EvaluationError
from i2izoo.evaluation.protocol import PROTOCOL
from i2izoo.evaluation.result import SCORES, Result
from i2izoo.files.locks import WAIT, locked
from i2izoo.files.writing import write_text
from i2izoo.models.cards import read_card, render_card
from i2izoo.models.config_file import CARD, CONFIG, read_config
from i2izoo.models.storage import load_folder

FOLDER = "evaluation"


def write_to_card(folder: str | os.PathLike[str], result: Result) -> None:
    """Write evaluation/protocol.json and evaluation/scores.json into a pretrained folder, and its metrics anew.

    The metrics in config.json and README.md are those of this result alone, so that every figure follows from the
    protocol beside it; all else in both files stays, and so do further columns (of a trivial answer, say) of a metric
    that is again measured on as many images of the same split. Of a model with several directions, each has its own
    protocol (`evaluation/DOMAIN/protocol.json`) and its own metrics (`psnr to DOMAIN`), and those of the others stay.
    Each file is written whole or not at all.

    Raises:
        StorageError: `folder` is no pretrained folder.
        WriteError: the disk is full, say, or another process is writing there.
        EvaluationError: the result is of a part of the images only, or has no score.
    """
    folder = Path(folder).expanduser()
    config = read_config(folder)
    if result.problem:
        raise EvaluationError(f"this evaluation did not come to its end, so it goes onto no card: {result.problem}")
    if not (metrics := result.card_metrics()):
        raise EvaluationError("no metric could be computed, so there is nothing to write onto the card.")
    name, facts = folder.resolve().name, dict(config.get("provenance") or {})
    place, before = folder / FOLDER, dict(facts.get("metrics") or {})
    directions = config.get("directions") or load_folder(folder)[0].directions
    if len(directions) > 1:
        place = place / result.protocol.to
        metrics = {f"{label} to {result.protocol.to}": row for label, row in metrics.items()}
        others = tuple(f" to {to}" for to in directions if to != result.protocol.to)
    else:
        others = ()
    metrics = {label: _with_columns(row, before.get(label)) for label, row in metrics.items()}
    metrics = {k: v for k, v in before.items() if others and k.endswith(others)} | metrics
    changed = {**config, "provenance": {**facts, "metrics": metrics}}
    card = _card(folder, config, changed, name)
    content = replace(result, model=name).to_dict()
    with locked(folder, wait=WAIT):
        write_text(place / PROTOCOL, result.protocol.to_json())
        write_text(place / SCORES, json.dumps(content, indent=2, allow_nan=False) + "\n")
        write_text(folder / CARD, card)
        write_text(folder / CONFIG, json.dumps(changed, indent=2) + "\n")


OWN = ("value", "on", "n", "unit", "95 % interval", "true images", "note")
"""Columns that `Result.card_metrics` writes."""


def _with_columns(row: dict[str, Any], before: Any) -> dict[str, Any]:
    if not isinstance(before, Mapping) or any(before.get(key) != row[key] for key in ("on", "n")):
        return row
    return {**row, **{key: value for key, value in before.items() if key not in OWN}}


def _card(folder: Path, before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    """The card with new metrics: rendered anew if it was rendered, otherwise as its author wrote it but for those."""
    path = folder / CARD
    if not path.is_file():
        return render_card(after, name=name)
    text = path.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    name = title[1].strip() if title else name
    rendered = render_card(after, name=name)
    if text == render_card(before, name=name):
        return rendered
    import yaml  # type: ignore[import-untyped]

    header = {**read_card(folder), "model-index": yaml.safe_load(rendered.split("---\n")[1])["model-index"]}
    front = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    body = re.sub(r"\A---\r?\n.*?\r?\n---\s*\n", "", text, count=1, flags=re.DOTALL)
    return f"---\n{front}---\n\n{_with_section(body, _section(rendered))}"


def _section(card: str) -> str:
    found = re.search(r"^## Metrics\n.*?(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return found[0].rstrip() + "\n" if found else ""


def _with_section(body: str, section: str) -> str:
    old = _section(body)
    if not old:
        return f"{body.rstrip()}\n\n{section}"
    return re.sub(
        r"^## Metrics\n.*?(?=^## |\Z)", lambda _: section + "\n", body, count=1, flags=re.MULTILINE | re.DOTALL
    )
