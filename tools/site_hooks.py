"""What the site computes while it is built: pages of models, tables of parts, options and results, the small reports.

mkdocs calls `on_config`, `on_files`, `on_page_markdown` and `on_page_content` (`hooks:` in mkdocs.yml); the tests call
`fill`. A page asks for generated Markdown with a comment such as `<!-- models -->`.
"""

from __future__ import annotations

import functools
import html
import inspect
import json
import math
import re
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from i2izoo.contracts import describe
from i2izoo.contracts.listing import list_parts
from i2izoo.contracts.registry import KINDS, registry, resolve, singular
from i2izoo.interfaces import Metric, SetMetric
from i2izoo.report.layout import lay_out
from i2izoo.report.page import ASSETS, table, write_report

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "examples")]
import choosing
import cli_reference
import site_model_pages
import stored
import study as _shared  # noqa: F401  (mkdocs takes sys.path back, and the scripts of studies then find this loaded)
import zoo_table
from site_images import pairs, samples
from site_model_pages import cell
from site_tables import arrange

DOCS = stored.DOCS
EXAMPLES = Path(__file__).parents[1] / "examples"
REPORT_BYTES = 500_000


def on_config(config: Any) -> Any:
    """mkdocs' hook: every model is below "Models" in the navigation."""
    for item in config.nav:
        if "Models" in item:
            item["Models"] += site_model_pages.pages()
    return config


def on_files(files: Any, *, config: Any) -> Any:
    """mkdocs' hook: what nobody has to keep in docs/: pages of models, reports, notebooks, the table of the reports."""
    from mkdocs.structure.files import File

    for source, text in site_model_pages.pages().items():
        files.append(File.generated(config, source, content=text))
    for address, path in site_model_pages.images().items():
        files.append(File.generated(config, address, abs_src_path=str(path)))
    for path in sorted(stored.RESULTS.glob("*.json")):
        files.append(File.generated(config, f"assets/results/{path.stem}.html", content=report(path.stem)))
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        files.append(File.generated(config, f"assets/{path.name}", content=path.read_text(encoding="utf-8")))
    files.append(File.generated(config, "assets/zoo.csv", content=zoo_table.text()))
    for name in ("table.css", "table.js"):
        files.append(File.generated(config, f"assets/{name}", abs_src_path=str(ASSETS / name)))
    return files


@functools.cache
def report(name: str) -> str:
    """The small report of a stored comparison: all figures, and the images of its cases."""
    with tempfile.TemporaryDirectory() as folder:
        comparison = stored.with_images(name, Path(folder, "images"))
        page = write_report(comparison, Path(folder, "report.html"), max_bytes=REPORT_BYTES)
        return page.read_text(encoding="utf-8")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """mkdocs' hook: links to assets are relative to the page."""
    return fill(markdown, page.url.count("/") * "../")


def on_page_content(content: str, **_: Any) -> str:
    """mkdocs' hook: tables that a phone can show."""
    return arrange(content)


def fill(markdown: str, base: str = "") -> str:
    """Replace the comments that name one of the functions below, such as `<!-- models -->`.

    Args:
        markdown: of a page.
        base: from the page's address to the root of the site.
    """
    makers = {
        "models": site_model_pages.table, "model": site_model_pages.page, "comparison": comparison, "parts": parts,
        "metrics": metrics, "images": pairs, "samples": samples, "options": options, "help": command_help,
        "choosing": choosing_table, "study": study, "authors": site_model_pages.authors,
    }  # fmt: skip

    def made(match: re.Match[str]) -> str:
        return makers[match[1]](base, *match[2].split())

    return re.sub(rf"<!-- ({'|'.join(makers)})\b(.*?)-->", made, markdown)


# ------------------------------------------------------------------------------------------------------ comparison


def comparison(base: str, name: str) -> str:
    """The table of a stored comparison, and a link to its small report."""
    found = stored.figures(name)
    laid_out = lay_out(found)
    parts = [
        html.escape(laid_out.title),
        f'<a class="md-button" href="{base}assets/results/{name}.html">Open the report with images</a>',
        table(found, name, intervals=False),
    ]
    if laid_out.sentences:
        hidden = "\n".join(f"    - {html.escape(sentence, quote=False)}" for sentence in laid_out.sentences)
        count = f"{len(laid_out.sentences)} difference{'s' * (len(laid_out.sentences) > 1)}"
        parts.append(f'??? note "{count}, tested in pairs"\n\n{hidden}')
    return "\n\n".join(parts)


