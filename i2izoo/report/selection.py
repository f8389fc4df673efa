"""Which images a report shows: spread evenly, and the worst and best by every metric of every model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from i2izoo.errors import EvaluationError, listing, suggest
from i2izoo.report.view import Column

RANKS = 6
"""So many of the worst and of the best are shown."""


def spread(names: Sequence[str], count: int, chosen: Sequence[str] = ()) -> list[str]:
    """The chosen names, then others spread evenly, `count` together (or as many as were chosen).

    Raises:
        EvaluationError: a chosen name is not among the images.

    >>> spread([str(i) for i in range(10)], 3), spread(["a", "b", "c"], 2, chosen=["c"])
    (['1', '5', '8'], ['c', 'b'])
    """
    if count < 0:
        raise EvaluationError(f"cases is {count}; give 0 for no images, or how many to show.")
    for name in chosen:
        if name not in names:
            close = suggest(name, names)
            raise EvaluationError(f"No image {name!r} was evaluated{close}. There are: {listing(names, 12)}.")
    chosen = list(dict.fromkeys(chosen))
    rest = [name for name in names if name not in set(chosen)]
    free = min(max(count - len(chosen), 0), len(rest))
    return chosen + [rest[(2 * i + 1) * len(rest) // (2 * free)] for i in range(free)]


def extremes(columns: Sequence[Column]) -> dict[tuple[int, int, str], list[str]]:
    """(column, model, "worst" or "best") -> names, the most extreme first; only where there are values."""
    found = {}
    for k, column in enumerate(columns):
        for m, values in enumerate(column.values):
            finite = {name: value for name, value in values.items() if not math.isnan(value)}
            rising = sorted(finite, key=finite.__getitem__)
            if len(rising) > 1:
                down, up = rising[:RANKS], rising[::-1][:RANKS]
                found[k, m, "worst"], found[k, m, "best"] = (down, up) if column.higher else (up, down)
    return found


def by_rank(lists: Sequence[Sequence[str]], without: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(rank, name) over all lists, all first ranks before any second, each name once.

    >>> list(by_rank([["a", "b"], ["b", "c"]], without=["c"]))
    [(0, 'a'), (0, 'b')]
    """
    seen = set(without)
    for rank in range(RANKS):
        for names in lists:
            if rank < len(names) and names[rank] not in seen:
                seen.add(names[rank])
                yield rank, names[rank]
