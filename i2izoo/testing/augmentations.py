"""Rules for augmentations: what a discriminator, a penalty and a checkpoint rely on."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.contracts.augmentation import Augmentation
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import NotApplicable, Subject, require

SHAPES = ((2, 1, 32, 32), (2, 3, 33, 20), (2, 6, 16, 40))


def _image(*shape: int) -> Tensor:
    with seeded(12):
        return torch.rand(*shape) * 2 - 1


def _augmented(augment: Augmentation, image: Tensor, condition: int = 0) -> Tensor:
    with seeded(13):
        return augment(image, condition)


def shape_and_kind_stay(subject: Subject) -> None:
    """Any number of channels, with and without a condition, and any sides come back at their shape, finite."""
    augment: Augmentation = subject.build()
    for shape in SHAPES:
        for condition in {0, shape[1] // 2}:
            image = _image(*shape)
            kept = image.clone()
            output = _augmented(augment, image, condition)
            require(output.shape == image.shape, f"{shape} became {tuple(output.shape)}")
            require(output.dtype == image.dtype and torch.isfinite(output).all(), "values are not finite float32")
            require(torch.equal(image, kept), "it changes its input in place")


def draws_are_torchs(subject: Subject) -> None:
    """The same random state of torch gives the same images, another one others, and each row has draws of its own."""
    augment: Augmentation = subject.build()
    image = _image(1, 3, 32, 32).expand(4, -1, -1, -1)
    first = _augmented(augment, image)
    require(torch.equal(first, _augmented(augment, image)), "the same random state gives other images")
    with seeded(14):
        other = augment(image)
    require(not torch.equal(first, other), "another random state gives the same images")
    require(any(not torch.equal(first[0], row) for row in first[1:]), "all rows are changed alike")


def condition_keeps_its_colours(subject: Subject) -> None:
    """Twice the condition comes back as twice that: it is moved, and neither shifted nor bent in its values."""
    augment: Augmentation = subject.build()
    image = _image(2, 6, 32, 32)
    twice = torch.cat([2 * image[:, :3], image[:, 3:]], dim=1)
    once, found = _augmented(augment, image, 3), _augmented(augment, twice, 3)
    require(torch.allclose(found[:, :3], 2 * once[:, :3], atol=1e-5), "the condition's values are changed")
    require(torch.allclose(found[:, 3:], once[:, 3:], atol=1e-5), "the image depends on the condition's values")


def gradient_passes_twice(subject: Subject) -> None:
    """The generator gets a gradient through it, and a penalty of the discriminator's slope can be differentiated."""
    augment: Augmentation = subject.build()
    image = _image(2, 3, 32, 32).requires_grad_()
    weight = torch.ones((), requires_grad=True)
    score = (weight * _augmented(augment, image)).square().sum()
    (slope,) = torch.autograd.grad(score, image, create_graph=True)
    require(torch.isfinite(slope).all() and slope.abs().sum() > 0, "the image gets no finite gradient")
    slope.square().sum().backward()
    require(weight.grad is not None and weight.grad.abs() > 0, "the slope has no derivative")


def state_is_kept(subject: Subject) -> None:
    """An adaptive one goes on, after its state went through a checkpoint, as if nothing had been."""
    augment: Augmentation = subject.build()
    if not augment.adaptive:
        raise NotApplicable("it does not adapt")
    other: Augmentation = subject.build()
    with seeded(15):
        batches = [[torch.randn(3, 1, 5, 5)] for _ in range(12)]
    for batch in batches[:5]:
        augment.observe(batch)
    state = {name: value.clone() for name, value in augment.training_state().items()}
    other.load_training_state(state, torch.device("cpu"))
    for batch in batches[5:]:
        augment.observe(batch)
        other.observe(batch)
        logs = augment.training_log(), other.training_log()
        require(logs[0].keys() == logs[1].keys(), "the log has other names")
        wrong = [name for name in logs[0] if not torch.equal(logs[0][name], logs[1][name])]
        require(not wrong, f"after a checkpoint {wrong} goes another way")
    image = _image(2, 3, 32, 32)
    require(torch.equal(_augmented(augment, image), _augmented(other, image)), "it augments otherwise")


RULES = (shape_and_kind_stay, draws_are_torchs, condition_keeps_its_colours, gradient_passes_twice, state_is_kept)