# ----------------------------------------------------------------------------------------------------------- parts


def parts(base: str) -> str:
    """A table of the built-in parts of every kind: name and first line of the docstring."""
    tables = []
    for kind in KINDS:
        names = [n for n in list_parts(kind) if kind != "pretrained"]
        if names:
            rows = [
                f"| `{n}` | {cell(html.escape(describe.first_line(registry(kind).get(n)), quote=False))} |"
                for n in names
            ]
            tables += [f"## {singular(kind).capitalize()}", "\n".join(["| Name | What |", "|---|---|", *rows])]
    return "\n\n".join(tables)


# --------------------------------------------------------------------------------------------------------- metrics

INPUTS = {
    "prediction": "translation", "target": "truth", "source": "input", "samples": "several translations",
    "model": "the model itself",
}  # fmt: skip


def metrics(base: str) -> str:
    """A section for each metric: what it is, its range, what it wants, its options."""
    sections = []
    for name in list_parts("metrics"):
        metric = registry("metrics").get(name)
        sections += [f"## `{name}` {'↑' if metric.higher_is_better else '↓'}", _prose(metric), _metric_facts(metric)]
    return "\n\n".join(filter(None, sections))


def _prose(part: type) -> str:
    """The docstring up to its sections and examples, as Markdown."""
    text = re.split(r"\n\s*(?:Args|Attributes|Raises|Returns):\s*\n|\n\s*>>>", inspect.getdoc(part) or "")[0]
    return html.escape(text.strip(), quote=False)


def _metric_facts(metric: type[Metric]) -> str:
    low, high = (f"{bound:g}" if math.isfinite(bound) else "∞" if bound > 0 else "-∞" for bound in metric.bounds)
    weights = [f"`{w.file}` ({w.licence})" for w in describe.weights_of(metric)]
    reference = ["all truths"] if issubclass(metric, SetMetric) else []
    rows = {
        "Range": f"{low} to {high}{' ' + metric.unit if metric.unit else ''}",
        "Looks at": ", ".join([*(INPUTS[i] for i in metric.inputs), *reference]),
        "Images": f"at least {metric.min_samples}"
        + (f", better {metric.advised_samples}" if metric.advised_samples > metric.min_samples else ""),
        "Weights": ", ".join(weights) or "none",
    }
    own = {option.name: option.default for option in describe.options(metric)}
    if metric.qualifier is not None:
        rows["Variants"] = f"option `{metric.qualifier}`, in brackets; default `{own.pop(metric.qualifier)}`"
    if own:
        rows["Options"] = ", ".join(f"`{name}` = `{default or 'required'}`" for name, default in own.items())
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {cell(v)} |" for k, v in rows.items())])


# --------------------------------------------------------------------------------------------------------- options


def options(base: str, place: str) -> str:
    """A table of the options of the class at `package.module:Class`: type, default, and what its docstring says."""
    rows = ["| Option | Type | Default | |", "|---|---|---|---|"]
    for option in describe.options(resolve(place)):
        default = "required" if option.default is None else f"`{option.default}`"
        rows.append(f"| `{option.name}` | {cell(option.kind)} | {cell(default)} | {cell(option.about)} |")
    return "\n".join(rows)


def study(base: str, script: str) -> str:
    """The tables of a study's stored figures, as its script of that name in examples/ lays them out."""
    path = DOCS / "assets" / "studies" / f"{script.removesuffix('_study')}.json"
    if not path.exists():
        return "*The study has not been run at its full size yet.*"
    found = json.loads(path.read_text(encoding="utf-8"))
    return str(runpy.run_path(str(EXAMPLES / f"{script}.py"))["tables"](found))


def command_help(base: str, *words: str) -> str:
    """A command with its arguments, each with an anchor."""
    return cli_reference.command(*words)


def choosing_table(base: str) -> str:
    """The table of "Choose a method"."""
    return choosing.table()
