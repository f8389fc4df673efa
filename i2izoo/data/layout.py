"""Where the images of a dataset are: side by side, in a folder for each domain or class, or named by a CSV."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from i2izoo.contracts.registry import natural_key
from i2izoo.data.labels import Metadata, find_metadata, read_metadata
from i2izoo.errors import DataError, ImageError, listing, suggest
from i2izoo.images.writing import EXTENSIONS, to_tensor

SPLITS = ("train", "val", "test")
Kind = Literal["paired", "unpaired", "single"]


class ImageFile(NamedTuple):
    """An image, or one half of a side-by-side image."""

    path: Path
    half: Literal["left", "right"] | None = None


@dataclass
class FileLayout:
    """The images of each domain.

    Attributes:
        form: "side-by-side", "folders", "classes" (a folder for each class), "csv" or "metadata".
        kind: "paired" (item i of every domain belongs together), "unpaired" or "single" (one domain).
        images: domain -> its images, in natural order of their names.
        problems: what is mismatched or missing, one sentence each; a dataset with any cannot be opened.
        labels: the class of each item (unpaired: of each image of the first domain) by name; None: there are none.
        texts: the text of each, likewise.
        classes: names of all classes, those of other splits too, in natural order.
    """

    form: Literal["side-by-side", "folders", "classes", "csv", "metadata"]
    kind: Kind
    images: dict[str, list[ImageFile]]
    problems: list[str] = field(default_factory=list)
    labels: list[str] | None = None
    texts: list[str] | None = None
    classes: list[str] = field(default_factory=list)


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
        DataError: nothing usable is there, or it could be read in two ways. Single mismatches do not raise; they
            are in `FileLayout.problems`.
    """
    root = Path(root).expanduser()
    if root.is_file() and root.suffix.lower() in (".csv", ".jsonl"):
        _flat_split(root, split)
        if (metadata := read_metadata(root)) is not None:
            return _from_metadata(metadata, root.parent, domains, kind)
        if kind == "single":
            raise DataError(f"data of kind 'single' is a folder of images; found the CSV file {str(root)!r}.")
        return _from_csv(root, domains, kind)
    if not root.is_dir():
        raise DataError(f"there is no folder and no CSV file {str(root)!r}; check the path.")
    folder, prefix = _pick_split(root, split)
    metadata = find_metadata(*dict.fromkeys((folder, root)))
    if metadata is not None and len(metadata.columns) > 1 and sides is None:
        layout = _from_metadata(metadata, folder, domains, kind)
    else:
        layout = _in_folder(folder, prefix, domains, kind, sides)
        if metadata is not None:
            _annotate(layout, metadata)
    if layout.labels is not None:
        layout.classes = _classes(layout.labels, root, layout.form)
    return layout


def _in_folder(
    folder: Path, prefix: str, domains: Sequence[str] | None, kind: Kind | None, sides: Sequence[str] | None
) -> FileLayout:
    if kind == "single":
        return _single(folder, domains, sides)
    singles = images_in(folder)
    folders = {d.name.removeprefix(prefix): d for d in _subfolders(folder) if d.name.startswith(prefix)}
    if singles and folders and domains is None and sides is None:
        raise DataError(
            f"{str(folder)!r} holds both images and folders of images ({listing(folders)}); name the folders with "
            "domains=(...), or the halves of side-by-side images with sides=(left, right)."
        )
    if sides is not None or (singles and not (folders and domains)):
        return _side_by_side(folder, singles, sides, domains, kind)
    return _from_folders(folder, folders, domains, kind)


def splits_in(root: Path) -> list[str]:
    """The splits that a folder is divided into, as folders `train` or as `trainA`, `trainB`."""
    return [s for s in SPLITS if (root / s).is_dir() or _lettered(root, s)]


