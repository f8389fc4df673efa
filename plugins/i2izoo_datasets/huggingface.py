"""Tables of Hugging Face's `datasets`: Arrow and parquet on disk, or on the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Literal

from i2izoo.contracts.ranges import Channels, Number, Palette, Share, Side
from i2izoo.errors import DataError, in_a_sentence, listing, suggest
from i2izoo.files.download import DownloadError, may_fetch
from i2izoo_datasets.stored import StoredDataset

HUB = "hf://"
SPLITS = {"val": ("val", "validation", "valid", "dev"), "train": ("train",), "test": ("test",)}
"""Our names of splits -> what they are called there."""
TEXTS = ("text", "caption", "prompt")


class HuggingFace(StoredDataset):
    """Rows of a table of `datasets`: each column of images is a domain.

    A table is read where it lies, by Arrow's memory map, a row at a time and any row at once: one that is larger than
    memory trains as a small one, a run that goes on begins in the middle of an epoch at once, and several processes see
    what one would. A column of class labels gives the classes, and one called `text`, `caption` or `prompt` the texts.

    Args:
        root: what `save_to_disk` wrote; a folder or file of parquet, or any other folder that `load_dataset` reads; or
            `"hf://owner/name"` on the Hub, `"hf://owner/name@revision"`, which is fetched into the cache of `datasets`.
        domains: names of the columns, and their order; None: all columns of images.
        split: "train", "val" or "test", where the table has splits.
        kind: "paired", "unpaired" (other columns are drawn at random) or "single".
        subset: configuration of a data set on the Hub.
        load_size, crop_size, flip, jitter_until, channels, label_maps, limit: see `i2izoo.data.image_dataset`.

    Raises:
        DataError: there is no such table, it has no images, or `datasets` is not installed.
    """

    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str,
        domains: list[str] | None = None,
        split: str | None = None,
        kind: Literal["paired", "unpaired", "single"] | None = None,
        subset: str | None = None,
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        label_maps: dict[str, Palette] | None = None,
        limit: Number | None = None,
    ) -> None:
        library = _library()
        table = _of_split(_opened(library, root, subset), split, root)
        if limit is not None:
            table = table.select(range(min(limit, len(table))))
        if not len(table):
            raise DataError(f"{root!r} has no rows.")
        images = [name for name, kind_ in table.features.items() if isinstance(kind_, library.Image)]
        self.choose(images, domains, kind, repr(root))
        labels = [name for name, kind_ in table.features.items() if isinstance(kind_, library.ClassLabel)]
        texts = [name for name in TEXTS if getattr(table.features.get(name), "dtype", None) == "string"]
        self._root, self._label, self._text = root, next(iter(labels), None), next(iter(texts), None)
        if self._label is not None:
            self.classes = list(table.features[self._label].names)
        for name in self.domains:
            table = table.cast_column(name, library.Image(decode=False))  # bytes or a path, decoded here
        self._table = table
        self._columns = {
            name: table.select_columns([name]) for name in (*self.domains, self._label, self._text) if name
        }
        self.read_as(load_size, crop_size, flip, jitter_until, channels, label_maps)

    def items(self) -> int:
        return len(self._table)

    def encoded(self, domain: str, index: int) -> bytes:
        cell = self._columns[domain][index][domain]
        if cell is None or (cell.get("bytes") is None and not cell.get("path")):
            raise DataError(f"{self.place(domain, index)} is empty.")
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        try:
            return Path(cell["path"]).read_bytes()
        except OSError as error:
            raise DataError(f"{self.place(domain, index)} cannot be read ({in_a_sentence(error)}).") from error

    def place(self, domain: str, index: int) -> str:
        return f"{domain!r} in row {index} of {self._root}"

    def name(self, index: int) -> str:
        return f"row-{index:0{len(str(len(self._table) - 1))}}"

    def label(self, index: int) -> int | None:
        return None if self._label is None else self._columns[self._label][index][self._label]

    def text(self, index: int) -> str | None:
        return None if self._text is None else self._columns[self._text][index][self._text]


def _library() -> Any:
    try:
        import datasets  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError("this data needs datasets: pip install 'i2izoo[datasets]'.") from error
    return datasets


def _opened(library: Any, root: str, subset: str | None) -> Any:
    """The table, or the tables by their splits."""
    place = Path(root).expanduser()
    try:
        if root.startswith(HUB):
            return _from_hub(library, root.removeprefix(HUB), subset)
        if not place.exists():
            raise DataError(f"there is no folder or file {root!r}; a data set on the Hub is {HUB}owner/name.")
        if (place / "dataset_dict.json").is_file() or (place / "state.json").is_file():
            return library.load_from_disk(os.fspath(place))
        if place.is_file():
            if place.suffix != ".parquet":
                raise DataError(f"{root!r} is no parquet file; root is a folder, or a file of parquet.")
            return library.load_dataset("parquet", data_files={"train": os.fspath(place)})
        return library.load_dataset(os.fspath(place))
    except DataError:
        raise
    except Exception as error:  # of Arrow, of the Hub, of builders: each library has its own
        raise DataError(f"{root!r} is no data set that `datasets` reads ({in_a_sentence(error)[:300]}).") from error


def _from_hub(library: Any, name: str, subset: str | None) -> Any:
    if not may_fetch():
        raise DownloadError(f"the data set {name!r} lies on the Hub and is not fetched now.")
    repository, _, revision = name.partition("@")
    return library.load_dataset(repository, subset, revision=revision or None)


def _of_split(found: Any, split: str | None, root: str) -> Any:
    """The table of a split; one without splits passes as "train"."""
    if not hasattr(found, "keys"):
        if split not in (None, "train"):
            raise DataError(f"{root!r} is not divided into splits, so it has no {split!r}.")
        return found
    names = list(found.keys())
    if split is None:
        if len(names) > 1:
            raise DataError(f"{root!r} is divided into {listing(names)}; choose one with split={names[0]!r}.")
        return found[names[0]]
    called = next((name for name in SPLITS.get(split, (split,)) if name in names), None)
    if called is None:
        raise DataError(f"{root!r} has no split {split!r}{suggest(split, names) or ';'} it has {listing(names)}.")
    return found[called]
