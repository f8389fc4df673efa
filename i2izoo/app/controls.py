"""What a page asks for each option of a translation, read from its signature: sliders, choices, images to paint."""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from i2izoo.contracts.annotations import check_value, describe_type, ranges
from i2izoo.contracts.describe import arguments
from i2izoo.contracts.method import Method
from i2izoo.contracts.ranges import Range
from i2izoo.contracts.registry import KINDS, registry
from i2izoo.contracts.roles import Role, role_of
from i2izoo.contracts.words import generation_options, parse_value, translation_options
from i2izoo.errors import OptionTypeError

Kind: TypeAlias = Literal["slider", "number", "check", "choice", "text", "image", "mask", "values"]

LONGEST_SLIDER = 1000
"""From end to end; a number of a wider range is typed."""

USUAL = ""
"""What a page gives where nothing was chosen."""

MASK = "mask"
"""An option of this name that is an image is painted onto the image."""


@dataclass(frozen=True)
class Control:
    """How a page asks for an option.

    Attributes:
        name: of the option.
        kind: "values" is a text that stands for something else, such as numbers between commas.
        annotation: its type.
        default: its value if nobody says anything.
        about: a sentence.
        low, high: ends of a number's range.
        step: from one number to the next.
        choices: words and values.
    """

    name: str
    kind: Kind
    annotation: Any
    default: Any = None
    about: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """Its name as people read it."""
        return self.name.replace("_", " ").capitalize()

    def value(self, given: Any) -> Any:
        """The option's value of what a page gives, checked; the default where nothing was given.

        Raises:
            ConfigError: it is out of range, or of another type.
        """
        if given is None or (isinstance(given, str) and not given.strip()):
            return self.default
        role = role_of(self.annotation)
        if self.kind == "choice":
            if given not in [value for _, value in self.choices]:
                raise OptionTypeError(f"{self.label} has no choice {given!r}.")
            return given
        if role is Role.LATENT:
            return _numbers(self.label, str(given))
        if role is not None:
            return given
        if isinstance(given, str) and self.kind in ("values", "number"):
            given = parse_value(given, self.annotation)
        if isinstance(given, float) and given.is_integer() and not _of(self.annotation, float):
            given = int(given)  # browsers know one kind of number
        check_value(given, self.annotation, self.label)
        return given


def controls(method: Method, *, from_nothing: bool = False) -> list[Control]:
    """Those of a method's translation, or of its generation, in the order of the signature."""
    options = generation_options(method) if from_nothing else translation_options(method)
    about: dict[str, str] = {}
    for inner in reversed([one for one in method.modules() if isinstance(one, Method)]):
        for function in (inner.forward, inner.translate, inner.generate):
            about |= arguments(function.__doc__)
    return [
        control(name, option, about.get(name, ""), method.classes)
        for name, option in options.items()
        if role_of(option.annotation) or _is_plain(option.annotation)
    ]


def control(name: str, option: inspect.Parameter, about: str = "", classes: Sequence[str] = ()) -> Control:
    """How one option is asked for.

    Args:
        name: of it.
        option: as `Method.translate_options` has it.
        about: what is said of it.
        classes: names of the classes that a label is one of.

    >>> from i2izoo.contracts.ranges import Share
    >>> eta = inspect.Parameter("eta", inspect.Parameter.KEYWORD_ONLY, default=0.5, annotation=Share)
    >>> one = control("eta", eta)
    >>> one.kind, one.low, one.high, one.step
    ('slider', 0, 1, 0.01)
    """
    kind, default = option.annotation, None if option.default is option.empty else option.default
    role, inside, optional = role_of(kind), *_without_none(kind)
    about = _sentence(about)
    said: dict[str, Any] = {"annotation": kind, "default": default, "about": about}
    if role is Role.IMAGE:
        return Control(name, "mask" if name == MASK else "image", **said)
    if role is Role.TEXT:
        return Control(name, "text", **said)
    if role is Role.LABEL:
        if classes:
            return Control(name, "choice", choices=(("any", None), *((one, one) for one in classes)), **said)
        return Control(name, "number", low=0, step=1, **said)
    if role is Role.LATENT:
        return Control(name, "values", **{**said, "about": about or "Numbers between commas."})
    if choices := _choices(name, inside):
        return Control(name, "choice", choices=((("usual", None),) if optional else ()) + choices, **said)
    if inside is bool and optional:
        return Control(name, "choice", choices=(("usual", None), ("yes", True), ("no", False)), **said)
    if inside is bool:
        return Control(name, "check", **said)
    span = next((one for one in ranges(inside) if isinstance(one, Range)), None)
    if (whole := _of(inside, int)) or _of(inside, float):
        short = span is not None and span.high - span.low <= LONGEST_SLIDER
        step = 1.0 if whole else _step(span, default) if span is not None and short else None
        low, high = (None, None) if span is None else _ends(span, step or 0.0)
        sliding = short and not optional and default is not None
        return Control(name, "slider" if sliding else "number", low=low, high=high, step=step, **said)
    if inside is str:
        return Control(name, "text", **said)
    return Control(name, "values", **{**said, "about": about or describe_type(kind)})


