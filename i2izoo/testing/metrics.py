"""Rules for metrics: what they declare is true, and what they find depends on the images alone."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from i2izoo.contracts.config import schema
from i2izoo.contracts.method import Batch, Method, Update
from i2izoo.contracts.metric import ImageMetric, Metric, Score, SetMetric, Weights
from i2izoo.errors import MetricError, listing
from i2izoo.files.weights import weights_in
from i2izoo.models.translator import Translator
from i2izoo.nn.random import randn, seeded
from i2izoo.testing.subject import NotApplicable, Subject, require

MOST = 256
"""Images that a rule computes with at most; a metric that wants more is not checked by it."""


class _Noisy(Method):
    """The model that is given to metrics that want one: it adds noise that is a function of the seeds."""

    samples = True

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Identity()

    @property
    def directions(self) -> dict[str, str]:
        return {"target": "source"}

    @property
    def channels(self) -> dict[str, int]:
        return {"source": 3, "target": 3}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return 0.8 * image + 0.05 * randn(image.shape[1:], seeds, image.device).clamp(-4, 4)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update((), {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


# ---------------------------------------------------------------------------------------------------------- images


def _noise(count: int, side: int, seed: int) -> Tensor:
    """White noise, rounded to 8 bits."""
    with seeded(seed):
        return torch.randint(0, 256, (count, 3, side, side)) / 127.5 - 1


def _smooth(count: int, side: int, seed: int) -> Tensor:
    """Soft blots of colour, rounded to 8 bits: their statistics are far from those of noise."""
    blots = nn.functional.interpolate(_noise(count, 4, seed), (side, side), mode="bilinear")
    return ((blots + 1) * 127.5).round() / 127.5 - 1


def _images(subject: Subject) -> dict[str, Any]:
    """What `update` gets, by keyword, and the true images: as few and as small as the metric allows."""
    count = max(subject.part.min_samples, 24 if issubclass(subject.part, SetMetric) else 4)
    if count > MOST:
        raise NotApplicable(f"it wants {count} images")
    return _made(count, _side(subject))


@functools.cache
def _side(subject: Subject) -> int:
    """64 pixels, or where the metric refuses that, 176: the five scales of MS-SSIM want 161."""
    images, metric = _made(1, 64), prepared(subject)
    try:
        metric.update(**{name: images[name] for name in metric.inputs})
    except MetricError:
        return 176
    return 64


def _made(count: int, side: int) -> dict[str, Any]:
    truth = _smooth(count, side, 1)
    near = [((0.7 * truth + 0.3 * _noise(count, side, 2 + i) + 1) * 127.5).round() / 127.5 - 1 for i in range(3)]
    return {
        "prediction": near[0],
        "target": truth,
        "source": _smooth(count, side, 9),
        "samples": torch.stack(near, dim=1),
        "model": Translator(_Noisy(), {"method": "noisy"}),
    }


def _blocks(count: int, side: int) -> Tensor:
    """Nearly the same blocks of black and white again and again: far from the true images, and without variety."""
    blocks = nn.functional.interpolate(_noise(1, side // 16, 5)[:, :1].sign(), (side, side))
    contrast = 1 - torch.arange(count).view(-1, 1, 1, 1) * 2 / 255
    return (blocks * contrast).repeat(1, 3, 1, 1)


def _compares(part: Any) -> bool:
    return issubclass(part, SetMetric) or {"prediction", "target"} <= set(part.inputs)


# ----------------------------------------------------------------------------------------------------------- running


def prepared(subject: Subject) -> Any:
    """The part, ready to compute; nothing is downloaded for it."""
    part = subject.build()
    try:
        with weights_in(None, fetch=False), seeded(0):
            part.prepare(torch.device("cpu"))
    except MetricError as error:
        raise NotApplicable(str(error)) from error
    return part


def _batches(count: int, sizes: tuple[int, ...]) -> Iterator[slice]:
    """Slices of so many rows, again and again, up to `count`."""
    start = turn = 0
    while start < count:
        yield slice(start, min(start + sizes[turn % len(sizes)], count))
        start, turn = start + sizes[turn % len(sizes)], turn + 1


def _update(metric: Any, images: dict[str, Any], sizes: tuple[int, ...] = (MOST,)) -> list[Any]:
    """Add the images in batches of these sizes, and return what each `update` returned."""
    returned = []
    for rows in _batches(len(images["target"]), sizes):
        given = {name: images[name] if name == "model" else images[name][rows].clone() for name in metric.inputs}
        try:
            returned.append(metric.update(**given))
        except MetricError as error:
            if {"source", "model"} & set(metric.inputs):  # label maps of a palette, a method of some kind
                raise NotApplicable(f"it wants other inputs than the kit has: {error}") from error
            raise
    return returned


def _run(subject: Subject, images: dict[str, Any] | None = None, sizes: tuple[int, ...] = (MOST,)) -> Any:
    """A prepared metric that has seen the images (and, of sets, the true ones)."""
    images = images or _images(subject)
    metric = prepared(subject)
    if isinstance(metric, SetMetric):
        for rows in _batches(len(images["target"]), sizes):
            metric.add_reference(images["target"][rows].clone())
    _update(metric, images, sizes)
    return metric


def _scores(metric: Any) -> dict[str, Score]:
    """What `compute` gives, by name."""
    found = metric.compute()
    scores = found if isinstance(found, dict) else {"": found}
    require(scores and all(isinstance(s, Score) for s in scores.values()), f"compute gave {found!r}, not a Score")
    return scores


def _values(metric: Any) -> dict[str, float]:
    scores = _scores(metric)
    missing = [s.reason for s in scores.values() if s.value is None]
    require(not missing, f"there is no value: {missing}")
    return {name: float(s.value) for name, s in scores.items() if s.value is not None}


def _same(first: dict[str, float], second: dict[str, float], tolerance: float, where: str) -> None:
    close = all(math.isclose(v, second[n], rel_tol=tolerance, abs_tol=1e-9) for n, v in first.items())
    require(close, f"{where}: found {first} and {second}")


# ------------------------------------------------------------------------------------------------------------- rules


def declares_what_it_measures(subject: Subject) -> None:
    """Direction, bounds, unit and least numbers are declared; `update` takes `inputs`, known ones, by name."""
    part = subject.part
    require(isinstance(getattr(part, "higher_is_better", None), bool), "higher_is_better is no bool")
    low, high = part.bounds
    require(low < high, f"bounds are {part.bounds}")
    require(isinstance(part.unit, str), f"unit is {part.unit!r}")
    least, advised = part.min_samples, part.advised_samples
    require(isinstance(least, int) and least >= 1 and isinstance(advised, int), f"found {least!r} and {advised!r}")
    require(part.qualifier is None or part.qualifier in schema(part), f"qualifier {part.qualifier!r} is no option")
    unknown = [name for name in part.inputs if name not in Metric.known_inputs]
    require(part.inputs and not unknown, f"inputs are {part.inputs!r}; known are {listing(Metric.known_inputs)}")
    for function in (part.update, part.score) if issubclass(part, ImageMetric) else (part.update,):
        taken = list(inspect.signature(function).parameters.values())[1:]
        names = {p.name for p in taken if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        lacking = [] if any(p.kind is p.VAR_KEYWORD for p in taken) else [n for n in part.inputs if n not in names]
        beyond = [p.name for p in taken if p.name in names and p.name not in part.inputs and p.default is p.empty]
        require(not lacking, f"{function.__name__} does not take {listing(lacking)}")
        require(not beyond, f"{function.__name__} requires {listing(beyond)}, which inputs does not name")


def names_its_weights(subject: Subject) -> None:
    """Each of `weights()` has file, address, SHA-256 (or its first eight digits) and licence."""
    for weights in subject.build().weights():
        require(isinstance(weights, Weights), f"found {weights!r}, not Weights")
        require(weights.file and weights.licence.strip(), f"file or licence is missing: {weights!r}")
        require(re.match(r"https?://.", weights.url), f"{weights.file}: the address is {weights.url!r}")
        require(re.fullmatch(r"[0-9a-f]{8,64}", weights.sha256), f"{weights.file}: the SHA-256 is {weights.sha256!r}")


def value_is_within_bounds(subject: Subject) -> None:
    """`compute` gives a Score, or several by name, each a float within `bounds`, in its interval, over all images."""
    images = _images(subject)
    low, high = subject.part.bounds
    scores = _scores(_run(subject, images, (4,)))
    for name, score in scores.items():
        value = score.value
        if not isinstance(value, float) or math.isnan(value):
            raise AssertionError(f"{name} is {value!r} ({score.reason})")
        require(low - 1e-6 <= value <= high + 1e-6, f"{name} is {value!r}, outside of {subject.part.bounds}")
        require(score.n == len(images["target"]), f"n is {score.n} for {len(images['target'])} images")
        if score.low is not None and score.high is not None:
            require(score.low <= value <= score.high, f"{name} is {value}, outside of {score.low} ... {score.high}")


def equal_images_are_the_better_side(subject: Subject) -> None:
    """Images that equal the true ones score better than others, which have nothing of them."""
    if not _compares(subject.part):
        raise NotApplicable("it does not compare with true images")
    images = _images(subject)
    truth = images["target"]
    others = _blocks(len(truth), truth.shape[-1])
    equal, different = (_values(_run(subject, {**images, "prediction": p})) for p in (truth, others))
    for name, value in equal.items():
        better = value > different[name] if subject.part.higher_is_better else value < different[name]
        require(better, f"{name}: equal images have {value:.4g}, others {different[name]:.4g}")


def batches_do_not_matter(subject: Subject) -> None:
    """Batches of 1, 2 and 3 images give what one batch of all gives, to the rounding of the arithmetic."""
    images = _images(subject)
    one, many = (_values(_run(subject, images, sizes)) for sizes in ((MOST,), (1, 2, 3)))
    # networks round differently at other batch sizes, and the root of a covariance enlarges that
    _same(one, many, 1e-4 if issubclass(subject.part, SetMetric) else 1e-6, "one batch and batches of 1, 2 and 3")


def order_does_not_matter(subject: Subject) -> None:
    """The images in another order (of sets, only the translated ones) give the same value."""
    if "seed" in schema(subject.part):
        raise NotApplicable("it draws from the images by its option seed")
    if "model" in subject.part.inputs:
        raise NotApplicable("what a model draws is a function of the place in the list")
    images = _images(subject)
    of_sets = issubclass(subject.part, SetMetric)
    turned = {n: v if n == "model" or (of_sets and n == "target") else v.flip(0) for n, v in images.items()}
    one, other = (_values(_run(subject, p)) for p in (images, turned))
    _same(one, other, 1e-4 if of_sets else 1e-6, "two orders")


def same_images_give_the_same_value(subject: Subject) -> None:
    """The value is a function of the images, whatever the global random state; `compute` may be called again."""
    images = _images(subject)
    values = []
    for seed in (1, 2):
        with seeded(seed):
            metric = _run(subject, images)
            values += [_values(metric), _values(metric)]
    for other in values[1:]:
        _same(values[0], other, 0, "the same images")


def leaves_its_inputs_alone(subject: Subject) -> None:
    """Neither `update` nor `add_reference` writes into the images."""
    images, metric = _images(subject), prepared(subject)
    _update(prepared(subject), images)  # not applicable, if these inputs are not what it reads
    before = {n: v.clone() for n, v in images.items() if n != "model"}
    if isinstance(metric, SetMetric):
        metric.add_reference(images["target"])
    metric.update(**{name: images[name] for name in metric.inputs})
    written = [n for n, v in before.items() if not torch.equal(v, images[n])]
    require(not written, f"it wrote into {listing(written)}")


def each_image_has_a_value(subject: Subject) -> None:
    """`update` returns None or one float for each image; the mean of an ImageMetric's is its value."""
    images, metric = _images(subject), prepared(subject)
    if isinstance(metric, SetMetric):
        metric.add_reference(images["target"])
    returned = _update(metric, images, (4, 2))
    if all(r is None for r in returned) and not isinstance(metric, ImageMetric):
        return
    for rows, found in zip(_batches(len(images["target"]), (4, 2)), returned, strict=True):
        count = rows.stop - rows.start
        require(isinstance(found, Tensor) and found.is_floating_point(), f"update returned {found!r}")
        require(found.shape == (count,), f"{count} images have values of shape {tuple(found.shape)}")
    if isinstance(metric, ImageMetric):
        mean = {name: torch.cat(returned).double().mean().item() for name in _values(metric)}
        _same(_values(metric), mean, 1e-6, "the value and the mean over images")


