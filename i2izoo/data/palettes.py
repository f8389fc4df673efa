"""The palette of a label map, found in data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.ranges import Palette
from i2izoo.data.renamed import with_those_it_has
from i2izoo.errors import DataError

EXACT = 256
"""So many colours in all, at most, are a palette as they are: those of an indexed image, or of painted classes."""
MOST = 256
"""Classes of a palette that is found, at most."""
LOOKED_AT = 200
"""Label maps that are looked at, at most."""
APART = 40.0
"""Distance of two classes' colours, in 8-bit units, that JPEG does not bridge: it moves flat colours by a few."""
CLOSE = 12.0
"""Distance, in the same units, by which JPEG moves most flat colours at most."""
FLAT = 0.6
"""Share of the flat pixels that are so close to a class, of label maps at least."""
RARE = 2e-4
"""Share of the flat pixels below which a colour is an accident of JPEG and no class."""


def palettes_in(data: Dataset, domains: Sequence[str]) -> dict[str, Palette]:
    """The palettes of domains of a data set: those that it declares, or the colours of its label maps.

    Raises:
        DataError: the images of a domain are no label maps, or grey or coloured ones with more than 256 classes.
    """
    return {d: data.palettes[d] if d in data.palettes else find_palette(_whole_maps(data, d), d) for d in domains}


def find_palette(label_maps: Sequence[Tensor], domain: str = "label") -> Palette:
    """The colours of painted classes, the most frequent first where JPEG has mixed them, else in the order of RGB.

    Where there are at most 256 colours in all, they are the classes. Else those are looked for where a colour is the
    same in every direction, which leaves out the edges of regions; what is near a more frequent colour is taken for it.

    Args:
        label_maps: C x H x W in [-1, 1], of 1 or 3 channels.
        domain: for messages.

    Raises:
        DataError: photographs, or a single colour.

    >>> stripes = torch.tensor([0, 0, 9, 9])[None, None].expand(1, 4, 4) / 127.5 - 1
    >>> find_palette([stripes])
    [[0, 0, 0], [9, 9, 9]]
    """
    images = [_eight_bits(image) for image in label_maps]
    colours: NDArray[Any] = _counted(images)[0]
    if len(colours) > EXACT:
        flat = [image[_is_flat(image)] for image in images]
        colours = _peaks(*_counted(flat))
    if not 2 <= len(colours) <= MOST:
        raise DataError(
            f"the images of {domain!r} are no label maps whose palette can be found: 2 to {MOST} colours in flat "
            f"regions are looked for; if they are, give the palette: label_maps={{{domain!r}: [[R, G, B], ...]}}."
        )
    return [[int(value) for value in colour] for colour in colours]


def _whole_maps(data: Dataset, domain: str) -> list[Tensor]:
    """Evenly chosen label maps, as large as they come."""
    whole: Mapping[str, Any] = {"load_size": None, "crop_size": None, "channels": None}
    data = with_those_it_has(data, whole)
    places = np.linspace(0, data.count(domain) - 1, min(LOOKED_AT, data.count(domain))).astype(int)
    return [data.sample(int(place), None)[domain] for place in places]


def _eight_bits(image: Tensor) -> NDArray[np.uint8]:
    """H x W x 3."""
    return ((image.expand(3, -1, -1) + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _is_flat(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels whose eight neighbours have nearly their colour."""
    values = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    highest = torch.nn.functional.max_pool2d(values, 3, 1, 1)
    lowest = -torch.nn.functional.max_pool2d(-values, 3, 1, 1)
    flat: NDArray[np.bool_] = ((highest - lowest).amax(1)[0] <= 16).numpy()
    return flat


def _counted(pixels: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The colours in arrays ... x 3, and how often each is there."""
    each = []
    for array in pixels:
        red, green, blue = array.reshape(-1, 3).astype(np.int32).T
        each.append(np.unique(red << 16 | green << 8 | blue, return_counts=True))
    numbers, counts = (np.concatenate([one[part] for one in each] or [np.zeros(0, int)]) for part in (0, 1))
    found, place = np.unique(numbers, return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    return colours, np.bincount(place, weights=counts, minlength=len(found)).astype(np.float64)


def _peaks(colours: NDArray[np.uint8], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most frequent colours that are apart from one another, each the mean of what is near it; none of photographs.

    What is flat in a label map has nearly the colour of a class: 99 % of the flat pixels of the facades' label maps,
    which are JPEG, 72 % of coarse JPEG of thin lines; of photographs of facades, deserts and towns 40 to 46 %.
    """
    order = np.argsort(-counts, kind="stable")
    left, weights = colours[order].astype(np.float64), counts[order]
    least, close = RARE * weights.sum(), 0.0
    peaks: list[NDArray[np.float64]] = []
    while len(left) and len(peaks) <= MOST:
        near = np.linalg.norm(left - left[0], axis=1) < APART
        if weights[near].sum() >= least:
            peaks.append(np.average(left[near], axis=0, weights=weights[near]).round())
            close += weights[np.linalg.norm(left - peaks[-1], axis=1) <= CLOSE].sum()
        left, weights = left[~near], weights[~near]
    return np.array(peaks if close >= FLAT * counts.sum() else [])
