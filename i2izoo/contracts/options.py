"""Options with dotted keys, sorted by whose they are: of the command line, a sweep or a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter
from typing import Any, TypeAlias

from i2izoo.contracts.annotations import matches, shown
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import part_kind, registry
from i2izoo.errors import ConfigError, listing, suggest

Schema: TypeAlias = Mapping[str, Parameter]
"""Option -> its parameter, as `contracts.config.schema` has them."""


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


def sort_options(
    given: Iterable[tuple[str, Any]], *schemas: Schema, where: str, complete: bool = True
) -> list[dict[str, Any]]:
    """One dict of options for each schema; of equal keys the last one counts.

    `generator: resnet_9blocks` and `generator.width: 8` combine, in whichever order they stand; without the first, it
    is the width of the default generator.

    Args:
        given: dotted key and value.
        schemas: the first that knows a name gets it.
        where: what the options belong to, for messages.
        complete: are options of a part without its name those of the default part? False: they stay without a name.

    Raises:
        ConfigError: an option is unknown, or has options inside and is no part.
    """
    found: list[dict[str, Any]] = [{} for _ in schemas]
    whole = set()
    for key, value in dict(given).items():
        name, *path = key.split(".")
        owner = next((i for i, known in enumerate(schemas) if name in known), None)
        if owner is None:
            names = [n for known in schemas for n in known]
            raise ConfigError(
                f"{where} has no option {shown(name)}{suggest(name, names) or '.'} Options: {listing(names)}."
            )
        if not path:
            whole.add(name)
        for step in reversed(path):
            value = {step: value}
        found[owner][name] = laid_over(found[owner].get(name), value, f"option {name!r} of {where}")
    if not complete:
        return found
    return [_with_defaults(own, known, where, whole) for own, known in zip(found, schemas, strict=True)]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Where two sets of options differ: dotted key and both values, None for one that is not there.

    Of a part that is another one only that is said, not what follows from it.

    >>> unet = {"name": "unet_256", "width": 8}
    >>> list(differences({"generator": unet, "seed": 1}, {"generator": {**unet, "width": 4}, "seed": 1}))
    [('generator.width', 8, 4)]
    >>> list(differences({"generator": unet}, {"generator": {"name": "resnet_9blocks"}}))
    [('generator', 'unet_256', 'resnet_9blocks')]
    """
    for key in dict.fromkeys([*after, *before]):
        old, new = before.get(key), after.get(key)
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            if old != new:
                yield key, old, new
        elif old.get("name") != new.get("name"):
            yield key, old.get("name"), new.get("name")
        else:
            yield from ((f"{key}.{inner}", a, b) for inner, a, b in differences(old, new))


def with_defaults(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a class as an earlier release wrote them, with the defaults of those that it has got since.

    Parts among them are completed, too, also by what follows from the method's own options; what is not known here
    stays as it is.

    >>> from i2izoo.contracts.config import Configurable
    >>> class Blur(Configurable):
    ...     def __init__(self, *, radius: int = 2, edges: str = "reflect") -> None: ...
    >>> with_defaults(Blur, {"radius": 3})
    {'radius': 3, 'edges': 'reflect'}
    """
    known = schema(cls)
    complete = dict(options)
    for name, option in known.items():
        value, kind = complete.get(name), part_kind(option.annotation)
        if name not in complete and option.default is not Parameter.empty:
            complete[name] = option.default
        elif kind and isinstance(value, Mapping) and value.get("name", "") in registry(kind):
            complete[name] = with_defaults(registry(kind).get(value["name"]), value)
    return complete


def _with_defaults(options: dict[str, Any], known: Schema, where: str, whole: Iterable[str] = ()) -> dict[str, Any]:
    """Options of a part without its name are those of the default part; of a part inside a part, too."""
    complete = {}
    for name, value in options.items():
        option = known.get(name, Parameter(name, Parameter.KEYWORD_ONLY))  # an unknown one is found on building
        kind = part_kind(option.annotation)
        if isinstance(value, dict) and name not in whole:
            mode = isinstance(option.default, str) and not kind  # text in whose place a mapping may stand
            if mode and not matches(value, option.annotation):
                raise ConfigError(f"option {name!r} of {where} is one value and has no {listing(value)} inside.")
            value = value if mode else laid_over(option.default, value, f"option {name!r} of {where}")
        if isinstance(value, dict) and kind == "methods" and (inner := value.get("name")) in registry(kind).names():
            named = [n for n, v in value.items() if not isinstance(v, dict) or "name" in v]
            value = _with_defaults(value, schema(registry(kind).get(inner)), repr(inner), named)
        elif isinstance(value, dict) and kind and any(isinstance(v, dict) and "name" not in v for v in value.values()):
            value = _with_inner_parts(value, kind)
        complete[name] = value
    return complete


def _with_inner_parts(spec: dict[str, Any], kind: str) -> dict[str, Any]:
    """A part's options; those of a part inside it that is not named are of its default one."""
    if spec.get("name") not in registry(kind).names():  # an unknown one is found on building
        return spec
    known, complete = schema(registry(kind).get(spec["name"])), dict(spec)
    for name, value in spec.items():
        inner = part_kind(known[name].annotation) if name in known and isinstance(value, dict) else None
        if inner:
            whole = laid_over(known[name].default, value, f"option {name!r} of {spec['name']!r}")
            complete[name] = _with_inner_parts(whole, inner)
    return complete


def laid_over(under: Any, over: Any, what: str) -> Any:
    """One value of an option over another; a part's name and its options combine, but for those of another part.

    >>> laid_over({"name": "unet_256", "width": 8}, {"width": 4}, "option 'generator'")
    {'name': 'unet_256', 'width': 4}
    >>> laid_over({"name": "unet_256", "width": 8}, "resnet_9blocks", "option 'generator'")
    {'name': 'resnet_9blocks'}
    """
    if isinstance(under, dict) and isinstance(over, str):
        over = {"name": over}
    if not isinstance(over, dict) or under in (None, Parameter.empty):
        return over
    under = {"name": under} if isinstance(under, str) else under
    if not isinstance(under, dict):
        raise ConfigError(f"{what} is one value and has no {listing(over)} inside.")
    if under.get("name", over.get("name")) != over.get("name", under.get("name")):
        return over
    return {**under, **{key: laid_over(under.get(key), value, what) for key, value in over.items()}}
