"""Tiles to rows of an image: translated a row of tiles at a time, blended, and given back as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from i2izoo.nn.statistics import Policy
from i2izoo.rasters.first_pass import Dense, applied
from i2izoo.rasters.grid import Span
from i2izoo.rasters.windows import PIXELS, Windows

Read = Callable[[int, int, int, int], Tensor | None]
"""The pixels from top to bottom and left to right, C x H x W in [-1, 1]; None: none of them is valid."""


def translated_rows(
    run: Windows, read: Read, rows: Sequence[Span], columns: Sequence[Span], policy: Policy | None, done: int = 0
) -> Iterator[tuple[int, int, Tensor]]:
    """Translate an image that is never in memory as a whole.

    Args:
        run: translates windows.
        read: gives the pixels of windows.
        rows, columns: the windows.
        policy: of the statistics.
        done: so many rows of windows have been given back before; what the last of them gave to the next is made anew.

    Yields:
        The top and the bottom of what a row of windows has finished, and its pixels, C x (bottom - top) x W.
    """
    width, tallest = columns[-1].stop, max(r.stop - r.start for r in rows)
    base = _finished(rows, done - 1) if done else 0
    buffer = torch.zeros(run.method.channels[run.to], tallest, width)
    for index in range(max(done - 1, 0), len(rows)):
        row = rows[index]
        with applied(run, policy) as anew:
            for column, output in _tiles(run, read, row, columns, policy, anew):
                _add(buffer, output, row, column, base)
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


def _tiles(
    run: Windows,
    read: Read,
    row: Span,
    columns: Sequence[Span],
    policy: Policy | None,
    anew: Callable[[], None],
) -> Iterator[tuple[Span, Tensor]]:
    """The windows of a row with what becomes of them; those of one shape run together, each of a dense policy alone."""
    waiting: list[tuple[Span, Tensor]] = []
    for column in columns:
        image = read(row.start, row.stop, column.start, column.stop)
        if image is None:
            continue
        if waiting and (image.shape != waiting[0][1].shape or len(waiting) * image[0].numel() >= PIXELS):
            yield from _together(run, row, waiting, anew)
            waiting = []
        if isinstance(policy, Dense):
            policy.place = (row.start, row.stop, column.start, column.stop)
            yield from _together(run, row, [(column, image)], anew)
        else:
            waiting.append((column, image))
    if waiting:
        yield from _together(run, row, waiting, anew)


def _together(
    run: Windows, row: Span, windows: Sequence[tuple[Span, Tensor]], anew: Callable[[], None]
) -> Iterator[tuple[Span, Tensor]]:
    own = [[*row.own, *column.own] for column, _ in windows]
    outputs = run(torch.stack([image for _, image in windows]), anew, own)
    yield from zip((span for span, _ in windows), outputs, strict=True)
