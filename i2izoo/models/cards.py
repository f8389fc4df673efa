"""Model cards: what a pretrained folder is, how it was trained and how well it does, as the Hub renders it.

A card is written from config.json alone, and states only what is there: `config["provenance"]` holds the facts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from i2izoo.errors import StorageError
from i2izoo.models.config_file import learned_resolution, trained_at

HUB_LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
        *("cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0"),
        *("mpl-2.0", "unlicense", "openrail", "unknown"),
    }
)
"""Licences that the Hub knows by name; any other is `other`, with its text beside it."""

TRAINING_FACTS = {
    "start": "Started with",
    "data": "Data",
    "split": "Split",
    "epochs": "Epochs",
    "steps": "Steps",
    "minutes": "Minutes",
    "batch_size": "Batch size",
    "ema_half_life": "Half-life of the average of the weights, in thousands of images",
    "size": "Size",
    "ground": "Ground resolution",
    "hardware": "Hardware",
    "seed": "Seed",
    "screening": "Seeds tried",
    "date": "Date",
}


def render_card(config: Mapping[str, Any], *, name: str | None = None) -> str:
    """Write the model card of a config, Markdown with a YAML front matter.

    Args:
        config: what config.json holds. Of `config["provenance"]` these are used, each optional: start, data, data_url,
            split, steps, minutes, epochs, batch_size, ema_half_life, crop_size (or image_size), ground_resolution (of
            images of the earth: cm per pixel, or the finest and the coarsest), hardware, seed, screening, recipe, date,
            licence, citation, notes, limitations, call (further arguments of the example, as Python has them) and
            metrics: `{name: {"value": ..., "on": ..., "n": ..., further columns}}`.
        name: how the model is loaded: a pretrained entry, a repository or a folder.

    >>> card = render_card({"method": "pix2pix", "provenance": {"licence": "Apache-2.0", "steps": 20000}})
    >>> "license: apache-2.0" in card and "| Steps | 20000 |" in card
    True
    """
    facts = dict(config.get("provenance") or {})
    method = str(config["method"])
    title = name or method
    sections = [
        f"---\n{_front_matter(config, facts, title).strip()}\n---",
        f"# {title}",
        _introduction(config, facts, method),
        "## How to use",
        _fence("python", _example(config, title, facts.get("call"))),
        *_training(facts, title),
        *_metrics(facts),
        *_prose("Limitations", facts.get("limitations")),
        *_prose("Notes", facts.get("notes")),
        *_citation(facts.get("citation")),
        *_prose("Licence", facts.get("licence")),
    ]
    return "\n\n".join(sections) + "\n"


def read_card(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The front matter of the card in a pretrained folder.

    Raises:
        StorageError: there is no README.md, or it has no readable front matter.
    """
    import yaml  # type: ignore[import-untyped]

    path = Path(folder) / "README.md"
    if not path.is_file():
        raise StorageError(f"{str(folder)!r} has no model card (README.md); save the model again to write one.")
    match = re.match(r"---\r?\n(.*?)\r?\n---\s", path.read_text(encoding="utf-8"), re.DOTALL)
    try:
        content = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise StorageError(f"the front matter of {path} is not YAML: {error}.") from error
    if not isinstance(content, dict):
        raise StorageError(f"{path} has no front matter between two lines '---'; save the model again to write one.")
    return content


