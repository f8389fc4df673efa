"""Images to the size that a feature network wants: the step that published FIDs differ by most."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional as F

from i2izoo.errors import MetricError

Resize: TypeAlias = Literal["clean", "legacy"]
"""How an image gets to the size of a feature network.

`"clean"`: antialiased bicubic in floating point, as Pillow's and as clean-fid's (Parmar et al., CVPR 2022, arXiv
2104.11222). It is the default: bilinear without antialiasing makes images that are larger than the network's input
look alike that are not, and costs 6 FID and more on photos of faces, where correct filters agree to 0.75.

`"legacy"`: bilinear without antialiasing, as TensorFlow 1 had it: the published FID, KID and IS of most papers before
2022 (TF-FID, pytorch-fid, torch-fidelity). For comparison with those.
"""

FILTERS: dict[str, str] = {"clean": "antialiased bicubic", "legacy": "bilinear without antialiasing, as TensorFlow 1"}


def to_bytes(image: Tensor) -> Tensor:
    """Values in [-1, 1] to whole numbers from 0 to 255, still float32; a gradient goes straight through the rounding.

    >>> import torch
    >>> to_bytes(torch.tensor([-1.0, 0.0039, 1.0])).tolist()
    [0.0, 128.0, 255.0]
    """
    levels = to_levels(image).clamp(0, 255)
    rounded = levels.round()
    return levels + (rounded - levels).detach() if levels.requires_grad else rounded


def to_levels(image: Tensor) -> Tensor:
    """Values in [-1, 1] to those from 0 to 255, float32, not rounded: rounding has no gradient."""
    return (image.float() + 1) * 127.5


def resize(image: Tensor, size: tuple[int, int], how: Resize) -> Tensor:
    """N x C x H x W with values from 0 to 255 to N x C x size, float32, in the same range; the shape is not kept.

    Raises:
        MetricError: "legacy" without torch-fidelity, which has TensorFlow's filter.
    """
    if how == "legacy":
        try:
            from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
        except ImportError as error:
            raise MetricError("needs torch-fidelity: pip install i2izoo[eval]") from error
        return interpolate_bilinear_2d_like_tensorflow1x(image, size=size, align_corners=False)
    if image.shape[-2:] == size:
        return image
    # antialias also where it enlarges: only then torch's bicubic is Pillow's (a = -0.5)
    return F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 255)


def describe(size: tuple[int, int], how: Resize) -> str:
    """For the notes of a score.

    >>> describe((299, 299), "clean")
    'resized to 299 x 299 by antialiased bicubic (resize=clean)'
    """
    return f"resized to {size[0]} x {size[1]} by {FILTERS[how]} (resize={how})"
