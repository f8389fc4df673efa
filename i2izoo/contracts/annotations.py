"""What the annotation of an option says: its type, its range, and which kind of part it is."""

from __future__ import annotations

import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from i2izoo.contracts.ranges import FLOATS, INTEGERS, Items, Range
from i2izoo.errors import ConfigError, OptionTypeError

PartSpec: TypeAlias = str | dict[str, Any]
"""A part by name, or `{"name": ..., option: value, ...}`."""

T = TypeVar("T")

if TYPE_CHECKING:  # a type checker wants to see the T that Part[T] is about
    Part: TypeAlias = str | dict[str, Any | T]
else:

    class Part:
        """The annotation of an option that is a part: `generator: Part[Generator] = "unet_256"`.

        The interface says which registry has it, and `Method.part` builds it.
        """

        def __class_getitem__(cls, interface: type) -> Any:
            return Annotated[PartSpec, interface]


def part_interface(annotation: Any) -> type | None:
    """The interface of an option that is a part, of `Part[...]` or `Part[...] | None`; None: it is no part.

    >>> class Blur: ...
    >>> part_interface(Part[Blur] | None), part_interface(PartSpec)
    (<class 'i2izoo.contracts.annotations.Blur'>, None)
    """
    if get_origin(annotation) is Annotated:
        return next((about for about in annotation.__metadata__ if isinstance(about, type)), None)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    return next((found for member in members if (found := part_interface(member))), None)


def ranges(annotation: Any) -> tuple[Range | Items, ...]:
    """What an annotation says of the numbers themselves, `Annotated[int, Range(...)]`, and not of their type."""
    about = annotation.__metadata__ if get_origin(annotation) is Annotated else ()
    return tuple(one for one in about if isinstance(one, (Range, Items)))


def is_bare_number(annotation: Any) -> bool:
    """Is it a number, or has it numbers inside, without a range?

    >>> is_bare_number(list[int]), is_bare_number(Annotated[int, Range(0, 9)] | None)
    (True, False)
    """
    if any(isinstance(one, Range) for one in ranges(annotation)):
        return False
    return annotation in (int, float) or any(map(is_bare_number, _inside(annotation)))


def ends(annotation: Any) -> list[Any]:
    """The least and the greatest number that an annotation allows; of a list, one of such numbers.

    >>> ends(Annotated[int, Range(1, 9)] | None), ends(Annotated[list[Annotated[float, Range(0, 1)]], Items(2)])
    ([1, 9], [[0.0, 0.0], [1.0, 1.0]])
    """
    inside, found = _inside(annotation), ranges(annotation)
    span = next((one for one in found if isinstance(one, Range)), None)
    if span is not None:
        kind = float if inside == (float,) else int
        return [kind(end) for end in (span.low, span.high) if end in span]
    if get_origin(annotation) is Annotated:
        least = next((one.least for one in found if isinstance(one, Items)), 1)
        return [v * least if isinstance(v, list) else v for v in ends(inside[0])]
    if get_origin(annotation) in (list, tuple, Sequence):
        return [[end] for end in ends(inside[0])] if len(inside) == 1 else []
    if get_origin(annotation) in (Union, types.UnionType):
        return [end for member in inside for end in ends(member)]
    return []


def _inside(annotation: Any) -> tuple[Any, ...]:
    """The types that a type is made of."""
    args = get_args(annotation)
    return () if get_origin(annotation) is Literal else args[:1] if get_origin(annotation) is Annotated else args


