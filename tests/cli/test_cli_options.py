"""`option=value` words: dotted keys, JSON values, lists, and whose option it is."""

from __future__ import annotations

import argparse

import pytest

from i2izoo.cli.options import parse_options
from i2izoo.contracts.annotations import Part
from i2izoo.contracts.config import Configurable, schema
from i2izoo.contracts.words import parse_value
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Discriminator, Generator


class Toy(Configurable):
    def __init__(
        self,
        *,
        generator: Part[Generator] = "unet_256",
        discriminator: Part[Discriminator] = {"name": "patchgan", "norm": "batch"},
        width: int = 2,
        title: str = "",
        sizes: list[int] = [1],
        domains: list[str] | None = None,
        flag: bool = False,
        betas: list[float] = [0.5],
    ) -> None:
        pass


class Run(Configurable):
    def __init__(self, *, epochs: int = 1, crop_size: int | None = None) -> None:
        pass


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["generator=resnet_9blocks"], {"generator": "resnet_9blocks"}),
        (["generator.width=32"], {"generator": {"name": "unet_256", "width": 32}}),
        (["generator.width=32", "generator=x"], {"generator": {"name": "x", "width": 32}}),
        (["generator=x", "generator.n=none"], {"generator": {"name": "x", "n": "none"}}),
        (["generator.a.b=1"], {"generator": {"name": "unet_256", "a": {"b": 1}}}),
        (['generator={"name": "x", "width": 1}', "generator.width=2"], {"generator": {"name": "x", "width": 2}}),
        (["discriminator.layers=4"], {"discriminator": {"name": "patchgan", "norm": "batch", "layers": 4}}),
        (["discriminator.name=pixel"], {"discriminator": {"name": "pixel"}}),  # the norm is one of the default part
        (["width=3", "title=3", "flag=true"], {"width": 3, "title": "3", "flag": True}),
        (["sizes=1,2", "domains=a,b", "betas=0.5,1"], {"sizes": [1, 2], "domains": ["a", "b"], "betas": [0.5, 1]}),
        (["sizes=[3]", "domains=null", "flag=False"], {"sizes": [3], "domains": None, "flag": False}),
        (["sizes=7", "title=a=b", "betas=1e-4"], {"sizes": [7], "title": "a=b", "betas": [0.0001]}),
        (["title="], {"title": ""}),
    ],
)  # fmt: skip
def test_option_words(words: list[str], options: dict[str, object]) -> None:
    (found,) = parse_options(words, schema(Toy), where="'toy'")
    assert found == options
    Toy(**found)


def test_option_words_find_their_owner_and_suggest() -> None:
    assert parse_options(["epochs=3", "width=1"], schema(Toy), schema(Run), where="x") == [{"width": 1}, {"epochs": 3}]
    for words, message in (
        (["epoch=3"], "'toy' has no option 'epoch'; did you mean 'epochs'"),
        (["widht=3"], "did you mean 'width'"),
        (["width"], "expected option=value, found 'width'"),
        (["width.x=3"], "'width' of 'toy' is one value"),
        (["title.x=3"], "'title' of 'toy' is one value"),  # text that is no part's name
        (["width=3", "width=4"], "'width' is given twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_options(words, schema(Toy), schema(Run), where="'toy'")


def test_an_option_of_the_command_is_written_with_dashes() -> None:
    command = argparse.ArgumentParser()
    command.add_argument("--samples")
    command.add_argument("--batch-size")
    for word, message in (
        ("samples=3", "'samples' is an option of the command: write --samples 3."),
        ("batch_size=", "write --batch-size VALUE."),
        ("sample=3", "'toy' has no option 'sample'"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_options([word], schema(Toy), where="'toy'", parser=command)
    assert parse_options(["width=3"], schema(Toy), where="'toy'", parser=command) == [{"width": 3}]


def test_a_value_that_fits_no_type_is_left_to_the_schema() -> None:
    assert parse_value("x", int) == "x"
    assert parse_value("nan", float) == "nan"  # JSON has no such number
    (found,) = parse_options(["width=x"], schema(Toy), where="x")
    with pytest.raises(ConfigError, match="wants int, found 'x'"):
        Toy(**found)
