"""Where the images of a dataset are: side by side, in a folder for each domain or class, or named by a CSV."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from i2izoo.contracts.registry import natural_key
from i2izoo.data.file_layout import FileLayout, Kind
from i2izoo.data.folders import images_in, in_folder, lettered, splits_in, subfolders
from i2izoo.data.labels import find_metadata, read_metadata
from i2izoo.data.tables import annotate, from_csv, from_metadata
from i2izoo.errors import DataError, escaped, listing, suggest


def find_layout(
    root: str | os.PathLike[str],
    *,
    domains: Sequence[str] | None = None,
    split: str | None = None,
    kind: Kind | None = None,
    sides: Sequence[str] | None = None,
) -> FileLayout:
    """Find out how the images under `root` are laid out.

    Raises:
        DataError: nothing usable is there, it could be read in two ways, or a domain or class has a name that cannot be
            written into a model. Single mismatches do not raise; they are in `FileLayout.problems`.
    """
    layout = _find(root, domains, split, kind, sides)
    for name in (*layout.images, *layout.classes):
        if "\n" in name or escaped(name) != name:
            raise DataError(
                f"{name!r} in {str(root)!r} is no name for a domain or class: it holds what cannot be shown; rename it."
            )
    return layout


def _find(
    root: str | os.PathLike[str],
    domains: Sequence[str] | None,
    split: str | None,
    kind: Kind | None,
    sides: Sequence[str] | None,
) -> FileLayout:
    root = Path(root).expanduser()
    if root.is_file() and root.suffix.lower() in (".csv", ".jsonl"):
        _flat_split(root, split)
        if (metadata := read_metadata(root)) is not None:
            return from_metadata(metadata, root.parent, domains, kind)
        if kind == "single":
            raise DataError(f"data of kind 'single' is a folder of images; found the CSV file {str(root)!r}.")
        return from_csv(root, domains, kind)
    if not root.is_dir():
        raise DataError(f"there is no folder and no CSV file {str(root)!r}; check the path.")
    folder, prefix = _pick_split(root, split)
    metadata = find_metadata(*dict.fromkeys((folder, root)))
    if metadata is not None and len(metadata.columns) > 1 and sides is None:
        layout = from_metadata(metadata, folder, domains, kind)
    else:
        layout = in_folder(folder, prefix, domains, kind, sides)
        if metadata is not None:
            annotate(layout, metadata)
    if layout.labels is not None:
        layout.classes = _classes(layout.labels, root, layout.form)
    return layout


def _pick_split(root: Path, split: str | None) -> tuple[Path, str]:
    """The folder of a split, and the prefix of the domain folders in it (`train` for `trainA`)."""
    found = splits_in(root)
    if split is None:
        if found and not images_in(root):
            raise DataError(f"{str(root)!r} is divided into {listing(found)}; choose one with split={found[0]!r}.")
        return root, ""
    if (root / split).is_dir():
        return root / split, ""
    if lettered(root, split):
        return root, split
    if found:
        raise DataError(f"{str(root)!r} has no split {split!r}{suggest(split, found)}; it has {listing(found)}.")
    _flat_split(root, split)
    return root, ""


def _flat_split(root: Path, split: str | None) -> None:
    """Data without splits can be trained on, but must not pass for a validation set."""
    if split not in (None, "train"):
        raise DataError(
            f"{str(root)!r} is not divided into splits, so it has no {split!r}; "
            f"make the folder {root.name}/{split}, or leave split out to use all of it."
        )


def _classes(labels: Sequence[str], root: Path, form: str) -> list[str]:
    """The classes of all splits, so that a number means the same class in each."""
    names = set(labels)
    for folder in (root / split for split in splits_in(root) if (root / split).is_dir()):
        if (metadata := find_metadata(folder)) is not None:
            names.update(metadata.cells("label") or ())
        elif form == "classes":
            names.update(place.name for place in subfolders(folder))
    return sorted(names, key=natural_key)
