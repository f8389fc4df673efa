"""Neighbours of one shape, together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

from i2izoo.images.batching import BATCH_PIXELS

T = TypeVar("T")


def in_groups(items: Iterable[T], shape: Callable[[T], torch.Size], batch_size: int | None) -> Iterator[list[T]]:
    """Lists of consecutive items of one shape, in order.

    Args:
        items: taken when their turn comes; where they raise, what was taken before still comes first.
        shape: C x H x W of an item.
        batch_size: of a list at most; None: about a megapixel, and at most 16.

    >>> images = [torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), torch.zeros(1, 8, 4)]
    >>> [len(group) for group in in_groups(images, lambda p: p.shape, None)]
    [2, 1]
    """
    group: list[T] = []
    of: torch.Size | None = None
    limit = batch_size or 16
    try:
        for item in items:
            if group and (shape(item) != of or len(group) >= limit):
                yield group
                group = []
            group, of = [*group, item], shape(item)
            limit = batch_size or max(1, min(16, BATCH_PIXELS // max(1, of[-1] * of[-2])))
    except (Exception, KeyboardInterrupt):
        if group:
            yield group
        raise
    if group:
        yield group
