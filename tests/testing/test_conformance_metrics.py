"""The rules for metrics and extractors catch what they say they catch: each class breaks one, which must notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from test_conformance_rules import check_of
from torch import Tensor, nn

from i2izoo.contracts.registry import registry
from i2izoo.errors import MetricError
from i2izoo.files.weights import find
from i2izoo.interfaces import FeatureExtractor, ImageMetric, Metric, Score, SetMetric, Weights
from i2izoo.testing.conformance import RULES
from i2izoo.testing.subject import NotApplicable


class GoodImage(ImageMetric):
    """Mean absolute difference of two images; keeps every rule."""

    higher_is_better = False
    bounds = (0.0, 2.0)

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().double().mean(dim=(1, 2, 3))


class GoodSet(SetMetric):
    """Distance of the mean contrast; keeps every rule. It wants two images."""

    higher_is_better = False
    bounds = (0.0, 2.0)
    min_samples = 2

    def __init__(self) -> None:
        self.count, self.total, self.reference = 0, 0.0, torch.zeros(2, dtype=torch.float64)

    def _contrast(self, images: Tensor) -> Tensor:
        return images.diff(dim=-1).abs().double().mean(dim=(1, 2, 3))

    def add_reference(self, images: Tensor) -> None:
        self.reference = self.reference + torch.tensor([self._contrast(images).sum(), len(images)])

    def reference_state(self) -> dict[str, Tensor]:
        return {"reference": self.reference}

    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        self.reference = state["reference"]

    def update(self, *, prediction: Tensor) -> None:
        self.count, self.total = self.count + len(prediction), self.total + self._contrast(prediction).sum().item()

    def compute(self) -> Score:
        if self.count < self.min_samples:
            raise MetricError(f"it has seen {self.count} images and wants 2.")
        total, count = self.reference.tolist()
        return Score(abs(self.total / self.count - total / count), n=self.count)


class GoodDiversity(ImageMetric):
    """Mean absolute difference of two samples; keeps every rule."""

    higher_is_better = True
    bounds = (0.0, 2.0)
    inputs = ("samples",)

    def score(self, *, samples: Tensor) -> Tensor:
        return (samples[:, 0] - samples[:, 1]).abs().double().mean(dim=(1, 2, 3))


class GoodPath(ImageMetric):
    """How far a model's image is from another of its images; keeps every rule."""

    higher_is_better = False
    bounds = (0.0, 2.0)
    inputs = ("model", "source")

    def score(self, *, model: Any, source: Tensor) -> Tensor:
        pairs = [torch.stack(model(row, samples=2, seed=3)) for row in source]
        return torch.stack([(first - second).abs().double().mean() for first, second in pairs])


class TwoValues(Metric):
    """Least and greatest value; several scores by name; keeps every rule."""

    higher_is_better = True
    inputs = ("prediction",)

    def __init__(self) -> None:
        self.low, self.high, self.count = 2.0, -2.0, 0

    def update(self, *, prediction: Tensor) -> None:
        self.low, self.high = min(self.low, prediction.min().item()), max(self.high, prediction.max().item())
        self.count += len(prediction)

    def compute(self) -> dict[str, Score]:
        if not self.count:
            raise MetricError("it has seen no image.")
        return {"low": Score(self.low, n=self.count), "high": Score(self.high, n=self.count)}


# -------------------------------------------------------------------------------------------------- broken: declared


class NoDirection(ImageMetric):
    """Says nothing about what is better."""

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        return prediction.mean(dim=(1, 2, 3))


class BackwardBounds(GoodImage):
    """Names the greatest value first."""

    bounds = (2.0, 0.0)


class UnknownInput(GoodImage):
    """Wants what the evaluation does not have."""

    inputs = ("prediction", "truth")

    def score(self, *, prediction: Tensor, truth: Tensor) -> Tensor:  # type: ignore[override]
        return super().score(prediction=prediction, target=truth)


class Misnamed(GoodImage):
    """Takes its images by names of its own."""

    def score(self, *, fake: Tensor, real: Tensor) -> Tensor:  # type: ignore[override]
        return super().score(prediction=fake, target=real)


class NoSuchVariant(GoodImage):
    """Its variant is an option that it does not have."""

    qualifier = "features"


class Unlicensed(GoodImage):
    """Does not say whether its weights may be used."""

    def weights(self) -> tuple[Weights, ...]:
        return (Weights("net.pth", "https://example.org/net.pth", "0" * 64, " "),)


class Unchecked(GoodImage):
    """Takes any file for its weights."""

    def weights(self) -> tuple[Weights, ...]:
        return (Weights("net.pth", "https://example.org/net.pth", "", "MIT"),)


# ---------------------------------------------------------------------------------------------------- broken: values


class Percent(GoodImage):
    """Gives percents and declares shares."""

    bounds = (0.0, 0.01)


class PlainFloat(GoodImage):
    """Gives a float where a Score is due."""

    def compute(self) -> Score:
        return super().compute().value  # type: ignore[return-value]


