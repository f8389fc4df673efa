"""The windows that stand for a whole image in the first pass: spread over it, and in sum as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.rasters.first_pass import Window
from i2izoo.rasters.grid import Span
from i2izoo.rasters.rows import Read

CANDIDATES = 256
"""Windows that are looked at, at most; of larger images they are spread evenly."""
SCALES = (1, 4, 16)
"""Pixels over which detail is measured."""
SWEEPS = 4
"""Times that each window may be exchanged for a better one."""


def choose(read: Read, rows: Sequence[Span], columns: Sequence[Span], count: int) -> list[Window]:
    """At most `count` windows of one size with valid pixels.

    They begin as those of a lattice over the area, and are then exchanged one by one, so that their brightness,
    contrast and detail together are those of all windows: on two photographs from the air the statistics of eight came
    three and seven times nearer to the whole's than those of the lattice, in squares.

    Args:
        read: gives the pixels of windows.
        rows, columns: the windows.
        count: how many.
    """
    found: list[tuple[Span, Span]] = []
    described: list[Tensor] = []
    for row, column in _spread(rows, columns):
        if len(found) == CANDIDATES:
            break
        if (one := window(read, row, column)) is not None:
            found.append((row, column))
            described.append(_description(one.image))
    best = _matched(torch.stack(described), count) if len(found) > count else range(len(found))
    return [one for i in best if (one := window(read, *found[i])) is not None]


def window(read: Read, row: Span, column: Span) -> Window | None:
    """A window with the part of it that counts most; None: no pixel of it is valid."""
    image = read(row.start, row.stop, column.start, column.stop)
    if image is None:
        return None
    place, core = (row.start, row.stop, column.start, column.stop), (*_core(row), *_core(column))
    return Window(place, core, image, (*row.own, *column.own))


def _core(span: Span) -> tuple[int, int]:
    """The pixels of a window that count at least half, so that each pixel of the side is in one core."""
    inside = (span.weights > 0.5).nonzero()[0]
    return int(inside[0]), int(inside[-1]) + 1


def _spread(rows: Sequence[Span], columns: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """All windows of full size, the first ones evenly over the area for any count: a lattice of the R2 sequence.

    Source: Roberts 2018, "The Unreasonable Effectiveness of Quasirandom Sequences": additive recurrence with the
    plastic number, whose points keep apart for any count.
    """
    plastic = 1.32471795724474602596
    full = (rows[0].stop - rows[0].start, columns[0].stop - columns[0].start)
    lattice = (
        tuple(
            min(int((0.5 + (index + 1) / plastic**power) % 1 * len(side)), len(side) - 1)
            for power, side in ((1, rows), (2, columns))
        )
        for index in range(4 * CANDIDATES)
    )
    rest = ((i, j) for i in range(len(rows)) for j in range(len(columns)))
    for i, j in dict.fromkeys((*lattice, *(rest if len(rows) * len(columns) <= CANDIDATES else ()))):
        row, column = rows[i], columns[j]
        if (row.stop - row.start, column.stop - column.start) == full:
            yield row, column


def _description(image: Tensor) -> Tensor:
    """Mean, mean square, and the mean difference of neighbours at several scales, of the mean of the channels."""
    grey = image.mean(0).double()
    found = [grey.mean(), grey.square().mean()]
    for scale in SCALES:
        coarse = F.avg_pool2d(grey[None], scale)[0] if min(grey.shape) >= 2 * scale else grey
        found.append(coarse.diff(dim=0).abs().mean() + coarse.diff(dim=1).abs().mean())
    return torch.stack(found)


def _matched(described: Tensor, count: int) -> list[int]:
    """The rows whose mean is nearest to that of all: from the first ones on, by exchange of one for another."""
    apart = (described - described.mean(0)) / described.std(0).clamp(min=1e-12)
    chosen = list(range(count))
    best = float(apart[chosen].mean(0).square().sum())
    for _ in range(SWEEPS):
        for place in range(count):
            others = apart[chosen].sum(0) - apart[chosen[place]]
            error = ((others + apart) / count).square().sum(1)
            error[chosen] = torch.inf
            candidate = int(error.argmin())
            if float(error[candidate]) < best:
                chosen[place], best = candidate, float(error[candidate])
    return chosen
