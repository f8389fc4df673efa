"""`i2izoo info`: what a pretrained entry, a folder, a method, a metric or another part is."""

from __future__ import annotations

import argparse
import json
import math
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.cli.completion import offers
from i2izoo.cli.printing import print_rows
from i2izoo.contracts.config import missing_options
from i2izoo.contracts.describe import first_line, options, weights_of
from i2izoo.contracts.listing import ways
from i2izoo.contracts.registry import KINDS, registry, singular
from i2izoo.errors import MetricError, UnknownNameError, escaped, listing, suggest

if TYPE_CHECKING:
    from i2izoo.contracts.metric import Metric, Weights
    from i2izoo.contracts.pretrained import PretrainedEntry


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("info", help="what a name means: options, licence, size, provenance")
    name = "an entry, folder, user/repo, method, part or METRIC[variant]"
    offers(parser.add_argument("name", metavar="NAME", help=name), *KINDS)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Print everything that NAME can mean, one after another."""
    name = args.name
    if re.fullmatch(r"[^\[\]/]+\[.+\]", name) and name.partition("[")[0] in registry("metrics"):
        _variant(name)
        return 0
    # the method first: `ddim` and `colorization` are also names of parts
    meanings = sorted((kind for kind in KINDS if name in registry(kind)), key=lambda kind: kind != "methods")
    is_place = name.startswith(("hf-hub:", ".", "~")) or "/" in name or Path(name).expanduser().is_dir()
    if not meanings and not is_place:
        known = list(dict.fromkeys(n for kind in KINDS for n in registry(kind).names()))
        entries = registry("pretrained").names()
        raise UnknownNameError(
            f"there is no pretrained entry, folder, method or part {name!r}{suggest(name, known) or '.'} "
            f"Entries: {listing(entries, 12)}. Methods: {listing(registry('methods').names(), 12)}. "
            "`i2izoo list` has all."
        )
    if not meanings:
        from i2izoo.models.locate import locate

        _folder(locate(name))
    for kind in meanings:
        print(f"{name}: {singular(kind)} of plugin {registry(kind).find(name).plugin}")
        part = registry(kind).get(name)
        if kind == "pretrained":
            _entry(name, part)
        elif kind == "metrics":
            _metric(name, part, None if missing_options(part, {}) else part())
        elif kind == "extractors":
            _part(kind, part)
            _weights(weights_of(part))
        else:
            _part(kind, part)
    return 0


def _entry(name: str, entry: PretrainedEntry) -> None:
    print(f"  {entry.description}")
    recipe = f"i2izoo train --recipe {name} --data PATH --out runs/{name}" if entry.recipe_file() else None
    plugin = registry("pretrained").find(name).plugin
    if entry.bundled:
        return _folder(entry.folder(), licence=entry.licence, recipe=recipe, plugin=plugin)
    if entry.checkpoints:
        return _published(name, entry, plugin)
    _table(  # one on the Hub is not fetched only to be described
        {
            "method": entry.method,
            "licence": entry.licence,
            "translates to": ", ".join(entry.domains),
            "repository": f"{entry.repo}@{entry.revision}",
            "recipe": recipe,
        }
    )


def _published(name: str, entry: PretrainedEntry, plugin: str) -> None:
    """An entry whose checkpoints lie on the web: the folder, if it has been loaded before; else what is declared."""
    from i2izoo.files.kept import cache_folder, converted_folder, is_whole, kept
    from i2izoo.models.config_file import trained_at

    files = {r: f"{f.url} {f.member or ''}".rstrip() for r, f in (entry.checkpoints or {}).items()}
    folder = converted_folder(name, entry, cache_folder())
    if is_whole(folder):
        _table({"weights": f"in the cache: {folder}", "fetched from": files})
        return _folder(folder, licence=entry.licence, plugin=plugin)
    found, size = kept(name, entry), trained_at({"provenance": entry.facts})
    known = all(entry.directions.values())
    _table(
        {
            "method": entry.method,
            "directions": ways(entry.directions) if known else None,
            "translates to": None if known else ", ".join(entry.domains),
            "trained at": f"{size[1]} x {size[0]} pixels" if size else None,
            "licence": entry.licence,
            "size": f"{found}, fetched and converted when first loaded" if found.size else None,
            "fetched from": files,
            "options": dict(entry.options),
            "provenance": {k: v for k, v in entry.facts.items() if k != "crop_size"},
        }
    )


def _folder(folder: Path, licence: str | None = None, recipe: str | None = None, plugin: str | None = None) -> None:
    """What a pretrained folder is; the arguments say what was said of it already, or is said better."""
    from i2izoo.models.config_file import WEIGHTS, count_parameters, read_config, trained_at

    config, weights = read_config(folder, to_build=False), [folder / WEIGHTS]
    if weights[0].is_file():
        count = count_parameters(folder)
    else:  # a folder of another library, whose weights lie in a sub-folder for each component
        from i2izoo.models.translator import load

        model, weights = load(folder), list(folder.glob("*/*.safetensors"))
        config, count = model.config, model.num_parameters
    facts, size = dict(config.get("provenance") or {}), trained_at(config)
    metrics, made_by = facts.pop("metrics", None), " ".join(map(str, config.get("plugin", {}).values()))
    said = {"licence": licence, "recipe": recipe and facts.get("recipe"), "crop_size": size and facts.get("crop_size")}
    shown = ("i2izoo_format", "method", "directions", "options", "plugin", "provenance")
    _table(
        {
            "method": _method(config),
            "directions": ways(config.get("directions", {})),
            "trained at": f"{size[1]} x {size[0]} pixels" if size else None,
            "licence": licence,
            "parameters": f"{count:,}",
            "size": f"{sum(path.stat().st_size for path in weights) / 1e6:.1f} MB",
            "plugin": made_by if made_by != plugin else None,
            "recipe": recipe,
            **{name: fact for name, fact in config.items() if name not in shown},
            "provenance": {name: fact for name, fact in facts.items() if name not in said or fact != said[name]},
        }
    )
    if isinstance(metrics, Mapping) and metrics:
        _metrics({name: row if isinstance(row, Mapping) else {"value": row} for name, row in metrics.items()})
    _table({"options": config.get("options")})


def _method(config: Mapping[str, Any]) -> str:
    """The method's name; of a task with that of the method that learns it."""
    base = (config.get("options") or {}).get("base")
    inside = base.get("name") if isinstance(base, Mapping) else base if isinstance(base, str) else None
    return f"{config['method']}, by {inside}" if inside else str(config["method"])