class NotANumber(GoodImage):
    """Divides 0 by 0."""

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        return super().score(prediction=prediction, target=target) * float("nan")


class CountsBatches(GoodImage):
    """Counts batches where images are due."""

    batches = 0

    def update(self, **images: Any) -> Tensor:
        self.batches += 1
        return super().update(**images)

    def compute(self) -> Score:
        return Score(super().compute().value, n=self.batches)


class OutsideItsInterval(GoodImage):
    """Has an interval that does not hold the value."""

    def compute(self) -> Score:
        return Score(super().compute().value, low=3.0, high=4.0, n=super().compute().n)


class WrongWay(GoodImage):
    """Calls a distance better when it is greater."""

    higher_is_better = True


class WrongWaySet(GoodSet):
    """Calls a distance better when it is greater."""

    higher_is_better = True


class MeanOfBatches(GoodImage):
    """The mean over batches of their means: a small last batch counts too much."""

    def __init__(self) -> None:
        self.means: list[float] = []

    def update(self, **images: Any) -> Tensor:
        values = super().update(**images)
        self.means.append(values.mean().item())
        return values

    def compute(self) -> Score:
        return Score(sum(self.means) / len(self.means), n=super().compute().n) if self.means else super().compute()


class SetMeanOfBatches(GoodSet):
    """Takes each batch of true images for one image."""

    def _contrast(self, images: Tensor) -> Tensor:
        return super()._contrast(images).median().expand(len(images))


class LateCountsMore(GoodSet):
    """Later images count more."""

    def _contrast(self, images: Tensor) -> Tensor:
        return super()._contrast(images) * torch.arange(len(images))


class Draws(GoodImage):
    """Draws pixels from the global random state."""

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        row = int(torch.randint(0, prediction.shape[-2], ()))
        return super().score(prediction=prediction[..., row:, :], target=target[..., row:, :])


class ComputesOnce(GoodSet):
    """Is changed by being read."""

    def compute(self) -> Score:
        score = super().compute()
        self.total = 0.0
        return score


class InPlace(GoodImage):
    """Subtracts into the prediction."""

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:
        return prediction.sub_(target).abs().double().mean(dim=(1, 2, 3))


class InPlaceReference(GoodSet):
    """Scales the true images where they lie."""

    def add_reference(self, images: Tensor) -> None:
        super().add_reference(images.add_(1).sub_(1.5))


class OneForAll(GoodImage):
    """Gives one value for a batch."""

    def update(self, **images: Any) -> Tensor:
        return super().update(**images).mean()


class OtherMean(GoodImage):
    """Its value is not the mean of what it gave for the images."""

    def compute(self) -> Score:
        score = super().compute()
        return Score((score.value or 0) / 2, n=score.n)


class ForgetsTheCount(GoodSet):
    """Keeps less of the true images than it needs."""

    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        self.reference = state["reference"] * torch.tensor([1.0, 0.5])


class NothingIsZero(GoodSet):
    """Takes no image for a perfect score."""

    def compute(self) -> Score:
        return super().compute() if self.count else Score(0.0)


class AnyNumber(GoodImage):
    """Declares that it wants five images and takes four."""

    min_samples = 5


class WantsMore(GoodSet):
    """Declares that two images are enough and wants ten."""

    def compute(self) -> Score:
        if self.count < 10:
            raise MetricError("it wants ten.")
        return super().compute()


# ------------------------------------------------------------------------------------------------------- extractors


class GoodExtractor(FeatureExtractor):
    """Means of random filters; keeps every rule."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :5]


class CoarseToFine(GoodExtractor):
    """Has its maps the wrong way round."""

    def maps(self, image: Tensor) -> list[Tensor]:
        found = self.layers(image)
        return [nn.functional.avg_pool2d(found, 2), found]


class SizeDependent(GoodExtractor):
    """Has more features of a larger image."""

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).flatten(1)


class HalfPrecision(GoodExtractor):
    """Gives half precision."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).half()


class Neighbours(GoodExtractor):
    """Subtracts the mean of the batch."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) - super().forward(image).mean()


class Blind(GoodExtractor):
    """Gives every image the same features."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(torch.zeros_like(image))


class Dropout(GoodExtractor):
    """Drops features when it measures, too."""

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(image), training=True)


