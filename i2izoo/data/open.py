"""Any data by one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from i2izoo.contracts.annotations import check_value, shown
from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import GIVEN, Dataset
from i2izoo.contracts.registry import registry
from i2izoo.data.renamed import RenamedDataset, check_names, in_other_names
from i2izoo.errors import ConfigError, DataError, OptionTypeError, listing, suggest


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
    jitter_until: float | None = None,
    rename: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Dataset:
    """Open a folder, a CSV file or a dataset of the registry.

    Layouts that are found by themselves: side-by-side images in one folder; a folder for each of two domains
    (`label/`, `photo/`, or `trainA/`, `trainB/`), paired by stem or unpaired; a CSV whose header names the domains;
    with kind="single", images in one folder or in a folder for each class; `metadata.csv` with labels and texts.

    Args:
        source: a path; a name such as "facades" or "synthetic-facades", or `{"name": ..., option: value}`; a name with
            a path, "webdataset:./shards", for one that has a `root`; a path
            with options, `{"root": ..., option: value}`; or a dataset, which is returned as it is.
        domains: names of the domains, in the order wanted.
        split: "train", "val" or "test", where the data is divided; data that is not passes as "train".
        kind: "paired", "unpaired" or "single" (one domain); None: paired where names match.
        sides: domains of the left and the right half of side-by-side images; default ("A", "B"). The middle column of
            an odd width is in the right half, or, where images keep their own size, in none.
        load_size: side in pixels to resize to before the crop; None keeps the images' own size.
        crop_size: side in pixels of a sample; None does not crop.
        flip: flip half of the training samples.
        channels: 1 or 3, for all or by domain; None keeps what the files have. Grey of 8-bit colours is rounded to 8
            bits before it is resized, as in the pix2pix code.
        seed: of the images of a procedural dataset; jitter takes its own, see `Dataset.sample`.
        limit: use only the first `limit` items.
        jitter_until: share of the training after which images are resized to `crop_size` and no longer cropped.
        rename: the data's names of domains -> yours, `{"edges": "label"}`: all other options but `sides` then take
            yours. A mapping as `source` may have it, too.
        defaults: values of these and other options, for data that has such options and neither it nor the caller
            says otherwise.

    Raises:
        ConfigError: the dataset has no such option; see `i2izoo.interfaces.Dataset`.
        DataError: no such data, or it is mismatched or ambiguous.

    >>> data = open_dataset("synthetic-facades", crop_size=32, load_size=36, limit=4)
    >>> len(data), data.sample(0, seed=1)["photo"].shape
    (4, torch.Size([3, 32, 32]))
    """
    given = {
        "domains": None if domains is None else list(domains), "split": split, "kind": kind,
        "sides": None if sides is None else list(sides), "load_size": load_size, "crop_size": crop_size, "flip": flip,
        "channels": dict(channels) if isinstance(channels, Mapping) else channels, "seed": seed, "limit": limit,
        "jitter_until": jitter_until,
    }  # fmt: skip
    asked = {name: value for name, value in given.items() if value != GIVEN[name]}
    if isinstance(source, Dataset):
        renamed = ["rename"] if rename and rename != source.option("rename") else []
        if asked or renamed:
            raise DataError(f"the options {listing([*asked, *renamed])} cannot change a dataset that is already open.")
        return source
    spec, names = _renamed(_spec(source), rename)
    declared = schema(_class(spec))
    for name in ("domains", "channels", "sides"):
        if name in declared and name in spec:
            check_value(spec[name], declared[name].annotation, f"option {name!r} of {_class(spec).__name__}")
    back = {name: own for own, name in names.items()}
    options = _completed(*(in_other_names(said, back) for said in (spec, asked, defaults or {})))
    opened, root = _class(options), options.get("root")
    options.pop("name", None)
    around = getattr(opened, "around", None)  # of a DerivedDataset, which opens its images by this function
    if isinstance(root, Dataset) and around is not None:
        return cast(Dataset, around(root, **options))
    found = opened(**options)
    return RenamedDataset.of(found, names) if names else found


def _renamed(spec: dict[str, Any], rename: Mapping[str, str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """A mapping without its `rename`, and the names: of what a data set is made of, if it is, and then none here."""
    inner = spec.pop("rename", None)
    names = check_names(rename if rename is not None else inner if inner is not None else {})
    if rename is not None and inner is not None and names != check_names(inner):
        raise ConfigError(f"rename={dict(rename)!r} and the data's own rename={inner!r} disagree; give one of them.")
    wraps = _class(spec).wraps
    if wraps is None or not names or wraps not in spec:
        return spec, names
    if isinstance(spec[wraps], Dataset):
        open_dataset(spec[wraps], rename=names)  # which changes nothing
        return spec, {}
    inside, names = _renamed(_spec(spec[wraps]), names)
    return {**spec, wraps: {**inside, "rename": names} if names else inside}, {}


def spec_of(data: Dataset) -> dict[str, Any]:
    """An open data set as the mapping that opens it again, if its class is in the registry.

    >>> spec_of(open_dataset("synthetic-facades", limit=4))["name"]
    'synthetic-facades'
    """
    if isinstance(data, RenamedDataset):
        return {**in_other_names(spec_of(data.data), data.names), "rename": data.names}
    place = f"{type(data).__module__}:{type(data).__qualname__}"
    if place == "i2izoo.data.image_dataset:ImageDataset":
        return dict(data.config)
    known = (entry.name for entry in registry("datasets").entries() if entry.value == place)
    return {"name": next(known, type(data).__name__), **data.config}


def _spec(source: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, Any]:
    """A source as a mapping: of a data set's name and options, or without a name of the `root` of files."""
    if isinstance(source, Mapping):
        if not isinstance(source.get("name", None if "root" not in source else ""), str):
            raise ConfigError(f"a dataset needs a 'name', or the 'root' of its files; found {shown(dict(source))}.")
        return dict(source)
    if not isinstance(source, (str, os.PathLike)):
        raise OptionTypeError(f"data is a path, the name of a dataset or its options; found {shown(source)}.")
    names = registry("datasets")
    is_name, path = isinstance(source, str) and source in names, Path(source).expanduser()
    if is_name and path.exists():
        raise DataError(f"{source!r} is both a dataset and a path here; write './{source}' or 'i2izoo:{source}'.")
    if not is_name and not path.exists():
        name, colon, root = str(source).partition(":")
        if colon and name in names and "root" in schema(names.get(name)):
            return {"name": name, "root": root}
        raise DataError(
            f"there is no folder or file {str(source)!r}, and no dataset of this name"
            f"{suggest(str(source), names.names()) or '.'} Datasets: {listing(names.names())}."
        )
    return {"name": source} if is_name else {"root": os.fspath(source)}


