"""Values as JSON and YAML have them, from a file or a command line that anybody may have written."""

from __future__ import annotations

import json
from typing import Any

from i2izoo.errors import ConfigError

DEEPEST = 64
"""How deep values may be nested; the deepest that there is in earnest, parts within parts, has 8 levels."""

MOST = 1_000_000
"""How many values there may be in one; a few lines of YAML can stand for more than any memory holds."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON.
        ConfigError: it is, and `check_plain` refuses it.

    >>> parse_json('{"width": [8, 16]}')
    {'width': [8, 16]}
    >>> parse_json("[" * 900 + "]" * 900)
    Traceback (most recent call last):
    ...
    i2izoo.errors.ConfigError: values are nested deeper than 64 levels
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    check_plain(value)
    return value


def check_plain(value: Any) -> None:
    """Refuse what is nested too deep, contains itself, stands for too much, or holds text that cannot be written.

    Raises:
        ConfigError: a clause without an end, which the caller puts into a sentence about the file.
    """
    left, count = [(value, 0)], 0
    while left:
        one, depth = left.pop()
        count += 1
        if depth > DEEPEST:
            raise _too_deep()
        if count > MOST:
            raise ConfigError(f"there are more than {MOST:,} values")
        if isinstance(one, str):
            check_text(one)
        elif isinstance(one, dict):
            left += [(key, depth + 1) for key in one]
            left += [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, (list, tuple)):
            left += [(inner, depth + 1) for inner in one]


def check_text(text: str) -> None:
    """Refuse text with half of a character in it (a lone surrogate), which JSON can say and nothing can write.

    Bytes of a file's name that are no text, as Python holds them, are let be.

    Raises:
        ConfigError: see `check_plain`.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ConfigError(f"half of a character is missing in {text[:60]!a}") from None


def _too_deep() -> ConfigError:
    return ConfigError(f"values are nested deeper than {DEEPEST} levels")
