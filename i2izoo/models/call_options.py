"""The options of a translation or generation, read and stacked row by row, and its results given back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from i2izoo.errors import ImageError, OptionTypeError
from i2izoo.images.batching import Item
from i2izoo.images.writing import give_back


def check_numbers(seed: Any, **counts: Any) -> None:
    for name, value in counts.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionTypeError(f"{name} wants a whole number from 1, found {value!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise OptionTypeError(f"seed wants a whole number, found {seed!r}.")


def name_of(item: Item) -> str:
    return repr(str(item.source)) if isinstance(item.source, (str, os.PathLike)) else f"image {item.index}"


def give_result(image: Tensor, item: Item) -> Any:
    try:
        return give_back(image, item.form)  # type: ignore[arg-type]
    except ImageError as error:
        raise ImageError(f"the translation of {name_of(item)} cannot be given back: {error}") from error


def tracked(results: Iterator[Any], sources: Iterable[Any], doing: str = "translating") -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import track

    total = len(sources) if hasattr(sources, "__len__") else None  # type: ignore[arg-type]
    yield from track(results, doing, total=total, console=Console(stderr=True))