def reference_state_replaces_the_images(subject: Subject) -> None:
    """What `reference_state` gives can be stored as safetensors, and gives the same value when it is loaded."""
    if not issubclass(subject.part, SetMetric):
        raise NotApplicable("it does not compare sets")
    images = _images(subject)
    first = _run(subject, images)
    state = load(save(dict(first.reference_state())))
    second = prepared(subject)
    second.load_reference_state(state)
    _update(second, images)
    _same(_values(first), _values(second), 0, "true images, and what they left behind")


def nothing_seen_is_an_error(subject: Subject) -> None:
    """`compute` raises MetricError where no image was added."""
    metric = prepared(subject)
    if isinstance(metric, SetMetric):
        metric.add_reference(_images(subject)["target"])
    try:
        found = metric.compute()
    except MetricError:
        return
    raise AssertionError(f"without an image compute gave {found!r}")


def too_few_images_have_no_value(subject: Subject) -> None:
    """With `min_samples` images there is a value, with one fewer MetricError or a Score without value."""
    least = subject.part.min_samples
    if least < 2:
        raise NotApplicable("one image is enough")
    images = _images(subject)
    for count in (least, least - 1):
        few = {n: v if n in ("model", "target") else v[:count] for n, v in images.items()}
        metric = prepared(subject)
        if isinstance(metric, SetMetric):
            metric.add_reference(few["target"])
        few["target"] = few["target"][:count]
        _update(metric, few)
        try:
            value = [s.value for s in _scores(metric).values() if s.value is not None]
        except MetricError:
            value = []
        require(bool(value) == (count == least), f"min_samples is {least}; {count} images have the value {value}")


RULES = (
    declares_what_it_measures,
    names_its_weights,
    value_is_within_bounds,
    equal_images_are_the_better_side,
    batches_do_not_matter,
    order_does_not_matter,
    same_images_give_the_same_value,
    leaves_its_inputs_alone,
    each_image_has_a_value,
    reference_state_replaces_the_images,
    nothing_seen_is_an_error,
    too_few_images_have_no_value,
)
