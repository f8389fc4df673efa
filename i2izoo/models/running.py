"""From sources to results: read into items, run as rows of one shape, and given back in the form of their source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from i2izoo.contracts.method import Method
from i2izoo.errors import I2IZooError, ImageError
from i2izoo.images.batching import Item, Row
from i2izoo.images.reading import read
from i2izoo.images.writing import find_images, give_back, is_several, resize
from i2izoo.models.options import PerImage, stacked
from i2izoo.nn.label_maps import Colours, cleaned
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.random import derive_seed


def device_of(method: Method) -> torch.device:
    return next((p.device for p in method.parameters()), torch.device("cpu"))


def dtype_of(method: Method) -> torch.dtype:
    return next((p.dtype for p in method.parameters() if p.is_floating_point()), torch.float32)


def gathered(image: Any) -> tuple[Iterable[Any], bool, bool]:
    """The images of an argument that may be one, several in one tensor or array, a list, a folder or a glob.

    Returns:
        the images, whether they are more than one image alone, and whether they are rows of one tensor or array.
    """
    if isinstance(image, (str, os.PathLike)) and is_several(image):
        image = find_images(image)
    batch = isinstance(image, (Tensor, np.ndarray)) and image.ndim == 4 and len(image) != 1
    single = isinstance(image, (str, bytes, os.PathLike, Image.Image, Tensor, np.ndarray, Mapping))
    many = batch or (not single and isinstance(image, Iterable))
    return image if many else [image], many, batch


def read_items(
    sources: Iterable[Any],
    channels: int,
    options: Mapping[str, PerImage],
    *,
    tolerant: bool,
    size: tuple[int, int] | None = None,
    depth: Literal[8, 16] | None = None,
    check: Callable[[Tensor], None] = lambda image: None,
    palette: Colours | None = None,
    names: Sequence[str] | None = None,
) -> Iterator[Item]:
    """The images with the options of each, as they are asked for.

    Args:
        channels: that the method sees the images with.
        size: height and width that images are resized to, and with them the options of their size.
        depth: bits of each channel of what comes back; None: those of the image.
        check: is shown each image that is translated at its own size.
        palette: of label maps, whose colours resizing must not mix; None: they are none.
        names: of the images; None: they have none.
        tolerant: an image that cannot be read is an item with its error, and does not end the others.
    """
    alone = isinstance(sources, list) and len(sources) == 1
    for index, source in enumerate(sources):
        try:
            image, form = read(source, channels, name="the image" if alone else f"image {index}")
            own = {k: option.at(index) for k, option in options.items()}
            name = None if names is None else names[index]
            item = Item(index, source, image, form.with_depth(depth), name=name, options=own)
            if size is None:
                check(image)
            yield item if size is None else resized(item, size, palette)
        except ImageError as error:
            if not tolerant:
                raise
            yield Item(index, source, error=error)


def resized(item: Item, size: tuple[int, int], palette: Colours | None = None) -> Item:
    """An item at another size; a label map, and a mask, which has one channel, takes the nearest pixel."""
    before = item.image.shape[-2:]
    options = {
        name: resize(value, size, "nearest" if len(value) == 1 else "bicubic")
        if isinstance(value, Tensor) and value.ndim == 3 and value.shape[-2:] == before
        else value
        for name, value in item.options.items()
    }
    scaled = (size[0] / before[0], size[1] / before[1])
    image, filter = item.image, "bicubic"
    if palette is not None:
        image, filter = cleaned(image, palette), "nearest"
    return replace(item, image=resize(image, size, filter), options=options, scaled=scaled)


def run(method: Method, rows: list[Row], to: str, seed: int, options: Mapping[str, Any]) -> list[Any]:
    """Translate or generate rows of one shape and give each back in its image's form.

    Args:
        options: those that are the same for all rows.

    Raises:
        ImageError: the memory does not hold them, or a result has no such form.
    """
    device, dtype = device_of(method), dtype_of(method)
    image = torch.stack([p.image.to(device) for p, _ in rows])
    own = {k: stacked([p.options[k] for p, _ in rows], device, dtype) for k in rows[0][0].options}
    if method.image_channels[to] == 3:  # a style, a start: images of the target domain; a mask has one channel
        own |= {k: method.inside(v, to) for k, v in own.items() if isinstance(v, Tensor) and v.shape[1:2] == (3,)}
    seeds = [derive_seed(seed, p.index if p.name is None else p.name, j) for p, j in rows]
    try:
        with modes_kept(method), torch.inference_mode():
            method.eval()
            if method.directions[to] is None:
                size = (image.shape[-2], image.shape[-1])
                output = method.generate_at(size, to=to, seeds=seeds, **options, **own)
            else:
                image = method.inside(image, str(method.directions[to])).to(dtype)
                output = method(image, to=to, seeds=seeds, **options, **own)
    except RuntimeError as error:
        if isinstance(error, I2IZooError) or "memory" not in str(error):
            raise
        pixels = " x ".join(map(str, image.shape[-2:]))
        raise ImageError(
            f"{len(rows)} of {pixels} pixels, the first {_name(rows[0][0])}, do not fit into the memory of "
            f"{device}; use a smaller batch_size or image, or another device."
        ) from error
    output = method.outside(output.float(), to).cpu()
    resampling = "nearest" if to in method.label_maps else method.resampling
    # cloned: what leaves inference mode must serve in autograd, too
    return [_give_back(row.clone(), p, resampling) for row, (p, _) in zip(output, rows, strict=True)]


def _name(item: Item) -> str:
    return repr(str(item.source)) if isinstance(item.source, (str, os.PathLike)) else f"image {item.index}"


def _give_back(image: Tensor, item: Item, resampling: str) -> Any:
    if item.scaled is not None:  # back by what it was scaled by: a method may make larger images of its own
        height, width = (max(1, round(n / by)) for n, by in zip(image.shape[-2:], item.scaled, strict=True))
        image = resize(image, (height, width), resampling)
    try:
        return give_back(image, item.form)  # type: ignore[arg-type]
    except ImageError as error:
        raise ImageError(f"the translation of {_name(item)} cannot be given back: {error}") from error


def tracked(results: Iterator[Any], sources: Iterable[Any], doing: str = "translating") -> Iterator[Any]:
    """The results behind a progress bar on stderr, with an end where the number of sources is known."""
    from rich.console import Console
    from rich.progress import track

    total = len(sources) if hasattr(sources, "__len__") else None  # type: ignore[arg-type]
    yield from track(results, doing, total=total, console=Console(stderr=True))
