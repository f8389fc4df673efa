"""Images that a table names: a CSV with a column for each domain, or a metadata file."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2izoo.contracts.registry import natural_key
from i2izoo.data.file_layout import FileLayout, ImageFile, Kind, choose
from i2izoo.data.labels import Metadata
from i2izoo.errors import DataError, listing


def from_csv(path: Path, domains: Sequence[str] | None, kind: Kind | None) -> FileLayout:
    """The images that a CSV names: a domain for each column, an item for each line, relative to its folder.

    Raises:
        DataError: it is no CSV, or its first line does not name the wanted domains.
    """
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
    chosen = choose(domains or header, columns, repr(str(path)))
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


def from_metadata(metadata: Metadata, folder: Path, domains: Sequence[str] | None, kind: Kind | None) -> FileLayout:
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
        wanted = choose(domains or list(columns), columns, where)
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


def annotate(layout: FileLayout, metadata: Metadata) -> None:
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
