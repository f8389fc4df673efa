"""What the site computes while it is built: gallery, tables of parts, options and results, and the small reports.

mkdocs calls `on_files` and `on_page_markdown` (`hooks:` in mkdocs.yml); the tests call `fill`. A page asks for
generated Markdown with a comment such as `<!-- gallery -->`.
"""

from __future__ import annotations

import functools
import html
import inspect
import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2izoo.contracts import describe
from i2izoo.contracts.listing import list_parts
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import KINDS, registry, resolve, singular
from i2izoo.interfaces import Metric, SetMetric
from i2izoo.models.cards import read_card
from i2izoo.report.layout import lay_out
from i2izoo.report.page import write_report
from i2izoo.report.tables import markdown

sys.path.append(str(Path(__file__).parent))
import choosing
import cli_reference
import stored

DOCS = stored.DOCS
REPORT_BYTES = 500_000
FACTS = {
    "data": "Data", "split": "Split", "steps": "Steps", "epochs": "Epochs", "batch_size": "Batch size",
    "crop_size": "Crop in pixels", "hardware": "Hardware", "seed": "Seed",
}  # fmt: skip


def on_files(files: Any, *, config: Any) -> Any:
    """mkdocs' hook: the small reports are files of the site that nobody has to keep; notebooks lie in examples/."""
    from mkdocs.structure.files import File

    for path in sorted(stored.RESULTS.glob("*.json")):
        files.append(File.generated(config, f"assets/results/{path.stem}.html", content=report(path.stem)))
    for path in sorted((DOCS.parent / "examples").glob("*.ipynb")):
        files.append(File.generated(config, f"assets/{path.name}", content=path.read_text(encoding="utf-8")))
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


def fill(markdown: str, base: str = "") -> str:
    """Replace the comments that name one of the functions below, such as `<!-- gallery -->`.

    Args:
        markdown: of a page.
        base: from the page's address to the root of the site.
    """
    makers = {
        "gallery": gallery, "comparison": comparison, "parts": parts, "metrics": metrics, "images": images,
        "samples": samples, "options": options, "help": command_help, "choosing": choosing_table,
    }  # fmt: skip

    def made(match: re.Match[str]) -> str:
        return makers[match[1]](base, *match[2].split())

    return re.sub(rf"<!-- ({'|'.join(makers)})\b(.*?)-->", made, markdown)


# -------------------------------------------------------------------------------------------------------- images


def images(base: str, name: str) -> str:
    """The pairs of `docs/assets/home/NAME` side by side: `1-label-in.webp` beside `1-photo-out.webp` and so on."""
    folder = DOCS / "assets" / "home" / name
    shown = []
    for source in sorted(folder.glob("*-in.webp")):
        number, domain = source.stem.removesuffix("-in").split("-", 1)
        for result in sorted(folder.glob(f"{number}-*-out.webp")):
            target = result.stem.removesuffix("-out").split("-", 1)[1]
            pair = "".join(
                f'<img src="{base}assets/home/{name}/{path.name}" alt="{html.escape(text)}" width="256" height="256">'
                for path, text in ((source, f"input: {domain}"), (result, f"output: {target}"))
            )
            shown.append(f'<figure class="pair">{pair}<figcaption>{domain} → {target}</figcaption></figure>')
    return f'<div class="pairs">{"".join(shown)}</div>' if shown else ""


def samples(base: str, name: str) -> str:
    """The grid `docs/assets/gallery/NAME/samples.webp`: input, several samples, truth."""
    return (
        f'<figure class="grid-of-samples"><img src="{base}assets/gallery/{name}/samples.webp" loading="lazy" '
        f'alt="{html.escape(name)}: samples"></figure>'
    )


# --------------------------------------------------------------------------------------------------------- gallery


def gallery(base: str) -> str:
    """A section for each pretrained entry."""
    entries = {name: registry("pretrained").get(name) for name in registry("pretrained").names()}
    return "\n\n".join(_entry(name, entry, base) for name, entry in entries.items())


