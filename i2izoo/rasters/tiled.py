"""An image in memory through a model in tiles."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from i2izoo.models.translator import Translator
from i2izoo.rasters.blocks import Blocks, statistics
from i2izoo.rasters.plan import TileSettings, plan
from i2izoo.rasters.probing import Tiling, tiling
from i2izoo.rasters.rows import translated_rows
from i2izoo.rasters.windows import Windows


def translate_tiled(
    model: Translator,
    image: Tensor,
    *,
    to: str | None = None,
    seed: int = 0,
    settings: TileSettings | None = None,
    declared: Tiling | None = None,
    **options: Any,
) -> Tensor:
    """Translate one image in tiles that leave no seams.

    Args:
        model: what translates.
        image: C x H x W in [-1, 1], of any size.
        to: target domain; None: the first.
        seed: of all randomness.
        settings: how it is cut; None: tiles of 512.
        declared: how the model may be run in tiles; None: what `tiling` says.
        options: the method's own.

    Returns:
        C x H x W in [-1, 1], on the CPU.

    Raises:
        ConfigError: the model cannot be run in tiles, or an option does not fit.

    >>> import i2izoo
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "none"})
    >>> image = torch.rand(3, 90, 70) * 2 - 1
    >>> tiles = translate_tiled(model, image, settings=TileSettings(tile=48))
    >>> bool((tiles - model(image)).abs().max() < 1e-4)
    True
    """
    settings = settings or TileSettings()
    run = Windows(model, to, seed, options)
    height, width = image.shape[-2:]
    planned = plan(run, height, width, settings, declared or tiling(model, to, **options))

    def read(top: int, bottom: int, left: int, right: int) -> Tensor:
        return image[:, top:bottom, left:right]

    here = Blocks(run, read, planned).here
    policy = statistics(planned, here)
    rows = translated_rows(run, planned.rows, planned.columns, lambda indices: here("tiles", indices, policy))
    return torch.cat([row for _, _, row in rows], dim=1)
