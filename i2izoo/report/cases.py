"""The images of the report: cases side by side, and what the scripts need to choose among them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
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


@dataclass
class Gallery:
    """What `gather` found.

    Attributes:
        html: a section for each case that is embedded.
        data: for the scripts, JSON.
        shown: number of cases that are embedded.
        note: what a reader must know of the images, a sentence, or "".
    """

    html: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    shown: int = 0
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
    every = names(comparison)
    shown = sides(comparison)
    kept = [name for name in every if name in chosen or any(side.path(name).exists() for side in shown)]
    spread(every, count, chosen)  # refuses names that were not evaluated
    picked = spread(kept or every, count, chosen)
    lists = extremes(columns)
    gathered = Gallery()
    embedded: dict[str, list[Embedded | None]] = {}
    if shown and picked:
        longest, quality = small or (longest_side(shown, picked), QUALITY)
        embedded = {name: [embed(side.path(name), longest, quality) for side in shown] for name in picked}
        spent = 0
        for rank, name in by_rank(list(lists.values()), without=picked) if small is None else ():
            if spent > EXTREME_BYTES or (rank and len(embedded) >= 3 * len(picked)):
                break
            embedded[name] = [embed(side.path(name), longest, quality) for side in shown]
            spent += sum(len(image.uri) for image in embedded[name] if image)
        embedded = {name: images for name, images in embedded.items() if any(images)}
        if any(image and image.reduced for images in embedded.values() for image in images):
            gathered.note = f"Images larger than {longest} px are reduced to that."
    gathered.shown = len(embedded)
    gathered.html = [
        _section(name, images, shown, columns, hidden=name not in picked) for name, images in embedded.items()
    ]
    picked = [name for name in picked if name in embedded]
    thumbs = THUMBNAILS if small is None else 0
    gathered.data = _data(comparison, columns, every, picked, embedded, lists, shown, bool(chosen), thumbs)
    return gathered


def _section(name: str, images: list[Embedded | None], shown: list[Shown], columns: list[Column], hidden: bool) -> str:
    best: dict[str, float] = {}
    for column in columns:
        values = [v[name] for v in column.values if name in v]
        if len(values) > 1:
            best[column.label] = (max if column.higher else min)(values)
    figures = "".join(_figure(name, side, image, columns, best) for side, image in zip(shown, images, strict=True))
    return (
        f'<section class="case" data-name="{escape(name)}"{" hidden" if hidden else ""}>'
        f'<h3>{escape(name)}</h3><div class="row">{figures}</div></section>'
    )


def _figure(name: str, side: Shown, image: Embedded | None, columns: list[Column], best: dict[str, float]) -> str:
    title = escape(side.title)
    if image:
        shown = (
            f'<button type="button" class="frame" aria-label="{title}: enlarge"><img src="{image.uri}" '
            f'width="{image.width}" height="{image.height}" alt="{title} of {escape(name)}"></button>'
        )
    else:
        shown = '<div class="frame missing">no image</div>'
    scores = ""
    if side.model is not None:
        for column in columns:
            value = column.values[side.model].get(name)
            if value is not None:
                mark = ' class="best"' if best.get(column.label) == value else ""
                scores += f"<div{mark}><dt>{escape(column.label)}</dt><dd>{column.text(value)}</dd></div>"
    return (
        f'<figure>{shown}<figcaption><span class="name" title="{title}">{title}</span>'
        f"{f'<dl>{scores}</dl>' if scores else ''}</figcaption></figure>"
    )


def _data(
    comparison: Comparison,
    columns: list[Column],
    every: list[str],
    picked: list[str],
    embedded: dict[str, list[Embedded | None]],
    lists: dict[tuple[int, int, str], list[str]],
    shown: list[Shown],
    named: bool,
    most_thumbnails: int,
) -> dict[str, Any]:
    scored = [k for k, column in enumerate(columns) if any(column.values)]
    step = -(-len(every) // POINTS) or 1  # of very many images the scatter draws every second, third ...
    points = [name for i, name in enumerate(every) if i % step == 0 or name in embedded]
    small = [name for name in points if name not in embedded]
    thumbnails: dict[str, list[str | None]] = {}
    if shown and picked and len(small) * len(shown) <= most_thumbnails:
        for name in small:
            found = [embed(side.path(name), THUMBNAIL, quality=70) for side in shown]
            thumbnails[name] = [image.uri if image else None for image in found]
    return {
        "models": [result.model for result in comparison.results],
        "sides": [{"title": side.title, "model": side.model} for side in shown],
        "metrics": [
            {
                "label": columns[k].label,
                "unit": columns[k].unit,
                "higher": columns[k].higher,
                "decimals": columns[k].decimals,
                "values": [[_plain(values.get(name)) for name in points] for values in columns[k].values],
                "worst": [_prefix(lists.get((k, m, "worst"), []), embedded) for m in range(len(comparison.results))],
                "best": [_prefix(lists.get((k, m, "best"), []), embedded) for m in range(len(comparison.results))],
            }
            for k in scored
        ],
        "names": points,
        "left_out": len(every) - len(points),
        "chosen": picked,
        "named": named,
        "thumbnails": thumbnails,
    }


def _plain(value: float | None) -> float | None:
    """JSON has no infinity and no NaN; six digits are enough for a point."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _prefix(ranked: list[str], embedded: dict[str, list[Embedded | None]]) -> list[str]:
    """The first ranks, up to the first that is not on the page."""
    missing = next((i for i, name in enumerate(ranked) if name not in embedded), len(ranked))
    return ranked[:missing]


def script_json(data: Any) -> str:
    """JSON that cannot end the script element that holds it.

    >>> script_json("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