def _class(spec: Mapping[str, Any]) -> type[Dataset]:
    from i2izoo.data.image_dataset import ImageDataset

    found: type[Dataset] = registry("datasets").get(spec["name"]) if "name" in spec else ImageDataset
    return found


def _completed(spec: dict[str, Any], asked: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with what was asked for besides, and with those of the defaults that its class declares."""
    kind = _class(spec)
    declared, wrapped = schema(kind), None if kind.wraps is None else spec.get(kind.wraps)
    # a class that is of this kind, or has these domains, needs no option for it
    asked = {n: v for n, v in asked.items() if n in declared or not _is(kind, n, v)}
    # what a data set is made into is not what it is
    inside = set() if wrapped is None else set(GIVEN) - set(declared) - {"domains", "kind", "channels"}
    outer = {n: v for n, v in asked.items() if n not in inside}
    found = {**{n: v for n, v in defaults.items() if n in declared}, **spec, **outer}
    if kind.wraps is not None and wrapped is not None:
        asked, defaults = ({n: v for n, v in given.items() if n in inside} for given in (asked, defaults))
        if isinstance(wrapped, Dataset):
            open_dataset(wrapped, **asked)  # which changes nothing
        else:
            found[kind.wraps] = _completed(_spec(wrapped), asked, defaults)
    return found


def _is(kind: type[Dataset], option: str, value: Any) -> bool:
    found = getattr(kind, option, None) if option in ("kind", "domains") else None
    return found is not None and (list(found) if isinstance(value, list) else found) == value


def with_task_dataset(dataset: Mapping[str, Any] | None, data: Any) -> Any:
    """`data` as a method learns from it: as the root of the dataset that the method names (`Method.dataset`), if any.

    What has the method's domains already, or names that dataset itself, stays as it is.

    >>> with_task_dataset({"name": "colorization"}, "./photos")
    {'name': 'colorization', 'root': './photos'}
    """
    if dataset is None or (isinstance(data, Dataset) and set(dataset.get("domains", ())) <= set(data.domains)):
        return data
    if isinstance(data, Mapping) and data.get("name") == dataset["name"]:
        return data
    return {**dataset, "root": os.fspath(data) if isinstance(data, os.PathLike) else data}
