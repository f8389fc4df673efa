"""`run.json`: what a run is, written by the trainer, and read again as a recipe that repeats it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.options import with_defaults
from i2izoo.contracts.plain import parse_json
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.training.config import LENGTHS, TrainingOptions

if TYPE_CHECKING:
    from i2izoo.training.trainer import Trainer

RUN = "run.json"
BEGIN = "begin"
"""Key of what a run began with, beside its options: data, weights, checkpoint, and which options were asked for."""
LASTING = ("start", "weights_given", "checkpoint")
"""What of it stays where a run is interrupted and goes on."""


def beginning(trainer: Trainer) -> dict[str, Any]:
    """What a run begins with, as JSON; paths are absolute, and None stands for what only the program has."""
    assert trainer.out is not None  # for the type checker: only a run with a folder has a file
    val, data = trainer.given
    found = {
        "data": _place(data),
        "val": _place(val),
        "start": None if (start := trainer.facts.get("start")) is None else _absolute(start),
        "weights_given": trainer.redraw is None,
        "checkpoint": None if trainer.resume in (None, "auto") else _absolute(trainer.resume),
        "asked": sorted(trainer.asked),
    }
    if trainer.resume == "auto":  # it goes on with what it once began with
        found |= {key: value for key, value in _before(trainer.out).items() if key in LASTING}
    return found


def _before(out: Path) -> dict[str, Any]:
    """What the run in a folder began with; nothing where it does not say."""
    try:
        content = parse_json((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = content.get(BEGIN) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def is_run(content: Mapping[str, Any]) -> bool:
    """Is it what a run has written, and no recipe?"""
    return {"method", "options", "training", "processes"} <= content.keys()


def as_recipe(content: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the `Recipe` that repeats a run.

    Raises:
        ConfigError: this is no run.json.
        UnknownNameError: its method is not installed.
    """
    begin = content.get(BEGIN) or {}
    if not all(isinstance(content[key], Mapping) for key in ("options", "training")) or not isinstance(begin, Mapping):
        raise ConfigError("this is no run.json: options, training and begin are mappings.")
    kind = registry("methods").get(content["method"])
    training = with_defaults(TrainingOptions, content["training"])
    recipe = kind.recipe_for(content["options"])
    asked = begin.get("asked")
    given = {name: training[name] for name in asked if name in training} if asked is not None else {}
    # what nobody asked for and still follows is left out: data that has no such option is not to be asked for it
    follows = TrainingOptions.of(recipe, given).config
    unit = next((unit for unit in ("minutes", "steps") if training.get(unit) is not None), "epochs")
    left_out = {name for other, names in LENGTHS.items() if other != unit for name in names}
    left_out |= {name for name, value in follows.items() if name not in given and training.get(name) == value}
    told = {key: begin.get(key) for key in ("data", "val", "start") if begin.get(key) is not None}
    kept = {name: value for name, value in training.items() if name not in left_out}
    return {"method": content["method"], "options": dict(content["options"]), "training": kept, **told}


def differences(run: Mapping[str, Any], now: Mapping[str, Any], resume: Any) -> Iterator[str]:
    """Why what begins now does not repeat a run, a sentence each.

    Args:
        run: content of its run.json.
        now: the facts of the run that begins.
        resume: the checkpoint that it goes on from.
    """
    begin = run.get(BEGIN) or {}
    if begin.get("weights_given"):
        yield "that run began with weights which a program gave it; this one draws its own from the seed."
    if (checkpoint := begin.get("checkpoint")) and resume is None:
        yield f"that run went on from a checkpoint, and this one starts afresh; --resume {checkpoint} goes on from it."
    for name, what in (("processes", "processes"), ("images", "images")):
        if run.get(name) != now[name]:
            yield f"that run had {run.get(name)} {what}, and this one has {now[name]}."


def _place(data: Any) -> Any:
    """Data as JSON that `open_dataset` takes wherever it is called; None: it cannot be said so."""
    if isinstance(data, (str, os.PathLike)):
        name, colon, place = str(data).partition(":")
        if colon and not _is_name(data) and name in registry("datasets") and not Path(data).exists():
            return {"name": name, "root": place if _is_name(place) else _absolute(place)}
        return data if _is_name(data) else {"root": _absolute(data)}
    if not isinstance(data, Mapping):
        return None
    root = data.get("root")
    if isinstance(root, (str, os.PathLike)):
        root = root if _is_name(root) else _absolute(root)
    elif root is not None:
        root = _place(root)
        if root is None:
            return None
    said = {**data, **({} if root is None else {"root": root})}
    try:
        return json.loads(json.dumps(said, allow_nan=False))
    except (TypeError, ValueError):
        return None


def _is_name(data: str | os.PathLike[str]) -> bool:
    """Is it the name of a data set, or an address, and no path?"""
    return isinstance(data, str) and ("://" in data or data in registry("datasets"))


def _absolute(place: str | os.PathLike[str]) -> str:
    """A path from the root of the file system; what is no path here, such as the name of an entry, as it is."""
    path = Path(place).expanduser()
    return os.path.abspath(path) if path.exists() else os.fspath(place)
