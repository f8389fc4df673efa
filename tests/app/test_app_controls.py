"""Signatures become controls, and what a page gives becomes options of a translation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest

from i2izoo.app.controls import Control, as_python, chosen, control, controls
from i2izoo.contracts.ranges import Count, Guidance, Range, Share
from i2izoo.contracts.registry import registry
from i2izoo.contracts.words import generation_options, translation_options
from i2izoo.errors import ConfigError, OptionTypeError
from i2izoo.interfaces import Image, Label, Latent, Text
from i2izoo.testing.subject import NotApplicable, Subject


def asked(annotation: Any, default: Any = None, name: str = "option", **more: Any) -> Control:
    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    return control(name, parameter, **more)


KINDS = [
    (Share, 0.5), (Share | None, None), (Guidance, 1.0), (Count, 50), (Annotated[int, Range(1, 9)], 2), (float, 1.0),
    (bool, False), (bool | None, None), (Literal["a", "b"], "a"), (Literal["a", "b"] | None, None), (str, "x"),
    (Text | None, None), (Image | None, None), (Latent | None, None), (Label | None, None), (list[int] | None, None),
    (int | str, 3),
]  # fmt: skip
"""Types and defaults; below, in this order, the kinds of their controls."""


def test_each_type_has_its_control() -> None:
    assert " ".join(asked(*one).kind for one in KINDS) == (
        "slider number number number slider number check choice choice choice text "
        "text image values number values values"
    )


def test_names_say_what_is_painted_and_what_is_a_part() -> None:
    assert asked(Image | None, name="mask").kind == "mask"
    schedulers = asked(str | None, name="scheduler")
    assert [value for _, value in schedulers.choices] == [None, *registry("schedulers").names()]
    classes = asked(Label | None, classes=("cat", "dog"))
    assert [words for words, _ in classes.choices] == ["any", "cat", "dog"]


@pytest.mark.parametrize(
    ("annotation", "default", "given", "value"),
    [
        (Share | None, None, "", None), (Share | None, None, " 0.25 ", 0.25), (Share, 0.5, 1, 1),
        (Annotated[int, Range(1, 9)], 2, 3.0, 3), (Literal["a", "b"] | None, None, "b", "b"),
        (bool | None, None, False, False), (Latent | None, None, "1, -2.5", [1.0, -2.5]),
        (Latent | None, None, "[1,2]", [1.0, 2.0]), (list[int] | None, None, "4,3", [4, 3]),
        (int | str, 3, "auto", "auto"), (Text | None, None, "4", "4"), (str, "x", "None", "None"),
    ],
)  # fmt: skip
def test_what_a_page_gives_becomes_a_value(annotation: Any, default: Any, given: Any, value: Any) -> None:
    found = asked(annotation, default).value(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "default", "given", "error", "words"),
    [
        (Share, 0.5, 7, ConfigError, "Option wants float from 0 to 1, found 7."),
        (Share | None, None, "x", OptionTypeError, "Option wants float from 0 to 1 or None, found 'x' (str)."),
        (Annotated[int, Range(1, 9)], 2, 2.5, OptionTypeError, "Option wants int from 1 to 9, found 2.5 (float)."),
        (Literal["a", "b"], "a", "c", OptionTypeError, "Option has no choice 'c'."),
        (Latent, None, "a,b", OptionTypeError, "Option wants numbers between commas; found 'a,b'."),
    ],
)
def test_what_does_not_fit_is_refused(annotation: Any, default: Any, given: Any, error: type, words: str) -> None:
    with pytest.raises(error) as found:
        asked(annotation, default).value(given)
    assert str(found.value) == words


def test_only_what_differs_from_its_default_is_an_option() -> None:
    both = [asked(Share, 0.5, "eta"), asked(Count | None, None, "steps")]
    assert chosen(both, [0.5, ""]) == {}
    assert chosen(both, [0.25, "20"]) == {"eta": 0.25, "steps": 20}


def test_sliders_move_within_the_range() -> None:
    one = asked(Annotated[float, Range(0, 1, without="low")], 0.5)
    assert (one.low, one.high, one.step) == (0.01, 1, 0.01)
    assert asked(Annotated[float, Range(-10, 10)], 1.0).step == pytest.approx(0.1)
    small = asked(Annotated[float, Range(0, 1, without="low")], 0.002)
    assert (small.low, small.step) == (0.001, 0.001)


def test_functions_of_python_have_no_control() -> None:
    class Watched(registry("methods").get("pix2pix")):  # type: ignore[misc]
        def translate(
            self, image: Any, *, to: str, seeds: list[int], preview: Callable[..., None] | None = None, eta: Share = 0.0
        ) -> Any:
            """Translate.

            Args:
                eta: noise of a step; 0 is none.
            """

    method = Watched(generator={"name": "unet_128", "depth": 2, "width": 2}, discriminator="pixel")
    (eta,) = controls(method)
    assert (eta.name, eta.about, eta.default) == ("eta", "Noise of a step.", 0.0)


@pytest.mark.parametrize("name", registry("methods").names())
def test_every_option_of_every_method_can_be_set_or_left(name: str) -> None:
    try:
        method = Subject("methods", registry("methods").find(name)).build()
    except NotApplicable as reason:
        pytest.skip(str(reason))
    for from_nothing in (False, True):
        found = controls(method, from_nothing=from_nothing)
        options = generation_options(method) if from_nothing else translation_options(method)
        functions = {one for one, option in options.items() if re.search("Callable|Hook|Step", str(option.annotation))}
        assert {one.name for one in found} == options.keys() - functions
        assert chosen(found, [one.default for one in found]) == {}
        assert chosen(found, [None] * len(found)) == {}
        for one in found:
            if one.kind == "slider":
                assert one.value(one.low) == one.low
                assert one.value(one.high) == one.high
            for _, value in one.choices:
                one.value(value)


def test_each_kind_of_control_is_a_component_that_gives_it_back() -> None:
    from i2izoo.app.widgets import component

    for annotation, default in KINDS:
        one = asked(annotation, default, name="mask" if annotation == Image | None else "option")
        found = component(one)
        assert (found.label, found.interactive) == (one.label, True)
        assert one.value(found.value) == default


def test_the_same_in_python() -> None:
    assert as_python({"steps": 2, "scheduler": "unipc", "mask": object()}) == (
        ', steps=2, scheduler="unipc", mask="mask.png"'
    )
