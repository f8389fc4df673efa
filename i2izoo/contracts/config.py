"""A part's or a method's options as data: strict, JSON, and enough to build the same object again."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from i2izoo.errors import ConfigError, OptionTypeError, listing, suggest

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
    (<class 'i2izoo.contracts.config.Blur'>, None)
    """
    if get_origin(annotation) is Annotated:
        return next((about for about in annotation.__metadata__ if isinstance(about, type)), None)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    return next((found for member in members if (found := part_interface(member))), None)


class _Checked(ABCMeta):
    """Checks the options of a call, and hands the constructor all of them: those given, the defaults, what is fixed.

    copy.deepcopy and pickle make their objects past a call, and restore the config that was recorded.
    """

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if args:
            raise OptionTypeError(
                f"{cls.__name__} takes its options by name, found {listing(map(repr, args))} without one. "
                f"Allowed: {listing(schema(cls))}."
            )
        part = cast(Any, cls).__new__(cls)
        # past __setattr__, which torch modules do not allow before their own __init__ has run
        part.__dict__["config"] = check_options(cls, options)
        part.__init__(**copy.deepcopy(part.config | fixed_options(cls)))
        return part


class Configurable(metaclass=_Checked):
    """Records the keyword-only constructor options in `self.config`, after checking them.

    The constructor's signature is the schema: names, types and defaults. Options are JSON values only
    (None, bool, int, float, str, lists and dicts of them), so that `type(x)(**x.config)` is `x` again.

    A subclass that differs in its options alone says so in a line, without a constructor of its own.

    Attributes:
        config: the options, all of them.
        defaults: other defaults than the constructor's: option -> value.
        fixed: options that are none in this class: option -> the value that the constructor gets.
        tiny_options: options that make it small and fast, which the conformance kit takes. None: it needs files, too.

    Raises:
        ConfigError: an option is unknown, required and missing, or not a JSON value.
        OptionTypeError: an option is not of its declared type.

    >>> class Blur(Configurable):
    ...     def __init__(self, *, radius: int = 2, mode: Literal["box", "gauss"] = "box"):
    ...         self.radius = radius
    >>> Blur(radius=3).config
    {'radius': 3, 'mode': 'box'}
    >>> Blur(raduis=3)
    Traceback (most recent call last):
    ...
    i2izoo.errors.ConfigError: Blur has no option 'raduis'; did you mean 'radius'? Allowed: radius, mode.
    >>> class Gauss(Blur):
    ...     defaults, fixed = {"radius": 5}, {"mode": "gauss"}
    >>> Gauss().config, Gauss().radius
    ({'radius': 5}, 5)
    """

    config: dict[str, Any]
    defaults: ClassVar[dict[str, Any]] = {}
    fixed: ClassVar[dict[str, Any]] = {}
    tiny_options: ClassVar[dict[str, Any] | None] = {}


@functools.cache
def schema(cls: type) -> dict[str, inspect.Parameter]:
    """The keyword options of `cls`, in the order of its constructor, with resolved annotations and its defaults."""
    fixed = fixed_options(cls)
    return {name: parameter for name, parameter in constructor(cls).items() if name not in fixed}


@functools.cache
def constructor(cls: type) -> dict[str, inspect.Parameter]:
    """The options of the constructor of `cls`: those of `schema`, and those that are fixed, at their values.

    Raises:
        ConfigError: a default is given for what is no option, or is not of its type.
    """
    options = function_options(cls.__init__)  # type: ignore[misc]
    for name, value in (_declared(cls, "defaults") | fixed_options(cls)).items():
        if name not in options or not matches(value, options[name].annotation):
            raise ConfigError(
                f"{cls.__name__} gives {name!r} the value {value!r}, and "
                + (
                    f"it is no option. Options: {listing(options)}."
                    if name not in options
                    else f"it wants {describe_type(options[name].annotation)}."
                )
            )
        options[name] = options[name].replace(default=value)
    return options


def fixed_options(cls: type) -> dict[str, Any]:
    """The options of the constructor of `cls` that it fixes: name -> value."""
    return _declared(cls, "fixed")


def _declared(cls: type, attribute: str) -> dict[str, Any]:
    """What `cls` and its bases down to the one with the constructor say about its options; the nearest one wins."""
    line = cls.__mro__
    last = next(index for index, base in enumerate(line) if "__init__" in vars(base))
    said = [vars(base).get(attribute, {}) for base in line[last::-1] if issubclass(base, Configurable)]
    return {name: value for options in said for name, value in options.items()}


def function_options(function: Callable[..., Any], without: Sequence[str] = ()) -> dict[str, inspect.Parameter]:
    """The named parameters of a method but `self` and those in `without`, with resolved annotations."""
    function = inspect.unwrap(function)
    names = getattr(function, "__globals__", {})
    return {
        p.name: p.replace(annotation=_hint(p, names))
        for p in list(inspect.signature(function).parameters.values())[1:]
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in without
    }


