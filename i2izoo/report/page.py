"""A comparison as one HTML file that opens offline and can be sent to a colleague."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from i2izoo.errors import EvaluationError
from i2izoo.evaluation.result import Comparison
from i2izoo.files.writing import write_text
from i2izoo.report.cases import Gallery, gather, script_json
from i2izoo.report.charts import bars, difference_charts
from i2izoo.report.images import STEPS
from i2izoo.report.protocol import definition_list, folded
from i2izoo.report.table import table
from i2izoo.report.view import Column, columns

REPORT = "report.html"
"""Name of the file in the folder of a comparison."""
ASSETS = files("i2izoo.report") / "assets"
SCRIPTS = ("table.js", "scatter.js", "images.js", "viewer.js", "copy.js")


def write_report(
    comparison: Comparison,
    path: str | os.PathLike[str],
    *,
    cases: int = 12,
    chosen: Sequence[str] = (),
    max_bytes: int | None = None,
) -> Path:
    """Write the report of a comparison: table, tests, charts and images in one file that asks for nothing outside.

    The same comparison gives the same bytes. It is written whole or not at all.

    Args:
        comparison: what `i2izoo.compare` gave; the folders of its images may be missing.
        path: of the HTML file; its folder is made.
        cases: number of images shown side by side, spread evenly. The worst and best by each metric that has a
            value for every image come on top, while the page stays a few megabytes. 0: no images.
        chosen: names of images to show first; they count among `cases`.
        max_bytes: size of the file at most: the images get the largest side and quality that fit, and no others than
            those of `cases` are in it. None: a few megabytes.

    Returns:
        The path.

    Raises:
        EvaluationError: there is no model, a chosen name was not evaluated, `path` is a folder, or the page does not
            fit into `max_bytes`.
    """
    path = Path(path)
    if path.is_dir():
        raise EvaluationError(f"{path} is a folder; give the name of a file in it, such as {path / 'report.html'}.")
    if not comparison.results:
        raise EvaluationError("The comparison has no model; compare at least one.")
    write_text(path, _page_within(comparison, cases, chosen, max_bytes))
    return path


def _page_within(comparison: Comparison, cases: int, chosen: Sequence[str], max_bytes: int | None) -> str:
    """The page with the largest images that fit."""
    if max_bytes is None:
        return page(comparison, cases, chosen)
    for small in STEPS:
        text = page(comparison, cases, chosen, small)
        if (size := len(text.encode())) <= max_bytes:
            return text
    raise EvaluationError(
        f"the report has {size:,} bytes with images of {small[0]} pixels, and max_bytes is {max_bytes:,}; show fewer "
        f"than {cases} cases, or allow more bytes."
    )


def page(
    comparison: Comparison, cases: int = 12, chosen: Sequence[str] = (), small: tuple[int, int] | None = None
) -> str:
    """The HTML of `write_report`; `small` is the longest side and the quality of images where bytes are counted."""
    metrics = columns(comparison)
    gathered = gather(comparison, metrics, cases, chosen, small)
    body = {
        "title": escape(_title(comparison)),
        "logo": _asset("logo.svg"),
        "lead": _lead(comparison),
        "protocol": definition_list(comparison.protocol),
        "folded": folded(comparison.protocol),
        "table": table(comparison, metrics),
        "bars": _section("Scores", f'<div class="panels">{bars(comparison, metrics)}</div>') if metrics else "",
        "differences": _section("Which differences are real", difference_charts(comparison, metrics)),
        "scatter": _scatter(comparison, metrics),
        "images": _images(gathered),
        "data": script_json(gathered.data),
        "css": _asset("report.css"),
        "scripts": "\n".join(f'<script type="module">\n{_asset(name)}</script>' for name in SCRIPTS),
    }
    size = sum(len(part.encode("utf-8", "replace")) for part in body.values())
    body["foot"] = (
        f"Written by i2izoo{_version(comparison)}: one file of {size / 1e6:.1f} MB that needs nothing from outside. "
        f"Images are WebP, exact where they have few colours. {gathered.note}"
    )
    text = Template(_asset("page.html")).substitute(body)
    return text.encode("utf-8", "replace").decode("utf-8")  # names of files may hold bytes that are no text


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _version(comparison: Comparison) -> str:
    version = comparison.protocol.versions.get("i2izoo")
    return f" {escape(version)}" if version else ""


def _title(comparison: Comparison) -> str:
    protocol = comparison.protocol
    return f"{protocol.source or 'nothing'} to {protocol.to} on {protocol.data}"


def _lead(comparison: Comparison) -> str:
    models = [result.model for result in comparison.results]
    images = f"{comparison.protocol.n} image{'s' if comparison.protocol.n != 1 else ''}"
    if len(models) == 1:
        return f"<b>{escape(models[0])}</b> on {images}"
    return f"{len(models)} models on {images}"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _scatter(comparison: Comparison, metrics: list[Column]) -> str:
    series = sum(len(values) > 1 for column in metrics for values in column.values)
    if series < 2:
        return ""
    return _section(
        "Image by image",
        '<form class="controls" id="axes"><label>across <select name="x"></select></label>'
        '<label>up <select name="y"></select></label></form>'
        '<div class="scatter"><div id="plot"></div><aside id="point" aria-live="polite"></aside></div>',
    )


def _images(gathered: Gallery) -> str:
    if not gathered.shown:
        return ""
    return _section(
        "Images",
        '<form class="controls" id="which"><fieldset><legend>Show</legend>'
        '<label><input type="radio" name="kind" value="chosen" checked><span>a selection</span></label>'
        '<label><input type="radio" name="kind" value="worst"><span>worst</span></label>'
        '<label><input type="radio" name="kind" value="best"><span>best</span></label></fieldset>'
        '<label>by <select name="metric"></select></label><label>of <select name="model"></select></label></form>'
        '<p id="told" class="legend"></p>'
        f'<div id="cases">{"".join(gathered.html)}</div>',
    )
