"""A method and its data, fitted to each other: for the trainer, the command line and sweeps alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import Dataset, check_methods
from i2izoo.contracts.label_maps import check_domains
from i2izoo.contracts.method import Method
from i2izoo.contracts.parts import Discriminator
from i2izoo.contracts.registry import registry
from i2izoo.data.domains import choose_domains
from i2izoo.data.open import open_dataset, with_task_dataset
from i2izoo.data.palettes import palettes_in
from i2izoo.data.renamed import with_those_it_has
from i2izoo.errors import ConfigError, listing
from i2izoo.models.building import build_without_memory
from i2izoo.models.translator import Translator, create
from i2izoo.nn.random import derive_seed, seeded
from i2izoo.training.config import TrainingOptions

SAID = ("load_size", "crop_size", "flip", "jitter_until", "split", "sides", "rename")
"""Training options that say how the data is opened."""


def prepare(
    model: Translator | PartSpec, data: Any, given: Mapping[str, Any], to: str | None = None
) -> tuple[Translator, Dataset, TrainingOptions]:
    """The model, the open data and all training options of a run; the data is opened once.

    Args:
        model: what `create` or `load` returns; or a method by name, `{"name": ..., option: value}`, which is made with
            the data's domains, and with weights that are a function of the seed.
        data: whatever `i2izoo.open_dataset` takes.
        given: the training options that the user gave.
        to: the target domain of a method that is made here.

    Raises:
        ConfigError: an option is not allowed, or data and method do not fit.
        DataError: the data cannot be read.
    """
    opened = isinstance(data, Dataset)
    if isinstance(model, Translator):
        if to is not None:
            raise ConfigError(f"this model has its domains, {listing(model.domains)}, already; leave to= out.")
        options = TrainingOptions.of(model.method.recipe, given)
        return model, fitted(model.method, model.name, data, given, options, opened), options
    spec, data = with_domains(model, data, given, to)
    name = str(spec.pop("name"))
    planned = build_without_memory({**spec, "name": name})  # what does not fit is found before weights are drawn
    options = TrainingOptions.of(planned.recipe, given)
    found = fitted(planned, name, data, given, options, opened)
    with seeded(derive_seed(options.seed, "weights")):
        return create(name, **spec), found, options


def redraw(model: Translator, seed: int) -> Translator:
    """The same method with the weights that `prepare` gives it for a seed."""
    with seeded(derive_seed(seed, "weights")):
        return create(model.name, **model.method.config)


def with_domains(method: PartSpec, data: Any, given: Mapping[str, Any], to: str | None) -> tuple[dict[str, Any], Any]:
    """A method's name and options, with domains named as the data's; and the data, open if it had to be asked.

    Args:
        method: its name, or `{"name": ..., option: value}`.
        data, given, to: see `prepare`.

    Raises:
        ConfigError: the data has no such domain, or the direction is not said.
    """
    spec: dict[str, Any] = {"name": method} if isinstance(method, str) else dict(method)
    kind: type[Method] = registry("methods").get(spec["name"])
    if kind.dataset is not None:  # it makes the source of what is there
        source, target = spec.get("domains") or schema(kind)["domains"].default
        spec["domains"] = [source, to or target]
    elif "domains" in schema(kind):
        wanted, learns_from = spec.get("domains"), kind.data_kind(spec)
        if learns_from == "single":  # the data cannot know which of its domains it is, or the name of its only one
            wanted = wanted[-1:] if wanted else [to] if to else None
        options = TrainingOptions.of(kind.recipe_for(spec), given)
        data = _open(data, given, options, learns_from, wanted)
        spec["domains"] = choose_domains(data, to, wanted)
        if isinstance(named := spec.get("label_maps"), list):
            check_domains(named, spec["domains"])
            spec["label_maps"] = palettes_in(data, named)
        if spec.get("classes") == "data" and "classes" in schema(kind):
            spec["classes"] = _classes(data)
    elif to:
        raise ConfigError(f"method {spec['name']!r} has no domains to choose; leave --to out.")
    return spec, data


def fitted(
    method: Method, name: str, data: Any, given: Mapping[str, Any], options: TrainingOptions, as_it_is: bool = False
) -> Dataset:
    """The open data that a method learns from: of its domains, kind, channels and sizes.

    Args:
        method: what learns.
        name: its name, for messages.
        data, given: see `prepare`.
        options: all training options.
        as_it_is: the user opened the data: its options are what was wanted.

    Raises:
        ConfigError: they do not fit.
        DataError: the data cannot be read.
    """
    if as_it_is and (late := [name for name in SAID if name in given]):
        raise ConfigError(f"{listing(late)} cannot change a dataset that is already open; give them to it.")
    data = with_task_dataset(method.dataset, data)
    seen = {"channels": method.image_channels, "label_maps": dict(method.label_maps) or None}
    if not isinstance(data, Dataset):
        data = _open(data, given, options, method.data, list(method.domains), seen)
    elif not as_it_is:  # it was opened before there was a method
        data = with_those_it_has(data, seen)
    check_methods(data)
    if lacking := set(method.domains) - set(data.domains):
        raise ConfigError(
            f"the model's domains are {listing(method.domains)}, the data's are {listing(data.domains)}: "
            f"{listing(sorted(lacking))} is missing; create the model with domains named as the data's."
        )
    if method.classes and list(method.classes) != _classes(data):
        raise ConfigError(
            f"{name} learns the classes {listing(method.classes, 5)}, and the data has {listing(data.classes, 5)}; "
            "give data of these classes, in this order, or create the model with classes='data'."
        )
    if method.data == "paired" and data.kind != "paired":
        raise ConfigError(
            f"{name} learns from pairs, and the data is {data.kind}; give images whose names match (`i2izoo data check "
            "PATH --kind paired` says which do not), or train a method that learns without pairs."
        )
    check_images(method, name, {domain: image[None] for domain, image in data.sample(0, 0).items()})
    return data


def _classes(data: Dataset) -> list[str]:
    """The names of the classes of data.

    Raises:
        ConfigError: it has none.
    """
    if not data.classes:
        raise ConfigError(
            "the method learns from class labels, and the data has none; put the images of each class into a folder of "
            "its own, or add a metadata.csv with a column 'label'."
        )
    return list(data.classes)


def check_images(method: Method, name: str, images: Mapping[str, torch.Tensor]) -> None:
    """Refuse images, N x C x H x W, that no layer can take, here rather than deep in a network: training pads nothing.

    Raises:
        ConfigError: they have other channels or sides.
    """
    multiple, least = training_sides(method)
    for domain in method.domains:
        channels, height, width = images[domain].shape[1:]
        if channels != (wanted := method.image_channels[domain]):
            raise ConfigError(
                f"{name} learns from images of {domain!r} with {wanted} channels, and the data's have {channels}; "
                "create the model, or open the data, with others."
            )
        if (fixed := method.training_size) and fixed != (height, width):
            raise ConfigError(
                f"{name} learns from images of {fixed[1]} x {fixed[0]}, and those of {domain!r} come as {width} x "
                f"{height}; set load_size and crop_size, or the size of the model."
            )
        if height % multiple or width % multiple or min(height, width) < least:
            raise ConfigError(
                f"{name} trains on sides that are multiples of {multiple} and at least {least} pixels, and "
                f"images of {domain!r} come as {width} x {height}; set load_size and crop_size, or other parts."
            )


def training_sides(method: Method) -> tuple[int, int]:
    """Multiple and least of the sides, in pixels, that the images may have that a method trains on."""
    ways = method.directions
    discriminators = [part.min_size for part in method.modules() if isinstance(part, Discriminator)]
    return max(map(method.size_multiple, ways)), max([*map(method.min_size, ways), *discriminators])


def _open(
    data: Any,
    given: Mapping[str, Any],
    options: TrainingOptions,
    kind: str,
    domains: list[str] | None,
    seen: Mapping[str, Any] = {},
) -> Dataset:
    """What the user asked for has to be; what the method's recipe wants is for data that has such options."""
    named = kind == "single" or len(domains or ()) > 2  # which the data cannot know
    wanted = {
        **{name: getattr(options, name) for name in SAID}, "jitter_until": options.jitter_share,
        "split": options.split or "train", "kind": kind, "domains": domains if named else None, **seen,
    }  # fmt: skip
    asked = {name: wanted[name] for name in SAID if given.get(name) is not None}
    return open_dataset(data, **asked, defaults={n: v for n, v in wanted.items() if v is not None})