def _metrics(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The scores as a table; what holds for all of them is said in its title, and a note once below it."""
    first = next(iter(rows.values()))
    shared = {c: first[c] for c in ("n", "on") if c in first and len({str(r.get(c)) for r in rows.values()}) == 1}
    said = {"n": ", {} images", "on": " of {}"}
    title = "".join(said[column].format(value) for column, value in shared.items())
    hidden = {"value", "unit", "note", *shared}
    columns = [c for c in dict.fromkeys(c for row in rows.values() for c in row) if c not in hidden]
    notes: dict[str, str] = {}
    lines = []
    for name, row in rows.items():
        note = str(row.get("note") or "")
        mark = f" ({notes.setdefault(note, string.ascii_letters[len(notes) % 52])})" if note else ""
        value = f"{_cell(row.get('value'))} {row.get('unit', '')}".rstrip()
        lines.append(
            [escaped(cell) for cell in (f"{name}{mark}", value, *(_cell(row.get(column)) for column in columns))]
        )
    print(escaped(f"  metrics{title}:"))
    print_rows(["metric", "value", *map(escaped, columns)], lines, indent=4)
    for note, letter in notes.items():
        print(escaped(f"    ({letter}) {note}"))


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _variant(label: str) -> None:
    """A metric with the option that `METRIC[variant]` sets."""
    from i2izoo.evaluation.measuring import build

    [metric] = build([label], seed=0).values()
    needed = metric.weights()  # here, where an unknown variant shows before anything is printed
    name = label.partition("[")[0]
    print(f"{label}: metric of plugin {registry('metrics').find(name).plugin}, with {type(metric).qualifier}=", end="")
    print(json.dumps(metric.config[str(type(metric).qualifier)]))
    _metric(name, type(metric), metric, needed)


def _metric(name: str, part: type[Metric], metric: Metric | None, needed: Sequence[Weights] | None = None) -> None:
    """What a metric measures, of what, and which weights it needs with the options of `metric`."""
    from i2izoo.contracts.metric import SetMetric

    needed = (metric.weights() if metric else ()) if needed is None else needed
    looks_at = [*part.inputs, *["the true images as a set"] * issubclass(part, SetMetric)]
    least, advised = part.min_samples, part.advised_samples
    _about(part)
    _table(
        {
            "better": "higher" if part.higher_is_better else "lower",
            "range": _range(*part.bounds),
            "unit": part.unit,
            "looks at": ", ".join(looks_at),
            "images": f"at least {least}" + (f", advised {advised} or more" if advised > least else ""),
            "variants": f"{name}[{part.qualifier.upper()}]" if part.qualifier else None,
        }
    )
    _weights(needed)
    _options("options", part)


def _range(low: float, high: float) -> str:
    if math.isinf(high):
        return "any number" if math.isinf(low) else f"{low:g} or more"
    return f"{high:g} or less" if math.isinf(low) else f"{low:g} to {high:g}"


def _weights(needed: Sequence[Weights]) -> None:
    """Each file with size, licence and address, and whether it is on this machine."""
    from i2izoo.files.weights import advice, locate

    if not needed:
        print("  weights: none")
        return
    print("  weights:")
    for weights in needed:
        try:
            path = locate(weights)
            fetched = "" if weights.package else "it is fetched when first needed; or "
            state = f"here: {path}" if path else f"not here: {fetched}{advice(weights)}"
        except MetricError as error:
            state = f"not usable: {error}"
        print(f"    {weights}")
        print(f"      {weights.url}")
        print(f"      {state}")


def _about(part: type) -> None:
    print(f"  {first_line(part)}")
    print(f"  class {part.__module__}.{part.__qualname__}")


def _part(kind: str, part: type) -> None:
    _about(part)
    if kind == "methods":
        print(f"  learns from {part.data} data{', gives samples' if part.samples else ''}")  # type: ignore[attr-defined]
    _options("options", part)
    if kind == "methods":
        from i2izoo.training.config import TrainingOptions

        _options("training options", TrainingOptions, part.recipe)  # type: ignore[attr-defined]


def _options(title: str, cls: type, defaults: Mapping[str, Any] = {}) -> None:
    print(f"  {title}:")
    for option in options(cls, defaults):
        value = "required" if option.default is None else f"default {option.default}"
        kind = f" ({option.kind})" if option.kind else ""
        print(f"    {option.name}{kind}, {value}" + (f": {option.about}" if option.about else ""))


def _table(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            print(escaped(f"  {name}:"))
            for key, inner in value.items():
                print(escaped(f"    {key}: {_text(inner, 6)}"))
        elif value not in (None, "", [], (), {}):
            print(escaped(f"  {name}: {_text(value, 4)}"))


def _text(value: Any, indent: int) -> str:
    """A text, or JSON; further lines stand below it."""
    lines = value.splitlines() if isinstance(value, str) else [json.dumps(value)]
    return f"\n{' ' * indent}".join(line for line in lines if line.strip())
