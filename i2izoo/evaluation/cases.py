"""The images of an evaluation: what is translated, and the truth beside it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import Dataset, check_methods
from i2izoo.contracts.registry import registry
from i2izoo.data.derived import DerivedDataset
from i2izoo.data.folders import splits_in
from i2izoo.data.image_dataset import ImageDataset
from i2izoo.data.open import open_dataset, spec_of
from i2izoo.data.renamed import unrenamed
from i2izoo.errors import ConfigError, DataError, EvaluationError, ImageError, escaped, listing, suggest
from i2izoo.images.reading import to_tensor
from i2izoo.images.writing import quantise, resize

CACHE = 1 << 27
"""Bytes of decoded images that an evaluation keeps."""


def on_grid(image: Tensor) -> Tensor:
    """The values that [-1, 1] has after saving as an 8-bit image and reading it again.

    >>> on_grid(torch.tensor([-0.999, 2.0])).tolist()
    [-1.0, 1.0]
    """
    return quantise(image, 255) / 127.5 - 1


@dataclass
class Case:
    """One image of the evaluation.

    Attributes:
        name: unique among the cases.
        source: what is translated, C x H x W in [-1, 1]; 0 x H x W where an image of that size is made from nothing.
        target: the true image rounded to 8 bits, C x H x W; None for unpaired data.
        predictions: its translations, not yet rounded; several for methods that sample.
    """

    name: str
    source: Tensor
    target: Tensor | None
    predictions: list[Tensor] = field(default_factory=list)


class Cases:
    """The images of a dataset as an evaluation wants them: in order, without jitter, at the protocol's size.

    Args:
        data: at its images' own size.
        source: domain that is translated; None: as many images of `to` as there are true ones are made from nothing.
        to: target domain.
        channels: of the true images; None keeps their own.
        size: height and width that sources and truths are resized to; None keeps their own.
        filter: of that resizing.
        limit: only the first so many.

    Raises:
        EvaluationError: the data has no such domain.
    """

    def __init__(
        self,
        data: Dataset,
        source: str | None,
        to: str,
        *,
        channels: int | None = None,
        size: list[int] | None = None,
        filter: str = "bicubic",
        limit: int | None = None,
    ) -> None:
        check_methods(data)
        _check_domains(data, source, to)
        self.data, self.source, self.to = data, source, to
        self.channels, self.size, self.filter = channels, size, filter
        self.paired = data.kind == "paired" and to in data.domains and source is not None
        self.has_truths = to in data.domains
        if source is None:  # and not named as the true images, which they do not stand beside
            self.names_of_all = [f"{i:04d}" for i in range(data.count(to))]
        else:
            self.names_of_all = _unique([_name(data, source, i) for i in range(data.count(source))])
        self.names = self.names_of_all[:limit]
        self.limit = limit

    def __len__(self) -> int:
        return len(self.names)

    def load(self, index: int) -> Case:
        """Read one case."""
        if self.source is None:
            assert self.size is not None  # see `set_up`
            return Case(self.names[index], torch.empty(0, *self.size), None)
        sample = self._sample(index)
        target = self._truth(sample[self.to]) if self.paired else None
        return Case(self.names[index], self._resized(sample[self.source]), target)

    def _sample(self, index: int) -> dict[str, Tensor]:
        if not isinstance(self.data, DerivedDataset):
            return self.data.sample(index, None)
        # made at the size that counts: resizing would move the edge of a mask, and smooth what JPEG did
        whole = self.data.images.sample(index, None)
        return self.data.made_of({domain: self._resized(image) for domain, image in whole.items()}, index, None)

    def truths(self) -> Iterator[Tensor]:
        """The true images of the target domain, C x H x W, rounded to 8 bits; of unpaired data as a set."""
        for index in range(min(self.data.count(self.to), self.limit or self.data.count(self.to))):
            yield self._truth(self.data.sample(index, None)[self.to])

    def _truth(self, image: Tensor) -> Tensor:
        return on_grid(self._resized(to_tensor(image, self.channels)))

    def _resized(self, image: Tensor) -> Tensor:
        if self.size is None or list(image.shape[-2:]) == self.size:
            return image
        resized = resize(image, (self.size[0], self.size[1]), self.filter)
        # an image of 8 bits stays one, as when the files themselves are resized
        return on_grid(resized) if torch.allclose(image, on_grid(image), rtol=0, atol=1e-5) else resized

    def hash(self, domain: str) -> str:
        """SHA-256 over names and bytes of a domain's images: of the files, or of the samples if there are none."""
        content = hashlib.sha256(json.dumps([domain, self.data.config.get("channels")]).encode())
        count = self.data.count(domain)
        for index in range(min(count, self.limit or count)):
            content.update(json.dumps(_fingerprint(self.data, domain, index)).encode())
        return content.hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 over names and bytes of all images that are used."""
        used = [*([self.source] if self.source else []), *([self.to] if self.has_truths else [])]
        domains = dict.fromkeys(used)
        return hashlib.sha256("".join(self.hash(d) for d in domains).encode()).hexdigest()


def _check_domains(data: Dataset, source: str | None, to: str) -> None:
    for domain in (to,) if source is None else (source,) if data.kind == "single" else (source, to):
        if domain not in data.domains:
            unnamed = sorted(data.domains) == ["A", "B"]
            halves = "; name the halves of its images with sides=(left, right) (--sides LEFT,RIGHT)" * unnamed
            raise EvaluationError(
                f"{source or 'nothing'!r} -> {to!r} is to be evaluated, but the data has no domain {domain!r}"
                f"{suggest(domain, data.domains) or ';'} it has {listing(data.domains)}{halves}."
            )


def _name(data: Dataset, domain: str, index: int) -> str:
    data, domain = unrenamed(data, domain)
    if isinstance(data, ImageDataset) and data.kind == "unpaired":
        return data.images[domain][index].path.stem
    return data.name(index)


def _unique(names: list[str]) -> list[str]:
    """Names that can be those of files, each once."""
    plain = [plain_name(name) for name in names]
    counts = Counter(plain)
    return [name if counts[name] == 1 else f"{name}-{index}" for index, name in enumerate(plain)]


def plain_name(name: str) -> str:
    """A name that can be that of a file everywhere, and be shown.

    >>> plain_name("cats/.1"), plain_name("a\x1b[2J")
    ('cats_.1', 'a_x1b[2J')
    """
    return re.sub(r"[/\\\n]", "_", escaped(name)).lstrip(".") or "image"


def _fingerprint(data: Dataset, domain: str, index: int) -> list[Any]:
    data, domain = unrenamed(data, domain)
    if isinstance(data, DerivedDataset):  # of the files: the last bits of what is computed differ between machines
        if domain in data.images.domains:
            return _fingerprint(data.images, domain, index)
        recipe = [data.recipe] if data.recipe else []
        return [*recipe, *_fingerprint(data.images, data.target, index)]
    if isinstance(data, ImageDataset):
        path, half = data.images[domain][index]
        status = path.stat()
        return [path.name, half, _file_hash(path, status.st_size, status.st_mtime_ns)]
    try:
        sample = data.sample(index, None)[domain].contiguous()
    except (DataError, ImageError):  # raised when its turn comes, after those before it have been measured
        return [data.name(index), "unreadable"]
    return [data.name(index), list(sample.shape), hashlib.sha256(sample.float().numpy().tobytes()).hexdigest()]


@functools.lru_cache(maxsize=1 << 16)
def _file_hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -------------------------------------------------------------------------------------------------------- opening


@dataclass(frozen=True)
class Opened:
    """A dataset, and what the protocol says of it."""

    data: Dataset
    name: str
    split: str | None
    sides: list[str] | None
    size: list[int] | None
    limit: int | None


def open_data(
    data: str | os.PathLike[str] | Mapping[str, Any] | Dataset,
    *,
    domains: tuple[str, ...] | None,
    split: str | None,
    sides: list[str] | None = None,
    rename: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Opened:
    """Open data for an evaluation: at its own size, and of "val" or "test" rather than of the training split.

    Args:
        data: a path, a dataset's name, `{"name": ..., option: value}`, or a dataset.
        domains: of the model, source first, or its only one; None for those of the data.
        split: None: "val" where there is one, otherwise "test", otherwise the data is not divided.
        sides: domains of the halves of side-by-side images.
        rename, defaults: as of `open_dataset`.

    Raises:
        DataError: no such data or split, or its images do not match.
    """
    if isinstance(data, Dataset):
        return _native(data, split, sides, rename)
    known = isinstance(data, str) and data in registry("datasets")
    spec: dict[str, Any] = dict(data) if isinstance(data, Mapping) else {"name" if known else "root": os.fspath(data)}
    named = "name" in spec
    given = spec.get("split")
    if given is not None and split not in (None, given):
        raise ConfigError(f"split={split!r} and the data's own split={given!r} disagree; give one of them.")
    split = split or given or _held_out(_splits_of(spec))
    wanted = {**(defaults or {}), "cache_bytes": CACHE}  # an evaluation reads each image once or twice
    if domains is not None and (not named or len(domains) == 1):
        wanted |= {"domains": list(domains), **({"kind": "single"} if len(domains) == 1 else {})}
    opened = open_dataset(data, split=split, sides=sides, rename=rename, defaults=wanted)
    name = escaped(str(spec.get("name") or Path(spec["root"]).expanduser().resolve().name))
    return Opened(opened, name, split, opened.option("sides"), None, None)


def _native(data: Dataset, split: str | None, sides: list[str] | None, rename: Mapping[str, str] | None) -> Opened:
    """A dataset that is open already; one of files is read again at its images' own size."""
    for name, value in (("split", split), ("sides", sides), ("rename", rename)):
        if value is not None and value != data.option(name):
            raise EvaluationError(f"the data is open already, with {name}={data.option(name)!r}; leave {name} out.")
    name, size = spec_of(data).get("name", type(data).__name__), None
    if isinstance(files := unrenamed(data, "")[0], ImageDataset):
        root = files.config["root"]
        name = escaped(Path(root).resolve().name) if root else name
        size = None if files.crop_size is None else [files.crop_size, files.crop_size]
        if files.load_size is not None or size is not None:
            data = data.with_options(load_size=None, crop_size=None, flip=False)
    return Opened(data, name, data.option("split"), data.option("sides"), size, data.option("limit"))


def _held_out(splits: list[str]) -> str | None:
    return next((s for s in ("val", "test") if s in splits), None)


def _splits_of(spec: Mapping[str, Any]) -> list[str]:
    """The splits of a dataset: those of its root, or those that its option names."""
    root = spec.get("root")
    if isinstance(root, Dataset):
        return []
    if isinstance(root, Mapping) or (root and root in registry("datasets")):  # it is made of another one
        return _splits_of(root if isinstance(root, Mapping) else {"name": root})
    if root and Path(root).expanduser().is_dir():
        return splits_in(Path(root).expanduser())
    option = schema(registry("datasets").get(spec["name"])).get("split") if "name" in spec else None
    return [] if option is None else [a for a in get_args(option.annotation) if isinstance(a, str)]
