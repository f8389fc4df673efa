"""A part's or a method's options as data: strict, JSON, and enough to build the same object again."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from i2izoo.contracts.annotations import check_value, describe_type, matches, shown
from i2izoo.contracts.plain import check_plain
from i2izoo.errors import ConfigError, OptionTypeError, listing, suggest


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
        full = cast(Any, cls).completed(check_options(cls, options))
        # past __setattr__, which torch modules do not allow before their own __init__ has run
        part.__dict__["config"] = {n: v for n, v in full.items() if n in _of_constructor(cls) or v != _default(cls, n)}
        given = copy.deepcopy(full | fixed_options(cls))
        part.__init__(**{name: given.pop(name) for name in _of_constructor(cls)})
        part.configure(**given)
        return part


class Configurable(metaclass=_Checked):
    """Records the keyword-only constructor options in `self.config`, after checking them.

    The constructor's signature is the schema: names, types, ranges (`Annotated[int, Range(1, 9)]`, of
    `i2izoo.contracts.ranges`) and defaults. Options are JSON values only (None, bool, int, float, str, lists and dicts
    of them), so that `type(x)(**x.config)` is `x` again.

    A subclass that differs in its options alone says so in a line, without a constructor of its own. Options that an
    interface gives to all that implement it are those of its `configure`; they stand beside the constructor's.

    Attributes:
        config: all options of the constructor, and those of `configure` that are not at their defaults.
        defaults: other defaults than the constructor's: option -> value.
        fixed: options that are none in this class: option -> the value that the constructor gets.
        tiny_options: options that make it small and fast, which the conformance kit takes. None: it needs files, too.

    Raises:
        ConfigError: an option is unknown, required and missing, out of its range, or not a JSON value.
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

    @classmethod
    def completed(cls, options: dict[str, Any]) -> dict[str, Any]:
        """All options, which have been checked, after those that follow from others have been set."""
        return options

    def configure(self) -> None:
        """Called after the constructor, with the options that this method declares: those of an interface.

        Where a constructor has an option of the same name, it is the constructor's.
        """


@functools.cache
def schema(cls: type) -> dict[str, inspect.Parameter]:
    """The keyword options of `cls`, in the order of its constructor, with resolved annotations and its defaults."""
    fixed = fixed_options(cls)
    return {name: parameter for name, parameter in constructor(cls).items() if name not in fixed}


@functools.cache
def constructor(cls: type) -> dict[str, inspect.Parameter]:
    """The options that `cls` is built with: those of `schema`, and those that are fixed, at their values.

    Raises:
        ConfigError: a default is given for what is no option, or is not of its type.
    """
    options = dict(_of_constructor(cls))
    if issubclass(cls, Configurable):
        options |= {n: option for n, option in function_options(cls.configure).items() if n not in options}
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


def _default(cls: type, option: str) -> Any:
    return schema(cls)[option].default


@functools.cache
def _of_constructor(cls: type) -> dict[str, inspect.Parameter]:
    return function_options(cls.__init__)  # type: ignore[misc]


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
        ConfigError: an option is unknown, out of its range, not a JSON value, or (`complete`) required and missing.
        OptionTypeError: an option is not of its declared type.
    """
    allowed = schema(cls)
    for name in options:
        if name not in allowed:
            raise ConfigError(
                f"{cls.__name__} has no option {shown(name)}{suggest(name, allowed) or ';'} "
                f"Allowed: {listing(allowed)}."
            )
    checked: dict[str, Any] = {}
    for name, parameter in allowed.items():
        if name in options:
            value = options[name]
            # a default is allowed whatever its annotation says (`width: int = None`), for configs hold defaults
            if type(value) is not type(parameter.default) or value != parameter.default:
                check_value(value, parameter.annotation, f"option {name!r} of {cls.__name__}")
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


def _plain(value: Any, where: str) -> Any:
    """A deep copy of a JSON value; tuples become lists."""
    try:
        check_plain(value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}, as in no option.") from None
    return _copied(value, where)


def _copied(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{where} is {value!r}, which JSON cannot hold; use a finite number.")
        return float(value)  # numpy's doubles are floats too
    if isinstance(value, (list, tuple)):
        return [_copied(v, where) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _copied(v, f"{where}.{k}") for k, v in value.items()}
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
