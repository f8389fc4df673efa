"""Many images of any sizes through one function, in batches of one size and in flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from i2izoo.images.types import Form

BATCH_PIXELS = 2**20
"""Pixels of an automatic batch: 16 images of 256 x 256, and one of 1024 x 1024."""

WINDOW_PIXELS = 2**24
"""Pixels that are held at once while looking for images of one size."""


@dataclass
class Item:
    """One image that was read, or the error that reading it gave.

    Attributes:
        index: its place among the images, from 0.
        source: what the user gave.
        image: C x H x W in [-1, 1].
        form: what its translations are given back as.
        scaled: height and width over those that it came with, if it was resized for the translation; None: it was not.
        name: what its randomness is a function of; None: its place.
        options: what goes with it alone, by name: images (a mask) C x H x W, latents L, texts.
        error: why there is no image.
    """

    index: int
    source: Any
    image: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0))
    form: Form | None = None
    scaled: tuple[float, float] | None = None
    name: str | None = None
    options: dict[str, Tensor | str] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def pixels(self) -> int:
        return self.image.shape[-1] * self.image.shape[-2]

    @property
    def shape(self) -> tuple[tuple[int, ...], ...]:
        tensors = (v for v in self.options.values() if isinstance(v, Tensor))
        return (tuple(self.image.shape), *(tuple(v.shape) for v in tensors))


Row = tuple[Item, int]
"""An image and the number of its sample."""


def in_batches(
    images: Iterable[Item],
    samples: int,
    batch_size: int | None,
    run: Callable[[list[Row]], list[Any]],
    *,
    filled: bool = False,
) -> Iterator[tuple[Item, list[Any]]]:
    """Give each item, in order, with its `samples` results; those of one size nearby share batches.

    Args:
        images: read lazily, a window at a time.
        samples: rows for each item.
        batch_size: rows in a batch at most; None: about `BATCH_PIXELS` pixels.
        run: rows of one shape -> one result each.
        filled: batches that are not full repeat their last row, so that the rows of a shape always run in the same
            number: matrix products of another number of rows round in another way.
    """
    for window in _windows(images):
        yield from _in_window(window, samples, batch_size, run, filled)
        window.clear()  # before the next is read


def _in_window(
    window: list[Item], samples: int, batch_size: int | None, run: Callable[[list[Row]], list[Any]], filled: bool
) -> Iterator[tuple[Item, list[Any]]]:
    waiting = deque(window)
    results: dict[tuple[int, int], Any] = {}
    groups: dict[tuple[tuple[int, ...], ...], list[Row]] = {}
    for item in window:
        if item.error is None:
            groups.setdefault(item.shape, []).extend((item, j) for j in range(samples))
    for same in groups.values():
        size = batch_size or max(1, min(16, BATCH_PIXELS // same[0][0].pixels))
        for start in range(0, len(same), size):
            batch = same[start : start + size]
            rows = batch + batch[-1:] * (size - len(batch)) if filled else batch
            results.update(zip(((p.index, j) for p, j in batch), run(rows)[: len(batch)], strict=True))
            # given as soon as it is its turn: who is stopped loses one batch, not a window
            while waiting and (waiting[0].error or (waiting[0].index, samples - 1) in results):
                yield _with_results(waiting.popleft(), results, samples)
    while waiting:
        yield _with_results(waiting.popleft(), results, samples)


def _with_results(item: Item, results: dict[tuple[int, int], Any], samples: int) -> tuple[Item, list[Any]]:
    return item, [results.pop((item.index, j)) for j in range(samples) if item.error is None]


def _windows(images: Iterable[Item]) -> Iterator[list[Item]]:
    window: list[Item] = []
    held = 0
    for item in images:
        window.append(item)
        held += item.pixels
        if held >= WINDOW_PIXELS or len(window) >= 256:
            yield window
            window, held = [], 0
    if window:
        yield window
