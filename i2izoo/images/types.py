"""What an image came as, so that its translation can be given back as the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.annotations import shown
from i2izoo.errors import OptionTypeError

if TYPE_CHECKING:
    import os

    from PIL import Image

ImageSource: TypeAlias = Union[str, "os.PathLike[str]", "Image.Image", np.ndarray, Tensor]
"""One image: a path, a PIL image, an array (H x W or H x W x C) or a tensor (C x H x W or 1 x C x H x W)."""


@dataclass(frozen=True)
class Form:
    """How an image was given.

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

    def with_depth(self, depth: Literal[8, 16] | None) -> Form:
        """The same in whole numbers of so many bits; None changes nothing.

        >>> Form("array", np.dtype(np.float32)).with_depth(16).dtype
        dtype('uint16')
        """
        if depth is None:
            return self
        name = f"uint{depth}"
        dtype = {"pil": name, "array": np.dtype(name), "tensor": getattr(torch, name)}[self.kind]
        return replace(self, dtype=dtype)


def check_depth(depth: Any) -> None:
    """Refuse what is no depth: 8 or 16, or None for an image's own.

    Raises:
        OptionTypeError: it is none.
    """
    if depth is not None and (type(depth) is not int or depth not in (8, 16)):
        raise OptionTypeError(f"depth is 8 or 16, the bits of each channel; found {depth!r}.")


def sides(size: Any) -> tuple[int, int]:
    """Height and width of a size that is one side, or both.

    Raises:
        OptionTypeError: it is neither.

    >>> sides(64), sides([64, 48])
    ((64, 64), (64, 48))
    """
    both = [size, size] if isinstance(size, int) else list(size) if isinstance(size, (list, tuple)) else [size]
    if len(both) != 2 or not all(type(side) is int and side > 0 for side in both):
        raise OptionTypeError(f"size is a side, or height and width, in whole pixels from 1; found {shown(size)}.")
    return both[0], both[1]
