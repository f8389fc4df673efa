"""How large a pixel is on the ground: what a model has learned looks otherwise from nearer or farther."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from i2izoo.contracts.raster import RasterInfo
from i2izoo.errors import I2IZooWarning
from i2izoo.models.config_file import learned_resolution

FACTOR = 2.0
"""By which a raster's resolution may differ from that of a model's training images before it is said."""


def warn_of_resolution(config: Mapping[str, Any], info: RasterInfo, name: str) -> None:
    """Warn of a raster whose pixels are more than twice as large on the ground as those of training, or under half.

    Args:
        config: of the model.
        info: of the raster; one that does not know its place passes.
        name: of the model, for the message.
    """
    learned = learned_resolution(config)
    if learned is None or info.resolution is None:
        return
    found, (finest, coarsest) = info.resolution * 100, learned
    if finest / FACTOR <= found <= coarsest * FACTOR:
        return
    said = f"{finest:g}" if finest == coarsest else f"{finest:g} to {coarsest:g}"
    size = f"{found:.3g}" if found < 1000 else f"{found:.0f}"
    warnings.warn(
        f"{name!r} has learned from images of {said} cm per pixel, and this raster has {size} cm, so houses and trees "
        "have another size than it knows; resample the raster to that resolution for better results.",
        I2IZooWarning,
        stacklevel=3,
    )
