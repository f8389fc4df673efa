"""Images in folders: side by side, in a folder for each domain, or in one for each class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from i2izoo.contracts.registry import natural_key
from i2izoo.data.file_layout import FileLayout, ImageFile, Kind, choose
from i2izoo.errors import DataError, ImageError, listing
from i2izoo.images.reading import to_tensor
from i2izoo.images.writing import EXTENSIONS

SPLITS = ("train", "val", "test")


def images_in(folder: Path) -> list[Path]:
    """The images directly in a folder, by suffix, in natural order."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and p.name[0] != "." and p.is_file()]
    return sorted(found, key=lambda p: natural_key(p.name))


def subfolders(folder: Path) -> list[Path]:
    """Subfolders with images in them."""
    found = [d for d in folder.iterdir() if d.is_dir() and d.name[0] != "." and images_in(d)]
    return sorted(found, key=lambda d: natural_key(d.name))


def splits_in(root: Path) -> list[str]:
    """The splits that a folder is divided into, as folders `train` or as `trainA`, `trainB`."""
    return [s for s in SPLITS if (root / s).is_dir() or lettered(root, s)]


def lettered(root: Path, split: str) -> list[Path]:
    """The folders of the domains of a split that they begin with: `trainA` and `trainB`."""
    return [d for d in subfolders(root) if re.fullmatch(re.escape(split) + "[A-Z]", d.name)]


def in_folder(
    folder: Path, prefix: str, domains: Sequence[str] | None, kind: Kind | None, sides: Sequence[str] | None
) -> FileLayout:
    """The images of `folder`, with domains of their own folders (less `prefix`) or of the halves of single images.

    Raises:
        DataError: nothing usable is there, or it could be read in two ways.
    """
    if kind == "single":
        return _single(folder, domains, sides)
    singles = images_in(folder)
    folders = {d.name.removeprefix(prefix): d for d in subfolders(folder) if d.name.startswith(prefix)}
    if singles and folders and domains is None and sides is None:
        raise DataError(
            f"{str(folder)!r} holds both images and folders of images ({listing(folders)}); name the folders with "
            "domains=(...), or the halves of side-by-side images with sides=(left, right) (--sides LEFT,RIGHT)."
        )
    if sides is not None or (singles and not (folders and domains)):
        return _side_by_side(folder, singles, sides, domains, kind)
    return _from_folders(folder, folders, domains, kind)


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
    found, classes = images_in(place), subfolders(place)
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
        raise DataError(
            f"sides= (--sides) wants side-by-side images, but there are no images directly in {str(folder)!r}."
        )
    if sides is None:
        if domains is not None and sorted(domains) != ["A", "B"]:
            raise DataError(
                f"{str(folder)!r} holds single images; if they are side by side, say which half is which domain "
                f"with sides=(left, right) (--sides LEFT,RIGHT), such as sides={tuple(domains)!r}."
            )
        try:
            height, width = to_tensor(singles[0]).shape[1:]
        except ImageError as error:
            raise DataError(f"the layout of {str(folder)!r} cannot be found out: {error}") from error
        if not 1.6 * height <= width <= 2.5 * height:
            raise DataError(
                f"{singles[0].name} in {str(folder)!r} is {width} x {height}, which does not look like two images "
                "side by side; put each domain into a folder of its own, or pass sides=(left, right) "
                "(--sides LEFT,RIGHT) if it is."
            )
        sides = ("A", "B")
    if len(sides) != 2 or sides[0] == sides[1]:
        raise DataError(
            f"sides= (--sides) names the left and the right half, two different domains; found {tuple(sides)!r}."
        )
    halves: dict[str, Literal["left", "right"]] = {sides[0]: "left", sides[1]: "right"}
    chosen = choose(domains or sides, halves, f"side-by-side images in {str(folder)!r}")
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
    chosen = choose(domains or list(folders), folders, repr(str(folder)))
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