def _hint(parameter: inspect.Parameter, names: dict[str, Any]) -> Any:
    """The annotation of one parameter as a type."""
    if parameter.annotation is parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"option": parameter.annotation})
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["option"]
    except (NameError, TypeError, AttributeError, SyntaxError):  # it only exists for type checkers: do not check it
        return Any


def check_options(cls: type, options: dict[str, Any], *, complete: bool = True) -> dict[str, Any]:
    """Check `options` against the constructor of `cls` and return them, a Configurable's with its defaults filled in.

    Args:
        cls: a Configurable class, or any class with keyword options.
        options: by name.
        complete: are all required options in there? False: what is missing is left out.

    Raises:
        ConfigError: an option is unknown, not a JSON value, or (`complete`) required and missing.
        OptionTypeError: an option is not of its declared type.
    """
    allowed = schema(cls)
    for name in options:
        if name not in allowed:
            raise ConfigError(
                f"{cls.__name__} has no option {name!r}{suggest(name, allowed) or ';'} Allowed: {listing(allowed)}."
            )
    checked: dict[str, Any] = {}
    for name, parameter in allowed.items():
        if name in options:
            value = options[name]
            # a default is allowed whatever its annotation says (`width: int = None`), for configs hold defaults
            default = type(value) is type(parameter.default) and value == parameter.default
            if not default and not matches(value, parameter.annotation):
                raise OptionTypeError(
                    f"option {name!r} of {cls.__name__} wants {describe_type(parameter.annotation)}, "
                    f"found {value!r} ({type(value).__name__})."
                )
        elif parameter.default is not parameter.empty and issubclass(cls, Configurable):
            value = parameter.default
        else:  # the defaults of a class that is not ours need not be JSON: -inf in diffusers' DPM solvers
            continue
        checked[name] = _plain(value, f"{cls.__name__}.{name}")
    if complete and (lacking := missing_options(cls, options)):
        raise ConfigError(f"{cls.__name__} needs the options {listing(lacking)}, which were not given.")
    return checked


def missing_options(cls: type, options: dict[str, Any]) -> list[str]:
    """The required options of `cls` that `options` lacks."""
    return [n for n, p in schema(cls).items() if p.default is p.empty and n not in options]


def describe_type(annotation: Any) -> str:
    """Say a type as a user would: `Literal["a", "b"]` is `one of 'a', 'b'`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        interface = part_interface(annotation)
        return (
            f"the name of a {interface.__name__} or {{'name': ..., option: value}}"
            if interface
            else describe_type(args[0])
        )
    if origin is Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(a) for a in args)
    if annotation is type(None):
        return "None"
    if origin is not None:
        inner = ", ".join("..." if a is ... else describe_type(a) for a in args)
        return f"{getattr(origin, '__name__', str(origin))}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def matches(value: Any, annotation: Any) -> bool:
    """Is a JSON value of the declared type? An int serves for a float, a bool never for a number.

    >>> matches(1, float), matches(True, int), matches([1, 2], list[int]), matches("a", Literal["a", "b"])
    (True, False, True, True)
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any or isinstance(annotation, (str, typing.TypeVar)):
        return True
    if origin is Annotated:
        return matches(value, args[0])
    if origin is Literal:
        return any(value == a and type(value) is type(a) for a in args)
    if origin in (Union, types.UnionType):
        return any(matches(value, a) for a in args)
    if annotation is None or annotation is type(None):
        return value is None
    if annotation is float:  # any int is a float, as in Python's own type system
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if (origin or annotation) in (list, tuple, Sequence):
        if not isinstance(value, (list, tuple)):
            return False
        if not args:
            return True
        if origin is tuple and ... not in args:
            return len(value) == len(args) and all(map(matches, value, args))
        return all(matches(v, args[0]) for v in value)
    if (origin or annotation) in (dict, Mapping):
        return isinstance(value, dict) and (not args or all(matches(v, args[1]) for v in value.values()))
    return not isinstance(annotation, type) or isinstance(value, annotation)


def _plain(value: Any, where: str) -> Any:
    """A deep copy of a JSON value; tuples become lists."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where} is {value!r}, which JSON cannot hold; use a finite number.")
        return float(value)  # numpy's doubles are floats too
    if isinstance(value, (list, tuple)):
        return [_plain(v, where) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _plain(v, f"{where}.{k}") for k, v in value.items()}
    raise OptionTypeError(
        f"{where} is a {type(value).__name__}; options are JSON values (None, bool, int, float, str, list, dict)."
    )


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it, nested dicts merged key by key.

    >>> merge({"generator": {"name": "a", "width": 8}}, {"generator": {"width": 4}})
    {'generator': {'name': 'a', 'width': 4}}
    """
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged
