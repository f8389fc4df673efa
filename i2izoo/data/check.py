"""What is wrong with a dataset: everything, not only the first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from i2izoo.data.cache import take_half
from i2izoo.data.file_layout import FileLayout, ImageFile, Kind
from i2izoo.data.folders import splits_in
from i2izoo.data.layout import find_layout
from i2izoo.errors import DataError, ImageError, escaped, listing
from i2izoo.images.reading import to_tensor

Shape = tuple[int, int, int]
"""Channels, height, width."""


@dataclass
class Report:
    """What `check_dataset` found.

    Attributes:
        problems: one sentence each; a dataset with any cannot be trained on as it is.
        counts: images by domain, prefixed by the split where the data is divided (`train/label`).
        sizes: (width, height) -> how many images of a domain have it.
        channels: channels -> how many images of a domain have them.
        classes: class -> how many items have it as their label.
        texts: how many items have a text.
    """

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    texts: int = 0

    @property
    def ok(self) -> bool:
        """Is nothing wrong?"""
        return not self.problems

    def __str__(self) -> str:
        lines = ["images: " + (", ".join(f"{d} {n}" for d, n in self.counts.items()) or "none")]
        if self.sizes:
            lines.append("sizes: " + listing((f"{w} x {h} ({n})" for (w, h), n in self.sizes.most_common()), 6))
            lines.append("channels: " + ", ".join(f"{c} ({n})" for c, n in sorted(self.channels.items())))
        if self.classes:
            lines.append("classes: " + listing((f"{name} {n}" for name, n in self.classes.items()), 12))
        if self.texts:
            lines.append(f"texts: {self.texts}")
        if self.ok:
            return "\n".join([*lines, "no problems"])
        return "\n".join(
            [
                *lines,
                f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}:",
                *(f"  {escaped(p)}" for p in self.problems),
            ]
        )


def check_dataset(
    source: str | os.PathLike[str],
    *,
    domains: Sequence[str] | None = None,
    split: str | None = None,
    kind: Kind | None = None,
    sides: Sequence[str] | None = None,
    crop_size: int | None = None,
    load_size: int | None = None,
) -> Report:
    """Read every image of a dataset in files and name all that is wrong.

    Found are: images without a partner, cells of a CSV without a file, unreadable and truncated files, halves that
    are not equal, pairs of unequal sizes, images smaller than the crop, and domains of mixed channels.

    Args:
        source: a folder or a CSV; every split of it, unless `split` names one.
        crop_size, load_size: with crop_size alone, an image must be at least as large as the crop.
        domains, kind, sides: as in `open_dataset`.
    """
    report = Report()
    root = Path(source).expanduser()
    splits: list[str | None] = [split] if split or not root.is_dir() else [*splits_in(root)] or [None]
    for one in splits:
        prefix = f"{one}/" if len(splits) > 1 else ""
        try:
            layout = find_layout(root, domains=domains, split=one, kind=kind, sides=sides)
        except DataError as error:
            report.problems.append(str(error))
            continue
        report.problems += layout.problems
        report.classes.update(dict.fromkeys(layout.classes, 0))
        report.classes.update(layout.labels or ())
        report.texts += sum(text != "" for text in layout.texts or ())
        _check_images(report, layout, prefix, crop_size if load_size is None else None)
    return report


def _check_images(report: Report, layout: FileLayout, prefix: str, smallest: int | None) -> None:
    shapes = _read_all(report, layout)
    for domain, images in layout.images.items():
        report.counts[prefix + domain] += len(images)
        found = [shapes[p] for p in images if p in shapes]
        if not images:
            report.problems.append(f"domain {prefix + domain!r} has no images")
        report.sizes.update((width, height) for _, height, width in found)
        report.channels.update(channels for channels, _, _ in found)
        mixed = Counter(channels for channels, _, _ in found)
        if len(mixed) > 1:
            kinds = ", ".join(f"{n} images of {c}" for c, n in sorted(mixed.items()))
            report.problems.append(f"domain {prefix + domain!r} mixes channels: {kinds}; set channels=3 or channels=1")
        for file in images:
            _, height, width = shapes.get(file, (0, 0, 0))
            if smallest is not None and 0 < min(height, width) < smallest:
                report.problems.append(f"{_name(file)} is {width} x {height}, smaller than the crop of {smallest}")
    if layout.kind == "paired":
        for pair in zip(*layout.images.values(), strict=True):
            sizes = {p: (shapes[p][2], shapes[p][1]) for p in pair if p in shapes}
            if len(set(sizes.values())) > 1:
                said = ", ".join(f"{_name(p)} is {w} x {h}" for p, (w, h) in sizes.items())
                report.problems.append(f"a pair differs in size: {said}")


def _read_all(report: Report, layout: FileLayout) -> dict[ImageFile, Shape]:
    """The shape of every image that can be read; each file is read once."""
    by_file: dict[Path, list[ImageFile]] = {}
    for images in layout.images.values():
        for file in images:
            by_file.setdefault(file.path, []).append(file)
    shapes: dict[ImageFile, Shape] = {}
    for path, images in by_file.items():
        try:
            pixels = to_tensor(path)
            halves = {file: take_half(pixels, file.half, False, path) for file in images}
        except ImageError as error:
            report.problems.append(str(error))
            continue
        if images[0].half and pixels.shape[-1] % 2:
            report.problems.append(f"{path} is {pixels.shape[-1]} pixels wide, so its halves are not equal")
        for file, half in halves.items():
            channels, height, width = half.shape
            shapes[file] = (channels, height, width)
    return shapes


def _name(file: ImageFile) -> str:
    return f"{file.path} ({file.half} half)" if file.half else str(file.path)
