"""Metrics of tiles: what is seen of them, measured against the translation of the whole image at once."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.metric import ImageMetric
from i2izoo.contracts.ranges import Side
from i2izoo.errors import MetricError
from i2izoo.images.seams import block_drift, seam_ratio
from i2izoo.rasters.first_pass import Statistics
from i2izoo.rasters.grid import Span
from i2izoo.rasters.plan import Plan, TileSettings, plan
from i2izoo.rasters.probing import Tiling, tiling
from i2izoo.rasters.tiled import translate_tiled
from i2izoo.rasters.windows import Windows


class _OfTiles(ImageMetric):
    """Compares the translation in tiles with that of the whole image.

    Args:
        tile: side of a tile in pixels; images are larger.
        statistics: see `TileSettings`.
        to: target domain of the model; None: the first of its directions.
    """

    higher_is_better = False
    inputs = ("source", "model")
    tiny_options: ClassVar[dict[str, Any]] = {"tile": 32}

    def __init__(self, *, tile: Side = 256, statistics: Statistics = "joint", to: str | None = None) -> None:
        self.settings, self.to = TileSettings(tile=tile, statistics=statistics), to

    def score(self, *, source: Tensor, model: Any) -> Tensor:
        to = model._target(self.to, from_nothing=False)
        declared = tiling(model, to)
        if declared.mode == "refused":  # how bad it would be is what is asked
            declared = Tiling("blended", norms=declared.norms)
        run = Windows(model, to, 0, {})
        height, width = source.shape[-2:]
        planned = plan(run, height, width, self.settings, declared)
        if len(planned.rows) * len(planned.columns) == 1:
            raise MetricError(f"needs images larger than a tile of {run.fits(self.settings.tile)} pixels.")
        found = []
        for image in source:
            tiled = translate_tiled(model, image, to=to, settings=self.settings, declared=declared)
            found.append(self.compared(tiled[None], run.finished(run(image[None])[0])[None], planned))
        return torch.cat(found)

    @abstractmethod
    def compared(self, tiled: Tensor, whole: Tensor, planned: Plan) -> Tensor:
        """The score of an image, a tensor of one number, by its translation in tiles and that of the whole."""


class SeamRatio(_OfTiles):
    """The gradient across borders of tiles over that inside them, over the same of the whole image: 1 is no seam.

    Args:
        tile: side of a tile in pixels; images are larger.
        statistics: see `TileSettings`.
        to: target domain of the model; None: the first of its directions.
    """

    bounds = (0.0, math.inf)

    def compared(self, tiled: Tensor, whole: Tensor, planned: Plan) -> Tensor:
        borders = [_borders(side) for side in (planned.rows, planned.columns)]
        least = torch.finfo(torch.float32).tiny  # an image without any gradient has no seam
        ratios = [seam_ratio(image, *borders).nan_to_num(1.0).clamp(min=least) for image in (tiled, whole)]
        return ratios[0] / ratios[1]


class TileDrift(_OfTiles):
    """The mean difference of the means of blocks of 64 pixels to those of the whole image, in 8-bit units.

    Args:
        tile: side of a tile in pixels; images are larger.
        statistics: see `TileSettings`.
        to: target domain of the model; None: the first of its directions.
    """

    bounds = (0.0, 255.0)

    def compared(self, tiled: Tensor, whole: Tensor, planned: Plan) -> Tensor:
        return block_drift(tiled, whole) * 127.5


def _borders(side: Any) -> list[int]:
    """Where one window takes over from the one before."""
    spans: list[Span] = list(side)
    return [span.start + int((span.weights > 0.5).nonzero()[0][0]) for span in spans[1:]]
