"""What the studies of this folder share: their settings, their tables of means over seeds, and the files they leave."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2izoo.evaluation.statistics import student_interval
from i2izoo.files.writing import write_text


def parse(
    doc: str,
    usual: Mapping[str, Any],
    tiny: Mapping[str, Any],
    about: Mapping[str, tuple[type, str]],
    runs: Iterable[str],
    words: list[str] | None = None,
) -> argparse.Namespace:
    """The settings of a study.

    Args:
        doc: what the script says of itself; its first line is shown.
        usual: setting -> value.
        tiny: settings that are others where no --data is given.
        about: setting -> type and meaning, of those that the command line has; `data` and `out` are among them.
        runs: what --only may name, with commas; by default all, or those of the setting `only`.
        words: of the command line; None: the program's own.
    """
    names = list(runs)
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name, (kind, meaning) in about.items():
        shown = "" if usual.get(name) is None else f" ({usual[name]})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=meaning + shown)
    parser.add_argument("--only", help=f"some of what is compared, with commas: {', '.join(names)}")
    given = {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}
    found = {"data": None, **usual, **({} if "data" in given else tiny), **given}
    only = found.get("only", names)
    found["only"] = [name.strip() for name in only.split(",")] if isinstance(only, str) else list(only)
    if unknown := [name for name in found["only"] if name not in names]:
        parser.error(f"there is no {unknown[0]!r} in the study; it has {', '.join(names)}")
    return argparse.Namespace(**found)


def cell(values: Sequence[float] | None, digits: int) -> str:
    """The mean over seeds, ± half of Student's 95 % interval where seeds differ.

    >>> cell([1.0, 2.0, 3.0], 2), cell([0.5], 1), cell(None, 1)
    ('2.00 ± 2.48', '0.5', '-')
    """
    if not values:
        return "-"
    low, high = student_interval(values)
    spread = "" if low is None or high is None or high - low < 1e-9 else f" ± {(high - low) / 2:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f}{spread}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown, with all columns but the first to the right.

    >>> print(table(["Run", "fid"], [["pix2pix", "48.6"]]))
    | Run | fid |
    |---|---:|
    | pix2pix | 48.6 |
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"|{'|'.join(line)}|" if line is lines[1] else f"| {' | '.join(line)} |" for line in lines)


def add_scores(figures: dict[str, list[float]], scores: Mapping[str, Any]) -> None:
    """Append what one seed's evaluation found; `fid[efficientnet_lite0]` is `fid` here."""
    for label, score in scores.items():
        if score.value is not None:
            figures.setdefault(label.partition("[")[0] + label.partition("]")[2], []).append(score.value)


def write(out: Path, found: Mapping[str, Any], text: str) -> None:
    """Leave the figures and their tables in the folder of the study."""
    write_text(out / "study.json", json.dumps(found, indent=1) + "\n")
    write_text(out / "tables.md", text + "\n")
