"""The work on a raster in blocks: a block is a row of tiles with what they share, and depends on no other block.

The first pass is mapped over the blocks and reduced, the second gives the tiles of each; whoever does the blocks, in
whichever order, the results are put together in theirs (`translated_rows`), to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from i2izoo.contracts.raster import Box, Raster
from i2izoo.models.running import device_of
from i2izoo.models.translator import Translator
from i2izoo.nn.statistics import Moments, Policy
from i2izoo.rasters import first_pass
from i2izoo.rasters.choosing import choose, window
from i2izoo.rasters.first_pass import Dense, Share, Window, applied, as_tensors, of_tensors
from i2izoo.rasters.grid import Span
from i2izoo.rasters.plan import Plan, TileSettings, plan
from i2izoo.rasters.probing import Tiling
from i2izoo.rasters.rows import Read, Tile
from i2izoo.rasters.source import Source
from i2izoo.rasters.values import Scale
from i2izoo.rasters.windows import PIXELS, Windows


class Each(Protocol):
    """Does a method of `Blocks` for blocks, and gives what comes of them in their order."""

    def __call__(self, name: str, indices: Iterable[int], *common: Any) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Part:
    """What `Blocks` are made of, to be made elsewhere: it can be pickled.

    Attributes:
        source: the raster.
        to: target domain.
        seed, options: of the model's calls.
        box: the part of the raster.
        bands: that are used, from 0.
        scale: of the values.
        settings, tiling: how it is cut.
    """

    source: Path
    to: str
    seed: int
    options: dict[str, Any]
    box: Box
    bands: Sequence[int]
    scale: Scale
    settings: TileSettings
    tiling: Tiling

    def blocks(self, model: Translator, raster: Raster) -> Blocks:
        """Those of an open raster."""
        run = Windows(model, self.to, self.seed, self.options)
        seen = Source(raster, self.box, self.bands, run.channels, self.scale)
        return Blocks(run, seen.read, plan(run, self.box.height, self.box.width, self.settings, self.tiling))


Spread: TypeAlias = Callable[[Part], AbstractContextManager[Each]]
"""Who does the blocks of a part."""


class Blocks:
    """What can be done with a block by itself.

    Args:
        run: translates windows.
        read: gives the pixels of windows.
        plan: the windows.
    """

    def __init__(self, run: Windows, read: Read, plan: Plan) -> None:
        self.run, self.read, self.plan = run, read, plan

    def here(self, name: str, indices: Iterable[int], *common: Any) -> Iterator[Any]:
        """An `Each` in this process, one block at a time."""
        return (getattr(self, name)(index, *common) for index in indices)

    def joint(self, index: int) -> list[Moments]:
        """The statistics of some tiles of all blocks together; in one pass, so that one has to do it."""
        chosen = choose(self.read, self.plan.rows, self.plan.columns, self.plan.settings.joint_tiles)
        return [Moments(*(m.cpu() for m in one)) for one in first_pass.joint(self.run, chosen)] if chosen else []

    def layer(self, index: int, known: Sequence[Moments]) -> Share | None:
        """See `first_pass.layer`."""
        windows = self._windows(self.plan.rows[index], self.plan.columns)
        return first_pass.layer(self.run, (one for one in windows if one is not None), known)

    def own(self, index: int) -> list[list[Moments]]:
        """See `first_pass.own`; of tiles that do not overlap."""
        rows, columns = self.plan.cores
        return first_pass.own(self.run, self._windows(rows[index], columns))

    def tiles(self, index: int, policy: Policy | None) -> Iterator[Tile]:
        """What becomes of the tiles; those of one shape run together, each of a dense policy alone."""
        row, waiting = self.plan.rows[index], list[tuple[Span, Tensor]]()
        if policy is not None and (device := device_of(self.run.method)).type != "cpu":
            policy = of_tensors(as_tensors(policy), device)
        with applied(self.run, policy) as anew:
            for column in self.plan.columns:
                image = self.read(row.start, row.stop, column.start, column.stop)
                if image is None:
                    continue
                full = waiting and len(waiting) * image[0].numel() >= PIXELS
                if waiting and (full or image.shape != waiting[0][1].shape or isinstance(policy, Dense)):
                    yield from self._together(row, waiting, policy, anew)
                    waiting = []
                waiting.append((column, image))
            if waiting:
                yield from self._together(row, waiting, policy, anew)

    def _together(
        self, row: Span, tiles: Sequence[tuple[Span, Tensor]], policy: Policy | None, anew: Callable[[], None]
    ) -> Iterator[Tile]:
        if isinstance(policy, Dense):
            policy.place = (row.start, row.stop, tiles[0][0].start, tiles[0][0].stop)
        own = [[*row.own, *column.own] for column, _ in tiles]
        outputs = self.run(torch.stack([image for _, image in tiles]), anew, own)
        yield from ((column.start, output) for (column, _), output in zip(tiles, outputs, strict=True))

    def _windows(self, row: Span, columns: Sequence[Span]) -> Iterator[Window | None]:
        """Each with the part of it that counts most; None: it holds no valid pixel."""
        return (window(self.read, row, column) for column in columns)


def statistics(plan: Plan, each: Each) -> Policy | None:
    """The first pass: what the tiles of the second take; None: each its own, or there is nothing to take."""
    kind, blocks = plan.settings.statistics, range(len(plan.rows))
    if not plan.tiling.norms or kind == "tile" or len(plan.rows) * len(plan.columns) == 1:
        return None
    if kind == "exact":
        return first_pass.frozen(first_pass.exact(lambda known: each("layer", blocks, known)))
    if kind == "dense":
        found = each("own", range(len(plan.cores[0])))
        return first_pass.dense([one for block in found for one in block], *plan.cores)
    return first_pass.frozen(next(each("joint", [0])))
