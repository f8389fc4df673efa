"""Options as data: strict, JSON, and enough to build the same object again."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from i2izoo.contracts.annotations import Part, describe_type
from i2izoo.contracts.config import Configurable, check_options, constructor, merge, missing_options, schema
from i2izoo.contracts.ranges import Range
from i2izoo.errors import ConfigError, OptionTypeError

if TYPE_CHECKING:
    from somewhere import OnlyForTypeCheckers  # type: ignore[import-not-found]


class Net(Configurable, nn.Module):
    def __init__(
        self,
        *,
        channels: int,
        width: int = 4,
        slope: float = 0.2,
        norm: Literal["batch", "instance", None] = "batch",
        sizes: list[int] = [1, 2],
        dropout: bool = False,
        loss: str | dict[str, Any] = "l1",
    ) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, width, 1)
        self.seen = {"dropout": dropout, "loss": loss}


class Narrow(Net):
    """Inherits its constructor."""


class Wider(Net):
    def __init__(self, *, channels: int = 3, extra: int | None = None) -> None:
        super().__init__(channels=channels, width=8)
        self.extra = extra


FULL = {
    "channels": 3,
    "width": 4,
    "slope": 0.2,
    "norm": "batch",
    "sizes": [1, 2],
    "dropout": False,
    "loss": "l1",
}


def test_config_holds_given_options_and_defaults() -> None:
    assert Net(channels=3).config == FULL
    assert Net(channels=1, sizes=(5,), norm=None).config == {**FULL, "channels": 1, "sizes": [5], "norm": None}


def test_config_is_json_and_rebuilds_the_same_object() -> None:
    net = Net(channels=2, width=5, slope=1, loss={"name": "lsgan", "soft": [0.1, None]})
    again = Net(**json.loads(json.dumps(net.config)))
    assert again.config == net.config
    assert again.layer.weight.shape == (5, 2, 1, 1)


@pytest.mark.parametrize("cls", [Net, Narrow])
def test_subclass_without_own_constructor_keeps_the_options(cls: type[Net]) -> None:
    assert cls(channels=3).config == FULL


def test_subclass_with_own_constructor_has_its_own_options() -> None:
    assert Wider().config == {"channels": 3, "extra": None}
    with pytest.raises(ConfigError, match="Wider has no option 'width'"):
        Wider(width=3)


def test_config_shares_nothing_with_defaults_or_arguments() -> None:
    sizes = [7]
    first, second = Net(channels=3, sizes=sizes), Net(channels=3)
    first.config["sizes"].append(8)
    second.config["sizes"].append(9)
    assert sizes == [7]
    assert Net(channels=3).config["sizes"] == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widht": 3}, "did you mean 'width'"),
        ({"zzz": 3}, "Allowed: channels, width, slope, norm, sizes, dropout, loss"),
        ({"width": 3.0}, "'width' of Net wants int, found 3.0 \\(float\\)"),
        ({"width": True}, "wants int, found True \\(bool\\)"),
        ({"width": "3"}, "wants int, found '3' \\(str\\)"),
        ({"slope": True}, "wants float"),
        ({"slope": float("nan")}, "finite"),
        ({"slope": float("inf")}, "finite"),
        ({"loss": {"name": "x", "weight": float("-inf")}}, "finite"),
        ({"norm": "layer"}, "one of 'batch', 'instance', None, found 'layer'"),
        ({"sizes": 3}, "wants list\\[int\\]"),
        ({"sizes": [1, "2"]}, "wants list\\[int\\]"),
        ({"sizes": "12"}, "wants list\\[int\\]"),
        ({"dropout": 1}, "wants bool"),
        ({"loss": {"name": {1, 2}}}, "JSON"),
        ({"loss": {1: 2}}, "JSON"),
        ({"loss": {"weight": torch.zeros(1)}}, "JSON"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Net(channels=3, **options)


def test_ill_typed_option_is_a_type_error_too() -> None:
    with pytest.raises(TypeError):
        Net(channels=3, width="x")
    assert issubclass(OptionTypeError, ConfigError)


def test_int_serves_for_float() -> None:
    assert Net(channels=3, slope=1).config["slope"] == 1


def test_missing_option_names_it() -> None:
    assert missing_options(Net, {"width": 2}) == ["channels"]
    with pytest.raises(ConfigError, match="Net needs the options channels"):
        Net(width=2)
    with pytest.raises(ConfigError, match="channels"):
        check_options(Net, {})
    with pytest.raises(ConfigError, match="Net needs the options channels"):
        Net()
    assert "channels" not in check_options(Net, {}, complete=False)


def test_positional_options_are_refused() -> None:
    class Loose(Configurable):
        def __init__(self, radius: int = 2) -> None:
            self.radius = radius

    with pytest.raises(OptionTypeError, match=r"Loose takes its options by name, found 5 without one. Allowed: radius"):
        Loose(5)
    assert Loose(radius=5).config == {"radius": 5}


@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_keep_config_and_weights(clone: Any) -> None:
    net = Net(channels=2, width=3)
    again = clone(net)
    assert again.config == net.config
    torch.testing.assert_close(again.layer.weight, net.layer.weight, rtol=0, atol=0)


def test_deep_copy_is_independent() -> None:
    net = Net(channels=2)
    again = copy.deepcopy(net)
    again.config["sizes"].append(3)
    again.layer.weight.data.zero_()
    assert net.config["sizes"] == [1, 2]
    assert net.layer.weight.abs().sum() > 0


def test_annotation_that_only_type_checkers_know_switches_off_that_check_only() -> None:
    class Odd(Configurable):
        def __init__(self, *, what: OnlyForTypeCheckers = 1, width: int = 2, bare=3) -> None:
            pass

    assert Odd(what="x", bare=[1]).config == {"what": "x", "width": 2, "bare": [1]}
    with pytest.raises(OptionTypeError):
        Odd(width="x")


def test_a_default_outside_its_annotation_survives_the_round_trip() -> None:
    class Careless(Configurable):
        def __init__(self, *, width: int = None, rate: float = 1) -> None:  # type: ignore[assignment]  # noqa: RUF013
            pass

    assert Careless(**Careless().config).config == {"width": None, "rate": 1}
    with pytest.raises(OptionTypeError):
        Careless(rate=None)


def test_a_default_that_is_not_json_is_found_at_once() -> None:
    class Endless(Configurable):
        def __init__(self, *, limit: float = float("inf")) -> None:
            pass

    with pytest.raises(ConfigError, match=r"Endless.limit is inf"):
        Endless()


def test_describe_type_reads_like_prose() -> None:
    assert describe_type(Literal["a", 2]) == "one of 'a', 2"
    assert describe_type(int | None) == "int or None"
    assert describe_type(tuple[int, ...]) == "tuple[int, ...]"


class Shallow(Net):
    defaults: ClassVar[dict[str, Any]] = {"channels": 1, "sizes": [9]}
    fixed: ClassVar[dict[str, Any]] = {"dropout": True, "loss": {"name": "l2"}}


class Shallower(Shallow):
    defaults: ClassVar[dict[str, Any]] = {"sizes": [8]}


class Deep(Shallower):
    """Another constructor, which none of this is about."""

    def __init__(self, *, depth: int = 3) -> None:
        super().__init__(channels=depth)


def test_a_subclass_changes_defaults_and_fixes_options_in_a_line() -> None:
    assert Shallow().config == {"channels": 1, "width": 4, "slope": 0.2, "norm": "batch", "sizes": [9]}
    assert Shallower(width=5).config == {"channels": 1, "width": 5, "slope": 0.2, "norm": "batch", "sizes": [8]}
    assert schema(Shallower)["sizes"].default == [8]
    assert schema(Net)["sizes"].default == [1, 2]
    assert constructor(Shallower)["loss"].default == {"name": "l2"}
    assert Shallower(**Shallower().config).config == Shallower().config
    with pytest.raises(ConfigError, match=r"Shallow has no option 'dropout'; Allowed: channels, width"):
        Shallow(dropout=True)
    Shallow().config["sizes"].append(1)
    assert Shallow().config["sizes"] == [9]
    assert Shallow().seen == {"dropout": True, "loss": {"name": "l2"}}
    assert Deep().config == {"depth": 3}


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_know_what_is_fixed(clone: Any) -> None:
    again = clone(Shallow(width=6))
    assert again.config == Shallow(width=6).config
    assert type(again)(**again.config).layer.weight.shape == again.layer.weight.shape


@pytest.mark.parametrize(
    ("said", "message"),
    [({"widht": 3}, "gives 'widht' the value 3, and it is no option"), ({"width": "x"}, "'x', and it wants int")],
)
@pytest.mark.parametrize("attribute", ["defaults", "fixed"])
def test_defaults_that_the_constructor_would_refuse_are_found(
    said: dict[str, Any], message: str, attribute: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        schema(type("Wrong", (Net,), {attribute: said}))


class Loss: ...


class Learner(Configurable):
    def __init__(self, *, loss: Part[Loss] = "l1", extra: Part[Loss] | None = None) -> None:
        pass


def test_an_option_that_is_a_part_takes_a_name_or_options_and_nothing_else() -> None:
    wanted = "the name of a Loss or {'name': ..., option: value}"
    assert describe_type(Part[Loss]) == wanted
    assert describe_type(Part[Loss] | None) == f"{wanted} or None"
    assert Learner(loss={"name": "l2", "weight": 2}, extra="l1").config["extra"] == "l1"
    for options in ({"loss": 3}, {"loss": None}, {"extra": ["l1"]}):
        with pytest.raises(OptionTypeError, match="wants the name of a Loss"):
            Learner(**options)


def test_merge_leaves_its_arguments_alone() -> None:
    base = {"a": {"name": "x", "deep": {"k": 1}}, "b": 1}
    merged = merge(base, {"a": {"deep": {"l": 2}}, "b": {"name": "y"}})
    assert merged == {"a": {"name": "x", "deep": {"k": 1, "l": 2}}, "b": {"name": "y"}}
    assert base == {"a": {"name": "x", "deep": {"k": 1}}, "b": 1}


# ------------------------------------------------------------------------------------------ options of an interface


class Given(Configurable):
    def configure(self, *, strength: Annotated[float, Range(0, 1)] = 0.0, every: int = 16) -> None:
        self.strength, self.every = strength, every


class Plain(Given):
    """Has no constructor of its own."""


class Own(Given):
    defaults: ClassVar = {"strength": 0.5}

    def __init__(self, *, width: int = 4) -> None:
        self.width = width


class Same(Given):
    """Its constructor has an option that the interface has, too: it is the constructor's."""

    def __init__(self, *, every: int = 3) -> None:
        self.own = every


