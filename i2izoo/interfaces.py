"""The contracts: what a part and a method must offer, and what they may rely on.

Images are tensors N x C x H x W in [-1, 1], float. A *part* is one class behind one of these interfaces; a *method*
owns its parts by name, translates, and says in the paper's order how it learns.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo.config import Configurable, PartSpec
from i2izoo.errors import ConfigError, MetricError, listing, suggest
from i2izoo.evaluation.weights import Weights
from i2izoo.registry import registry

Latent: TypeAlias = Tensor
"""In the signature of `Method.translate`: a latent for each row, N x L or N x C x H x W, and not a picture."""

Text: TypeAlias = str | list[str]
"""In the signature of `Method.translate`: a text for each row, a list of N; a user may give one for all pictures."""

# --------------------------------------------------------------------------------------------------------- parts


class Generator(Configurable, nn.Module, ABC):
    """Image in, image out. Options `in_channels` and `out_channels` are part of the contract.

    Attributes:
        size_multiple: both sides of the input must be a multiple of this; callers pad (reflect) and crop.
        min_size: smallest side that `forward` accepts, in pixels.
    """

    size_multiple: int = 1
    min_size: int = 1

    @abstractmethod
    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        """Map N x in_channels x H x W to N x out_channels x H x W.

        `conditions` are what the generator's own options ask for: a latent (N x L), a timestep (N), a second image.
        """

    def example_inputs(self, batch: int = 2, size: int | None = None) -> tuple[Tensor, ...]:
        """Valid random arguments of `forward`, for tests, export and benchmarks; override with conditions."""
        multiple = self.size_multiple
        side = size or max(self.min_size, 32)
        side += -side % multiple
        return (torch.rand(batch, self.config.get("in_channels", 3), side, side) * 2 - 1,)


class Discriminator(Configurable, nn.Module, ABC):
    """Image in, realness logits out, one map for each scale that it looks at. Option `in_channels` is required."""

    min_size: int = 1

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Map N x in_channels x H x W to a list of logits, each N x 1 x h x w (or N x 1)."""


class Encoder(Configurable, nn.Module, ABC):
    """Image in, distribution over a latent out. Options `in_channels` and `latent` are part of the contract."""

    @abstractmethod
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map N x in_channels x H x W to mean and log variance; N x latent, or N x latent x h x w."""


class Scheduler:
    """A noise schedule and its sampler, as diffusers has them: any diffusers scheduler class is one."""

    __required__: ClassVar[tuple[str, ...]] = ("set_timesteps", "step", "save_config", "from_config")


class Loss(Configurable, nn.Module, ABC):
    """Base of the losses; see `AdversarialLoss` and `ReconstructionLoss`."""


class ReconstructionLoss(Loss):
    """A distance between two images."""

    @abstractmethod
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return a scalar, at least 0, for two tensors of one shape."""


class AdversarialLoss(Loss):
    """What discriminator and generator minimise, given logits for each scale: mean over patches, sum over scales."""

    @abstractmethod
    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        """The scalar that the discriminator minimises."""

    @abstractmethod
    def generator(self, fake: list[Tensor]) -> Tensor:
        """The scalar that the generator minimises."""

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        """A regulariser of the discriminator at (or between) the images, weighted; None where the loss has none."""
        return None


class Extractor(Configurable, nn.Module, ABC):
    """RGB picture in, feature vector out: what metrics that compare sets of pictures look at, such as FID.

    Constructing one reads nothing; `prepare` does. It resizes pictures itself, to what its network was trained on.

    Attributes:
        preprocessing: what it does to a picture first, in a few words; it stands beside the scores. "": nothing.
    """

    preprocessing: str = ""

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """Map N x 3 x H x W in [-1, 1], of any size, to N x D features, float32."""

    def logits(self, features: Tensor) -> Tensor:
        """Class logits N x classes of its features N x D, for the inception score.

        Raises:
            MetricError: its network knows no classes.
        """
        raise MetricError(f"needs class logits, which {type(self).__name__} does not have; take features='inception'")

    def weights(self) -> tuple[Weights, ...]:
        """The files of weights that it needs with its options."""
        return ()

    def prepare(self, device: torch.device) -> None:
        """Load the weights, and move to `device` in eval mode.

        Raises:
            MetricError: they cannot be had; the message begins with "needs", as of `Metric.prepare`.
        """
        self.eval().requires_grad_(False).to(device)


