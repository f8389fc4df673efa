"""What is painted on an image: the image as it was, and a mask, white where there is paint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from i2izoo.app.controls import MASK
from i2izoo.errors import ImageError
from i2izoo.models.translator import Translator


def painted(canvas: Mapping[str, Any] | None) -> tuple[Image.Image, Image.Image | None]:
    """The image and the mask of a canvas.

    Args:
        canvas: `background`, an image, and `layers`, images with opacity where there is paint, all of one size.

    Returns:
        The image, and the mask, mode L, 255 where there is paint; None: nothing is painted.

    Raises:
        ImageError: there is no image.

    >>> layer = Image.new("RGBA", (4, 4))
    >>> layer.putpixel((1, 2), (255, 0, 0, 255))
    >>> image, mask = painted({"background": Image.new("RGB", (4, 4)), "layers": [layer]})
    >>> np.argwhere(np.array(mask)).tolist()
    [[2, 1]]
    """
    image = canvas.get("background") if canvas else None
    if not isinstance(image, Image.Image):
        raise ImageError("choose an image first.")
    found = np.zeros((image.height, image.width), bool)
    for layer in (canvas or {}).get("layers") or ():
        if layer.size != image.size:
            layer = layer.resize(image.size, Image.Resampling.NEAREST)
        found |= np.array(layer.convert("RGBA"))[..., 3] > 0
    return image, Image.fromarray(found.astype(np.uint8) * 255) if found.any() else None


def paints(model: Translator, target: str) -> bool:
    """Does it fill what is unknown of an image, as opacity or a mask says? Then that is painted."""
    source = model.directions[target]
    can = source is not None and model.method.image_channels[source] == 4  # colours and what is known of them
    return can and MASK in model.method.translate_options()
