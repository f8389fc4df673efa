"""Rules for data sets, given what the trainer gives them."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import Dataset
from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, listing
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import NotApplicable, Subject, require

TRAINING = {"split": "train", "load_size": 20, "crop_size": 16, "flip": True, "jitter_until": 0.5}
"""What the trainer gives data that has such options."""


def opened(subject: Subject, **options: Any) -> Dataset:
    """The data set at its `tiny_options`, opened as the trainer opens it."""
    if subject.part.tiny_options is None:
        raise NotApplicable("it is made of files, which the kit does not have")
    name = f"{subject.entry.distribution}:{subject.entry.name}"
    return open_dataset({"name": name, **subject.part.tiny_options}, **options, defaults=TRAINING)


def opens_as_the_trainer_opens_it(subject: Subject) -> None:
    """It opens with the options of a training that it declares, has items, a kind and domains, and keeps its crop."""
    data = opened(subject)
    require(len(data) > 0, "it has no items")
    require(data.kind in ("paired", "unpaired", "single"), f"its kind is {data.kind!r}")
    require(isinstance(data.domains, tuple) and data.domains, f"its domains are {data.domains!r}, not a tuple of names")
    require((len(data.domains) == 1) == (data.kind == "single"), f"of kind {data.kind} it has {listing(data.domains)}")
    if "crop_size" in schema(type(data)):
        sizes = {data.sample(0, 0)[domain].shape[-2:] for domain in data.domains}
        require(sizes == {(16, 16)}, f"crop_size=16 gave {sizes}")


def samples_are_images_of_every_domain(subject: Subject) -> None:
    """A sample holds every domain as C x H x W of floats in [-1, 1], in training and in validation."""
    data = opened(subject)
    for seed in (None, 0):
        sample = data.sample(len(data) - 1, seed)
        require(sample.keys() >= set(data.domains), f"found {list(sample)}, not {list(data.domains)}")
        for domain in data.domains:
            image = sample[domain]
            require(image.ndim == 3 and image.dtype == torch.float32, f"{domain}: {image.dtype} {tuple(image.shape)}")
            require(image.min() >= -1 and image.max() <= 1, f"{domain}: values outside [-1, 1]")


def samples_are_functions_of_the_seed(subject: Subject) -> None:
    """The same index and seed give the same sample, of this data set and of another that is opened alike."""
    data, again = opened(subject), opened(subject)
    for seed in (0, 1, None):
        with _disturbed(1):
            first = data.sample(0, seed)
        with _disturbed(2):
            _require_same(first, data.sample(0, seed), f"seed {seed} gave two different samples")
        _require_same(first, again.sample(0, seed), f"seed {seed} gave another sample of data that is opened alike")


def validation_has_no_jitter(subject: Subject) -> None:
    """`sample(index, None)` is the same whatever `flip` is."""
    data = opened(subject)
    if data.option("flip") is None:
        raise NotApplicable("it has no flip")
    still = data.with_options(flip=False)
    for index in range(len(data)):
        _require_same(data.sample(index, None), still.sample(index, None), f"item {index} is flipped without a seed")


def names_are_unique(subject: Subject) -> None:
    """`name` gives each item a name of its own."""
    data = opened(subject)
    names = [data.name(index) for index in range(len(data))]
    require(all(isinstance(name, str) and name for name in names), f"found {names[:3]}")
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"several items are called {listing(twice, 3)}")


def counts_its_images(subject: Subject) -> None:
    """`count` is a method that gives each domain's number of images, and an epoch is the largest of them."""
    data = opened(subject)
    require(callable(data.count), f"count is {data.count!r}, and should be a method of the name of a domain")
    counts = {domain: data.count(domain) for domain in data.domains}
    require(max(counts.values()) <= len(data) and min(counts.values()) > 0, f"of {len(data)} items it counts {counts}")
    require(data.kind == "unpaired" or set(counts.values()) == {len(data)}, f"of {len(data)} pairs it counts {counts}")


def threads_read_the_same(subject: Subject) -> None:
    """Four threads that read at once get what one gets: the trainer reads in a thread of its own."""
    data = opened(subject)
    asked = [(index, seed) for seed in (None, 0, 1) for index in range(len(data))]
    wanted = [opened(subject).sample(index, seed) for index, seed in asked]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: data.sample(*one), asked))
    for (index, seed), sample, other in zip(asked, wanted, found, strict=True):
        _require_same(sample, other, f"item {index} of seed {seed} is another one")


def splits_are_apart(subject: Subject) -> None:
    """With an option `split`, "val" gives other items than "train", or a DataError where there are none."""
    data = opened(subject)
    if data.option("split") is None:
        raise NotApplicable("it has no splits")
    try:
        held_out = data.with_options(split="val")
    except DataError:
        return
    names = {data.name(index) for index in range(len(data))}
    both = [name for index in range(len(held_out)) if (name := held_out.name(index)) in names]
    require(not both, f"'train' and 'val' both have {listing(both, 3)}")


def labels_are_of_its_classes(subject: Subject) -> None:
    """Every item has a label if the data has classes, and a text if any has; a label is a number in `classes`."""
    data = opened(subject)
    labels = [data.label(index) for index in range(len(data))]
    known = set(range(len(data.classes))) if data.classes else {None}
    require(
        set(labels) <= known, f"of {len(data.classes)} classes there are the labels {sorted(set(map(str, labels)))}"
    )
    kinds = {type(data.text(index)) for index in range(len(data))}
    require(kinds in ({str}, {type(None)}), f"texts are {listing(sorted(kind.__name__ for kind in kinds))}")


def stays_a_data_set_to_the_end(subject: Subject) -> None:
    """`at` gives data of the same items and sizes at every share of the training, and the same each time."""
    data = opened(subject)
    for progress in (0.0, 0.5, 0.99):
        now = data.at(progress)
        require(len(now) == len(data) and now.domains == data.domains, f"at {progress} it has other items or domains")
        first, sample = data.sample(0, 0), now.sample(0, 0)
        require(
            {d: i.shape for d, i in sample.items()} == {d: i.shape for d, i in first.items()},
            f"at {progress} images have other sizes",
        )
        _require_same(sample, data.at(progress).sample(0, 0), f"at {progress} seed 0 gave two different samples")


def _disturbed(seed: int) -> Any:
    """Global random states that are others, which a sample should not notice."""
    random.seed(seed)
    np.random.seed(seed)
    return seeded(seed)


def _require_same(sample: dict[str, Tensor], other: dict[str, Tensor], found: str) -> None:
    require(sample.keys() == other.keys() and all(torch.equal(i, other[d]) for d, i in sample.items()), found)


RULES = (
    opens_as_the_trainer_opens_it,
    samples_are_images_of_every_domain,
    samples_are_functions_of_the_seed,
    validation_has_no_jitter,
    names_are_unique,
    counts_its_images,
    threads_read_the_same,
    splits_are_apart,
    labels_are_of_its_classes,
    stays_a_data_set_to_the_end,
)