@dataclass(frozen=True)
class Score:
    """What a metric found.

    Attributes:
        value: None where it could not be computed; `reason` says why.
        low: lower end of the 95 % confidence interval, where there is one.
        high: its upper end.
        n: number of pictures behind the value.
        reference: the same measure of the true pictures, where a metric has one (`fcn_score`).
        notes: what a reader must know to trust the value, one sentence each ("98 pictures: FID wants 2048").
        reason: why there is no value: "needs FILE from ADDRESS in FOLDER".
        higher_is_better: direction; copied from the metric by the evaluation.
        unit: "dB", or "" where it has none; copied from the metric by the evaluation.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reference: float | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None
    higher_is_better: bool = True
    unit: str = ""


class Metric(Configurable, ABC):
    """A number about translated pictures, accumulated batch by batch in memory that does not grow with the pictures.

    The evaluation calls `prepare` once, `update` for each batch, `compute` at the end. One object scores one model on
    one data set. See `ImageMetric` (a value for each picture, whose mean counts) and `SetMetric` (two sets of pictures
    are compared).

    Attributes:
        higher_is_better: direction.
        bounds: least and greatest possible value; infinite where there is none.
        unit: "dB", or "" for none.
        inputs: what `update` gets, by keyword, of
            `prediction`: N x C x H x W in [-1, 1], rounded to 8 bits as a saved picture is;
            `target`: the true picture of each prediction, of its shape (paired data only);
            `source`: the picture that was translated, N x C' x H x W;
            `samples`: N x S x C x H x W, several translations of each source (methods that can sample);
            `model`: the translator itself.
        min_samples: with fewer pictures there is no value.
        advised_samples: with fewer pictures the result carries a warning.
        qualifier: the option that names a variant: with "features", `fid[resnet18]` is fid with features="resnet18".
    """

    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    unit: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "target")
    known_inputs: ClassVar[tuple[str, ...]] = ("prediction", "target", "source", "samples", "model")
    min_samples: ClassVar[int] = 1
    advised_samples: ClassVar[int] = 1
    qualifier: ClassVar[str | None] = None

    def weights(self) -> tuple[Weights, ...]:
        """The files of weights that it needs with its options, each with address, checksum and licence."""
        return ()

    def prepare(self, device: torch.device) -> None:
        """Load what it needs, to compute on `device`.

        Raises:
            MetricError: it cannot be computed here; the message begins with "needs" and says what, from where and in
                which place. The evaluation reports it as "not computed" and goes on.
        """
        return

    @abstractmethod
    def update(self, *_: Any, **pictures: Any) -> Tensor | None:  # so typed, any keywords may override it
        """Add a batch: the keywords are `inputs`.

        Returns:
            A value for each picture, N, where the metric has one; it goes into the table of single pictures, and the
            evaluation makes confidence intervals and paired tests of it.
        """

    @abstractmethod
    def compute(self) -> Score | dict[str, Score]:
        """The value over all that was added, or several by name (`fcn_score` has three).

        Raises:
            MetricError: it is not defined for what was added.
        """


class ImageMetric(Metric):
    """The mean over pictures of a value that each picture has.

    >>> class Brightness(ImageMetric):
    ...     higher_is_better, inputs = True, ("prediction",)
    ...     def score(self, prediction):
    ...         return prediction.mean(dim=(1, 2, 3))
    >>> metric = Brightness()
    >>> metric.update(prediction=torch.ones(2, 3, 4, 4)).tolist(), metric.compute().value
    ([1.0, 1.0], 1.0)
    """

    @abstractmethod
    def score(self, *_: Any, **pictures: Any) -> Tensor:
        """A value for each row: N, finite or +-inf where the definition gives that."""

    def update(self, *_: Any, **pictures: Any) -> Tensor:
        values = self.score(**pictures).detach().double().cpu()
        self._sum, self._count = self._total() + values.sum().item(), self._seen() + len(values)
        return values

    def compute(self) -> Score:
        if not self._seen():
            raise MetricError(f"{type(self).__name__} has seen no picture.")
        return Score(self._total() / self._seen(), n=self._seen())

    def _total(self) -> float:
        return float(self.__dict__.get("_sum", 0.0))

    def _seen(self) -> int:
        return int(self.__dict__.get("_count", 0))


class SetMetric(Metric):
    """A comparison of the translated pictures with the true pictures as two sets, in no order.

    `update` gets predictions only. The true pictures come through `add_reference`, once for a data set: what they
    leave behind is kept by the hash of the data, and comes back through `load_reference_state`.
    """

    inputs: ClassVar[tuple[str, ...]] = ("prediction",)

    @abstractmethod
    def add_reference(self, pictures: Tensor) -> None:
        """Add a batch of true pictures, N x C x H x W in [-1, 1], rounded to 8 bits."""

    @abstractmethod
    def reference_state(self) -> dict[str, Tensor]:
        """All that the true pictures left behind."""

    @abstractmethod
    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        """Take `reference_state` of the same metric and options in place of the pictures."""


# ------------------------------------------------------------------------------------------------------- training


@dataclass
class Batch:
    """Images by domain, and where in the run they are.

    Attributes:
        images: domain -> N x C x H x W in [-1, 1]. Paired data: row i of every domain belongs together.
        step: number of optimiser steps done before this one, from 0.
        progress: share of the planned run that is done, in [0, 1).
        extras: other tensors that a dataset gives (masks, labels), by name, first dimension N.
    """

    images: dict[str, Tensor]
    step: int = 0
    progress: float = 0.0
    extras: dict[str, Tensor] = field(default_factory=dict)

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

    The trainer sums `losses`, accumulates the gradient into the parameters of the named optimisers *and no others*
    (a generator update never touches the discriminator it looks through), and steps.

    Attributes:
        optimizers: name or names from `Method.optimizers()`: where the gradient goes.
        losses: weighted terms by name; their sum is minimised. They are logged under these names.
        step: which optimisers step now. True: those of `optimizers`; False: none, the gradient is kept for a later
            update; names: these. BicycleGAN lets encoder and generator step after a second, generator-only gradient.
        retain_graph: keep the graph for another update from the same forward pass.
    """

    optimizers: str | tuple[str, ...]
    losses: dict[str, Tensor]
    step: bool | tuple[str, ...] = True
    retain_graph: bool = False

    @property
    def receivers(self) -> tuple[str, ...]:
        return (self.optimizers,) if isinstance(self.optimizers, str) else tuple(self.optimizers)

    @property
    def steppers(self) -> tuple[str, ...]:
        return self.receivers if self.step is True else tuple(self.step or ())


