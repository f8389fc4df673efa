"""Rules for extractors: an image of any size has one vector of features, which depends on that image alone."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.nn.random import seeded
from i2izoo.testing.metrics import names_its_weights, prepared
from i2izoo.testing.subject import NotApplicable, Subject, require

SIZES = ((32, 32), (47, 64), (100, 33))


def _images(count: int = 3, size: tuple[int, int] = (64, 48)) -> Tensor:
    with seeded(3):
        return torch.rand(count, 3, *size) * 2 - 1


def features_are_one_row_for_each_image(subject: Subject) -> None:
    """Images of any size from 32 x 32, in batches of any size, have finite float features N x D of one D."""
    extractor, widths = prepared(subject), set()
    for count, size in enumerate(SIZES, 1):
        features = extractor(_images(count, size))
        shape = tuple(features.shape)
        require(features.ndim == 2 and shape[0] == count, f"{count} images have features of shape {shape}")
        require(features.dtype == torch.float32, f"found {features.dtype}, not float32")
        require(torch.isfinite(features).all(), f"not finite at {size[0]} x {size[1]}")
        widths.add(shape[1])
    require(len(widths) == 1, f"sizes {SIZES} have {sorted(widths)} features")


def rows_are_independent(subject: Subject) -> None:
    """An image has the same features alone as among others, and another image has other features."""
    extractor, images = prepared(subject), _images()
    together = extractor(images)
    alone = torch.cat([extractor(image[None]) for image in images])
    require(torch.allclose(together, alone, rtol=1e-3, atol=1e-4 * together.abs().max().item()), "the neighbours count")
    require(not torch.allclose(together[0], together[1]), "two images have the same features")


def is_deterministic(subject: Subject) -> None:
    """The features are a function of the image alone, whatever the global random state."""
    extractor, found = prepared(subject), []
    for seed in (1, 2):
        with seeded(seed):
            found.append(extractor(_images()))
    require(torch.equal(*found), "one image has two features")


def leaves_its_input_alone(subject: Subject) -> None:
    """`forward` does not write into the images, and keeps no graph for a gradient of the weights."""
    images = _images()
    features = prepared(subject)(images)
    require(torch.equal(images, _images()), "it wrote into its input")
    require(not features.requires_grad, "the weights still want a gradient after prepare")


def logits_belong_to_classes(subject: Subject) -> None:
    """`logits` maps N x D features to finite N x classes, or is a MetricError."""
    extractor = prepared(subject)
    features = extractor(_images())
    try:
        logits = extractor.logits(features)
    except MetricError as error:
        raise NotApplicable(str(error)) from error
    require(logits.ndim == 2 and len(logits) == len(features), f"found shape {tuple(logits.shape)}")
    require(logits.shape[1] > 1 and torch.isfinite(logits).all(), "they are not finite, or of one class")


def maps_are_differentiable(subject: Subject) -> None:
    """`maps` gives finite maps N x C x h x w, never finer than those before, with a gradient for the image; or raises
    MetricError."""
    extractor, images = prepared(subject), _images().requires_grad_()
    try:
        maps = extractor.maps(images)
    except MetricError as error:
        raise NotApplicable(str(error)) from error
    require(isinstance(maps, list) and maps, f"found {type(maps).__name__}, not a list of maps")
    for each in maps:
        shape = tuple(each.shape)
        require(each.ndim == 4 and shape[0] == len(images), f"{len(images)} images have a map of shape {shape}")
        require(torch.isfinite(each).all(), f"a map of shape {shape} is not finite")
        (slope,) = torch.autograd.grad(each.square().sum(), images, retain_graph=True)
        require(slope.abs().amax(dim=(1, 2, 3)).gt(0).all(), f"a map of shape {shape} has no gradient for the image")
    sides = [each.shape[-1] for each in maps]
    require(sides == sorted(sides, reverse=True), f"maps are {sides} wide, not from fine to coarse")


RULES = (
    names_its_weights,
    features_are_one_row_for_each_image,
    rows_are_independent,
    is_deterministic,
    leaves_its_input_alone,
    logits_belong_to_classes,
    maps_are_differentiable,
)
