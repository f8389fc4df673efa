"""`option=value` on the command line: dotted keys, JSON values, checked against the signatures they are meant for."""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.config import function_options, matches, merge, part_interface
from i2izoo.errors import ConfigError, listing, suggest

if TYPE_CHECKING:
    from i2izoo.contracts.method import Method

Schema = Mapping[str, inspect.Parameter]
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\.\w+)*=", re.ASCII)
WORDS = {"True": True, "False": False, "None": None}


def is_assignment(word: str) -> bool:
    """Does a word look like `option=value`?

    >>> is_assignment("generator.width=32"), is_assignment("./a=b.png")
    (True, False)
    """
    return ASSIGNMENT.match(word) is not None


def translation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The method's own options of a translation that words can set; commands show their progress by themselves."""
    return function_options(method.translation, without=("image", "to", "seeds", "progress"))


def generation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The same of a generation."""
    return function_options(method.generation, without=("image", "to", "seeds", "size", "progress"))


def parse_size(text: str) -> int | list[int]:
    """A side, or height and width.

    >>> parse_size("256"), parse_size("256,512"), parse_size("64x48")
    (256, [256, 512], [64, 48])
    """
    try:
        sides = [int(side) for side in re.split("[,x]", text)]
    except ValueError:
        raise ConfigError(f"--size is a side or HEIGHT,WIDTH in pixels, such as 256; found {text!r}.") from None
    return sides[0] if len(sides) == 1 else sides


def parse_options(
    words: Sequence[str], *schemas: Schema, where: str, parser: argparse.ArgumentParser | None = None
) -> list[dict[str, Any]]:
    """Sort `option=value` words into one dict of options for each schema.

    `generator.width=32` is an option of the part that `generator=...` or the default names; both together combine.

    Args:
        words: what the user typed.
        schemas: option name -> parameter, as `contracts.config.schema` has them; the first that knows a name gets it.
        where: what the options belong to, for messages.
        parser: of the command, whose own options are written with two dashes: who writes `seed=3` is told so.

    Raises:
        ConfigError: a word has no `=`, or an option is unknown or given twice.
    """
    found: list[dict[str, Any]] = [{} for _ in schemas]
    nested: list[dict[str, dict[str, Any]]] = [{} for _ in schemas]
    seen: set[str] = set()
    for word in words:
        key, equals, text = word.partition("=")
        name, *path = key.split(".")
        if not equals or not is_assignment(word):
            raise ConfigError(f"expected option=value, found {word!r}.")
        owner = next((i for i, schema in enumerate(schemas) if name in schema), None)
        if owner is None:
            known = [n for schema in schemas for n in schema]
            flag = f"--{name.replace('_', '-')}"
            if parser is not None and flag in re.split(r"[\s\[\]]+", parser.format_usage()):
                raise ConfigError(f"{name!r} is an option of the command: write {flag} {text or 'VALUE'}.")
            raise ConfigError(f"{where} has no option {name!r}{suggest(name, known) or '.'} Options: {listing(known)}.")
        if key in seen:
            raise ConfigError(f"option {key!r} is given twice.")
        seen.add(key)
        if path:
            value = parse_value(text, Any)
            for step in reversed(path):
                value = {step: value}
            nested[owner] = merge(nested[owner], {name: value})
        else:
            found[owner][name] = parse_value(text, schemas[owner][name].annotation)
    for schema, options, inner in zip(schemas, found, nested, strict=True):
        for name, values in inner.items():
            base = options.get(name, schema[name].default)
            if isinstance(base, str) and part_interface(schema[name].annotation):
                base = {"name": base}
            base = {} if base is None else base
            if not isinstance(base, dict):
                raise ConfigError(f"option {name!r} of {where} is one value and has no {listing(values)} inside.")
            options[name] = merge(base, values)
    return found


def parse_value(text: str, annotation: Any) -> Any:
    """The reading of `text` that fits the declared type: JSON, a list `a,b`, or the text itself.

    >>> parse_value("3", int), parse_value("3", str), parse_value("a,b", list[str]), parse_value("unet_256", Any)
    (3, '3', ['a', 'b'], 'unet_256')
    """
    plain = _json(text)
    readings = [plain, text, [_json(item) for item in text.split(",")], text.split(",")]
    # a bare word is never meant as a list where anything goes
    return next((r for r in readings if matches(r, annotation)), plain)


def _json(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    try:
        return json.loads(text, parse_constant=lambda _: text)
    except ValueError:
        return text
