"""What a picture came as, so that its translation can be given back as the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

import numpy as np
import torch
from torch import Tensor

from i2izoo.errors import ImageError

if TYPE_CHECKING:
    import os

    from PIL import Image

ImageSource: TypeAlias = Union[str, "os.PathLike[str]", "Image.Image", np.ndarray, Tensor]
"""One picture: a path, a PIL image, an array (H x W or H x W x C) or a tensor (C x H x W or 1 x C x H x W)."""


@dataclass(frozen=True)
class Form:
    """How a picture was given.

    Attributes:
        kind: "pil" (also for paths), "array" or "tensor".
        dtype: for "pil" one of "uint8", "uint16", "float32"; otherwise the numpy or torch dtype.
        dims: number of dimensions of the array or tensor.
        device: of a tensor.
    """

    kind: Literal["pil", "array", "tensor"]
    dtype: Any = "uint8"
    dims: int = 3
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def give_back(image: Tensor, form: Form) -> Any:
    """Turn C x H x W in [-1, 1] into what `form` says: same class, value range, dtype and layout.

    A picture of mode 1 and a bool array come back in 8 bits, since a translation is seldom black and white only.
    Pillow holds 16 bits and float for one channel only: several channels come back in 8 bits, so give and take
    arrays where precision matters.
    """
    from i2izoo.images import to_array, to_pil

    if form.kind == "pil":
        return to_pil(image, form.dtype if len(image) == 1 else "uint8")
    if form.kind == "array":
        array = to_array(image, np.uint8 if form.dtype == np.bool_ else form.dtype)
        return array[..., 0] if form.dims == 2 and array.shape[-1] == 1 else array
    image = image[None] if form.dims == 4 else image
    if form.dtype.is_floating_point:
        return image.to(form.device, form.dtype)
    dtype = torch.uint8 if form.dtype == torch.bool else form.dtype
    return quantise(image, torch.iinfo(dtype).max).to(form.device, dtype)


def quantise(image: Tensor, top: int) -> Tensor:
    """Map [-1, 1] to whole numbers 0 to `top`: clamp(round((x + 1) * top / 2)), as float.

    >>> quantise(torch.tensor([-1.0, 0.01, 1.0]), 255).tolist()
    [0.0, 129.0, 255.0]
    """
    image = image.detach().float()
    if not torch.isfinite(image).all():
        raise ImageError("the picture holds NaN or infinite values and cannot be written; try dtype=torch.float32.")
    return ((image + 1) * (top / 2)).round().clamp(0, top)