def _front_matter(config: Mapping[str, Any], facts: Mapping[str, Any], title: str) -> str:
    """The YAML that the Hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    task, data = _task(config), str(facts.get("data") or "")
    content = ModelCardData(
        library_name="i2izoo",
        pipeline_tag=task,
        tags=list(dict.fromkeys(["i2izoo", str(config["method"]), *_domains(config)])),
        datasets=[data] if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", data) else None,  # the Hub takes names, no sentence
    )
    if licence := facts.get("licence"):
        known = str(licence).lower() in HUB_LICENCES
        content.license = str(licence).lower() if known else "other"
        if not known:
            content.license_name = re.sub(r"[^a-z0-9.]+", "-", str(licence).lower()).strip("-")[:50]
    if metrics := _metric_rows(facts):
        content.model_name = title
        content.eval_results = [
            EvalResult(
                task_type=task, dataset_type=data or "unnamed", dataset_name=_measured_on(data, row.get("on")),
                metric_type=metric, metric_name=metric, metric_value=row["value"],
            )
            for metric, row in metrics.items()
        ]  # fmt: skip
    return content.to_yaml(original_order=["library_name", "pipeline_tag", "license", "license_name", "tags"])


def _task(config: Mapping[str, Any]) -> str:
    """What the Hub calls it: an image becomes an image, or comes from nothing."""
    return "image-to-image" if _sources(config) else "unconditional-image-generation"


def _sources(config: Mapping[str, Any]) -> list[str]:
    """The domains that are translated; of a config that does not say, all."""
    directions = config.get("directions")
    if not isinstance(directions, Mapping):
        return _domains(config) or [""]
    return [str(source) for source in directions.values() if source is not None]


def _measured_on(data: str, part: Any) -> str:
    return f"{data} ({part})" if data and part else str(part or data or "unnamed")


def _domains(config: Mapping[str, Any]) -> list[str]:
    """Names of domains, wherever the config has them: sources first."""
    for place in (config, config.get("options") or {}):
        directions, domains = place.get("directions"), place.get("domains")
        if isinstance(directions, Mapping):
            return list(dict.fromkeys([*_sources(place), *map(str, directions)]))
        if isinstance(domains, Iterable) and not isinstance(domains, str):
            return list(dict.fromkeys(map(str, domains)))
    return []


def _introduction(config: Mapping[str, Any], facts: Mapping[str, Any], method: str) -> str:
    domains = _domains(config)
    named = ", ".join(f"`{d}`" for d in domains)
    if _sources(config):
        what = f"between the domains {named}" if domains else "images"
        text = f"An image-to-image model of the method `{method}` that translates {what}"
    else:
        text = f"A model of the method `{method}` that makes images of {named} from nothing"
    if data := facts.get("data"):
        url = facts.get("data_url")
        text += f", trained on {f'[{data}]({url})' if url else data}"
    maps = (config.get("options") or {}).get("label_maps")
    for domain, palette in maps.items() if isinstance(maps, Mapping) else ():
        classes = f" of {len(palette)} classes" if isinstance(palette, list) else ""
        text += (
            f". Images of `{domain}` are label maps{classes}, in the colours of its config, which it sees as classes"
        )
    return text + ". The Python package `i2izoo` loads it, strictly and without running code from the repository."


def _example(config: Mapping[str, Any], title: str, call: str | None = None) -> str:
    domains = _domains(config)
    target = domains[-1] if domains else None
    to = f", to={target!r}".replace("'", '"') if target else ""
    to += f", {call}" if call else ""
    if not _sources(config):
        return (
            f'import i2izoo\n\nmodel = i2izoo.load("{title}")\n'
            f"images = model.generate(4, seed=0{f', {call}' if call else ''})  # a list of PIL images\n"
            'images[0].save("image.png")'
        )
    return (
        f'import i2izoo\n\nmodel = i2izoo.load("{title}")\n'
        f'result = model("image.png"{to})  # a path, PIL image, array, tensor or a list of them\n'
        'result.save("result.png")'
    )


def _training(facts: Mapping[str, Any], title: str) -> list[str]:
    size = trained_at({"provenance": facts})
    ground = learned_resolution({"provenance": facts})
    facts = {
        **facts,
        "size": f"{size[1]} x {size[0]} pixels" if size else None,
        "ground": " to ".join(f"{value:g}" for value in sorted({*ground})) + " cm per pixel" if ground else None,
    }
    rows = [f"| {label} | {_cell(facts[key])} |" for key, label in TRAINING_FACTS.items() if _there(facts.get(key))]
    recipe = facts.get("recipe")
    if not rows and not recipe:
        return []
    table = ["\n".join(["| | |", "|---|---|", *rows])] if rows else []
    command = f"i2izoo train --recipe {recipe} --data PATH --out runs/{title.rstrip('/').rpartition('/')[2]}"
    return ["## Training", *table, *(["Reproduce it with", _fence("bash", command)] if recipe else [])]


def _metric_rows(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    rows = {}
    for metric, row in dict(facts.get("metrics") or {}).items():
        row = dict(row) if isinstance(row, Mapping) else {"value": row}
        if _there(row.get("value")):
            rows[str(metric)] = row
    return rows


def _metrics(facts: Mapping[str, Any]) -> list[str]:
    rows = _metric_rows(facts)
    if not rows:
        return []
    columns = [c for c in ("value", "on", "n") if any(_there(r.get(c)) for r in rows.values())]
    columns += list(dict.fromkeys(c for r in rows.values() for c in r if c not in ("value", "on", "n")))
    titles = {"value": "Value", "on": "Measured on", "n": "Images"}
    table = [
        "| Metric | " + " | ".join(titles.get(c, _cell(c)) for c in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {_cell(m)} | " + " | ".join(_cell(r.get(c, "")) for c in columns) + " |" for m, r in rows.items()),
    ]
    return ["## Metrics", "\n".join(table)]


def _prose(title: str, text: Any) -> list[str]:
    if not _there(text):
        return []
    items = [f"- {item}" for item in text] if isinstance(text, (list, tuple)) else [str(text).strip()]
    return [f"## {title}", "\n".join(items)]


def _citation(citation: Any) -> list[str]:
    if not _there(citation):
        return []
    text = str(citation).strip()
    return ["## Citation", _fence("bibtex", text) if text.startswith("@") else text]


def _fence(language: str, text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _there(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}
