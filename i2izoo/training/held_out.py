"""The images that a model in training is judged on: never those that it learns from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Method
from i2izoo.contracts.registry import registry
from i2izoo.data.open import open_dataset, with_task_dataset
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.evaluation.cases import open_data


def open_held_out(val: Any, training: Any, method: Method, *, split: str | None, sides: list[str] | None) -> Dataset:
    """Open the data of the metrics as `i2izoo.evaluate` opens it: at its own size, the split "val" if it is divided.

    Args:
        val: a path, a dataset's name, `{"name": ..., option: value}` or a dataset; None: the split "val" of `training`.
        training: the data of the training, in the same forms.
        method: whose domains are wanted.
        split: that the training takes; None: "train".
        sides: domains of the halves of side-by-side images.

    Raises:
        ConfigError: `val` is None and the training data has no split "val" beside its own.
        DataError: `val` cannot be read.
    """
    val, training = (None if data is None else with_task_dataset(method.dataset, data) for data in (val, training))
    if isinstance(val, Dataset):
        return val
    if val is not None:
        return _open(val, method, None, sides)
    try:
        if split == "val":
            raise ConfigError("the training takes the split 'val' itself.")
        if not isinstance(training, Dataset):
            return _open(training, method, "val", sides)
        if training.config.get("split") == "val" or "split" not in training.config:
            raise ConfigError("the dataset that is open has no other split.")
        return type(training)(**{**training.config, "split": "val"})
    except I2IZooError as error:
        raise ConfigError(
            f"metrics want images that are held out, and the training data has no split 'val' for them ({error}) "
            "Say where they are: val=... (--val PATH)."
        ) from error


def _open(
    data: str | os.PathLike[str] | Mapping[str, Any], method: Method, split: str | None, sides: list[str] | None
) -> Dataset:
    if method.data == "single":  # whose only domain the data cannot name
        return open_dataset(data, kind="single", domains=list(method.domains), split=split, sides=sides)
    if isinstance(data, Mapping) or (isinstance(data, str) and data in registry("datasets")):
        spec = {"name": data} if isinstance(data, str) else dict(data)
        if split is not None:
            spec.pop("split", None)
        halves = sides if method.dataset is not None and spec["name"] == method.dataset["name"] else None
        return open_data(spec, domains=method.domains, split=split, sides=halves).data
    beside = sides if not Path(data).expanduser().is_file() else None  # a CSV names the domains itself
    return open_data(data, domains=method.domains, split=split, sides=beside).data
