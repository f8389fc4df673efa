"""Procedural facades: pairs of label map and image that need no download."""

from __future__ import annotations

import threading
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from i2izoo.contracts.ranges import Bytes, Channels, Number, Seed, Share, Side
from i2izoo.data.cache import Pixels, available_memory, prepare, read_grey
from i2izoo.data.jittered import JitteredDataset, check_sizes
from i2izoo.errors import DataError, listing
from i2izoo_facades.caption import caption
from i2izoo_facades.plan import PALETTES, Plan, draw_plan
from i2izoo_facades.render import render_label, render_photo

OFFSETS = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""Number of the first facade of each split."""


class SyntheticFacades(JitteredDataset):
    """Drawn facades: a `label` map in the classes and colours of the CMP facades, and a `photo` of the same facade.

    Each has a text, too, its caption, such as "four floors, red brick, double windows with shutters, no shops".

    Facade i is a function of (seed, split, i); it is drawn at the size that is asked for, so nothing is resized, and
    label and image agree to the pixel.

    Args:
        count: number of facades; any number can be had.
        size: side in pixels of the whole image where `load_size` does not say; None: `crop_size`, or 256.
        split: "train", "val" or "test": different facades.
        seed: another seed gives other facades.
        domains: "label" and "photo", in the order wanted; one of them of kind "single".
        kind: "paired", "unpaired" to draw the second domain at random, or "single" to take one domain alone.
        load_size, crop_size, flip, jitter_until: see `JitteredDataset`.
        channels: 3 (also None) or 1, which is the luma of the drawing; for both or by domain.
        limit: use only the first `limit` facades.
        cache_bytes: memory for drawn images; None: a quarter of what is available, 0: none.

    >>> data = SyntheticFacades(count=8, size=64)
    >>> data.domains, len(data), data.sample(0, seed=None)["label"].shape
    (('label', 'photo'), 8, torch.Size([3, 64, 64]))
    """

    palettes = PALETTES
    tiny_options: ClassVar[dict[str, Any]] = {"count": 4, "size": 32}

    def __init__(
        self,
        *,
        count: Number = 64,
        size: Side | None = None,
        split: Literal["train", "val", "test"] = "train",
        seed: Seed = 0,
        domains: list[str] | None = None,
        kind: Literal["paired", "unpaired", "single"] = "paired",
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        limit: Number | None = None,
        cache_bytes: Bytes | None = None,
    ) -> None:
        check_sizes(load_size, crop_size)
        self.domains = tuple(domains or ("label", "photo"))
        if kind == "single" and self.domains not in (("label",), ("photo",)):
            raise DataError(
                f"of kind 'single' synthetic facades have one domain, label or photo; found domains={domains}."
            )
        if kind != "single" and sorted(self.domains) != ["label", "photo"]:
            raise DataError(f"synthetic facades have the domains label, photo; found domains={listing(self.domains)}.")
        self.kind, self.flip = kind, flip
        self.load_size, self.crop_size, self.jitter_until = load_size, crop_size, jitter_until
        self._size = size or crop_size or 256
        self._count = min(count, limit or count)
        self._channels = channels if isinstance(channels, dict) else dict.fromkeys(self.domains, channels)
        if not set(self._channels.values()) <= {None, 1, 3}:
            raise DataError(f"synthetic facades have 3 channels, or 1; found channels={channels}.")
        self._seed, self._first = seed, OFFSETS[split]
        self._budget = available_memory() // 4 if cache_bytes is None else cache_bytes
        self._kept: dict[tuple[int, int], dict[str, Pixels]] = {}
        self._captions: dict[int, str] = {}
        self._lock = threading.Lock()

    def count(self, domain: str) -> int:
        return self._count

    def place(self, domain: str, index: int) -> str:
        return f"{domain} {self.name(index)}"

    def name(self, index: int) -> str:
        return f"facade_{self._first + index:05d}"

    def text(self, index: int) -> str:
        found = self._captions.get(index)
        if found is None:
            found = self._captions[index] = caption(self._plan(index))
        return found

    def pixels(self, domain: str, index: int, size: int | None) -> Pixels:
        key = (index, size or self._size)
        pair = self._kept.get(key)
        if pair is None:
            pair = self._draw(*key)
            cost = sum(array.nbytes for array in pair.values())
            with self._lock:
                if key not in self._kept and cost <= self._budget:
                    self._kept[key] = pair
                    self._budget -= cost
        return pair[domain]

    def _plan(self, index: int) -> Plan:
        return draw_plan(np.random.default_rng([self._seed, self._first + index]))

    def _draw(self, index: int, size: int) -> dict[str, Pixels]:
        number, plan = self._first + index, self._plan(index)
        # noise has its own generator, so that the plan is the same at every size
        photo = render_photo(plan, size, np.random.default_rng([self._seed, number, 1]))
        both = {"label": render_label(plan, size), "photo": photo}
        return {name: self._planes(name, both[name]) for name in self.domains}

    def _planes(self, domain: str, image: NDArray[np.uint8]) -> Pixels:
        if self._channels.get(domain) == 1:
            return prepare(read_grey(image), None)
        return np.ascontiguousarray(image.transpose(2, 0, 1))