class Method(Configurable, nn.Module, ABC):
    """One way to learn a translation: its parts, its losses, its update order, and how it translates.

    A subclass builds its parts in `__init__` with `self.part(...)`, and implements `directions`, `channels`,
    `translate`, `training_step` and `optimizers`. The trainer owns device, precision, accumulation, schedules, EMA,
    logs and checkpoints; the translator owns pictures, sizes and seeds.

    Attributes:
        data: what it learns from: "paired", "unpaired" or "single" (one domain).
        recipe: defaults of the trainer's options, as the paper trains: `{"epochs": 100, ...}`.
        inference_parts: names of the sub-modules that translation needs; only these are in `model.safetensors`.
        samples: can it give several different translations of one picture?
        dataset: the dataset that makes what it learns from out of a user's pictures, which it takes as `root`, as
            `{"name": ..., option: value}`; None: the pictures are what it learns from.
        needs: options that a translation cannot do without, as the example on a card has them: `mask="mask.png"`.
    """

    data: ClassVar[str] = "paired"
    recipe: ClassVar[dict[str, Any]] = {}
    inference_parts: ClassVar[tuple[str, ...]] = ("generator",)
    samples: ClassVar[bool] = False
    dataset: dict[str, Any] | None = None
    needs: ClassVar[str] = ""

    def part(self, option: str, kind: str, spec: PartSpec, interface: type | None = None, **context: Any) -> Any:
        """Build the part that option `option` asks for, and record all its options in `self.config`.

        `context` holds the part's options that follow from the method's own (channels, latent size); they are not
        repeated in the config. The whole choice is recorded, so a later change of a default changes no saved model.
        """
        part = registry(kind).build(spec, interface, **context)
        name = spec if isinstance(spec, str) else spec["name"]
        found = dict(getattr(part, "config", {}))
        own = {k: v for k, v in found.items() if k not in context and k[:1] != "_" and v not in (math.inf, -math.inf)}
        self.config[option] = {"name": name, **own}
        return part

    @classmethod
    def learns_from(cls, options: Mapping[str, Any]) -> str:
        """`data` of the method with these options, where it depends on them."""
        return cls.data

    @property
    @abstractmethod
    def directions(self) -> dict[str, str]:
        """Target domain -> the domain that it is translated from. The first is the default of `to=`."""

    @property
    @abstractmethod
    def channels(self) -> dict[str, int]:
        """Domain -> number of channels of its images (1 grey, 3 RGB, any number for arrays)."""

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, sources first."""
        return tuple(dict.fromkeys([*self.directions.values(), *self.directions]))

    def size_multiple(self, to: str) -> int:
        """Both sides of what `translate` gets are padded to a multiple of this."""
        return max((p.size_multiple for p in self.modules() if isinstance(p, Generator)), default=1)

    def min_size(self, to: str) -> int:
        """Sides of what `translate` gets are padded to at least this."""
        return max((p.min_size for p in self.modules() if isinstance(p, Generator)), default=1)

    @abstractmethod
    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """Translate N x C x H x W in [-1, 1] of the source of `to`, sides already of a valid size.

        Further keyword options with defaults are the method's own (`steps=20`, `mask: Tensor | None = None`); the
        translator passes them on, reading pictures for those annotated with Tensor, for those annotated with Latent
        the numbers of a vector, N x L, and for those annotated with Text a list of N texts.

        Args:
            image: the batch.
            to: target domain.
            seeds: one seed for each row: all randomness of a row is a function of its seed alone
                (`i2izoo.nn.random.randn`), so a result does not depend on its neighbours in the batch.
        """

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        """`translate` at any size: reflect-pad to what the generator needs, translate, crop back.

        Options that are images of the same height and width (a mask) are padded with it. A method whose output has
        another size than its input overrides this.
        """
        from i2izoo.nn.padding import pad_to_valid  # here to keep this module free of implementations

        height, width = image.shape[-2:]
        fit = (self.size_multiple(to), self.min_size(to))
        padded = {
            k: pad_to_valid(v, *fit) if isinstance(v, Tensor) and v.ndim == 4 and v.shape[-2:] == (height, width) else v
            for k, v in options.items()
        }
        seeds = [0] * len(image) if seeds is None else seeds
        return self.translate(pad_to_valid(image, *fit), to=to, seeds=seeds, **padded)[..., :height, :width]

    @abstractmethod
    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the updates of one step, in the paper's order; code after a `yield` runs after that update.

        The global random state is seeded from (seed, rank, step) before each call, so plain `torch.randn` is
        reproducible and exact on resume.
        """

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Fresh optimisers by name; together they hold every parameter that is trained, each once."""

    def rate(self, step: int) -> float:
        """Factor on all learning rates at a step, on top of the trainer's schedule, where a paper has its own."""
        return 1.0

    def translate_options(self) -> dict[str, Any]:
        """The options that `translate` takes beyond image, `to` and `seeds`: name -> default."""
        parameters = inspect.signature(self.translation).parameters
        return {n: p.default for n, p in parameters.items() if n not in ("image", "to", "seeds")}

    @property
    def translation(self) -> Callable[..., Tensor]:
        """The function whose options a translation takes: `translate`, or that of a method that this one wraps."""
        return self.translate

    def inference_state(self) -> dict[str, Tensor]:
        """What `model.safetensors` holds: the parameters and buffers of `inference_parts`, prefixed by part."""
        return {k: v for k, v in self.state_dict().items() if k.split(".")[0] in self.inference_parts}

    @classmethod
    def import_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], **options: Any) -> Method:
        """Build the method from foreign state dicts (file name -> tensors); the sizes are read off the tensors."""
        raise ConfigError(f"{cls.__name__} has no importer of foreign checkpoints.")