def describe_type(annotation: Any, *, limits: bool = False) -> str:
    """Say a type as a user would: `Literal["a", "b"]` is `one of 'a', 'b'`.

    Args:
        annotation: the type.
        limits: of a number without a range of its own, say the range that every number has.

    >>> describe_type(list[Annotated[float, Range(0, 1)]] | None), describe_type(int, limits=True)
    ('list[float from 0 to 1] or None', 'int of 64 bits')
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        interface, within = part_interface(annotation), ranges(annotation)
        if interface:
            return f"the name of a {interface.__name__} or {{'name': ..., option: value}}"
        return " ".join([describe_type(args[0], limits=limits and not within), *map(str, within)])
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(a, limits=limits) for a in args)
    if annotation is type(None):
        return "None"
    if origin is not None:
        inner = ", ".join("..." if a is ... else describe_type(a, limits=limits) for a in args)
        return f"{getattr(origin, '__name__', str(origin))}[{inner}]"
    if limits and annotation in (int, float):
        return "int of 64 bits" if annotation is int else "finite float, at most 3.4e38"
    return getattr(annotation, "__name__", str(annotation))


def matches(value: Any, annotation: Any, *, in_range: bool = True) -> bool:
    """Is a JSON value of the declared type, and in its range? An int serves for a float, a bool never for a number.

    Args:
        value: the value.
        annotation: the type.
        in_range: False: the type alone is looked at.

    >>> matches(1, float), matches(True, int), matches([1, 2], list[int]), matches("a", Literal["a", "b"])
    (True, False, True, True)
    >>> matches(5, Annotated[int, Range(0, 3)]), matches(5, Annotated[int, Range(0, 3)], in_range=False)
    (False, True)
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any or isinstance(annotation, (str, typing.TypeVar)):
        return True
    if origin is Annotated:
        fits = matches(value, args[0], in_range=in_range)
        return fits and (not in_range or all(value in one for one in ranges(annotation)))
    if origin is Literal:
        return any(value == a and type(value) is type(a) for a in args)
    if origin in (Union, types.UnionType):
        return any(matches(value, a, in_range=in_range) for a in args)
    if annotation is None or annotation is type(None):
        return value is None
    if annotation is float:  # any int is a float, as in Python's own type system
        return _is(value, (int, float)) and (not in_range or value in FLOATS)
    if annotation is int:
        return _is(value, int) and (not in_range or value in INTEGERS)
    if (origin or annotation) in (list, tuple, Sequence):
        if not isinstance(value, (list, tuple)):
            return False
        if not args:
            return True
        if origin is tuple and ... not in args:
            return len(value) == len(args) and all(
                matches(v, a, in_range=in_range) for v, a in zip(value, args, strict=True)
            )
        return all(matches(v, args[0], in_range=in_range) for v in value)
    if (origin or annotation) in (dict, Mapping):
        return isinstance(value, dict) and (
            not args or all(matches(v, args[1], in_range=in_range) for v in value.values())
        )
    if (origin or annotation) is Callable:
        return callable(value)
    return not isinstance(annotation, type) or isinstance(value, annotation)


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def check_value(value: Any, annotation: Any, what: str) -> None:
    """Refuse a value that is not what its option wants.

    Args:
        value: the value.
        annotation: of the option.
        what: the option in messages: "option 'width' of ResNet6".

    Raises:
        OptionTypeError: it is of another type.
        ConfigError: it is out of the option's range.

    >>> check_value(-1, Annotated[int, Range(1, 64)], "option 'width'")
    Traceback (most recent call last):
    ...
    i2izoo.errors.ConfigError: option 'width' wants int from 1 to 64, found -1.
    """
    if matches(value, annotation):
        return
    if matches(value, annotation, in_range=False):
        raise ConfigError(f"{what} wants {describe_type(annotation, limits=True)}, found {shown(value)}.")
    raise OptionTypeError(f"{what} wants {describe_type(annotation)}, found {shown(value)} ({type(value).__name__}).")


def shown(value: Any) -> str:
    """A value in a message: its `repr`, cut in the middle where it is long, and of a number with thousands of digits.

    >>> shown("unet"), shown(10**5000)
    ("'unet'", 'a number of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a number of {value.bit_length()} bits"
    text = _short.repr(value)
    return text if len(text) <= 160 else f"{text[:100]}...{text[-57:]}"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 160
_short.maxlong, _short.maxlevel = 60, 4
_short.maxlist = _short.maxtuple = _short.maxdict = 12