def chosen(asked: Sequence[Control], given: Sequence[Any]) -> dict[str, Any]:
    """The options that differ from their defaults, of what a page gives for each control.

    Raises:
        ConfigError: one is out of range, or of another type.
    """
    values = {one.name: (one, one.value(value)) for one, value in zip(asked, given, strict=True)}
    return {
        name: value
        for name, (one, value) in values.items()
        if value is not None
        and value is not one.default
        and not (isinstance(value, (str, int, float)) and value == one.default)
    }


# ------------------------------------------------------------------------------------------------------------- types


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """A type without the None that it may be, and whether it may."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    members = [one for one in get_args(annotation) if one is not type(None)]
    optional = len(members) < len(get_args(annotation))
    return (members[0] if len(members) == 1 else annotation), optional


def _of(annotation: Any, kind: type) -> bool:
    """Is it this type, with or without a range, or None besides?"""
    inside, _ = _without_none(annotation)
    return inside is kind or (bool(ranges(inside)) and get_args(inside)[0] is kind)


def _choices(name: str, annotation: Any) -> tuple[tuple[str, Any], ...]:
    if get_origin(annotation) is Literal:
        return tuple((str(one), one) for one in get_args(annotation))
    if annotation is str and f"{name}s" in KINDS:  # the name of a part
        return tuple((one, one) for one in registry(f"{name}s").names())
    return ()


def _is_plain(annotation: Any) -> bool:
    """Can a text say it? Functions and objects of Python are none of a page's business."""
    inside = get_args(annotation)
    if get_origin(annotation) is Literal or annotation in (int, float, str, bool, Any, type(None), ...):
        return True
    if get_origin(annotation) is Annotated:
        return _is_plain(inside[0])
    sequences = (list, tuple, dict, Sequence, Mapping, Union, types.UnionType)
    return get_origin(annotation) in sequences and all(map(_is_plain, inside))


def _sentence(about: str) -> str:
    """The first sentence of what is said, without what it is to the program's inside."""
    first = re.split(r"(?<=[^.]{3})\. |; | None: ", about)[0].rstrip(".:, ")
    return f"{first[:1].upper()}{first[1:]}." if first else ""


def _step(span: Range, default: Any) -> float:
    """A hundredth of the range at most, as a power of ten, and no more than the default, which is on the way."""
    least = min([(span.high - span.low) / 100, *([abs(default)] if default else [])])
    return float(10 ** math.floor(math.log10(least)))


def _ends(span: Range, step: float) -> tuple[float, float]:
    return (
        span.low if span.low in span else span.low + step,
        span.high if span.high in span else span.high - step,
    )


def _numbers(label: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.strip().strip("[]").split(",")]
    except ValueError:
        raise OptionTypeError(f"{label} wants numbers between commas; found {text[:60]!r}.") from None


def as_python(options: Mapping[str, Any]) -> str:
    """Options as arguments of a call; images stand there by the names of files.

    >>> as_python({"steps": 20, "mask": object()})
    ', steps=20, mask="mask.png"'
    """
    shown = {k: v if isinstance(v, (str, int, float, bool, list, tuple)) else f"{k}.png" for k, v in options.items()}
    return "".join(f", {name}={_quoted(value)}" for name, value in shown.items())


def _quoted(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
