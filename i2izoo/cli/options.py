"""`option=value` on the command line: dotted keys, JSON values, checked against the signatures they are meant for."""

from __future__ import annotations

import argparse
import inspect
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.annotations import matches, shown
from i2izoo.contracts.options import Schema, sort_options
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ConfigError

if TYPE_CHECKING:
    from i2izoo.contracts.method import Method

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\.\w+)*=", re.ASCII)
BACKENDS = ("onnxruntime", "openvino", "compile", "auto")
WORDS = {"True": True, "False": False, "None": None}


def is_assignment(word: str) -> bool:
    """Does a word look like `option=value`?

    >>> is_assignment("generator.width=32"), is_assignment("./a=b.png")
    (True, False)
    """
    return ASSIGNMENT.match(word) is not None


def translation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The method's own options of a translation that words can set; commands show their progress by themselves."""
    return {name: option for name, option in method.translate_options().items() if name != "progress"}


def generation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The same of a generation."""
    return {name: option for name, option in method.generate_options().items() if name != "progress"}


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


def parse_names(text: str) -> dict[str, str]:
    """The names of `--rename`.

    >>> parse_names("edges=label,shoes=photo")
    {'edges': 'label', 'shoes': 'photo'}
    """
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(own and name for own, _, name in pairs) or len({own for own, *_ in pairs}) < len(pairs):
        raise ConfigError(f"--rename says the data's name and the model's, such as edges=label; found {text!r}.")
    return {own.strip(): name.strip() for own, _, name in pairs}


def parse_options(
    words: Sequence[str],
    *schemas: Schema,
    where: str,
    parser: argparse.ArgumentParser | None = None,
    complete: bool = True,
) -> list[dict[str, Any]]:
    """Sort `option=value` words into one dict of options for each schema.

    `generator.width=32` is an option of the part that `generator=...` or the default names; both together combine.

    Args:
        words: what the user typed.
        schemas, where, parser: see `parse_words`.
        complete: see `sort_options`.

    Raises:
        ConfigError: a word has no `=`, or an option is unknown or given twice.
    """
    given = parse_words(words, *schemas, where=where, parser=parser)
    return sort_options(given.items(), *schemas, where=where, complete=complete)


def parse_words(
    words: Sequence[str], *schemas: Schema, where: str, parser: argparse.ArgumentParser | None = None
) -> dict[str, Any]:
    """The values of `option=value` words by their dotted keys, each read as its option wants it.

    Args:
        words: what the user typed.
        schemas: option name -> parameter, as `contracts.config.schema` has them; the first that knows a name gets it.
        where: what the options belong to, for messages.
        parser: of the command, whose own options are written with two dashes: who writes `seed=3` is told so.

    Raises:
        ConfigError: a word has no `=`, or an option is given twice, or belongs to the command.
    """
    known = {name: option for schema in reversed(schemas) for name, option in schema.items()}
    given: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        name, *path = key.split(".")
        if not equals or not is_assignment(word):
            raise ConfigError(f"expected option=value, found {word!r}.")
        flag = f"--{name.replace('_', '-')}"
        if name not in known and parser is not None and flag in re.split(r"[\s\[\]]+", parser.format_usage()):
            raise ConfigError(f"{name!r} is an option of the command: write {flag} {text or 'VALUE'}.")
        if key in given:
            raise ConfigError(f"option {key!r} is given twice.")
        given[key] = parse_value(text, Any if path or name not in known else known[name].annotation)
    return given


def parse_value(text: str, annotation: Any) -> Any:
    """The reading of `text` that fits the declared type: JSON, a list `a,b`, or the text itself.

    >>> parse_value("3", int), parse_value("3", str), parse_value("a,b", list[str]), parse_value("unet_256", Any)
    (3, '3', ['a', 'b'], 'unet_256')
    """
    plain = _json(text)
    readings = [plain, text, [_json(item) for item in text.split(",")], text.split(",")]
    # a bare word is never meant as a list where anything goes
    return next((r for r in readings if matches(r, annotation, in_range=False)), plain)


def _json(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    try:
        value = parse_json(text)
    except ConfigError as error:
        raise ConfigError(f"{shown(text)} is no value of an option: {error}.") from error
    except ValueError:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN
