"""What a metric must offer, and what it finds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.config import Configurable
from i2izoo.errors import MetricError


@dataclass(frozen=True)
class Weights:
    """One file of weights.

    Attributes:
        file: its name.
        url: the address that the underlying library takes it from. One on the Hub,
            `https://huggingface.co/OWNER/NAME/resolve/REVISION/FILE`, is fetched into the Hub's cache.
        sha256: full checksum, or the prefix that is published (torchvision's file names carry eight digits).
        licence: SPDX identifier, or a short sentence.
        size: in bytes, about; 0: not known.
        package: the distribution that has the file among its own, if one has: it is installed by pip, never downloaded
            from `url`, which then is the page of the package.
    """

    file: str
    url: str
    sha256: str
    licence: str
    size: int = 0
    package: str = ""

    def __str__(self) -> str:
        return described(self.file, self.size, self.licence)


def described(file: str, size: int, licence: str) -> str:
    unit, name = (1e6, "MB") if size >= 1e6 else (1e3, "kB")
    facts = [f"{size / unit:.0f} {name}"] * bool(size) + [licence] * bool(licence)
    return f"{file} ({', '.join(facts)})" if facts else file


@dataclass(frozen=True)
class Score:
    """What a metric found.

    Attributes:
        value: None where it could not be computed; `reason` says why.
        low: lower end of the 95 % confidence interval, where there is one.
        high: its upper end.
        n: number of images behind the value.
        reference: the same measure of the true images, where a metric has one (`fcn_score`).
        notes: what a reader must know to trust the value, one sentence each ("98 images: FID wants 2048").
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
    """A number about translated images, accumulated batch by batch in memory that does not grow with the images.

    The evaluation calls `prepare` once, `update` for each batch, `compute` at the end. One object scores one model on
    one data set. See `ImageMetric` (a value for each image, whose mean counts) and `SetMetric` (two sets of images
    are compared).

    Attributes:
        higher_is_better: direction.
        bounds: least and greatest possible value; infinite where there is none.
        unit: "dB", or "" for none.
        inputs: what `update` gets, by keyword, of
            `prediction`: N x C x H x W in [-1, 1], rounded to 8 bits as a saved image is;
            `target`: the true image of each prediction, of its shape (paired data only);
            `source`: the image that was translated, N x C' x H x W;
            `samples`: N x S x C x H x W, several translations of each source (methods that can sample);
            `model`: the translator itself.
        from_nothing: does it do without a source, of models that make images from nothing? Then `source` has no
            channels, N x 0 x H x W, and says the size of the images.
        min_samples: with fewer images there is no value.
        advised_samples: with fewer images the result carries a warning.
        qualifier: the option that names a variant: with "features", `fid[resnet18]` is fid with features="resnet18".
    """

    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    unit: ClassVar[str] = ""
    inputs: ClassVar[tuple[str, ...]] = ("prediction", "target")
    known_inputs: ClassVar[tuple[str, ...]] = ("prediction", "target", "source", "samples", "model")
    from_nothing: ClassVar[bool] = False
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
    def update(self, *_: Any, **images: Any) -> Tensor | None:  # so typed, any keywords may override it
        """Add a batch: the keywords are `inputs`.

        Returns:
            A value for each image, N, where the metric has one; it goes into the table of single images, and the
            evaluation makes confidence intervals and paired tests of it.
        """

    @abstractmethod
    def compute(self) -> Score | dict[str, Score]:
        """The value over all that was added, or several by name (`fcn_score` has three).

        Raises:
            MetricError: it is not defined for what was added.
        """


class ImageMetric(Metric):
    """The mean over images of a value that each image has.

    >>> class Brightness(ImageMetric):
    ...     higher_is_better, inputs = True, ("prediction",)
    ...     def score(self, prediction):
    ...         return prediction.mean(dim=(1, 2, 3))
    >>> metric = Brightness()
    >>> metric.update(prediction=torch.ones(2, 3, 4, 4)).tolist(), metric.compute().value
    ([1.0, 1.0], 1.0)
    """

    @abstractmethod
    def score(self, *_: Any, **images: Any) -> Tensor:
        """A value for each row: N, finite or +-inf where the definition gives that."""

    def update(self, *_: Any, **images: Any) -> Tensor:
        values = self.score(**images).detach().double().cpu()
        self._sum, self._count = self._total() + values.sum().item(), self._seen() + len(values)
        return values

    def compute(self) -> Score:
        if not self._seen():
            raise MetricError(f"{type(self).__name__} has seen no image.")
        return Score(self._total() / self._seen(), n=self._seen())

    def _total(self) -> float:
        return float(self.__dict__.get("_sum", 0.0))

    def _seen(self) -> int:
        return int(self.__dict__.get("_count", 0))


class SetMetric(Metric):
    """A comparison of the translated images with the true images as two sets, in no order.

    `update` gets predictions only. The true images come through `add_reference`, once for a data set: what they
    leave behind is kept by the hash of the data, and comes back through `load_reference_state`.
    """

    inputs: ClassVar[tuple[str, ...]] = ("prediction",)

    @abstractmethod
    def add_reference(self, images: Tensor) -> None:
        """Add a batch of true images, N x C x H x W in [-1, 1], rounded to 8 bits."""

    @abstractmethod
    def reference_state(self) -> dict[str, Tensor]:
        """All that the true images left behind."""

    @abstractmethod
    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        """Take `reference_state` of the same metric and options in place of the images."""