def images_in(folder: Path) -> list[Path]:
    """The images directly in a folder, by suffix, in natural order."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and p.name[0] != "." and p.is_file()]
    return sorted(found, key=lambda p: natural_key(p.name))


def _lettered(root: Path, split: str) -> list[Path]:
    return [d for d in _subfolders(root) if re.fullmatch(re.escape(split) + "[A-Z]", d.name)]


def _subfolders(folder: Path) -> list[Path]:
    """Subfolders with images in them."""
    found = [d for d in folder.iterdir() if d.is_dir() and d.name[0] != "." and images_in(d)]
    return sorted(found, key=lambda d: natural_key(d.name))


def _pick_split(root: Path, split: str | None) -> tuple[Path, str]:
    """The folder of a split, and the prefix of the domain folders in it (`train` for `trainA`)."""
    found = splits_in(root)
    if split is None:
        if found and not images_in(root):
            raise DataError(f"{str(root)!r} is divided into {listing(found)}; choose one with split={found[0]!r}.")
        return root, ""
    if (root / split).is_dir():
        return root / split, ""
    if _lettered(root, split):
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


def _single(folder: Path, domains: Sequence[str] | None, sides: Sequence[str] | None) -> FileLayout:
    """Images of one domain: in the folder of its name, directly in `folder`, or one half of those there."""
    if domains is not None and len(domains) != 1:
        raise DataError(f"data of kind 'single' has one domain; found domains={tuple(domains)!r}.")
    domain = domains[0] if domains else "image"
    if sides is not None:
        both = _side_by_side(folder, images_in(folder), sides, None, "single").images
        if domain not in both:
            none = f"none is {domain!r}" if domains else "and only one is wanted: say which with domains=(...)"
            raise DataError(f"the halves of the images in {str(folder)!r} are {listing(both)}, {none}.")
        return FileLayout("side-by-side", "single", {domain: both[domain]})
    place = folder / domain if (folder / domain).is_dir() else folder
    found, classes = images_in(place), _subfolders(place)
    if found and len(classes) > 1:
        raise DataError(
            f"{str(place)!r} holds both images and folders of images ({listing(d.name for d in classes)}); put the "
            "images into a folder of their class, or the folders elsewhere."
        )
    if len(classes) > 1:
        labels = [(path, d.name) for d in classes for path in images_in(d)]
        files = {domain: [ImageFile(path) for path, _ in labels]}
        return FileLayout("classes", "single", files, labels=[name for _, name in labels])
    if not found:
        raise DataError(f"there are no images directly in {str(place)!r}; name their folder with domains=(...).")
    return FileLayout("folders", "single", {domain: [ImageFile(path) for path in found]})


def _side_by_side(
    folder: Path,
    singles: list[Path],
    sides: Sequence[str] | None,
    domains: Sequence[str] | None,
    kind: Kind | None,
) -> FileLayout:
    if not singles:
        raise DataError(f"sides= wants side-by-side images, but there are no images directly in {str(folder)!r}.")
    if sides is None:
        if domains is not None and sorted(domains) != ["A", "B"]:
            raise DataError(
                f"{str(folder)!r} holds single images; if they are side by side, say which half is which domain "
                f"with sides=(left, right), such as sides={tuple(domains)!r}."
            )
        try:
            height, width = to_tensor(singles[0]).shape[1:]
        except ImageError as error:
            raise DataError(f"the layout of {str(folder)!r} cannot be found out: {error}") from error
        if not 1.6 * height <= width <= 2.5 * height:
            raise DataError(
                f"{singles[0].name} in {str(folder)!r} is {width} x {height}, which does not look like two images "
                "side by side; put each domain into a folder of its own, or pass sides=(left, right) if it is."
            )
        sides = ("A", "B")
    if len(sides) != 2 or sides[0] == sides[1]:
        raise DataError(f"sides= names the left and the right half, two different domains; found {tuple(sides)!r}.")
    halves: dict[str, Literal["left", "right"]] = {sides[0]: "left", sides[1]: "right"}
    chosen = _choose(domains or sides, halves, f"side-by-side images in {str(folder)!r}")
    images = {d: [ImageFile(path, halves[d]) for path in singles] for d in chosen}
    return FileLayout("side-by-side", kind or "paired", images)


def _from_folders(
    folder: Path, folders: dict[str, Path], domains: Sequence[str] | None, kind: Kind | None
) -> FileLayout:
    if domains is None and len(folders) != 2:
        found = f"folders with images: {listing(folders)}" if folders else "no images"
        raise DataError(
            f"{str(folder)!r} should hold side-by-side images or one folder for each of two domains; it has {found}. "
            + ("Choose with domains=(...)" if len(folders) > 2 else "See the docs on data for the layouts")
            + ("; folders of the classes of one domain are kind='single'." if folders else ".")
        )
    chosen = _choose(domains or list(folders), folders, repr(str(folder)))
    files = {d: images_in(folders[d]) for d in chosen}
    stems = {d: [p.stem for p in paths] for d, paths in files.items()}
    common = set.intersection(*map(set, stems.values()))
    if kind is None:
        kind = "paired" if common else "unpaired"
    if kind == "unpaired":
        return FileLayout("folders", kind, {d: [ImageFile(p) for p in paths] for d, paths in files.items()})
    problems = [
        f"{path.parent.name}/{path.name} has no partner of the same stem in "
        + listing(d for d in chosen if path.stem not in stems[d])
        for paths in files.values()
        for path in paths
        if path.stem not in common
    ]
    problems += [
        f"{d} has several images with the stem {stem!r}, so pairs are ambiguous"
        for d in chosen
        for stem in dict.fromkeys(s for s in stems[d] if s in common and stems[d].count(s) > 1)
    ]
    by_stem = {d: {p.stem: p for p in paths} for d, paths in files.items()}
    ordered = sorted(common, key=natural_key)
    return FileLayout("folders", kind, {d: [ImageFile(by_stem[d][s]) for s in ordered] for d in chosen}, problems)


def _from_csv(path: Path, domains: Sequence[str] | None, kind: Kind | None) -> FileLayout:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read as CSV in UTF-8: {error}; save it as that.") from error
    header = [name.strip() for name in rows[0]] if rows else []
    if len(header) < 2 or len(set(header)) < len(header) or "" in header:
        raise DataError(
            f"the first line of {str(path)!r} should name the domains, such as 'label,photo'; "
            f"found {','.join(header)!r}."
        )
    columns = {name: i for i, name in enumerate(header)}
    chosen = _choose(domains or header, columns, repr(str(path)))
    images: dict[str, list[ImageFile]] = {d: [] for d in chosen}
    problems = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        cells = {d: row[columns[d]].strip() if columns[d] < len(row) else "" for d in chosen}
        bad = [f"line {line}: the cell of {d!r} is empty" for d, cell in cells.items() if not cell]
        bad += [f"line {line}: there is no file {c!r}" for c in cells.values() if c and not (path.parent / c).is_file()]
        problems += bad
        if not bad:
            for d, cell in cells.items():
                images[d].append(ImageFile(path.parent / cell))
    return FileLayout("csv", kind or "paired", images, problems)


def _from_metadata(metadata: Metadata, folder: Path, domains: Sequence[str] | None, kind: Kind | None) -> FileLayout:
    """The items that the lines name, of files in `folder`."""
    where, columns = repr(str(metadata.path)), metadata.columns
    if len(columns) == 1 or kind == "single":
        if kind not in (None, "single"):
            raise DataError(f"{where} names the files of one domain, and data of kind {kind!r} has two.")
        wanted = list(domains or columns)
        columns = dict.fromkeys(wanted, *columns.values()) if len(columns) == 1 else columns
        if len(wanted) != 1 or wanted[0] not in columns:
            raise DataError(f"{where} has the domains {listing(columns)}; of kind 'single', one of them is wanted.")
        kind = "single"
    else:
        wanted = _choose(domains or list(columns), columns, where)
    layout = FileLayout("metadata", kind or "paired", {d: [] for d in wanted})
    folder = Path(os.path.normpath(folder))
    whole = folder == Path(os.path.normpath(metadata.path.parent))  # and not one split of what it names
    rows = []
    for line, row in metadata.rows.items():
        files = {d: metadata.file(row, columns[d]) for d in wanted}
        missing = [row.get(columns[d]) for d, file in files.items() if not file.is_file()]
        layout.problems += [f"line {line} of {where}: there is no file {name!r}" for name in missing]
        if not missing and (whole or all(file.is_relative_to(folder) for file in files.values())):
            rows.append(row)
            for d, file in files.items():
                layout.images[d].append(ImageFile(file))
    _note(layout, metadata, rows)
    return layout


def _annotate(layout: FileLayout, metadata: Metadata) -> None:
    """Labels and texts of the images of a layout, by the lines that name them or any other image of their item."""
    column = next(iter(metadata.columns.values()))
    by_file = {}
    for line, row in metadata.rows.items():
        by_file[file := metadata.file(row, column)] = row
        if not file.is_file():
            layout.problems.append(f"line {line} of {str(metadata.path)!r}: there is no file {row.get(column)!r}")
    domains = list(layout.images.values())
    rows = []
    for item in zip(*domains, strict=True) if layout.kind == "paired" else ((file,) for file in domains[0]):
        found = [by_file[place] for file in item if (place := Path(os.path.normpath(file.path))) in by_file]
        rows += found[:1]
        if not found:
            layout.problems.append(f"{item[0].path} has no line in {str(metadata.path)!r}")
    if not layout.problems:
        _note(layout, metadata, rows)


def _note(layout: FileLayout, metadata: Metadata, rows: Sequence[Mapping[str, Any]]) -> None:
    layout.texts = metadata.cells("text", rows)
    if (labels := metadata.cells("label", rows)) is not None:
        layout.labels, layout.classes = labels, sorted(set(labels), key=natural_key)
        if "" in labels:
            layout.problems.append(f"{labels.count('')} images have no label in {str(metadata.path)!r}")


def _classes(labels: Sequence[str], root: Path, form: str) -> list[str]:
    """The classes of all splits, so that a number means the same class in each."""
    names = set(labels)
    for folder in (root / split for split in splits_in(root) if (root / split).is_dir()):
        if (metadata := find_metadata(folder)) is not None:
            names.update(metadata.cells("label") or ())
        elif form == "classes":
            names.update(place.name for place in _subfolders(folder))
    return sorted(names, key=natural_key)


def _choose(wanted: Sequence[str], found: Mapping[str, object], where: str) -> list[str]:
    """The wanted domains, checked."""
    for domain in wanted:
        if domain not in found:
            raise DataError(f"{where} has no domain {domain!r}{suggest(domain, found)}; it has {listing(found)}.")
    if len(wanted) < 2 or len(set(wanted)) < len(wanted):
        raise DataError(f"a dataset wants two or more different domains; found domains={tuple(wanted)!r}.")
    return list(wanted)
