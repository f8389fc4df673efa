"""A dataset of image files."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal, Self

from i2izoo.contracts.config import check_options
from i2izoo.contracts.dataset import GIVEN
from i2izoo.contracts.ranges import Bytes, Channels, Number, Palette, Share, Side
from i2izoo.data.cache import ImageCache, Pixels
from i2izoo.data.jittered import JitteredDataset, check_sizes
from i2izoo.data.layout import find_layout
from i2izoo.errors import DataError, listing

READING = {"load_size", "crop_size", "flip", "jitter_until", "channels", "label_maps", "cache_bytes"}
"""The options that say how images are read, and not which."""


class ImageDataset(JitteredDataset):
    """Images in files: side by side, in a folder for each domain or class, or named by a CSV or by metadata.

    Args:
        root: a folder or a CSV file.
        domains: names of the domains, and their order; None takes those of the folders, columns or `sides`.
        split: "train", "val" or "test", where the data is divided.
        kind: "paired", "unpaired" or "single" (one domain, "image" if it has no other name); None: paired where names
            match. Unpaired draws every domain but the first at random.
        sides: domains of the left and the right half of side-by-side images.
        load_size: side in pixels before the crop; None keeps the images' own size.
        crop_size: side in pixels of a sample; None does not crop.
        flip: flip half of the training samples.
        jitter_until: share of the training after which images are resized to crop_size and no longer cropped.
        channels: 1 or 3 for all, or by domain; None keeps what each file has.
        label_maps: domains that are label maps, with their palettes: cleaned of what JPEG mixes, and resized to the
            nearest pixel.
        limit: use only the first `limit` items.
        cache_bytes: memory for decoded images; None: a quarter of what is available, 0: none.

    Raises:
        DataError: nothing usable is there, it could be read in two ways, or images do not match.
    """

    def __init__(
        self,
        *,
        root: str,
        domains: list[str] | None = None,
        split: str | None = None,
        kind: Literal["paired", "unpaired", "single"] | None = None,
        sides: list[str] | None = None,
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        label_maps: dict[str, Palette] | None = None,
        limit: Number | None = None,
        cache_bytes: Bytes | None = None,
    ) -> None:
        check_sizes(load_size, crop_size)
        layout = find_layout(root, domains=domains, split=split, kind=kind, sides=sides)
        if layout.problems:
            raise DataError(
                f"{root!r} has {len(layout.problems)} mismatches: {listing(layout.problems, 3)}. "
                f"`i2izoo data check {root}` names all; mend them"
                + (", or use kind='unpaired'." if layout.form == "folders" and kind is None else ".")
            )
        self.images = {d: found[:limit] for d, found in layout.images.items()}
        if not all(self.images.values()):
            raise DataError(f"{root!r} has no images of {listing(d for d, p in self.images.items() if not p)}.")
        self.form, self.kind = layout.form, layout.kind
        self.domains = tuple(self.images)
        self.classes = layout.classes
        self._labels = None if layout.labels is None else [self.classes.index(name) for name in layout.labels[:limit]]
        self._texts = None if layout.texts is None else layout.texts[:limit]
        self._read_as(load_size, crop_size, flip, jitter_until, channels, label_maps, cache_bytes)

    def _read_as(
        self,
        load_size: int | None,
        crop_size: int | None,
        flip: bool,
        jitter_until: float | None,
        channels: int | dict[str, int] | None,
        label_maps: Mapping[str, Palette] | None,
        cache_bytes: int | None,
    ) -> None:
        check_sizes(load_size, crop_size)
        self.load_size, self.crop_size, self.flip, self.jitter_until = load_size, crop_size, flip, jitter_until
        self._channels = channels if isinstance(channels, dict) else dict.fromkeys(self.domains, channels)
        self._palettes = label_maps or {}
        for option, named in (("channels", self._channels), ("label_maps", self._palettes)):
            if unknown := set(named) - set(self.domains):
                raise DataError(f"{option}= names {listing(sorted(unknown))}; the domains are {listing(self.domains)}.")
        self._cache = ImageCache(cache_bytes)

    def with_options(self, **changes: Any) -> Self:
        options = check_options(type(self), {**self.config, **changes})
        if not changes.keys() <= READING:
            return super().with_options(**changes)
        other = copy.copy(self)  # the folder is not listed again
        other.config = options
        reading: dict[str, Any] = {name: options.get(name, GIVEN.get(name)) for name in READING}
        other._read_as(**reading)  # not all subclasses have all
        return other

    def count(self, domain: str) -> int:
        return len(self.images[domain])

    def pixels(self, domain: str, index: int, size: int | None) -> Pixels:
        path, half = self.images[domain][index]
        return self._cache.get(path, half, size, self._channels.get(domain), self._palettes.get(domain))

    def place(self, domain: str, index: int) -> str:
        return str(self.images[domain][index].path)

    def name(self, index: int) -> str:
        first = self.images[self.domains[0]]
        path = first[index % len(first)].path
        return f"{path.parent.name}/{path.stem}" if self.form == "classes" else path.stem

    def label(self, index: int) -> int | None:
        return None if self._labels is None else self._labels[index % len(self._labels)]

    def text(self, index: int) -> str | None:
        return None if self._texts is None else self._texts[index % len(self._texts)]
