"""`option=value` on the command line: dotted keys, JSON values, checked against the signatures they are meant for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from i2izoo.contracts.options import Schema, sort_options
from i2izoo.contracts.words import parse_value
from i2izoo.errors import ConfigError

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\.\w+)*=", re.ASCII)
BACKENDS = ("onnxruntime", "openvino", "compile", "auto")


def is_assignment(word: str) -> bool:
    """Does a word look like `option=value`?

    >>> is_assignment("generator.width=32"), is_assignment("./a=b.png")
    (True, False)
    """
    return ASSIGNMENT.match(word) is not None


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
