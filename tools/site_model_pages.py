"""A page for each pretrained entry, and the table of all of them."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from choosing import linked
from site_images import grid, pairs
from site_models import DOCS, Model, address, models, published, size

from i2izoo.contracts.metric import Score
from i2izoo.report.layout import lay_out_scores, title
from i2izoo.report.numbers import number, parameters, significant
from i2izoo.report.page import wrappable
from i2izoo.report.tables import markdown
from i2izoo.report.view import decimals

FACTS = {
    "data": "Data", "split": "Split", "steps": "Steps", "epochs": "Epochs", "batch_size": "Batch size",
    "crop_size": "Crop in pixels", "hardware": "Hardware", "seed": "Seed", "date": "Date",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Source of each page -> its Markdown, which `page` fills when it is built."""
    return {f"models/{address(m.name)}.md": f"---\ntitle: {m.name}\n---\n\n<!-- model {m.name} -->\n" for m in models()}


def images() -> dict[str, Path]:
    """Address -> image, of those that are not in docs/ already."""
    return {to: path for m in models() for to, path in m.images.items() if not path.is_relative_to(DOCS)}


# ------------------------------------------------------------------------------------------------------ one model


def page(base: str, name: str) -> str:
    """The page of an entry."""
    (model,) = (m for m in models() if m.name == name)
    return "\n\n".join(filter(None, _sections(model, base)))


def _sections(model: Model, base: str) -> Iterator[str]:
    yield f"# {model.name}"
    yield model.entry.description
    yield pairs(base, model.name)
    yield _use(model)
    yield "## Facts"
    yield _table({k: v for k, v in _facts(model).items() if v})
    yield from _scores(model, base)
    yield from map(functools.partial(_section, model), ("Limitations", "Notes"))
    yield "## Images" if model.images else ""
    for to, path in model.images.items():
        yield f"### {path.stem.replace('-', ' ').replace('_', ' ')}"
        yield grid(f"{base}{to}", f"{model.name}: {path.stem}")
    yield from _recipe(model)
    yield _section(model, "Citation")


def _use(model: Model) -> str:
    """How to load and call it, at the size that it knows where that is a small one."""
    to = f', to="{model.entry.domains[0]}"' if model.entry.domains else ""
    side = model.facts.get("crop_size") or 256
    small = f", size={side}" if side < 128 else ""
    source = next(iter(model.directions.values()), None)
    if model.config and source is None:
        lines = ["import i2izoo", "", f'model = i2izoo.load("{model.name}")', "images = model.generate(4, seed=0)"]
        return "\n".join(["```python", *lines, 'images[0].save("image.png")', "```"])
    (image, *_) = [*(DOCS.parent / "examples" / "images").glob(f"{source}.*"), Path("photo.png")]
    lines = [
        "import i2izoo",
        "",
        f'model = i2izoo.load("{model.name}")',
        f'result = model("examples/images/{image.name}"{to}{small})',
    ]
    return "\n".join(["```python", *lines, 'result.save("result.png")', "```"])


def _facts(model: Model) -> dict[str, str]:
    entry, facts = model.entry, model.facts
    made_of = not model.config or any(model.directions.values())
    times = {to: found for to in model.directions if (found := model.time(to))}
    if entry.bundled:
        place = f"{model.megabytes:.1f} MB, in the package `{model.distribution}`"
    else:
        place = f"on the Hub: [{entry.repo}](https://huggingface.co/{entry.repo}/tree/{entry.revision})"
    return {
        "Method": linked(entry.method, "../") + (f", learns from {model.learns_from}" if model.learns_from else ""),
        "Translates" if made_of else "Makes": ", ".join(_arrow(source, to) for to, source in model.directions.items()),
        "Networks": ", ".join(_networks(model.config.get("options", {}))),
        "Parameters": f"{model.parameters:,}" if model.parameters else "",
        "Weights": place,
        "Time": ", ".join(f"{significant(s, 1e3)} ms to {to} ({where})" for to, (s, where) in times.items()),
        "Licence": model.licence,
        **{label: str(facts[key]) for key, label in FACTS.items() if facts.get(key) is not None},
    }


def _networks(options: Mapping[str, Any]) -> list[str]:
    """`resnet_6blocks (width 24)` for the networks among a method's options."""
    found = []
    for option in ("generator", "encoder"):
        if isinstance(part := options.get(option), Mapping):
            width = f" (width {part['width']})" if "width" in part else ""
            found.append(f"`{part['name']}`{width}")
    return found


def _scores(model: Model, base: str) -> Iterator[str]:
    """Its own evaluations; else what comparisons on this site found; else what its card says."""
    compared = {name: (found.protocol, model.in_comparison(name)) for name, found in model.comparisons.items()}
    measured = [(title(r.protocol), r) for r in model.results] or [
        (f"{title(protocol)} ({name})", result) for name, (protocol, result) in compared.items()
    ]
    if not measured:
        yield _section(model, "Metrics").replace("## Metrics", "## Scores")
        return
    yield "## Scores"
    for said, result in measured:
        laid_out = lay_out_scores(result)
        laid_out.title = said
        yield markdown(laid_out)
    if compared:
        links = [
            f'- <a href="{base}assets/results/{name}.html">{html.escape(title(protocol))} ({name})</a>'
            for name, (protocol, _) in compared.items()
        ]
        yield "\n".join(["Reports with images, beside others:", "", *links])


