"""Any data by one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import registry
from i2izoo.errors import DataError, listing, suggest


def open_dataset(
    source: str | os.PathLike[str] | Mapping[str, Any] | Dataset,
    *,
    domains: Sequence[str] | None = None,
    split: str | None = None,
    kind: Literal["paired", "unpaired", "single"] | None = None,
    sides: Sequence[str] | None = None,
    load_size: int | None = None,
    crop_size: int | None = None,
    flip: bool = True,
    channels: int | Mapping[str, int] | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> Dataset:
    """Open a folder, a CSV file or a dataset of the registry.

    Layouts that are found by themselves: side-by-side images in one folder; a folder for each of two domains
    (`label/`, `photo/`, or `trainA/`, `trainB/`), paired by stem or unpaired; a CSV whose header names the domains.

    Args:
        source: a path; a name such as "facades" or "synthetic-facades", or `{"name": ..., option: value}`; or a
            dataset, which is returned as it is.
        domains: names of the domains, in the order wanted.
        split: "train", "val" or "test", where the data is divided; data that is not passes as "train".
        kind: "paired", "unpaired" or "single" (one domain); None: paired where names match.
        sides: domains of the left and the right half of side-by-side images; default ("A", "B").
        load_size: side in pixels to resize to before the crop; None keeps the images' own size.
        crop_size: side in pixels of a sample; None does not crop.
        flip: flip half of the training samples.
        channels: 1 or 3, for all or by domain; None keeps what the files have.
        seed: of the images of a procedural dataset; jitter takes its own, see `Dataset.sample`.
        limit: use only the first `limit` items.

    Raises:
        DataError: no such data, or it is mismatched or ambiguous.

    >>> data = open_dataset("synthetic-facades", crop_size=32, load_size=36, limit=4)
    >>> len(data), data.sample(0, seed=1)["photo"].shape
    (4, torch.Size([3, 32, 32]))
    """
    given = {
        "domains": None if domains is None else list(domains),
        "split": split,
        "kind": kind,
        "sides": None if sides is None else list(sides),
        "load_size": load_size,
        "crop_size": crop_size,
        "flip": None if flip else False,
        "channels": dict(channels) if isinstance(channels, Mapping) else channels,
        "seed": seed or None,
        "limit": limit,
    }
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if isinstance(source, Dataset):
        if options:
            raise DataError(f"the options {listing(options)} cannot change a dataset that is already open.")
        return source
    if isinstance(source, Mapping):
        return registry("datasets").build({**source, **options})
    names = registry("datasets")
    is_name, path = isinstance(source, str) and source in names, Path(source).expanduser()
    if is_name and path.exists():
        raise DataError(f"{source!r} is both a dataset and a path here; write './{source}' or 'i2izoo:{source}'.")
    if is_name:
        return registry("datasets").build({"name": source, **options})
    if not path.exists():
        raise DataError(
            f"there is no folder or file {str(source)!r}, and no dataset of this name"
            f"{suggest(str(source), names.names()) or '.'} Datasets: {listing(names.names())}."
        )
    from i2izoo.data.image_dataset import ImageDataset

    options.pop("seed", None)  # images in files are what they are
    return ImageDataset(root=str(source), **options)


def with_task_dataset(dataset: Mapping[str, Any] | None, data: Any) -> Any:
    """`data` as a method learns from it: as the root of the dataset that the method names (`Method.dataset`), if any.

    What is a dataset already, or names that one itself, stays as it is.

    >>> with_task_dataset({"name": "colorization"}, "./photos")
    {'name': 'colorization', 'root': './photos'}
    """
    if dataset is None or isinstance(data, Dataset):
        return data
    if isinstance(data, Mapping):
        return data if data.get("name") == dataset["name"] else {**dataset, "root": dict(data)}
    return {**dataset, "root": os.fspath(data)}
