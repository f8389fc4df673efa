"""A comparison in files: comparison.json, which holds all of it, and the values of single images."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from i2izoo.errors import EvaluationError
from i2izoo.evaluation.json_files import finite, read_json
from i2izoo.evaluation.protocol import PROTOCOL, Protocol
from i2izoo.evaluation.result import PER_IMAGE, Comparison, Difference, Result
from i2izoo.files.tables import csv_text
from i2izoo.files.writing import write_text

COMPARISON = "comparison.json"


def to_dict(comparison: Comparison, root: Path | None = None) -> dict[str, Any]:
    """JSON: infinities and NaN as strings.

    Args:
        comparison: what `compare` gave.
        root: the folders of images are given relative to it; None: they are left out.
    """

    def place(folder: Path | None) -> str | None:
        return None if root is None or folder is None else Path(os.path.relpath(folder, root)).as_posix()

    rows = [{k: v for k, v in r.to_dict().items() if k != "protocol"} for r in comparison.results]
    return {
        "protocol": comparison.protocol.config,
        "results": [{**row, "images": place(r.images)} for row, r in zip(rows, comparison.results, strict=True)],
        "differences": [finite(asdict(d)) for d in comparison.differences],
        "inputs": place(comparison.inputs),
        "truths": place(comparison.truths),
    }


def from_dict(content: Mapping[str, Any], root: Path | None = None) -> Comparison:
    """The comparison that `to_dict` was made from.

    Raises:
        EvaluationError: something is missing or unknown in it.
    """

    def place(name: str | None) -> Path | None:
        return None if root is None or name is None else root / name

    try:
        protocol = Protocol(**content["protocol"])
        results = [Result.from_dict({**row, "protocol": content["protocol"]}) for row in content["results"]]
        for result, row in zip(results, content["results"], strict=True):
            result.images = place(row["images"])
        rows: list[dict[str, Any]] = [
            {k: float(v) if k in _NUMBERS else v for k, v in row.items()} for row in content["differences"]
        ]
        differences = [Difference(**row) for row in rows]
        return Comparison(protocol, results, differences, place(content["inputs"]), place(content["truths"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, EvaluationError):
            raise
        raise EvaluationError(f"this is no comparison: {type(error).__name__}: {error}.") from error


_NUMBERS = ("mean", "low", "high", "p", "p_adjusted")


def load_comparison(folder: str | os.PathLike[str]) -> Comparison:
    """Read what `compare` wrote into a folder.

    Raises:
        EvaluationError: there is no comparison.json, or it is damaged.
    """
    path = Path(folder).expanduser() / COMPARISON
    return from_dict(read_json(path, "comparison", "compare"), path.parent)


def save_comparison(comparison: Comparison, folder: Path) -> None:
    """Write protocol.json, comparison.json and per-image.csv."""
    write_text(folder / PROTOCOL, comparison.protocol.to_json())
    write_text(folder / PER_IMAGE, per_image_csv(comparison))
    write_text(folder / COMPARISON, json.dumps(to_dict(comparison, folder), indent=2, allow_nan=False) + "\n")


def per_image_csv(comparison: Comparison) -> str:
    """A line for each image of each model: name, model, and the metrics that have a value for each image."""
    labels = list(dict.fromkeys(label for result in comparison.results for label in result.values))
    rows: list[list[Any]] = [["name", "model", *labels]]
    for result in comparison.results:
        columns: list[list[Any]] = [result.values.get(label) or [None] * len(result.names) for label in labels]
        rows += [[name, result.model, *row] for name, *row in zip(result.names, *columns, strict=True)]
    return csv_text(rows)
