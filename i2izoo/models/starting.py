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


def start_options(start: str | os.PathLike[str], method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a model that a training of the same method starts with, with others laid over them.

    Args:
        start: folder, pretrained entry or repository, as `i2izoo.load` takes it.
        method: name of the method that is to be trained.
        given: the options that the user gave, nested.

    Raises:
        ConfigError: the model is of another method.
        StorageError: it cannot be read.
    """
    config = read_config(_folder(start))
    if config["method"] != method:
        raise ConfigError(
            f"{os.fspath(start)!r} is a model of {config['method']!r}, so a training of {method!r} cannot start with "
            f"it; train {config['method']!r}."
        )
    options: dict[str, Any] = laid_over(config.get("options", {}), dict(given), f"options of {method!r}")
    return options


def start_with(method: Method, start: str | os.PathLike[str]) -> list[str]:
    """Load all weights that the folder of a model has into a method.

    Args:
        method: of the same kind; its options may differ where no tensor depends on them.
        start: see `start_options`. Its weights are what `load` gives; `training/` has those that only training needs.

    Returns:
        The sub-modules of which the folder has nothing: they stay as they are, untrained.

    Raises:
        StorageError: a file is missing or damaged, or tensors do not fit the method.
    """
    folder = _folder(start)
    own, places = method.state_dict(), list(_places(method))
    needed = read_tensors(folder / WEIGHTS)
    # whose sub-module the method has: with other options it may train without a discriminator
    kept = {name: value for name, value in _kept(folder).items() if name in own or _place(name, places) != name}
    tensors = {**kept, **needed}
    there = {_place(name, places) for name in tensors}
    wanted = {name: value for name, value in own.items() if _place(name, places) in there}
    if wrong := misfit(wanted, tensors):
        raise StorageError(f"the weights in {os.fspath(start)!r} do not fit the method with these options: {wrong}.")
    with torch.no_grad():
        for name, target in wanted.items():
            target.copy_(tensors[name])
    return [place for place in dict.fromkeys(_place(name, places) for name in own) if place not in there]


def _folder(start: str | os.PathLike[str]) -> Path:
    folder = locate(os.fspath(start))
    if formats.index_in(folder):
        raise ConfigError(
            f"{os.fspath(start)!r} is a folder of another library, whose weights its own method loads; give the "
            f"folder of a model of i2izoo, with its {CONFIG}."
        )
    return folder


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
