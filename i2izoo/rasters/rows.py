"""Tiles to rows of an image: blended as they come, and given back as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from i2izoo.rasters.grid import Span
from i2izoo.rasters.windows import Windows

Read = Callable[[int, int, int, int], Tensor | None]
"""The pixels from top to bottom and left to right, C x H x W in [-1, 1]; None: none of them is valid."""

Tile = tuple[int, Tensor]
"""Where a tile begins along its row of tiles, and what has become of it, C x H x W."""


def translated_rows(
    run: Windows,
    rows: Sequence[Span],
    columns: Sequence[Span],
    tiles: Callable[[Sequence[int]], Iterable[Iterable[Tile]]],
    done: int = 0,
) -> Iterator[tuple[int, int, Tensor]]:
    """Put together an image that is never in memory as a whole.

    Args:
        run: translates windows.
        rows, columns: the windows.
        tiles: gives those of rows of windows, row by row.
        done: so many rows of windows have been given back before; what the last of them gave to the next is made anew.

    Yields:
        The top and the bottom of what a row of windows has finished, and its pixels, C x (bottom - top) x W.
    """
    width, tallest = columns[-1].stop, max(r.stop - r.start for r in rows)
    places = {column.start: column for column in columns}
    base = _finished(rows, done - 1) if done else 0
    buffer = torch.zeros(run.method.channels[run.to], tallest, width)
    indices = range(max(done - 1, 0), len(rows))
    for index, found in zip(indices, tiles(indices), strict=True):
        for start, output in found:
            _add(buffer, output, rows[index], places[start], base)
        end = _finished(rows, index)
        if index >= done:
            height = end - base
            yield base, end, run.finished(buffer[:, :height].clone())
            kept = buffer[:, height:].clone()
            buffer.zero_()
            buffer[:, : kept.shape[1]] = kept
            base = end


def _finished(rows: Sequence[Span], index: int) -> int:
    """Where the pixels begin that rows of windows after this one have a say in."""
    return rows[index + 1].counts[0] if index + 1 < len(rows) else rows[-1].stop


def _add(buffer: Tensor, output: Tensor, row: Span, column: Span, base: int) -> None:
    top, bottom = max(row.counts[0], base), row.counts[1]
    left, right = column.counts
    inside = output[:, top - row.start : bottom - row.start, left - column.start : right - column.start]
    down = torch.from_numpy(row.weights[top - row.start : bottom - row.start])[:, None]
    across = torch.from_numpy(column.weights[left - column.start : right - column.start])
    buffer[:, top - base : bottom - base, left:right] += inside * (down * across)
