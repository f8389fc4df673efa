"""What a method must offer: its parts by name, how it translates, and in the paper's order how it learns."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from i2izoo.contracts.annotations import PartSpec, part_interface
from i2izoo.contracts.checkpoints import Checkpoints, build, read
from i2izoo.contracts.config import Configurable, constructor, function_options
from i2izoo.contracts.label_maps import with_label_maps
from i2izoo.contracts.parts import Generator
from i2izoo.contracts.ranges import Palette
from i2izoo.contracts.registry import complete_spec, kind_of, registry
from i2izoo.errors import ConfigError, listing, suggest


@dataclass
class Batch:
    """Images by domain, and where in the run they are.

    Attributes:
        images: domain -> N x C x H x W in [-1, 1]. Paired data: row i of every domain belongs together.
        step: number of optimiser steps done before this one, from 0.
        progress: share of the planned run that is done, in [0, 1).
        extras: other tensors (masks), by name, first dimension N.
        labels: N int64 numbers of classes, where the data has classes (`Dataset.classes`).
        texts: N texts, where the data has texts.
    """

    images: dict[str, Tensor]
    step: int = 0
    progress: float = 0.0
    extras: dict[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None
    texts: list[str] | None = None

    def __getitem__(self, domain: str) -> Tensor:
        try:
            return self.images[domain]
        except KeyError:
            raise ConfigError(
                f"the data has no domain {domain!r}{suggest(domain, self.images)} It has {listing(self.images)}; "
                "name the method's domains after the data's: domains=[...]."
            ) from None


@dataclass
class Update:
    """One step of the method's optimisation, yielded by `Method.training_step`.

    The trainer sums the losses, accumulates the gradient into the parameters of the named optimisers *and no others*
    (a generator update never touches the discriminator it looks through), and steps.

    Attributes:
        optimizers: name or names from `Method.optimizers()`: where the gradient goes.
        terms: weighted losses by name; their sum is minimised. They are logged under these names. Or a function that
            gives them: it is called when the update is due, and before the method goes on.
        step: which optimisers step now. True: those of `optimizers`; False: none, the gradient is kept for a later
            update; names: these. BicycleGAN lets encoder and generator step after a second, generator-only gradient.
        retain_graph: keep the graph for another update from the same forward pass.
        every: it is due in every so many steps of the run, the last of them; else it is passed over.
    """

    optimizers: str | tuple[str, ...]
    terms: dict[str, Tensor] | Callable[[], dict[str, Tensor]]
    step: bool | tuple[str, ...] = True
    retain_graph: bool = False
    every: int = 1

    @functools.cached_property
    def losses(self) -> dict[str, Tensor]:
        """The terms, computed now if they have not been."""
        return self.terms() if callable(self.terms) else self.terms

    def due(self, step: int) -> bool:
        """Is it one of step number `step`, counted from 0?

        >>> [Update("generator", {}, every=3).due(step) for step in range(6)]
        [False, False, True, False, False, True]
        """
        return (step + 1) % self.every == 0

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.optimizers,) if isinstance(self.optimizers, str) else tuple(self.optimizers)

    @property
    def steppers(self) -> tuple[str, ...]:
        return self.receivers if self.step is True else tuple(self.step or ())


class Method(Configurable, nn.Module, ABC):
    """One way to learn a translation: its parts, its losses, its update order, and how it translates.

    A subclass builds its parts in `__init__` with `self.part(...)`, and implements `directions`, `channels`,
    `training_step`, `optimizers`, and `translate`, or `generate` where a direction has no source. The trainer owns
    device, precision, accumulation, schedules, EMA, logs and checkpoints; the translator owns images, sizes and seeds.

    Args:
        label_maps: domains that are label maps, with their palettes, `{"label": [[R, G, B], ...]}`, or with a number of
            classes that are the grey values 0, 1, ...; training also takes names alone, `["label"]`, and finds the
            colours in its data. Inside, such a domain has a plane for each class, 1 where a pixel is of it and -1
            elsewhere, and what is generated counts as scores; outside it is the painted image, of the class with the
            highest score. Of methods whose `configure` has this option.

    Attributes:
        data: what it learns from: "paired", "unpaired" or "single" (one domain).
        recipe: defaults of the trainer's options, as the paper trains: `{"epochs": 100, ...}`.
        inference_parts: names of the sub-modules that translation needs; only these are in `model.safetensors`.
        samples: can it give several different translations of one image?
        dataset: the dataset that makes what it learns from out of a user's images, which it takes as `root`, as
            `{"name": ..., option: value}`; None: the images are what it learns from.
        classes: names of the class labels in the order of their numbers, where an option of a translation is a `Label`.
            A method that learns from labels has an option `classes`: these names, or "data", which training replaces by
            those of its data.
        resampling: filter by which a translation at another `size=` is scaled back; "nearest" where a mixture of two
            colours means nothing, as of label maps.
        required_options: what a translation cannot do without, as the example on a card has it: `mask="mask.png"`.
    """

    data: ClassVar[str] = "paired"
    recipe: ClassVar[dict[str, Any]] = {}
    inference_parts: ClassVar[tuple[str, ...]] = ("generator",)
    samples: ClassVar[bool] = False
    dataset: dict[str, Any] | None = None
    classes: Sequence[str] = ()
    resampling: ClassVar[Literal["bicubic", "nearest"]] = "bicubic"
    required_options: ClassVar[str] = ""

    def part(self, option: str, spec: PartSpec | None = None, /, **context: Any) -> Any:
        """Build the part that option `option` asks for, and record all its options in `self.config`.

        The option's annotation, `Part[Generator]`, says what it must be. `context` holds the part's options that follow
        from the method's own (channels, latent size); they are not repeated in the config. The whole choice is
        recorded, so a later change of a default changes no saved model. `spec` stands for the option's own value.

        Raises:
            ConfigError: the option is no part, or what it asks for does not exist or fit.
        """
        declared = constructor(type(self))[option]  # a subclass may have fixed it, which is not recorded
        interface = part_interface(declared.annotation)
        if interface is None:
            raise ConfigError(
                f"{type(self).__name__} builds a part of its option {option!r}, whose annotation does not say which; "
                f"write {option}: Part[Generator], or the interface that it has."
            )
        spec = spec or self.config.get(option, declared.default)
        part = registry(kind_of(interface)).build(spec, interface, **context)
        if option in self.config:
            self.config[option] = complete_spec(spec, part, without=context)
        return part

    @classmethod
    def data_kind(cls, options: Mapping[str, Any]) -> str:
        """`data` of the method with these options, where it depends on them."""
        return cls.data

    @classmethod
    def recipe_for(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """`recipe` of the method with these options, where it depends on them."""
        return cls.recipe

    @property
    @abstractmethod
    def directions(self) -> Mapping[str, str | None]:
        """Target domain -> the domain that it is translated from; None: it is made from nothing, by `generate`.

        The first is the default of `to=`.
        """

    @property
    @abstractmethod
    def channels(self) -> dict[str, int]:
        """Domain -> number of channels that the method sees (1 grey, 3 RGB, any number for arrays or classes)."""

    @classmethod
    def completed(cls, options: dict[str, Any]) -> dict[str, Any]:
        return with_label_maps(options)

    @property
    def label_maps(self) -> Mapping[str, Palette]:
        """Domains that are label maps -> RGB colours of their classes, 8 bits."""
        found: Mapping[str, Palette] = self.config.get("label_maps", {})
        return found

    @property
    def image_channels(self) -> dict[str, int]:
        """Domain -> number of channels of its images as users have them: those of the paint of label maps."""
        from i2izoo.nn.label_maps import is_grey

        return {**self.channels, **{domain: 1 if is_grey(p) else 3 for domain, p in self.label_maps.items()}}

    def inside(self, image: Tensor, domain: str) -> Tensor:
        """Images of a domain, N x C x H x W in [-1, 1], as the method has them: label maps as planes of classes."""
        from i2izoo.nn.label_maps import to_planes

        return to_planes(image, self.label_maps[domain]) if domain in self.label_maps else image

    def outside(self, output: Tensor, domain: str) -> Tensor:
        """What the method gives for a domain, N x C x H x W, as users have it: scores of classes as paint."""
        from i2izoo.nn.label_maps import paint

        return paint(output, self.label_maps[domain]) if domain in self.label_maps else output

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, sources first."""
        sources = [source for source in self.directions.values() if source is not None]
        return tuple(dict.fromkeys([*sources, *self.directions]))

    @property
    def native_size(self) -> tuple[int, int] | None:
        """Height and width of what `generate` makes unless told otherwise; None: those that it was trained at."""
        return None

    @property
    def training_size(self) -> tuple[int, int] | None:
        """Height and width of the images that it learns from, where it learns from no others; None: any valid ones."""
        return None

    def size_multiple(self, to: str) -> int:
        """Both sides of what `translate` gets, and `generate` gives, are padded to a multiple of this."""
        return max((p.size_multiple for p in self.modules() if isinstance(p, Generator)), default=1)

    def min_size(self, to: str) -> int:
        """Sides of what `translate` gets, and `generate` gives, are padded to at least this."""
        return max((p.min_size for p in self.modules() if isinstance(p, Generator)), default=1)

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """Translate N x C x H x W in [-1, 1] of the source of `to`, sides already of a valid size.

        Further keyword options with defaults are the method's own (`steps=20`, `mask: Image | None = None`). By their
        annotations, `Image`, `Latent`, `Text` and `Label` of `i2izoo.interfaces`, the translator tells what differs
        from image to image: it reads and stacks them, N rows as for the image.

        Args:
            image: the batch.
            to: target domain.
            seeds: one seed for each row: all randomness of a row is a function of its seed alone
                (`i2izoo.nn.random.randn`), so a result does not depend on its neighbours in the batch.
        """
        raise ConfigError(f"{type(self).__name__} translates no image; it makes {to!r} from nothing: call generate.")

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        """Make images of a domain that has no source, N x C x H x W in [-1, 1].

        Further keyword options with defaults are the method's own, as those of `translate` are: a latent, a label, a
        text, an image to start from.

        Args:
            to: target domain.
            seeds: one seed for each of the N images: all randomness of an image is a function of its seed alone.
            size: height and width, already valid: `size_multiple` and `min_size` are kept.
        """
        raise ConfigError(
            f"{type(self).__name__} makes nothing from nothing; it translates {self.directions.get(to)!r} to {to!r}."
        )

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        """`translate` at any size: reflect-pad to what the generator needs, translate, crop back.

        Options that are images of the same height and width (a mask) are padded with it. A method whose output has
        another size than its input overrides this.
        """
        from i2izoo.nn.padding import cropped

        height, width = image.shape[-2:]
        padded = self._padded({**options, "image": image}, (height, width), to)
        seeds = [0] * len(image) if seeds is None else seeds
        return cropped(self.translate(padded.pop("image"), to=to, seeds=seeds, **padded), height, width)

    def generate_at(self, size: tuple[int, int], *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """`generate` at any height and width: round up to what the network makes, generate, crop.

        Options that are images of this size are padded, as `forward` does.
        """
        from i2izoo.nn.padding import cropped, valid_side

        height, width = size
        fit = (self.size_multiple(to), self.min_size(to))
        valid = (valid_side(height, *fit), valid_side(width, *fit))
        padded = self._padded(options, size, to)
        return cropped(self.generate(to=to, seeds=seeds, size=valid, **padded), height, width)

    def _padded(self, options: dict[str, Any], size: tuple[int, int], to: str) -> dict[str, Any]:
        """The options, those that are images of this size reflect-padded to what the generator needs."""
        from i2izoo.nn.padding import pad_to_valid

        fit = (self.size_multiple(to), self.min_size(to))
        return {
            k: pad_to_valid(v, *fit) if isinstance(v, Tensor) and v.ndim == 4 and v.shape[-2:] == size else v
            for k, v in options.items()
        }

    @abstractmethod
    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the updates of one step, in the paper's order; code after a `yield` runs after that update.

        The global random state is seeded from (seed, rank, step) before each call, so plain `torch.randn` is
        reproducible and exact on resume.
        """

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Fresh optimisers by name; together they hold every parameter that is trained, each once."""

    def weights_averaged(self) -> None:
        """Called when the moving average of its weights is in place: to generate with in training, and at its end.

        What follows from weights and is not learned, such as statistics of batch norm, may be brought up to date here,
        as a function of the weights alone, in each process by itself.
        """

    def lr_scale(self, step: int) -> float:
        """Factor on all learning rates at a step, on top of the trainer's schedule, where a paper has its own."""
        return 1.0

    def networks(self) -> list[nn.Module]:
        """The modules that a translation calls, each with tensors and for tensors: what `backend=` may compute.

        Those of `inference_parts`, each one of a ModuleDict or ModuleList, and of a method inside its own.
        """
        parts = [part for name, part in self.named_children() if name in self.inference_parts]
        several = (nn.ModuleDict, nn.ModuleList)
        single = [one for part in parts for one in (part.children() if isinstance(part, several) else [part])]
        return [found for one in single for found in (one.networks() if isinstance(one, Method) else [one])]

    def translate_options(self) -> dict[str, inspect.Parameter]:
        """The options that `translate` takes beyond image, `to` and `seeds`, with resolved annotations."""
        return function_options(self.translate, without=("image", "to", "seeds"))

    def generate_options(self) -> dict[str, inspect.Parameter]:
        """The options that `generate` takes beyond `to`, `seeds` and `size`, with resolved annotations."""
        return function_options(self.generate, without=("image", "to", "seeds", "size"))

    def inference_state(self) -> dict[str, Tensor]:
        """What `model.safetensors` holds: the parameters and buffers of `inference_parts`, prefixed by part."""
        return {k: v for k, v in self.state_dict().items() if k.split(".")[0] in self.inference_parts}

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """What the files of the original code hold, as their names say: `("G", "D")` of `latest_net_G.pth` and so on.

        The first is what a file is taken for whose name says nothing; none: there is no importer.
        """
        return ()

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What state dicts of the original code say, file name -> tensors: options and weights of this method.

        Args:
            files: names hold a role (`i2izoo.contracts.checkpoints.by_role` finds it).
            options: those that the user gave, which are laid over what is found.
        """
        raise ConfigError(f"{cls.__name__} has no importer of foreign checkpoints.")

    @classmethod
    def import_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], **options: Any) -> Self:
        """Build the method from foreign state dicts (file name -> tensors); the sizes are read off the tensors.

        Raises:
            ConfigError: it has no importer, or the files or options are not of its original code.
        """
        return build(cls, read(cls, files, options))
