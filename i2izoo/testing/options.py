"""Rules for every class with options: they are data, they are checked, they are explained."""

from __future__ import annotations

import inspect
import json
import math

from i2izoo.contracts.annotations import ends, is_bare_number
from i2izoo.contracts.config import Configurable, function_options, schema
from i2izoo.errors import ConfigError, I2IZooError, listing
from i2izoo.nn.budget import OverBudget, budget
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.subject import NotApplicable, Subject, require


def options_are_keyword_only(subject: Subject) -> None:
    """The constructor takes keyword-only options with type annotations, and nothing else."""
    parameters = list(inspect.signature(subject.part.__init__).parameters.values())[1:]
    own = function_options(subject.part.__init__)
    wrong = [str(p) for p in parameters if p.kind is not p.KEYWORD_ONLY and own]
    require(not wrong, f"found {listing(wrong)}; put a bare * after self and take no **kwargs")
    bare = [p.name for p in parameters if p.annotation is p.empty and p.kind is p.KEYWORD_ONLY]
    require(not bare, f"options without a type: {listing(bare)}")


def is_documented(subject: Subject) -> None:
    """The class, or one that it inherits from, explains the part and names every option in its docstring."""
    require((subject.part.__doc__ or "").strip(), f"{subject.part.__qualname__} has no docstring")
    text = "\n".join(c.__doc__ or "" for c in subject.part.__mro__ if c is not Configurable)
    silent = [name for name in schema(subject.part) if name not in text]
    require(not silent, f"options that no docstring explains: {listing(silent)}")


def options_rebuild_the_part(subject: Subject) -> None:
    """`type(x)(**x.config)` has the config of `x`, which JSON holds."""
    part = subject.build()
    held = json.loads(json.dumps(part.config, allow_nan=False))
    require(held == part.config, f"config {part.config} is {held} after JSON")
    again = type(part)(**held).config
    require(again == part.config, f"config {part.config} rebuilds a part with config {again}")


def unknown_options_are_refused(subject: Subject) -> None:
    """An option that does not exist is a ConfigError."""
    try:
        subject.build(no_such_option=1)
    except ConfigError:
        return
    raise AssertionError("no_such_option=1 was accepted")


def numbers_have_a_range(subject: Subject) -> None:
    """Every number among the options, and among those of a translation, says its range: `Annotated[int, Range(1, 9)]`.

    `i2izoo.contracts.ranges` has names for those that come again: Channels, Layers, Share, Rate, ...
    """
    annotations = {name: option.annotation for name, option in schema(subject.part).items()}
    for call in ("translate", "generate") if subject.kind == "methods" else ():
        options = function_options(getattr(subject.part, call), without=("image", "to", "seeds", "size"))
        annotations |= {name: option.annotation for name, option in options.items()}
    bare = [name for name, annotation in annotations.items() if is_bare_number(annotation)]
    require(not bare, f"numbers without a range: {listing(bare)}")


def ends_of_ranges_build_or_are_refused(subject: Subject) -> None:
    """With the least and the greatest number that an option takes the part is built, or refused in an error of ours."""
    for name, option in schema(subject.part).items():
        for value in ends(option.annotation):
            try:
                with only_shapes(), budget(values=math.inf, modules=2000):
                    subject.build(**{name: value})
            except (I2IZooError, OverBudget, NotApplicable):
                continue
            except Exception as error:
                if not isinstance(error, NotImplementedError) and "meta" not in str(error):
                    found = f"{name}={value!r} gives a {type(error).__name__}: {error}"
                    raise AssertionError(f"{found}; narrow its range, or refuse it with a ConfigError") from error


RULES = (
    options_are_keyword_only,
    is_documented,
    options_rebuild_the_part,
    unknown_options_are_refused,
    numbers_have_a_range,
    ends_of_ranges_build_or_are_refused,
)
