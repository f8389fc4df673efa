"""Options that are laid over each other: those of all runs, of a named run, of a cell of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import part_kind, registry
from i2izoo.errors import ConfigError, listing, suggest


@dataclass(frozen=True)
class Given:
    """One option as the user gave it.

    Attributes:
        place: where, for messages: "grid.generator.width".
        key: the option: "generator.width".
        value: of it.
    """

    place: str
    key: str
    value: Any


def flat(options: Mapping[str, Any], where: str = "grid") -> Iterator[tuple[str, Any]]:
    """Dotted keys and plain values; the `name` of a part is the value of the part's own key.

    >>> dict(flat({"generator": {"name": "unet_256", "width": 8}, "steps": 5}))
    {'generator': 'unet_256', 'generator.width': 8, 'steps': 5}
    """
    for key, value in options.items():
        if not isinstance(key, str) or not all(part.isidentifier() for part in key.split(".")):
            raise ConfigError(f"{where}: an option is a name such as generator.width; found {key!r}.")
        if isinstance(value, Mapping) and value:
            for inner, deep in flat(value, f"{where}.{key}"):
                yield (key if inner == "name" else f"{key}.{inner}"), deep
        else:
            yield key.removesuffix(".name"), value


def resolve(given: Iterable[Given], method: type, training: type, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the method and of the training, as the command line would sort them; later ones win.

    `generator: resnet_9blocks` and `generator.width: 8` combine, in whichever layers they stand.

    Raises:
        ConfigError: an option is unknown, or has options inside and is no part.
    """
    schemas = (schema(method), schema(training))
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, value in {g.key: g.value for g in given}.items():
        name, *path = key.split(".")
        owner = next((i for i, known in enumerate(schemas) if name in known), None)
        if owner is None:
            names = [n for known in schemas for n in known]
            raise ConfigError(f"{where} has no option {name!r}{suggest(name, names) or '.'} Options: {listing(names)}.")
        for step in reversed(path):
            value = {step: value}
        found[owner][name] = _laid_over(found[owner].get(name), value, f"option {name!r} of {where}")
    return _with_defaults(found[0], schemas[0], where), _with_defaults(found[1], schemas[1], where)


def _with_defaults(options: dict[str, Any], known: Mapping[str, Parameter], where: str) -> dict[str, Any]:
    """Options of a part without its name are those of the default part; of a method inside a method, too."""
    complete = {}
    for name, value in options.items():
        option = known.get(name, Parameter(name, Parameter.KEYWORD_ONLY))  # an unknown one is found on building
        kind = part_kind(option.annotation)
        if isinstance(value, dict) and "name" not in value and (kind or not isinstance(option.default, str)):
            value = _laid_over(option.default, value, f"option {name!r} of {where}")
        if isinstance(value, dict) and kind == "methods" and (inner := value.get("name")) in registry(kind).names():
            value = _with_defaults(value, schema(registry(kind).get(inner)), repr(inner))
        complete[name] = value
    return complete


def _laid_over(under: Any, over: Any, what: str) -> Any:
    """One value of an option over another; a part's name and its options combine."""
    if isinstance(under, dict) and isinstance(over, str):
        over = {"name": over}
    if not isinstance(over, dict) or under in (None, Parameter.empty):
        return over
    under = {"name": under} if isinstance(under, str) else under
    if not isinstance(under, dict):
        raise ConfigError(f"{what} is one value and has no {listing(over)} inside.")
    return {**under, **{key: _laid_over(under.get(key), value, what) for key, value in over.items()}}
