"""What all metrics over features share: the extractor, the two sets, the notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from i2izoo.errors import ConfigError, MetricError
from i2izoo.interfaces import Metric, SetMetric, Weights
from i2izoo_metrics.extractors import open_extractor
from i2izoo_metrics.reservoir import Reservoir


class FeatureMetric(Metric):
    """Looks at images through an extractor, which it shares with the other metrics of the evaluation.

    Args:
        features: name of an extractor ("inception", "vgg16", "pixels", one that was registered), or of any network of
            timm.
        resize: how images get to the extractor's size: "clean" (antialiased bicubic, as clean-fid) or "legacy"
            (bilinear without antialiasing, as TensorFlow 1, pytorch-fid and torch-fidelity). A registered extractor
            without this option has a way of its own.
    """

    qualifier = "features"

    def __init__(self) -> None:
        self.extractor = open_extractor(self.config["features"], resize=self.config["resize"])

    def weights(self) -> tuple[Weights, ...]:
        return self.extractor.weights()

    def prepare(self, device: torch.device) -> None:
        self.extractor.prepare(device)

    def notes(self, n: int, why: str) -> list[str]:
        """Whether n images are few (`why` says what that does), and how they were resized."""
        few = [f"{n} images: {why}"] if n < self.advised_samples else []
        return few + [f"images {p}" for p in [self.extractor.preprocessing] if p]

    def enough(self, *counts: int, least: int | None = None) -> int:
        """The smallest of the counts.

        Raises:
            MetricError: it is less than `least` (or `min_samples`).
        """
        n, least = min(counts), self.min_samples if least is None else least
        if n < least:
            raise MetricError(f"needs at least {least} images of each set; found {' and '.join(map(str, counts))}")
        return n


class FeatureSets(FeatureMetric, SetMetric):
    """Compares two sets of features. What it keeps of each is a `Gaussian` or a `Reservoir`, made by the subclass."""

    predictions: Any
    references: Any

    def update(self, *, prediction: Tensor) -> None:  # type: ignore[override]
        self.predictions.add(self.extractor(prediction))

    def add_reference(self, images: Tensor) -> None:
        self.references.add(self.extractor(images))

    def reference_state(self) -> dict[str, Tensor]:
        return {**self.references.state(), "extractor": self.extractor.fingerprint()}

    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        self.check(state)
        self.references.load(state)

    def check(self, state: Mapping[str, Tensor]) -> None:
        """MetricError if the state is of other features than these, such as of a network that was trained since."""
        if not torch.equal(state["extractor"], self.extractor.fingerprint()):
            raise MetricError(f"the kept references are of another {self.extractor.name!r}; make them again.")


class SampledSets(FeatureSets):
    """Holds the features of both sets, up to `max_samples` of each: then a seeded uniform sample of them.

    Args:
        max_samples: images of each set whose features are kept; memory does not grow beyond.
        seed: of what is drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        if self.config["max_samples"] < self.min_samples:
            raise ConfigError(f"max_samples is at least {self.min_samples}; found {self.config['max_samples']}.")
        size, seed = self.config["max_samples"], self.config["seed"]
        self.predictions, self.references = Reservoir(size, seed), Reservoir(size, seed + 1)

    def sets(self, least: int | None = None) -> tuple[Tensor, Tensor]:
        """Features of predictions and references, float64; MetricError if either has too few images."""
        self.enough(self.predictions.n, self.references.n, least=least)
        first, second = self.predictions.rows(), self.references.rows()
        if first.shape[1] != second.shape[1]:
            raise MetricError(f"features of the two sets have {first.shape[1]} and {second.shape[1]} values.")
        return first.double(), second.double()

    def cut_notes(self) -> list[str]:
        """A sentence for each set of which only a sample was kept."""
        both = {"predictions": self.predictions, "references": self.references}
        return [f"a random {r.size} of {r.n} {name} count (max_samples)" for name, r in both.items() if r.cut]
