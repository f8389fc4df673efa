"""Which plugins a model needs: recorded when it is saved, and named where one is missing when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import part_kind, registry
from i2izoo.errors import I2IZooError

HERE = "this-program"
"""The distribution of what a running program has registered itself."""


def providers(method: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Distribution -> version of whoever makes a method and its parts, the method's first."""
    found: dict[str, str] = {}
    for kind, name in _parts(method, options):
        entry = registry(kind).find(name)
        found[entry.distribution] = entry.version
    return found


def _parts(name: str, options: Mapping[str, Any], kind: str = "methods") -> Iterator[tuple[str, str]]:
    """Kind and name of a part, and of the parts among its options."""
    try:
        options_of = schema(registry(kind).get(name))
    except I2IZooError:  # an object that the program built itself
        return
    yield kind, name
    for option, parameter in options_of.items():
        inner, spec = part_kind(parameter.annotation), options.get(option)
        if inner and isinstance(spec, str):
            yield from _parts(spec, {}, inner)
        elif inner and isinstance(spec, Mapping) and isinstance(spec.get("name"), str):
            yield from _parts(spec["name"], spec, inner)


def advice(config: Mapping[str, Any]) -> str | None:
    """What to install, so that a model whose config names something unknown can be built; None: nobody knows.

    Names come from a foreign file: what could not be the name of a distribution is not shown.
    """
    recorded = dict(_recorded(config))
    installed = {name: _installed(name) for name in recorded if name != HERE}
    for name in (name for name, here in installed.items() if here is None):
        return (
            f"the model was saved with {name} {recorded[name]}".rstrip() + ", which is not installed: "
            f"`pip install {name}` adds it; a plugin is code, so install it if you trust its author."
        )
    if HERE in recorded:
        return "it was registered by the program that saved the model: run that code first (`i2izoo.register`)."
    for name in (name for name, here in installed.items() if recorded[name] not in ("", here)):
        saved = recorded[name]
        here = installed[name]
        return f"the model was saved with {name} {saved}, and {here} is installed: `pip install {name}=={saved}`."
    return None


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _recorded(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Distributions that a config names, with versions where they are ones."""
    plugin, plugins = config.get("plugin"), config.get("plugins")
    pairs = [(plugin.get("distribution"), plugin.get("version"))] if isinstance(plugin, Mapping) else []
    for name, saved in [*pairs, *(plugins.items() if isinstance(plugins, Mapping) else ())]:
        if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", name):
            yield name, saved if isinstance(saved, str) and re.fullmatch(r"[A-Za-z0-9.+!-]{1,40}", saved) else ""


def explained(error: I2IZooError, config: Mapping[str, Any]) -> I2IZooError:
    """An error about an unknown name, with what to install in the place of the names that are known here."""
    said = advice(config)
    if said is None:
        return error
    asked = re.split(r"; did you mean|\. Known: ", str(error), maxsplit=1)[0]
    return type(error)(f"{asked}; {said}")
