"""Lists of images as files: what is to be translated, and what has become of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from i2izoo.errors import DataError
from i2izoo.files.tables import FORMULA, csv_text
from i2izoo.files.writing import write_text


@dataclass(frozen=True)
class ImageFile:
    """An image file and its name among others.

    Attributes:
        name: relative, with slashes: where its translation goes in a folder, and what its randomness is a function of.
        path: the file.
    """

    name: str
    path: Path


def read_manifest(path: Path) -> list[ImageFile]:
    """The images that a file lists, none of which is looked for now.

    Args:
        path: text in UTF-8 with a path on each line; or, ending in `.csv`, a table whose first line names its columns,
            of which `path` is one and `name` may be one. Paths are relative to the manifest's folder. Where no name is
            given, it is the path; of one that is absolute or leaves the folder, its last part. Lines with something in
            a column `error`, as they are written of what failed, are left out.

    Raises:
        DataError: it cannot be read, lists nothing, or has a name that is twice there or that leaves its folder.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "list.txt"
    >>> _ = place.write_text("north/1.png\\nsouth/1.png\\n")
    >>> [image.name for image in read_manifest(place)]
    ['north/1.png', 'south/1.png']
    """
    where = repr(str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = _rows(text, where) if path.suffix.lower() == ".csv" else [{"path": p} for p in text.splitlines()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the manifest {where} cannot be read as text in UTF-8: {error}.") from error
    images: dict[str, ImageFile] = {}
    for line in lines:
        if line.get("error") or not any(line.values()):
            continue
        if not line["path"]:
            raise DataError(f"a line of the manifest {where} has no path: {line}.")
        given = Path(line["path"])
        name = PurePosixPath(line.get("name") or (given.name if _leaves(given) else given.as_posix()))
        if _leaves(name) or not name.name:
            raise DataError(f"the name {str(name)!r} in {where} leaves its folder; names are relative paths.")
        if str(name) in images:
            both = f"{str(images[str(name)].path)!r} and {str(given)!r}"
            raise DataError(f"{both} are both named {str(name)!r} in {where}; give each its own in a column 'name'.")
        images[str(name)] = ImageFile(str(name), path.parent / given)
    if not images:
        raise DataError(f"the manifest {where} lists no images; write a path on each line.")
    return list(images.values())


def write_manifest(path: Path, rows: Iterable[dict[str, str | int | None]]) -> None:
    """Write rows of one set of columns as CSV, whole or not at all; `read_manifest` reads it if `path` is a column."""
    rows = list(rows)
    write_text(path, csv_text([rows[0].keys(), *(row.values() for row in rows)]) if rows else "path\n")


def _leaves(path: Path | PurePosixPath) -> bool:
    return path.is_absolute() or ".." in path.parts


def _rows(text: str, where: str) -> list[dict[str, str]]:
    table = csv.DictReader(text.splitlines())
    if "path" not in (table.fieldnames or ()):
        raise DataError(f"the first line of the manifest {where} names no column 'path'; found {table.fieldnames}.")
    return [{k: _plain((v or "").strip()) for k, v in row.items() if k is not None} for row in table]


def _plain(cell: str) -> str:
    """The text that `csv_text` has put an apostrophe before."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(FORMULA) else cell
