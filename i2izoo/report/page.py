"""A comparison as one HTML file that opens offline and can be sent to a colleague."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from i2izoo.errors import EvaluationError
from i2izoo.evaluation.result import Comparison
from i2izoo.files.writing import write_text
from i2izoo.report.charts import bars, tests
from i2izoo.report.gallery import gather, script_json
from i2izoo.report.images import STEPS
from i2izoo.report.layout import lay_out
from i2izoo.report.numbers import number, probability
from i2izoo.report.view import columns

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
    gallery = gather(comparison, metrics, cases, chosen, small)
    protocol = json.dumps(comparison.protocol.config, indent=2, ensure_ascii=False)
    text = (
        _environment()
        .get_template("page.html")
        .render(
            comparison=comparison,
            protocol=comparison.protocol,
            protocol_json=protocol,
            protocol_uri=base64.b64encode(protocol.encode("utf-8", "replace")).decode("ascii"),
            table=Markup(table(comparison)),
            bars=bars(comparison, metrics),
            tests=tests(comparison, metrics),
            points=sum(len(values) > 1 for column in metrics for values in column.values) > 1,
            gallery=gallery,
            data=Markup(script_json(gallery.data)),
            scripts=[_asset(name) for name in SCRIPTS],
        )
    )
    return text.encode("utf-8", "replace").decode("utf-8")  # names of files may hold bytes that are no text


def table(comparison: Comparison, name: str = "scores", intervals: bool = True) -> str:
    """The table of the report alone, for another page that holds `table.css` and `table.js` of this room.

    Args:
        comparison: what `i2izoo.compare` gave.
        name: of the table, unique on the page.
        intervals: are the confidence intervals shown before a reader asks for them?
    """
    template = _environment().get_template("table.html")
    return template.render(
        table=lay_out(comparison).shown, protocol=comparison.protocol, id=name, intervals=intervals
    ).strip()


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("i2izoo.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"asset": _asset, "number": number, "probability": probability}
    made.filters["wrappable"] = wrappable
    return made


def wrappable(label: str) -> Markup:
    """The label of a metric as HTML that may go on in another line between its words.

    >>> print(wrappable("fcn_score.class_iou"))
    fcn_<wbr>score.<wbr>class_<wbr>iou
    """
    return Markup(re.sub(r"([._]|(?=\[))", r"\1<wbr>", str(escape(label))))


def _asset(name: str) -> Markup:
    return Markup((ASSETS / name).read_text(encoding="utf-8"))
