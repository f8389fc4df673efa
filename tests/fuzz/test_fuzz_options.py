"""Options that nobody means, of every method, part, data set, training and command: built, or refused in one sentence.

A case takes what a class of the registry needs at its smallest, and gives a few of its options values of any kind and
size, or those at the ends of their ranges. Parts inside of methods are options, too.
"""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import cases, sensible, sensible_command
from spoiling import odd_value, spoiled

import i2izoo
from i2izoo.contracts.annotations import ends, part_interface
from i2izoo.contracts.config import missing_options, schema
from i2izoo.contracts.options import flat
from i2izoo.contracts.registry import kind_of, registry
from i2izoo.errors import I2IZooError
from i2izoo.evaluation.settings import EvaluationSettings
from i2izoo.nn.shapes import only_shapes
from i2izoo.sweeps.spec import Sweep
from i2izoo.training.config import TrainingOptions

WITH_WEIGHTS = ("generators", "latent_generators", "discriminators", "encoders", "text_encoders")
KINDS = (*WITH_WEIGHTS, "losses", "extractors", "metrics", "datasets", "schedulers")
CONTEXT = {"in_channels": 3, "out_channels": 3, "latent": 4}


def names(kind: str) -> list[str]:
    return [entry.name for entry in registry(kind).entries() if entry.distribution == "i2izoo"]


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    """Which has no memory for what a case may ask for."""
    memory = type("Memory", (), {"total": 2**28, "available": 2**28})
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)


def value_for(draw: random.Random, annotation: Any, inside: bool = True) -> Any:
    """A value for an option: any, or one at an end of its range, or of a part one with such values."""
    interface = part_interface(annotation)
    if interface is not None and inside and draw.random() < 0.8:
        kind = kind_of(interface)
        if kind == "methods":
            return draw.choice(names(kind))
        name = draw.choice(names(kind))
        return {"name": name, **tiny(kind, name), **odd_options(draw, registry(kind).get(name), inside=False)}
    found = ends(annotation)
    return draw.choice(found) if found and draw.random() < 0.4 else odd_value(draw)


def odd_options(draw: random.Random, cls: type, inside: bool = True) -> dict[str, Any]:
    options = schema(cls)
    chosen = draw.sample(sorted(options), min(len(options), draw.choice([1, 1, 2, 3])))
    given = {name: value_for(draw, options[name].annotation, inside) for name in chosen}
    return given if draw.random() < 0.95 else {**given, draw.choice(["widht", "", "\ud800", "x" * 999]): 1}


def tiny(kind: str, name: str) -> dict[str, Any]:
    return dict(getattr(registry(kind).get(name), "tiny_options", None) or {})


@cases(50, slow=600)
def test_method(seed: int) -> None:
    draw = random.Random(seed)
    name = draw.choice(names("methods"))
    cls = registry("methods").get(name)
    model = sensible(lambda: i2izoo.create(name, **{**tiny("methods", name), **odd_options(draw, cls)}))
    if isinstance(model, I2IZooError):
        return
    json.dumps(model.config, allow_nan=False)
    to = next(iter(model.directions))
    if model.directions[to] is not None and model.method.channels[str(model.directions[to])] < 9:
        options = model.method.translate_options()
        given = {n: odd_value(draw) for n in draw.sample(sorted(options), min(len(options), 2)) if n != "progress"}
        given = {n: v for n, v in given.items() if n != "steps" or not isinstance(v, int) or not 50 < v < 10**9}
        image = torch.zeros(model.method.channels[str(model.directions[to])], 5, 9)
        sensible(lambda: model(image, **given))


@cases(30, slow=300)
def test_part(seed: int) -> None:
    draw = random.Random(seed)
    kind = draw.choice(KINDS)
    name = draw.choice(names(kind))
    cls = registry(kind).get(name)
    given = {**tiny(kind, name), **odd_options(draw, cls)}
    context = {n: v for n, v in CONTEXT.items() if n in missing_options(cls, given)}
    if kind == "datasets":
        sensible(lambda: i2izoo.open_dataset({"name": name, **given}))
    elif kind == "schedulers":
        sensible(lambda: i2izoo.create("ddim", **{**tiny("methods", "ddim"), "scheduler": {"name": name, **given}}))
    else:
        memory = only_shapes() if kind in WITH_WEIGHTS else contextlib.nullcontext()
        with memory:  # which is counted for a whole method
            sensible(lambda: registry(kind).build({"name": name, **given}, **context))


@cases(15, slow=200)
def test_training_evaluation_and_sweeps(seed: int) -> None:
    draw = random.Random(seed)
    sensible(lambda: TrainingOptions(**odd_options(draw, TrainingOptions)))
    sensible(
        lambda: TrainingOptions.of(
            {"epochs": 9, "load_size": 286, "crop_size": 256}, odd_options(draw, TrainingOptions)
        )
    )
    settings = {name: odd_value(draw) for name in draw.sample(["samples", "limit", "seed", "size", "metrics"], 2)}
    sensible(lambda: EvaluationSettings(**settings))
    sweep = {"method": "pix2pix", "grid": {"generator.width": [4, 8]}, "options": {"steps": 2}, "seeds": [0, 1]}
    spoilt = spoiled(draw, sweep)
    sensible(lambda: list(Sweep(**spoilt).cells()))


def word(key: str, value: Any) -> str:
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


@cases(15, slow=200)
def test_command(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    name = draw.choice([name for name in names("methods") if tiny("methods", name)])
    words = {key: word(key, value) for key, value in flat(tiny("methods", name))}
    for key in [*draw.sample(sorted(words), 1), draw.choice(sorted(schema(TrainingOptions)))]:
        text = str(odd_value(draw)) if draw.random() < 0.3 else json.dumps(odd_value(draw))
        words[key] = f"{key}={text}".replace("\ud800", "\udcff")  # bytes that are no text
    data = {"name": "synthetic-facades", "count": 4, "size": 32}
    sensible_command("train", name, "--data", data["name"], "--to", "photo", "--dry-run", *words.values())
    number = str(draw.choice([odd_value(draw), odd_value(draw), 10**30, -1, "x"])).replace("\ud800", "\udcff")
    flag = draw.choice(["--size", "--count", "--seed"])
    if not number.isdigit() or not 8 < int(number) < 10**9:
        sensible_command(
            "data", "make", "synthetic-facades", tmp_path / "made", f"{flag}={number}", "--count=1", "--size=8"
        )
