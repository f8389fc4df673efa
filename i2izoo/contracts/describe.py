"""A part in words, from its docstring and signature: what `i2izoo info` prints, and the site shows."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.annotations import describe_type
from i2izoo.contracts.config import missing_options, schema
from i2izoo.contracts.registry import part_kind, singular

if TYPE_CHECKING:
    from i2izoo.contracts.metric import Weights


@dataclass(frozen=True)
class OptionText:
    """An option in words.

    Attributes:
        name: of the option.
        kind: its type, or which kind of part it is; "" where it may be anything.
        default: as JSON, or "None" as the types say it; None: the option is required.
        about: what the docstring says of it, or "".
    """

    name: str
    kind: str
    default: str | None
    about: str


def first_line(cls: type) -> str:
    """The sentence that a docstring begins with.

    >>> first_line(OptionText)
    'An option in words.'
    """
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def options(cls: type, defaults: Mapping[str, Any] = {}) -> list[OptionText]:
    """The options of a class, in the order of its signature.

    Args:
        cls: whose constructor has them.
        defaults: those that hold in place of the signature's.

    >>> class Blur:
    ...     '''Blurs.
    ...
    ...     Args:
    ...         radius: in pixels.
    ...     '''
    ...     def __init__(self, *, radius: float = 1.5): ...
    >>> options(Blur)
    [OptionText(name='radius', kind='float', default='1.5', about='in pixels.')]
    """
    about, found = _described(cls), []
    for name, parameter in schema(cls).items():
        kind, default = parameter.annotation, defaults.get(name, parameter.default)
        part = part_kind(kind)
        words = singular(part) if part else "" if kind is Any else describe_type(kind)
        shown = "None" if default is None else json.dumps(default, default=str)
        text = None if default is parameter.empty else shown
        found.append(OptionText(name, words, text, about.get(name, "")))
    return found


def weights_of(part: Any) -> Sequence[Weights]:
    """The files that a metric or extractor needs with its defaults; none where it cannot be built without options."""
    return () if missing_options(part, {}) else part().weights()


def _described(cls: type) -> dict[str, str]:
    """Option -> what the Args section of the docstring says about it, or that of a class that it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= arguments(base.__doc__)
    return found


def arguments(docstring: str | None) -> dict[str, str]:
    """Argument -> what the Args section of a docstring says about it.

    >>> arguments("Blurs.\\n\\n    Args:\\n        radius: in pixels,\\n            from 0.\\n")
    {'radius': 'in pixels, from 0.'}
    """
    _, _, section = inspect.cleandoc(docstring or "").partition("Args:\n")
    section = re.split(r"\n\S|\n\n", section)[0]
    said = re.findall(r"^    (\w+(?:, \w+)*): (.*(?:\n     +\S.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in said for name in names.split(", ")}
