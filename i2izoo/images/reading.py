"""Read an image of any kind, in full precision, as a tensor in [-1, 1]."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from i2izoo.errors import ImageError
from i2izoo.images.decoding import OF_DECODERS, Decoded, decode, of_given
from i2izoo.images.types import Form, ImageSource

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def to_tensor(source: ImageSource, channels: int | None = None) -> Tensor:
    """Read one image as C x H x W, float32, in [-1, 1].

    Args:
        source: a path, also of PNG and TIFF of 16 bits and of TIFF of any bands; a PIL image of any mode; an array
            H x W or H x W x C (uint8, uint16, bool, or float in [0, 1]); or a tensor C x H x W or 1 x C x H x W
            (float in [-1, 1], uint8, uint16 or bool). EXIF rotation is applied.
        channels: None keeps the image's own, of files and PIL images without alpha. 1 turns colour into grey (luma of
            ITU-R BT.601), 3 repeats grey; 2 and 4 are grey and colour with alpha, and an image that has none is
            opaque in 4. Where 1 or 3 are asked for, the last of 2 or 4 channels of an array is alpha and is left out.
            Anything else must be what the image has.

    Raises:
        ImageError: missing, unreadable, truncated, too large, or of other channels; the message names the file.

    >>> to_tensor(np.array([[0, 255]], dtype=np.uint8))
    tensor([[[-1.,  1.]]])
    """
    return read(source, channels)[0]


def read(source: ImageSource, channels: int | None = None, name: str = "the image") -> tuple[Tensor, Form]:
    """As `to_tensor`, together with the form that `give_back` needs; `name` stands in messages for what has no file."""
    with _naming(source, name):
        if isinstance(source, (str, os.PathLike)):
            image, form, alpha = _as_pil(decode(Path(source), channels))
        elif isinstance(source, Image.Image):
            image, form, alpha = _as_pil(of_given(source))
        elif isinstance(source, np.ndarray):
            image, form, alpha = *_read_array(source), _may_hold_alpha(source.shape[2:], channels)
        elif isinstance(source, Tensor):
            image, form, alpha = *_read_tensor(source), _may_hold_alpha(source.shape[-3:-2], channels)
        else:
            raise ImageError(f"is a {type(source).__name__}; give a path, a PIL image, an array or a tensor.")
        if 0 in image.shape:
            raise ImageError(f"is empty: its shape is {tuple(image.shape)}.")
        return _with_channels(image, channels, alpha), form


@contextlib.contextmanager
def _naming(source: Any, name: str) -> Iterator[None]:
    """Turn what reading raises for an image into one ImageError that names it; our own mistakes stay what they are."""
    file = getattr(source, "filename", None) or source
    name = f"image {_shortened(os.fspath(file))!r}" if isinstance(file, (str, os.PathLike)) else name
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name} {error}") from error.__cause__
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory.") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image in a format that Pillow reads, or is damaged.") from error
    except OF_DECODERS as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(f"{name} cannot be read: {' '.join(said.split())}.".replace("..", ".")) from error


def _shortened(path: str) -> str:
    return path if len(path) <= 400 else f"{path[:150]}...{path[-150:]}"


def _too_large(name: str) -> ImageError:
    return ImageError(
        f"{name} has more than {Image.MAX_IMAGE_PIXELS} pixels, which may be a decompression bomb; if you trust it, "
        "raise PIL.Image.MAX_IMAGE_PIXELS."
    )


def _as_pil(found: Decoded) -> tuple[Tensor, Form, bool]:
    image, form = _read_array(found.array)
    dtype = "float32" if form.dtype.kind == "f" else form.dtype.name
    return _upright(image, found.orientation), Form("pil", dtype), found.alpha


def _may_hold_alpha(count: Sequence[int], channels: int | None) -> bool:
    """Is the last of so many channels of an array to be read as that of an RGBA file is?"""
    return channels in (1, 3) and tuple(count) in ((2,), (4,))


def _read_array(array: np.ndarray) -> tuple[Tensor, Form]:
    if array.ndim not in (2, 3):
        raise ImageError(f"is an array of shape {array.shape}; H x W or H x W x C is wanted.")
    form = Form("array", array.dtype, array.ndim)
    array = array[None] if array.ndim == 2 else rearrange(array, "h w c -> c h w")
    if array.dtype.kind == "f":
        _check_range(float(array.min(initial=0)), float(array.max(initial=0)), 0, "a float array")
        array = array.astype(np.promote_types(array.dtype, np.float32), copy=False)  # half precision would round 2x - 1
        return torch.from_numpy(np.ascontiguousarray(array * 2 - 1, dtype=np.float32)), form
    if array.dtype.kind + str(array.dtype.itemsize) not in ("u1", "u2", "b1"):
        raise ImageError(f"is an array of {array.dtype}; uint8, uint16, bool, or float in [0, 1] is wanted.")
    native = array.astype(array.dtype.newbyteorder("="), order="C")  # a copy that torch may own
    return _scaled(torch.from_numpy(native)), form


def _read_tensor(tensor: Tensor) -> tuple[Tensor, Form]:
    form = Form("tensor", tensor.dtype, tensor.ndim, tensor.device)
    if tensor.ndim not in (3, 4) or (tensor.ndim == 4 and len(tensor) != 1):
        raise ImageError(f"is a tensor of shape {tuple(tensor.shape)}; C x H x W or 1 x C x H x W is wanted.")
    image = tensor[0] if tensor.ndim == 4 else tensor
    if not image.dtype.is_floating_point:
        if image.dtype not in (torch.uint8, torch.uint16, torch.bool):
            raise ImageError(f"is a tensor of {image.dtype}; uint8, uint16, bool, or float in [-1, 1] is wanted.")
        return _scaled(image), form
    image = image.float()
    if image.numel():
        low, high = torch.aminmax(image.detach())
        _check_range(float(low), float(high), -1, "a float tensor")
    return image, form


def _check_range(low: float, high: float, bottom: int, what: str) -> None:
    slack = 1e-3  # rounding in half precision
    if not (bottom - slack <= low and high <= 1 + slack):  # NaN lands here, too
        raise ImageError(f"is {what} with values from {low:g} to {high:g}; [{bottom}, 1] is wanted, so scale it first.")


def _scaled(pixels: Tensor) -> Tensor:
    """Whole numbers over the full range of their type to [-1, 1]."""
    top = {torch.uint8: 255, torch.uint16: 65535, torch.bool: 1}[pixels.dtype]
    return pixels.to(torch.float32) / (top / 2) - 1


def _upright(image: Tensor, orientation: int) -> Tensor:
    """Undo the rotation that the EXIF tag Orientation (1 to 8) describes."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(-1, -2)
    flips = {2: (-1,), 3: (-1, -2), 4: (-2,), 6: (-1,), 7: (-1, -2), 8: (-2,)}.get(orientation, ())
    return image.flip(flips).contiguous() if flips else image.contiguous()


def _with_channels(image: Tensor, channels: int | None, alpha: bool) -> Tensor:
    if channels == len(image):
        return image
    opacity = image[-1:] if alpha else torch.ones_like(image[:1])
    if alpha:
        image = image[:-1]
    if channels == 4 and len(image) in (1, 3):
        return torch.cat([image.expand(3, -1, -1), opacity])
    if channels is None or channels == len(image):
        return image
    if channels == 1 and len(image) == 3:
        return (image * image.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
    if channels == 3 and len(image) == 1:
        return image.expand(3, -1, -1).contiguous()
    have = f"has {len(image)} channels" if len(image) > 1 else "has 1 channel"
    swapped = image.shape[2] if image.shape[1] > image.shape[2] else image.shape[1]
    hint = " Arrays are H x W x C, tensors C x H x W." if swapped <= 4 < len(image) else ""
    raise ImageError(f"{have}, {channels} are wanted; choose or compute them first.{hint}")
