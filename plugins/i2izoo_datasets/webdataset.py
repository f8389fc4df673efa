"""Shards of WebDataset: samples in tar files, read in the order of the shards."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from i2izoo.contracts.ranges import Channels, Number, Palette, Share, Side
from i2izoo.contracts.registry import natural_key
from i2izoo.errors import DataError, listing
from i2izoo_datasets.shards import Files, samples_in
from i2izoo_datasets.stored import StoredDataset

IMAGES = ("bmp", "jpeg", "jpg", "png", "ppm", "tif", "tiff", "webp")
LABELS, TEXTS = ("cls", "label"), ("txt", "caption", "text")
SPLITS = ("train", "val", "test")


class WebDataset(StoredDataset):
    """Images in tar files: members whose names agree up to the first dot are one sample (Aizman et al. 2019).

    `0001.label.png` and `0001.photo.jpg` are a pair of the domains `label` and `photo`; a lone `0001.jpg` is of the
    domain "image". `0001.cls` is the number or name of a class, and `0001.txt` a text.

    Shards are read as a stream: each epoch goes through them in an order of its own, and shuffles what lies in `window`
    samples of neighbouring shards, as a shuffle buffer does. That order follows from the seed and the epoch alone, and
    the place of each sample is known, so a run that goes on begins in the middle of a shard at once, and several
    processes see what one would. Memory holds an index of some hundred bytes for each sample, and no images.

    Args:
        root: a folder of `.tar` files, one of them, or a pattern, `"data/train-{000..099}.tar"` or `"data/*.tar"`.
        domains: names of the domains, and their order; None: all.
        split: "train", "val" or "test": a folder of this name, or shards whose names begin with it.
        kind: "paired", "unpaired" (other domains are drawn at random, from all shards) or "single".
        classes: names of the classes by their numbers; None: those that are found.
        window: samples that are shuffled among each other; 0: all of an epoch, which reads all over the shards.
        load_size, crop_size, flip, jitter_until, channels, label_maps, limit: see `i2izoo.data.image_dataset`.

    Raises:
        DataError: there are no shards, one cannot be read, or samples lack a domain.
    """

    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str,
        domains: list[str] | None = None,
        split: str | None = None,
        kind: Literal["paired", "unpaired", "single"] | None = None,
        classes: list[str] | None = None,
        window: Number | Literal[0] = 4096,
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        label_maps: dict[str, Palette] | None = None,
        limit: Number | None = None,
    ) -> None:
        self.shards, self.window, self._files = find_shards(root, split), window, Files()
        found = [(k, sample) for k, shard in enumerate(self.shards) for sample in samples_in(shard)][:limit]
        if not found:
            raise DataError(f"{root!r} has no samples.")
        self._samples = found
        names = {_domain(extension): None for extension in found[0][1].members if _domain(extension) is not None}
        self.choose([str(name) for name in names], domains, kind, repr(root))
        self._extensions = [self._of_domains(k, sample.key, sample.members) for k, sample in found]
        labels = [self._beside(index, LABELS) for index in range(len(found))]
        self._name_labels(labels, classes)
        self.read_as(load_size, crop_size, flip, jitter_until, channels, label_maps)

    def _of_domains(self, shard: int, key: str, members: dict[str, tuple[int, int]]) -> tuple[str, ...]:
        """The extension of each domain in a sample."""
        there = {_domain(extension): extension for extension in members}
        if lacking := [domain for domain in self.domains if domain not in there]:
            raise DataError(f"the sample {key!r} in {self.shards[shard]} has no image of {listing(lacking)}.")
        return tuple(there[domain] for domain in self.domains)

    def _beside(self, index: int, extensions: Sequence[str]) -> str | None:
        """The text of the first such member of a sample."""
        shard, sample = self._samples[index]
        place = next((sample.members[extension] for extension in extensions if extension in sample.members), None)
        if place is None:
            return None
        return self._files.read(self.shards[shard], *place).decode("utf-8", errors="replace").strip()

    def _name_labels(self, labels: list[str | None], classes: list[str] | None) -> None:
        """The numbers of the labels, and the names of all classes."""
        self._labels: list[int] | None = None
        if all(label is None for label in labels):
            return
        if None in labels:
            raise DataError(f"the sample {self.name(labels.index(None))!r} has no label, and others have one.")
        said = [str(label) for label in labels]
        if all(label.isdigit() for label in said):  # numbers, of which the largest says how many there are
            self.classes = classes or [str(number) for number in range(max(map(int, said)) + 1)]
            numbers = [int(label) for label in said]
        else:
            self.classes = classes or sorted(set(said), key=natural_key)
            if unknown := sorted(set(said) - set(self.classes)):
                raise DataError(f"labels are {listing(unknown, 5)}, and the classes {listing(self.classes, 5)}.")
            numbers = [list(self.classes).index(label) for label in said]
        if max(numbers) >= len(self.classes):
            raise DataError(f"a label is {max(numbers)}, and there are {len(self.classes)} classes, from 0 on.")
        self._labels = numbers

    def items(self) -> int:
        return len(self._samples)

    def encoded(self, domain: str, index: int) -> bytes:
        shard, sample = self._samples[index]
        extension = self._extensions[index][self.domains.index(domain)]
        return self._files.read(self.shards[shard], *sample.members[extension])

    def place(self, domain: str, index: int) -> str:
        shard, sample = self._samples[index]
        return f"{sample.key}.{self._extensions[index][self.domains.index(domain)]} in {self.shards[shard]}"

    def name(self, index: int) -> str:
        shard, sample = self._samples[index]
        return f"{self.shards[shard].stem}-{sample.key.replace('/', '-')}"

    def label(self, index: int) -> int | None:
        return None if self._labels is None else self._labels[index]

    def text(self, index: int) -> str | None:
        return self._beside(index, TEXTS)

    def order(self, generator: torch.Generator) -> list[int] | None:
        """Shards one after another, and samples among those that are near."""
        if not self.window:
            return None
        first = [0] * (len(self.shards) + 1)
        for shard, _ in self._samples:
            first[shard + 1] += 1
        for shard in range(len(self.shards)):
            first[shard + 1] += first[shard]
        shards = torch.randperm(len(self.shards), generator=generator).tolist()
        stream = torch.tensor([index for shard in shards for index in range(first[shard], first[shard + 1])])
        windows = stream.split(self.window)
        return torch.cat([one[torch.randperm(len(one), generator=generator)] for one in windows]).tolist()


def find_shards(root: str, split: str | None) -> list[Path]:
    """The shards that `root` means, in natural order.

    Raises:
        DataError: there are none, or not of this split.
    """
    place = Path(root).expanduser()
    named = [place]
    if place.is_dir():
        inside = place / split if split and (place / split).is_dir() else place
        named, split = list(inside.glob("*.tar")), None if inside != place else split
    elif not place.is_file():
        named = [Path(one) for pattern in _expanded(os.fspath(place)) for one in glob.glob(pattern) or [pattern]]
        if missing := [str(one) for one in named if not one.is_file()]:
            raise DataError(f"there is no shard {missing[0]!r}; root is a folder of .tar files, or a pattern of them.")
    named = sorted(named, key=lambda path: natural_key(str(path)))
    of_split = {one: [path for path in named if _begins(path.name, one)] for one in SPLITS}
    if split is not None and any(of_split.values()):
        named = of_split.get(split, [])
    elif split not in (None, "train"):
        raise DataError(f"{root!r} is not divided into splits, so it has no {split!r}; name its shards {split}-*.tar.")
    if not named:
        raise DataError(f"there are no .tar files of the split {split!r} in {root!r}." if split else
                        f"there are no .tar files in {root!r}.")  # fmt: skip
    return named


def _begins(name: str, split: str) -> bool:
    return name.startswith(split) and not name[len(split) : len(split) + 1].isalpha()


def _expanded(pattern: str) -> list[str]:
    """A pattern with its braces, `{000..099}` and `{a,b}`, written out."""
    try:
        from webdataset.shardlists import expand_urls
    except ImportError as error:
        raise DataError("a pattern of shards needs webdataset: pip install 'i2izoo[datasets]'.") from error
    return list(expand_urls(pattern))


def _domain(extension: str) -> str | None:
    """`label` of "label.png", "image" of "jpg", None of what is no image."""
    name, _, kind = extension.rpartition(".")
    return (name or "image") if kind in IMAGES else None
