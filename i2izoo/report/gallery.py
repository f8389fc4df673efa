"""The images of the report: cases side by side, and what the scripts need to choose among them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from i2izoo.evaluation.result import Comparison
from i2izoo.report.images import QUALITY, THUMBNAIL, Embedded, Shown, embed, longest_side, sides
from i2izoo.report.selection import by_rank, extremes, spread
from i2izoo.report.view import Column, names

EXTREME_BYTES = 4_000_000
"""So many bytes go to the worst and best cases, beyond the ones that are spread evenly."""
THUMBNAILS = 800
"""The scatter's small images are embedded while there are no more than these."""
POINTS = 4000
"""The scatter draws about so many points at most."""


@dataclass(frozen=True)
class Figure:
    """One side of a case: its image, None where there is none, and (metric, value, is it the best?) of a model."""

    title: str
    image: Embedded | None
    scores: list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Gallery:
    """What `gather` found.

    Attributes:
        cases: (name, is it hidden at first?, its figures) of each case that is embedded.
        data: for the scripts, JSON.
        note: what a reader must know of the images, a sentence, or "".
    """

    cases: list[tuple[str, bool, list[Figure]]]
    data: dict[str, Any]
    note: str = ""


def gather(
    comparison: Comparison,
    columns: list[Column],
    count: int,
    chosen: Sequence[str],
    small: tuple[int, int] | None = None,
) -> Gallery:
    """Choose the cases and embed their images: chosen ones always, the worst and best while the page stays small.

    Args:
        comparison: whose images they are.
        columns: its metrics.
        count: of the cases that are spread evenly, over those that have images.
        chosen: names that come first.
        small: longest side and quality of the images, and no others than those of `count` and `chosen`; None: as
            they are, with the worst, the best and the small images of the scatter plot.
    """
    every, shown, lists = names(comparison), sides(comparison), extremes(columns)
    spread(every, count, chosen)  # refuses names that were not evaluated
    kept = [name for name in every if name in chosen or any(side.path(name).exists() for side in shown)]
    picked = spread(kept or every, count, chosen) if shown else []
    longest, quality = small or (longest_side(shown, picked), QUALITY)
    embedded: dict[str, list[Embedded | None]] = {}

    def add(name: str) -> int:
        found = [embed(side.path(name), longest, quality) for side in shown]
        if any(found):
            embedded[name] = found
        return sum(len(image.uri) for image in found if image)

    for name in picked:
        add(name)
    spent = 0
    for rank, name in by_rank(list(lists.values()), without=picked) if small is None and picked else ():
        if spent > EXTREME_BYTES or (rank and len(embedded) >= 3 * len(picked)):
            break
        spent += add(name)
    reduced = any(image and image.reduced for images in embedded.values() for image in images)
    data = {
        **_points(comparison, columns, every, shown if picked and small is None else [], embedded),
        "sides": [{"title": side.title, "model": side.model} for side in shown],
        "chosen": [name for name in picked if name in embedded],
        "named": bool(chosen),
    }
    for metric in data["metrics"]:
        k = metric.pop("column")
        for end in ("worst", "best"):
            ranked = [lists.get((k, m, end), []) for m in range(len(comparison.results))]
            metric[end] = [_prefix(ranks, embedded) for ranks in ranked]
    cases = [(name, name not in picked, _figures(name, shown, images, columns)) for name, images in embedded.items()]
    return Gallery(cases, data, f"Images larger than {longest} px are reduced to that." if reduced else "")


def _figures(name: str, shown: list[Shown], images: list[Embedded | None], columns: list[Column]) -> list[Figure]:
    figures = []
    for side, image in zip(shown, images, strict=True):
        own = [] if side.model is None else [(column, column.values[side.model].get(name)) for column in columns]
        scores = [(c.label, c.text(value), value == c.best_of(name)) for c, value in own if value is not None]
        figures.append(Figure(side.title, image, scores))
    return figures


def _points(
    comparison: Comparison, columns: list[Column], every: list[str], shown: list[Shown], embedded: dict[str, Any]
) -> dict[str, Any]:
    """The scatter plot: values of single images, and the small images of those that are not on the page in full."""
    step = -(-len(every) // POINTS) or 1  # of very many images the scatter draws every second, third ...
    points = [name for i, name in enumerate(every) if i % step == 0 or name in embedded]
    rest = [name for name in points if name not in embedded]
    thumbnails: dict[str, list[str | None]] = {}
    if shown and len(rest) * len(shown) <= THUMBNAILS:
        for name in rest:
            found = [embed(side.path(name), THUMBNAIL, quality=70) for side in shown]
            thumbnails[name] = [image.uri if image else None for image in found]
    metrics = [
        {
            "column": k,
            "label": column.label,
            "unit": column.unit,
            "higher": column.higher,
            "decimals": column.decimals,
            "values": [[_plain(values.get(name)) for name in points] for values in column.values],
        }
        for k, column in enumerate(columns)
        if any(column.values)
    ]
    return {
        "models": [result.model for result in comparison.results],
        "metrics": metrics,
        "names": points,
        "left_out": len(every) - len(points),
        "thumbnails": thumbnails,
    }


def _plain(value: float | None) -> float | None:
    """JSON has no infinity and no NaN; six digits are enough for a point."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _prefix(ranked: list[str], embedded: dict[str, Any]) -> list[str]:
    """The first ranks, up to the first that is not on the page."""
    return ranked[: next((i for i, name in enumerate(ranked) if name not in embedded), len(ranked))]


def script_json(data: Any) -> str:
    """JSON that cannot end the script element that holds it.

    >>> script_json("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
