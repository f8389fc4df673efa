"""The images that a model in training is judged on: never those that it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Method
from i2izoo.data.open import with_task_dataset
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.evaluation.cases import open_data


def open_held_out(
    val: Any,
    training: Any,
    method: Method,
    *,
    split: str | None,
    sides: list[str] | None,
    rename: Mapping[str, str] | None = None,
) -> Dataset:
    """Open the data of the metrics as `i2izoo.evaluate` opens it: at its own size, the split "val" if it is divided.

    Args:
        val: a path, a dataset's name, `{"name": ..., option: value}` or a dataset; None: the split "val" of `training`.
        training: the data of the training, in the same forms.
        method: whose domains are wanted.
        split: that the training takes; None: "train".
        sides: domains of the halves of side-by-side images.
        rename: as of `open_dataset`; `val` as a mapping may have its own.

    Raises:
        ConfigError: `val` is None and the training data has no split "val" beside its own.
        DataError: `val` cannot be read.
    """
    val, training = (None if data is None else with_task_dataset(method.dataset, data) for data in (val, training))
    if isinstance(val, Dataset):
        return val
    if val is not None:
        return _open(val, method, None, sides, None if isinstance(val, Mapping) and "rename" in val else rename)
    try:
        if split == "val":
            raise ConfigError("the training takes the split 'val' itself.")
        if not isinstance(training, Dataset):
            return _open(training, method, "val", sides, rename)
        if training.option("split") in (None, "val"):
            raise ConfigError("the dataset that is open has no other split.")
        return training.with_options(split="val")
    except I2IZooError as error:
        raise ConfigError(
            f"metrics want images that are held out, and the training data has no split 'val' for them ({error}) "
            "Say where they are: val=... (--val PATH)."
        ) from error


def _open(
    data: Any, method: Method, split: str | None, sides: list[str] | None, rename: Mapping[str, str] | None
) -> Dataset:
    if isinstance(data, Mapping) and split is not None:
        data = {name: value for name, value in data.items() if name != "split"}
    return open_data(data, domains=method.domains, split=split, rename=rename, defaults={"sides": sides}).data