def test_options_of_an_interface_stand_beside_those_of_the_constructor() -> None:
    part = Own(width=8, every=2)
    assert (part.width, part.strength, part.every) == (8, 0.5, 2)
    assert list(schema(Own)) == ["width", "strength", "every"]
    assert (Plain(strength=1).strength, Plain().every) == (1, 16)
    assert (Same(every=5).own, Same(every=5).every, Same().own) == (5, 16, 3)
    with pytest.raises(ConfigError, match="option 'strength' of Plain wants float from 0 to 1, found 2"):
        Plain(strength=2.0)
    with pytest.raises(ConfigError, match=r"Own has no option 'strenght'; did you mean 'strength'\?"):
        Own(strenght=1.0)


def test_they_are_recorded_where_they_are_not_at_their_defaults() -> None:
    """So that a config of before they were there, and a saved model without them, stay as they are."""
    assert (Plain().config, Plain(strength=0.0).config, Plain(every=2).config) == ({}, {}, {"every": 2})
    assert Own().config == {"width": 4}
    assert Own(strength=0.0).config == {"strength": 0.0, "width": 4}  # 0.5 is its own default
    for part in (Own(strength=0.0), Own(every=3), Plain(strength=1)):
        again = type(part)(**part.config)
        assert (again.strength, again.every, again.config) == (part.strength, part.every, part.config)
    assert copy.deepcopy(Own(every=3)).every == 3


def test_a_class_may_fix_them() -> None:
    class Fixed(Own):
        fixed: ClassVar = {"every": 1}

    assert (Fixed().every, Fixed().config) == (1, {"width": 4})
    assert "every" not in schema(Fixed)