def _entry(name: str, entry: PretrainedEntry, base: str) -> str:
    to = f', to="{entry.domains[0]}"' if entry.domains else ""
    source = found if (found := _source(entry)) in ("label", "damaged") else "photo"
    sections = [
        f"## {name}",
        entry.description,
        *_shown(name, base),
        _use(name, f"examples/images/{source}.png", to, _config(entry).get("provenance", {}).get("crop_size")),
    ]
    if entry.bundled is None:
        place = f"https://huggingface.co/{entry.repo}/tree/{entry.revision}"
        sections.append(f"Method `{entry.method}`, licence {entry.licence}, on the Hub: [{entry.repo}]({place}).")
        return "\n\n".join(filter(None, sections))
    folder = entry.folder()
    card = read_card(folder)
    config = _config(entry)
    facts = config.get("provenance") or {}
    size = (folder / "model.safetensors").stat().st_size
    rows = {
        "Method": f"`{config['method']}`",
        "Translates to": ", ".join(f"`{d}`" for d in entry.domains),
        "Networks": ", ".join(_networks(config["options"])),
        "Licence": card.get("license_name") or card.get("license") or entry.licence,
        "Size": f"{size / 1e6:.1f} MB, in the package",
        **{label: str(facts[key]) for key, label in FACTS.items() if facts.get(key) is not None},
    }
    sections.append("\n".join(["| | |", "|---|---|", *(f"| {k} | {_cell(v)} |" for k, v in rows.items() if v)]))
    text = re.sub(r"\A---.*?\n---\s", "", (folder / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    for title in ("Metrics", "Limitations", "Notes", "Training", "Citation"):
        if body := _section(text, title):
            sections.append(body)
    return "\n\n".join(filter(None, sections))


def _use(name: str, image: str, to: str, side: int | None) -> str:
    """How to load and call it; what learned small images gets one."""
    small = side is not None and side < 128
    lines = ["from PIL import Image", ""] if small else []
    lines += ["import i2izoo", "", f'model = i2izoo.load("{name}")']
    if small:
        lines += [
            f'image = Image.open("{image}").resize(({side}, {side}))',
            f'model(image{to}).save("{name}.png")',
        ]
    else:
        lines += [f'model("{image}"{to}).save("{name}.png")']
    return "\n".join(["```python", *lines, "```"])


def _config(entry: PretrainedEntry) -> dict[str, Any]:
    """config.json of a bundled entry; of others nothing is here."""
    if entry.bundled is None:
        return {}
    return json.loads((entry.folder() / "config.json").read_text(encoding="utf-8"))


def _source(entry: PretrainedEntry) -> str:
    """The domain that its first target is made of."""
    domains = _config(entry).get("options", {}).get("domains", ["label", *entry.domains])
    return next((d for d in domains if d not in entry.domains[:1]), domains[0])


def _shown(name: str, base: str) -> list[str]:
    found = sorted((DOCS / "assets" / "gallery" / name).glob("*.webp"))
    return [
        f'<figure class="grid-of-samples"><img src="{base}assets/gallery/{name}/{path.name}" loading="lazy" '
        f'alt="{html.escape(name)}: {path.stem}"><figcaption>{path.stem.replace("-", " ")}</figcaption></figure>'
        for path in found
    ]


def _networks(options: Mapping[str, Any]) -> list[str]:
    """`resnet_6blocks (width 24)` for the networks among a method's options."""
    found = []
    for option in ("generator", "encoder"):
        if isinstance(part := options.get(option), Mapping):
            width = f" (width {part['width']})" if "width" in part else ""
            found.append(f"`{part['name']}`{width}")
    return found


def _section(card: str, title: str) -> str:
    """One section of a card, as text whose commands need data that a reader may not have."""
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)
    if match is None or not (body := match[1].strip()):
        return ""
    if title == "Training":  # its table is above; what is left is the command
        body = re.sub(r"^\|.*\n?", "", body, flags=re.MULTILINE).strip()
        title = "Reproduce"
        body = body.removeprefix("Reproduce it with").strip()
    body = re.sub(r"^```\S+", "```text", body, flags=re.MULTILINE)
    return f"### {title}\n\n{body}" if body else ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")


# ------------------------------------------------------------------------------------------------------ comparison


def comparison(base: str, name: str) -> str:
    """The table of a stored comparison, and a link to its small report."""
    report = f"[Open the report with images]({base}assets/results/{name}.html){{ .md-button }}"
    layout = lay_out(stored.figures(name))
    rest = markdown(replace(layout, sentences=[]))
    differences = markdown(layout).removeprefix(rest).strip().splitlines()
    if not differences:
        return f"{report}\n\n{rest}"
    hidden = "\n".join(f"    {line}" for line in differences)
    return f'{report}\n\n{rest}\n\n??? note "{len(differences)} differences, tested in pairs"\n\n{hidden}'


# ----------------------------------------------------------------------------------------------------------- parts


def parts(base: str) -> str:
    """A table of the built-in parts of every kind: name and first line of the docstring."""
    tables = []
    for kind in KINDS:
        names = [n for n in list_parts(kind) if kind != "pretrained"]
        if names:
            rows = [
                f"| `{n}` | {_cell(html.escape(describe.first_line(registry(kind).get(n)), quote=False))} |"
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
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {_cell(v)} |" for k, v in rows.items())])


# --------------------------------------------------------------------------------------------------------- options


def options(base: str, place: str) -> str:
    """A table of the options of the class at `package.module:Class`: type, default, and what its docstring says."""
    rows = ["| Option | Type | Default | |", "|---|---|---|---|"]
    for option in describe.options(resolve(place)):
        default = "required" if option.default is None else f"`{option.default}`"
        rows.append(f"| `{option.name}` | {_cell(option.kind)} | {_cell(default)} | {_cell(option.about)} |")
    return "\n".join(rows)


def command_help(base: str, *words: str) -> str:
    """A command with its arguments, each with an anchor."""
    return cli_reference.command(*words)


def choosing_table(base: str) -> str:
    """The table of "Choose a method"."""
    return choosing.table()
