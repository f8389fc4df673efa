"""Training and validation divided by area: neighbours show the same fields and streets, so they go together."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from i2izoo.errors import ConfigError

ORDER = ("test", "val", "train")
"""Where two parts meet, the later one loses the tiles of the gap."""


class AreaSplit:
    """Square blocks of tiles, some of them drawn for validation and test, and a gap around these.

    Args:
        places: columns and rows of the tiles of the area.
        block: side of a block in tiles.
        gap: tiles between any two parts that belong to none; they are taken from the larger part.
        val, test: shares of the blocks.
        seed: of the draw.

    Raises:
        ConfigError: there are not enough blocks for the parts, or nothing is left for training.

    >>> split = AreaSplit([(x, 0) for x in range(8)], block=4, gap=1, val=0.5, test=0, seed=0)
    >>> [split.part((x, 0)) for x in range(8)]
    ['train', 'train', 'train', None, 'val', 'val', 'val', 'val']
    """

    def __init__(
        self, places: Iterable[tuple[int, int]], *, block: int, gap: int, val: float, test: float, seed: int
    ) -> None:
        self.block, self.gap, self.seed = block, gap, seed
        places = set(places)
        blocks = sorted({(x // block, y // block) for x, y in places})
        count = {
            part: max(round(share * len(blocks)), 1) if share else 0 for part, share in (("val", val), ("test", test))
        }
        if not blocks:
            raise ConfigError("there are no tiles in this area.")
        if sum(count.values()) >= len(blocks):
            raise ConfigError(
                f"the area has {len(blocks)} block{'s' * (len(blocks) > 1)} of {block} x {block} tiles, too few for "
                "parts of their own; use smaller blocks (--block), a larger area, or --val 0."
            )
        drawn = random.Random(seed).sample(blocks, sum(count.values()))
        self._part = dict.fromkeys(drawn[: count["val"]], "val") | dict.fromkeys(drawn[count["val"] :], "test")
        if not any(self.part(place) == "train" for place in places):
            raise ConfigError(
                f"blocks of {block} tiles with a gap of {gap} leave nothing for training in an area of {len(places)} "
                "tiles; use a smaller gap (--gap), larger or fewer blocks (--block, --val), or a larger area."
            )

    def part(self, place: tuple[int, int]) -> str | None:
        """The part that a tile is in; None: it lies in a gap."""
        x, y = place
        own = self._of(x // self.block, y // self.block)
        columns, rows = (range((at - self.gap) // self.block, (at + self.gap) // self.block + 1) for at in (x, y))
        near = {self._of(column, row) for column in columns for row in rows}
        return own if min(map(ORDER.index, near)) == ORDER.index(own) else None

    def _of(self, column: int, row: int) -> str:
        return self._part.get((column, row), "train")

    @property
    def described(self) -> dict[str, Any]:
        """What `tiles.json` says about it: of val and test the columns and rows of their blocks."""
        parts = {part: sorted(list(b) for b, p in self._part.items() if p == part) for part in ("val", "test")}
        return {"block": self.block, "gap": self.gap, "seed": self.seed, **parts}
