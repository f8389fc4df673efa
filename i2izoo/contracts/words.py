"""Options of a translation or generation as people write them: which ones there are, and what a text stands for."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.annotations import matches, shown
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ConfigError

if TYPE_CHECKING:
    from i2izoo.contracts.method import Method

WORDS = {"True": True, "False": False, "None": None}


def translation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The method's own options of a translation that words can set; commands show their progress by themselves."""
    return {name: option for name, option in method.translate_options().items() if name != "progress"}


def generation_options(method: Method) -> dict[str, inspect.Parameter]:
    """The same of a generation."""
    return {name: option for name, option in method.generate_options().items() if name != "progress"}


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
