"""Labels and texts of images, in a `metadata.csv` or `metadata.jsonl` as Hugging Face's image folders have them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import DataError

NAMES = ("metadata.csv", "metadata.jsonl")
FILE = "file_name"


@dataclass
class Metadata:
    """What a metadata file says: a line for each item.

    Attributes:
        path: of the file; the files that it names are relative to its folder.
        columns: domain -> the column that names its files: `file_name` is that of the domain "image", and
            `photo_file_name` of "photo".
        rows: number of a line -> its cells by column.
    """

    path: Path
    columns: dict[str, str]
    rows: dict[int, dict[str, Any]]

    def file(self, row: Mapping[str, Any], column: str) -> Path:
        """The file that a cell names."""
        return Path(os.path.normpath(self.path.parent / str(row.get(column) or "")))

    def cells(self, column: str, rows: Iterable[Mapping[str, Any]] | None = None) -> list[str] | None:
        """The cells of a column, `label` or `text`, in some rows or all; None if all of the file's are empty."""

        def cell(row: Mapping[str, Any]) -> str:
            return "" if row.get(column) is None else str(row[column])

        if not any(map(cell, self.rows.values())):
            return None
        return [cell(row) for row in (self.rows.values() if rows is None else rows)]


def find_metadata(*folders: Path) -> Metadata | None:
    """The metadata of the first of the folders that has some.

    Raises:
        DataError: a folder has both files, or one that cannot be read.
    """
    for folder in folders:
        found = [folder / name for name in NAMES if (folder / name).is_file()]
        if len(found) > 1:
            raise DataError(f"{str(folder)!r} has both {NAMES[0]} and {NAMES[1]}; remove one of them.")
        if found:
            metadata = read_metadata(found[0])
            if metadata is None:
                raise DataError(f"{str(found[0])!r} has no column {FILE!r} that names the images; give it one.")
            return metadata
    return None


def read_metadata(path: Path) -> Metadata | None:
    """Read a CSV with a header, or a JSON object in each line; None if no column names files.

    Raises:
        DataError: it is neither.
    """
    try:
        if path.suffix.lower() == ".jsonl":
            lines = enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1)
            rows = {number: parse_json(line) for number, line in lines if line.strip()}
        else:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = dict(enumerate(csv.DictReader(file, skipinitialspace=True), start=2))
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be read as {path.suffix[1:].upper()} in UTF-8: {error}.") from error
    if not all(isinstance(row, dict) for row in rows.values()):
        raise DataError(f'a line of {str(path)!r} is not a JSON object such as {{"{FILE}": "a.png"}}.')
    names = dict.fromkeys(name for row in rows.values() for name in row if isinstance(name, str))
    columns = {name.removesuffix(FILE).removesuffix("_") or "image": name for name in names if _names_files(name)}
    return Metadata(path, columns, rows) if columns else None


def _names_files(column: str) -> bool:
    return column == FILE or column.endswith("_" + FILE)
