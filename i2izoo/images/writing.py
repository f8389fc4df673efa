"""The only place that reads, writes, scales and pads images (reading and kinds of images lie in files beside).

Inside i2izoo an image is a tensor C x H x W, float32, in [-1, 1]. Nothing is resized, cropped or rounded on the way
in: 16 bits of each channel, and all bands of a TIFF, are kept. Whole numbers stand for [-1, 1] over the full range of
their type: 0 is -1, and 255 or 65535 is 1, whatever the largest number in the file. Transparency is not part of a
translation: alpha is left out (colours are taken as stored, not blended with a background), unless two or four channels
are asked for; where four are, an image without alpha is opaque. Of an animation or a document of several pages the
first image is read.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from i2izoo.contracts.registry import natural_key
from i2izoo.errors import ImageError, listing
from i2izoo.files.writing import replacing
from i2izoo.images import png, tiff
from i2izoo.images.reading import to_tensor
from i2izoo.images.types import Form

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm")
"""File name endings (in lower case) that count as images in folders and globs."""

FILTERS = {name.lower(): Image.Resampling[name] for name in ("NEAREST", "BOX", "BILINEAR", "BICUBIC", "LANCZOS")}

# -------------------------------------------------------------------------------------------------------- writing


def to_array(image: Tensor, dtype: Any = np.uint8) -> np.ndarray:
    """Turn C x H x W in [-1, 1] into an array H x W x C: uint8 or uint16 over their full range, or float in [0, 1].

    >>> to_array(torch.tensor([[[-1.0, 1.0]]])).tolist()
    [[[0], [255]]]
    """
    dtype = np.dtype(dtype)
    image = rearrange(image.detach().float().cpu(), "c h w -> h w c")
    if dtype.kind == "f":
        return ((image + 1) / 2).clamp(0, 1).numpy().astype(dtype)
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise ImageError(f"the image cannot become an array of {dtype}; uint8, uint16 or float is possible.")
    return quantise(image, int(np.iinfo(dtype).max)).numpy().astype(dtype)


def to_pil(image: Tensor, dtype: Literal["uint8", "uint16", "float32"] = "uint8") -> Image.Image:
    """Turn C x H x W in [-1, 1] into a PIL image: 1 to 4 channels are L, LA, RGB, RGBA.

    Args:
        image: the image.
        dtype: "uint16" gives mode I;16 and "float32" mode F in [0, 1]; both for one channel only.

    >>> to_pil(torch.zeros(3, 2, 5)).size, to_pil(torch.zeros(1, 2, 5), "uint16").mode
    ((5, 2), 'I;16')
    """
    if image.ndim != 3 or len(image) > 4 or (dtype != "uint8" and len(image) > 1):
        raise ImageError(
            f"a tensor of shape {tuple(image.shape)} cannot become a {dtype} PIL image; "
            f"{'1 to 4 channels' if dtype == 'uint8' else '1 channel'} x H x W can, and to_array takes any number."
        )
    array = to_array(image, dtype)
    return Image.fromarray(array[..., 0] if len(image) == 1 else array)


DEEPEST = {"TIFF": (np.uint8, np.uint16, np.float32), "PNG": (np.uint8, np.uint16)}
"""Formats that hold more than 8 bits, and what they hold."""


def save(
    image: Tensor | np.ndarray | Image.Image,
    path: str | os.PathLike[str],
    *,
    depth: Literal[8, 16] | None = None,
    **options: Any,
) -> Path:
    """Write an image beside its place and rename it, so that a file is whole or not there at all.

    Args:
        image: C x H x W in [-1, 1]; an array H x W or H x W x C (uint8, uint16, bool, or float in [0, 1]); or a PIL
            image. More than 4 channels go into TIFF.
        path: the ending chooses the format; missing folders are made.
        depth: bits of each channel. None: 8 for a tensor, otherwise those of the image, as far as the format holds
            them: PNG and TIFF have 16 bits, TIFF float, all others 8 bits.
        options: for Pillow's writer (`quality=95`), of what it writes: all but 16 bits in several channels, and TIFF of
            more than 4.

    Raises:
        ImageError: unknown ending, channels or a depth that the format cannot hold.
        WriteError: the place cannot be written, or the disk is full.
    """
    path = Path(path)
    form = Image.registered_extensions().get(path.suffix.lower())
    if form not in Image.SAVE:
        raise ImageError(f"image {str(path)!r}: the ending {path.suffix!r} is no format; use {listing(EXTENSIONS)}.")
    if depth == 16 and form not in DEEPEST:
        raise ImageError(f"image {str(path)!r}: {form} holds 8 bits of each channel; write 16 as .png or .tif.")
    prepared = _as_held(image, form, depth)
    if form == "JPEG":
        options = {"quality": 95, **options}
    with replacing(path) as temporary:
        try:
            _write(prepared, temporary, form, options)
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the system's refusal
            raise ImageError(f"image {str(path)!r} {_said_of(prepared)} cannot be written: {error}.") from error
    return path


def _as_held(image: Tensor | np.ndarray | Image.Image, form: str, depth: Literal[8, 16] | None) -> Any:
    """The image as a PIL image or array of a depth that the format holds."""
    if isinstance(image, Tensor):
        return _pil_or_array(to_array(image, f"uint{depth or 8}"))
    held = [np.dtype(d).name for d in DEEPEST.get(form, (np.uint8,))]
    if isinstance(image, Image.Image):
        found = {"I": "uint16", "F": "float32"}.get(image.mode[0], "uint8")
        channels = len(image.getbands()) if image.mode in ("LA", "RGBA") else None
    else:
        found, channels = {"f": "float32", "b": "uint8"}.get(image.dtype.kind, image.dtype.name), None
    wanted = f"uint{depth}" if depth else found if found in held else held[-1]
    if isinstance(image, Image.Image) and found == wanted:
        return image
    if isinstance(image, np.ndarray) and image.ndim in (2, 3) and image.dtype == wanted:
        return _pil_or_array(image.reshape(*image.shape[:2], -1))
    return _pil_or_array(to_array(to_tensor(image, channels), wanted))


def _pil_or_array(array: np.ndarray) -> Image.Image | np.ndarray:
    """H x W x C as a PIL image where Pillow has a mode for it: one channel, or up to four of 8 bits."""
    if array.shape[-1] == 1:
        return Image.fromarray(array[..., 0])
    return Image.fromarray(array) if array.dtype == np.uint8 and array.shape[-1] <= 4 else array


def _write(image: Image.Image | np.ndarray, path: Path, form: str, options: dict[str, Any]) -> None:
    if isinstance(image, Image.Image):
        image.save(path, format=form, **options)
    elif options:
        raise ValueError(f"it takes no {listing(options)} there")
    elif form == "TIFF":
        tiff.write(path, image)
    elif form == "PNG" and image.shape[-1] <= 4:
        png.write(path, image)
    else:
        raise ValueError(f"{form} holds no more than 4 channels; write it as .tif")


def _said_of(image: Image.Image | np.ndarray) -> str:
    return f"of mode {image.mode}" if isinstance(image, Image.Image) else f"of {image.shape[-1]} channels"


# --------------------------------------------------------------------------------------------- scaling and showing


def resize(image: Any, size: tuple[int, int], filter: str = "bicubic") -> Any:
    """Scale a PIL image or a tensor C x H x W to `size` = (height, width), antialiased, as Pillow does.

    Args:
        image: a tensor is scaled in float, channel by channel, and clamped to [-1, 1].
        size: height and width in pixels.
        filter: nearest, box, bilinear, bicubic or lanczos.

    >>> resize(torch.zeros(3, 8, 8), (4, 6)).shape
    torch.Size([3, 4, 6])
    """
    if filter not in FILTERS:
        raise ImageError(f"there is no filter {filter!r}; use {listing(FILTERS)}.")
    height, width = size
    if isinstance(image, Image.Image):
        image = image.convert("RGB") if image.mode in ("1", "P") else image  # Pillow knows only nearest for these
        return image.resize((width, height), FILTERS[filter])
    if tuple(image.shape[-2:]) == (height, width):
        return image
    planes = [Image.fromarray(p).resize((width, height), FILTERS[filter]) for p in image.float().cpu().numpy()]
    return torch.from_numpy(np.stack([np.array(p) for p in planes])).clamp_(-1, 1).to(image.device)


def grid(
    rows: Sequence[Sequence[Tensor | Image.Image]], labels: Sequence[str] | None = None, gap: int = 2
) -> Image.Image:
    """Lay images out in rows on white, each in the top left of a cell as large as the largest image.

    Args:
        rows: tensors C x H x W in [-1, 1] or PIL images; rows may have different lengths.
        labels: one for each column, written above it.
        gap: pixels between the cells.

    >>> grid([[torch.zeros(3, 4, 4), torch.zeros(1, 4, 4)]], gap=2).size
    (10, 4)
    """
    cells = [[to_pil(c) if isinstance(c, Tensor) else c for c in row] for row in rows]
    if not any(cells):
        raise ImageError("a grid needs at least one image.")
    width, height = (max(c.size[i] for row in cells for c in row) + gap for i in (0, 1))
    font = ImageFont.load_default()
    top = 0
    if labels is not None:
        top = max(int(font.getbbox(label)[3]) for label in labels) + 4
    columns = max(map(len, cells))
    sheet = Image.new("RGB", (columns * width - gap, top + len(cells) * height - gap), "white")
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            sheet.paste(cell.convert("RGB"), (x * width, top + y * height))
    for x, label in enumerate(labels or ()):
        ImageDraw.Draw(sheet).text((x * width + 2, 1), label, fill="black", font=font)
    return sheet


def is_several(place: str | os.PathLike[str]) -> bool:
    """Is this a folder or a glob, which `find_images` lists, and not the path of one image?"""
    return os.path.isdir(place) or (glob.has_magic(os.fspath(place)) and not os.path.exists(place))


def find_images(place: str | os.PathLike[str]) -> list[Path]:
    """The images of a file, a folder (not its sub-folders) or a glob (`**` goes deeper), in natural order.

    Raises:
        ImageError: there are none.
    """
    path = Path(place)
    if os.path.isfile(path):  # unlike pathlib's, it takes names that are too long
        return [path]
    found = path.iterdir() if os.path.isdir(path) else map(Path, glob.glob(str(place), recursive=True))
    images = [p for p in found if p.suffix.lower() in EXTENSIONS and p.name[0] != "." and p.is_file()]
    if not images:
        what = (
            "holds no images"
            if os.path.isdir(path)
            else "does not exist"
            if not glob.has_magic(str(place))
            else ("matches no images")
        )
        raise ImageError(f"{str(place)!r} {what}; images end in {listing(EXTENSIONS)}.")
    return sorted(images, key=lambda p: [natural_key(part) for part in p.parts])


def give_back(image: Tensor, form: Form) -> Any:
    """Turn C x H x W in [-1, 1] into what `form` says: same class, value range, dtype and layout.

    An image of mode 1 and a bool array come back in 8 bits, since a translation is seldom black and white only.
    Pillow holds 16 bits and float for one channel only, and no more than four channels: of a file or PIL image, what it
    does not hold comes back as an array H x W x C.
    """
    if form.kind == "pil":
        return _pil_or_array(to_array(image, form.dtype))
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
        raise ImageError("the image holds NaN or infinite values and cannot be written; try dtype=torch.float32.")
    return ((image + 1) * (top / 2)).round().clamp(0, top)
