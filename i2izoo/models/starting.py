"""A new training that starts with the weights of a model: all that its folder has, those of training too."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2izoo.contracts.method import Method
from i2izoo.contracts.options import laid_over
from i2izoo.errors import ConfigError, StorageError
from i2izoo.files import formats
from i2izoo.files.writing import read_tensors
from i2izoo.models.config_file import CONFIG, WEIGHTS, read_config
from i2izoo.models.locate import locate
from i2izoo.models.storage import OF_METHOD, TRAINING
from i2izoo.nn.state import misfit


class Start:
    """A model that a training of the same method starts with. It is looked for once, however often it is read.

    Args:
        model: folder, pretrained entry or repository, as `i2izoo.load` takes it.

    Raises:
        ConfigError: it is a folder of another library.
        StorageError, HubError, UnknownNameError: it is not there.
    """

    def __init__(self, model: str | os.PathLike[str]) -> None:
        self.name = os.fspath(model)
        self.folder = locate(self.name)
        if formats.index_in(self.folder):
            raise ConfigError(
                f"{self.name!r} is a folder of another library, whose weights its own method loads; give the folder of "
                f"a model of i2izoo, with its {CONFIG}."
            )

    def options(self, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Its options, with others laid over them.

        Args:
            method: name of the method that is to be trained.
            given: the options that the user gave, nested.

        Raises:
            ConfigError: the model is of another method.
            StorageError: it cannot be read.
        """
        config = read_config(self.folder)
        if config["method"] != method:
            raise ConfigError(
                f"{self.name!r} is a model of {config['method']!r}, so a training of {method!r} cannot start with it; "
                f"train {config['method']!r}."
            )
        options: dict[str, Any] = laid_over(config.get("options", {}), dict(given), f"options of {method!r}")
        return options

    def load_into(self, method: Method) -> list[str]:
        """Load all weights that its folder has into a method.

        They are what `load` gives; those that only training needs are in `training/`.

        Args:
            method: of the same kind; its options may differ where no tensor depends on them.

        Returns:
            The sub-modules of which the folder has nothing: they stay as they are, untrained.

        Raises:
            StorageError: a file is missing or damaged, or tensors do not fit the method.
        """
        own, places = method.state_dict(), list(_places(method))
        needed = read_tensors(self.folder / WEIGHTS)
        # whose sub-module the method has: with other options it may train without a discriminator
        kept = {n: value for n, value in _kept(self.folder).items() if n in own or _place(n, places) != n}
        tensors = {**kept, **needed}
        there = {_place(name, places) for name in tensors}
        wanted = {name: value for name, value in own.items() if _place(name, places) in there}
        if wrong := misfit(wanted, tensors):
            raise StorageError(f"the weights in {self.name!r} do not fit the method with these options: {wrong}.")
        with torch.no_grad():
            for name, target in wanted.items():
                target.copy_(tensors[name])
        return [place for place in dict.fromkeys(_place(name, places) for name in own) if place not in there]


def _kept(folder: Path) -> dict[str, Tensor]:
    """What `training/` has of the method's own tensors."""
    path = folder / TRAINING
    if not path.is_file():
        return {}
    return {k.removeprefix(OF_METHOD): v for k, v in read_tensors(path).items() if k.startswith(OF_METHOD)}


def _places(method: Method, prefix: str = "") -> Iterator[str]:
    """The sub-modules that stand for themselves: parts, and each of several parts of a kind."""
    for name, child in method.named_children():
        if isinstance(child, Method):
            yield from _places(child, f"{prefix}{name}.")
        elif isinstance(child, nn.ModuleDict):
            yield from (f"{prefix}{name}.{key}" for key in child)
        else:
            yield prefix + name


def _place(name: str, places: Collection[str]) -> str:
    """The sub-module that a tensor belongs to; of one that belongs to none, its own name."""
    return next((place for place in places if name.startswith(f"{place}.")), name)