class Normalises(GoodExtractor):
    """Scales the images where they lie."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.mul_(0.5))


class Learns(GoodExtractor):
    """Keeps the graph of every image."""

    def prepare(self, device: torch.device) -> None:
        self.eval().to(device)


class OneLogit(GoodExtractor):
    """Knows one class."""

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :1]


class UnlicensedExtractor(GoodExtractor):
    """Does not say whether its weights may be used."""

    def weights(self) -> tuple[Weights, ...]:
        return (Weights("net.pth", "https://example.org/net.pth", "0" * 64, ""),)


BROKEN = [
    ("metrics", NoDirection, "declares_what_it_measures"),
    ("metrics", BackwardBounds, "declares_what_it_measures"),
    ("metrics", UnknownInput, "declares_what_it_measures"),
    ("metrics", Misnamed, "declares_what_it_measures"),
    ("metrics", NoSuchVariant, "declares_what_it_measures"),
    ("metrics", Unlicensed, "names_its_weights"),
    ("metrics", Unchecked, "names_its_weights"),
    ("metrics", Percent, "value_is_within_bounds"),
    ("metrics", PlainFloat, "value_is_within_bounds"),
    ("metrics", NotANumber, "value_is_within_bounds"),
    ("metrics", CountsBatches, "value_is_within_bounds"),
    ("metrics", OutsideItsInterval, "value_is_within_bounds"),
    ("metrics", WrongWay, "equal_images_are_the_better_side"),
    ("metrics", WrongWaySet, "equal_images_are_the_better_side"),
    ("metrics", MeanOfBatches, "batches_do_not_matter"),
    ("metrics", SetMeanOfBatches, "batches_do_not_matter"),
    ("metrics", LateCountsMore, "order_does_not_matter"),
    ("metrics", Draws, "same_images_give_the_same_value"),
    ("metrics", ComputesOnce, "same_images_give_the_same_value"),
    ("metrics", InPlace, "leaves_its_inputs_alone"),
    ("metrics", InPlaceReference, "leaves_its_inputs_alone"),
    ("metrics", OneForAll, "each_image_has_a_value"),
    ("metrics", OtherMean, "each_image_has_a_value"),
    ("metrics", ForgetsTheCount, "reference_state_replaces_the_images"),
    ("metrics", NothingIsZero, "nothing_seen_is_an_error"),
    ("metrics", AnyNumber, "too_few_images_have_no_value"),
    ("metrics", WantsMore, "too_few_images_have_no_value"),
    ("extractors", UnlicensedExtractor, "names_its_weights"),
    ("extractors", SizeDependent, "features_are_one_row_for_each_image"),
    ("extractors", HalfPrecision, "features_are_one_row_for_each_image"),
    ("extractors", Neighbours, "rows_are_independent"),
    ("extractors", Blind, "rows_are_independent"),
    ("extractors", Dropout, "is_deterministic"),
    ("extractors", Normalises, "leaves_its_input_alone"),
    ("extractors", Learns, "leaves_its_input_alone"),
    ("extractors", OneLogit, "logits_belong_to_classes"),
    ("extractors", CoarseToFine, "maps_are_differentiable"),
]

GOOD = [
    ("metrics", GoodImage),
    ("metrics", GoodSet),
    ("metrics", GoodDiversity),
    ("metrics", GoodPath),
    ("metrics", TwoValues),
    ("extractors", GoodExtractor),
]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("metrics", "extractors"):
        monkeypatch.setattr(registry(kind), "_registered", dict(registry(kind)._registered))


@pytest.mark.parametrize(("kind", "part", "rule"), BROKEN, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_part_that_breaks_a_rule_is_found_by_it(kind: str, part: type, rule: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_of(kind, part, rule)()
    assert f"{part.__name__!r} of plugin this-program 0 breaks the rule {rule!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "part", "rule"),
    [(kind, part, rule.__name__) for kind, part in GOOD for rule in RULES[kind]],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_a_part_that_keeps_the_rules_passes(kind: str, part: type, rule: str) -> None:
    try:
        check_of(kind, part, rule)()
    except NotApplicable as reason:
        pytest.skip(str(reason))


def test_every_rule_has_a_part_that_breaks_it() -> None:
    everyones = {rule.__name__ for rule in RULES["schedulers"] + RULES["losses"]}
    own = {rule.__name__ for kind in ("metrics", "extractors") for rule in RULES[kind]} - everyones
    assert own == {rule for _, _, rule in BROKEN}


class WantsWeights(GoodImage):
    """Needs a file that is nowhere."""

    def weights(self) -> tuple[Weights, ...]:
        return (Weights("net.pth", "http://127.0.0.1:1/net.pth", "0" * 64, "MIT"),)

    def prepare(self, device: torch.device) -> None:
        find(*self.weights())


def test_without_its_weights_a_metric_is_skipped_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("I2IZOO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotApplicable, match=r"needs net\.pth .*\(nothing is fetched here\)"):
        check_of("metrics", WantsWeights, "value_is_within_bounds")()
    check_of("metrics", WantsWeights, "names_its_weights")()  # what it declares is checked all the same


class Labels(GoodImage):
    """Reads label maps, which the kit has none of."""

    inputs: ClassVar[tuple[str, ...]] = ("prediction", "source")

    def score(self, *, prediction: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]
        raise MetricError("the source is no label map.")


class Picky(Labels):
    """Refuses what it declares to take."""

    inputs: ClassVar[tuple[str, ...]] = ("prediction", "target")

    def score(self, *, prediction: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        raise MetricError("no.")


def test_a_refusal_is_a_reason_to_skip_only_for_inputs_that_the_kit_cannot_know() -> None:
    with pytest.raises(NotApplicable, match="no label map"):
        check_of("metrics", Labels, "value_is_within_bounds")()
    with pytest.raises(AssertionError, match="value_is_within_bounds"):
        check_of("metrics", Picky, "value_is_within_bounds")()