def _recipe(model: Model) -> Iterator[str]:
    if recipe := model.entry.recipe_file():
        yield "## Recipe"
        yield f"```text\ni2izoo train --recipe {model.name} --data PATH --out runs/{model.name}\n```"
        yield f"```yaml\n{recipe.read_text(encoding='utf-8').strip()}\n```"


def _section(model: Model, heading: str) -> str:
    """One section of the card, as text whose commands need data that a reader may not have."""
    card = model.folder / "README.md" if model.folder else None
    text = card.read_text(encoding="utf-8") if card and card.is_file() else ""
    match = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    body = re.sub(r"^```\S+", "```text", match[1].strip(), flags=re.MULTILINE) if match else ""
    body = re.sub(r", (\w+ = \{)", r",\n  \1", body) if heading == "Citation" else body
    return f"## {heading}\n\n{body}" if body else ""


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {cell(v)} |" for k, v in rows.items())])


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")


def _arrow(source: str | None, to: str) -> str:
    return f"{source} → {to}" if source else to


# ----------------------------------------------------------------------------------------------------- all models


def table(base: str) -> str:
    """All models, a row for each direction: plain HTML, which docs/assets/models.js filters and table.js sorts."""
    rows = [(m, to, source) for m in models() for to, source in m.directions.items()]
    scores = [next((r.scores for r in m.results if r.protocol.to == to), {}) for m, to, _ in rows]
    metrics = [_metric(label, [found.get(label) for found in scores]) for label in dict.fromkeys(chain(*scores))]
    most = max((known for _, _, known in metrics), default=0)
    heads = [
        _head("Model", "model"),
        *(_head(text, "text", "data-filter") for text in ("Translates", "Method", "Learns from")),
        *(
            _head(text, "number", 'data-first="ascending"')
            for text in ("Learned at|px", "Parameters", "Size|MB", "Time|ms")
        ),
        *(_head(text, "metric", rest + " data-optional" * (known < most)) for (text, rest), _, known in metrics),
        _head("Measured on", "text"),
        _head("Licence", "text", "data-filter"),
    ]
    body = []
    for i, (model, to, source) in enumerate(rows):
        cells = _row(base, model, to, source, [column[i] for _, column, _ in metrics])
        body.append(f'<tr data-about="{html.escape(model.entry.description)}">{"".join(cells)}</tr>')
    return (
        '<div class="scores" id="zoo"><div class="wide" tabindex="0" role="group" aria-label="All models">'
        f'<table class="sortable"><thead><tr>{"".join(heads)}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
        f'</div>\n<script src="{base}assets/models.js" defer></script>'
    )


def authors(base: str) -> str:
    """All entries of checkpoints that their authors publish, as Markdown."""
    rows = [
        "| Name | Translates | Method | Fetches, MB | Learned from | Licence of the code |",
        "|---|---|---|--:|---|---|",
    ]
    for model in published():
        entry = model.entry
        ways = ", ".join(_arrow(source, to) for to, source in entry.directions.items())
        fetched = f"{entry.size / 1e6:.0f}" if entry.size else "-"
        facts = [f"`{model.name}`", ways, linked(entry.method, base), fetched]
        rows.append(f"| {' | '.join(map(cell, [*facts, entry.facts.get('data', ''), entry.licence]))} |")
    return "\n".join(rows)


def _head(text: str, kind: str, rest: str = "") -> str:
    """The head of a column; its unit follows a bar."""
    label, _, unit = text.partition("|")
    return f'<th scope="col" class="{kind}" {rest}>{label}{f" <small>{unit}</small>" if unit else ""}</th>'


def _metric(label: str, scores: list[Score | None]) -> tuple[tuple[str, str], list[str], int]:
    """Head and cells of a metric, and how many rows have it."""
    known = [score for score in scores if score and score.value is not None]
    higher, unit = all(score.higher_is_better for score in known), known[0].unit if known else ""
    text = f"{wrappable(label)} {'↑' if higher else '↓'}{f'|{unit}' if unit else ''}"
    first, places = "descending" if higher else "ascending", decimals(scores)
    cells = [_value(score and score.value, number(score and score.value, places)) for score in scores]
    return (text, f'data-first="{first}" title="{"higher" if higher else "lower"} is better"'), cells, len(known)


def _row(base: str, model: Model, to: str, source: str | None, scores: list[str]) -> Iterator[str]:
    name, time = html.escape(model.name), model.time(to)
    measured = next((r.protocol for r in model.results if r.protocol.to == to), None)
    yield f'<th scope="row" class="model"><a class="name" href="{base}models/{address(name)}/">{name}</a></th>'
    for text in (_arrow(source, to), model.entry.method, model.learns_from):
        yield f'<td class="text">{html.escape(text)}</td>'
    side = model.facts.get("crop_size")
    yield _value(side, str(side))
    yield _value(model.parameters or None, parameters(model.parameters))
    yield _value(model.megabytes, significant(model.megabytes))
    yield _value(time and time[0], significant(time and time[0], 1e3), time[1] if time else "")
    yield from scores
    where = ", ".join(filter(None, [measured.data, size(measured)])) if measured else ""
    yield f'<td class="text">{html.escape(where)}</td><td class="text">{html.escape(model.licence)}</td>'


def _value(value: float | None, text: str, about: str = "") -> str:
    if value is None:
        return '<td class="none">-</td>'
    shown = f' title="{html.escape(about)}"' if about else ""
    return f'<td data-value="{value!r}"{shown}>{html.escape(text)}</td>'
