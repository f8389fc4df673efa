"""Rules for losses: those between images, and the adversarial ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from i2izoo.contracts.parts import AdversarialLoss, ReconstructionLoss
from i2izoo.errors import MetricError
from i2izoo.files.weights import weights_in
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import NotApplicable, Subject, require


def _reconstruction(subject: Subject) -> ReconstructionLoss:
    if not issubclass(subject.part, ReconstructionLoss):
        raise NotApplicable("it is not a reconstruction loss")
    loss = subject.build()
    try:
        with weights_in(None, fetch=False):
            loss(*_images())
    except MetricError as error:  # its network is not on this machine
        raise NotApplicable(str(error)) from error
    return loss


def _adversarial(subject: Subject) -> AdversarialLoss:
    if not issubclass(subject.part, AdversarialLoss):
        raise NotApplicable("it is not an adversarial loss")
    return subject.build()


def _images() -> tuple[Tensor, Tensor]:
    with seeded(5):
        return torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1


def _logits(seed: int) -> list[Tensor]:
    with seeded(seed):
        return [torch.randn(2, 1, 6, 6), torch.randn(2, 1, 3, 3)]


def _is_scalar(loss: Tensor) -> None:
    require(loss.ndim == 0, f"found shape {tuple(loss.shape)}, not a scalar")
    require(torch.isfinite(loss), f"found {loss.item()}")


def _minimise(loss: Callable[[], Tensor], variables: list[Tensor]) -> None:
    optimiser = torch.optim.Adam(variables, lr=0.05)
    for _ in range(20):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


def distance_is_a_scalar(subject: Subject) -> None:
    """A reconstruction loss is a finite scalar, at least 0, also for bfloat16 images, and smallest for equal ones."""
    loss = _reconstruction(subject)
    prediction, target = _images()
    different, equal = loss(prediction, target), loss(target, target)
    _is_scalar(different)
    _is_scalar(loss(prediction.bfloat16(), target.bfloat16()))
    require(0 <= equal < different, f"equal images have {equal.item():.3g}, different ones {different.item():.3g}")


def distance_can_be_minimised(subject: Subject) -> None:
    """Twenty steps of Adam on the prediction lower a reconstruction loss."""
    loss = _reconstruction(subject)
    prediction, target = _images()
    before = loss(prediction, target).item()
    prediction.requires_grad_()
    _minimise(lambda: loss(prediction, target), [prediction])
    after = loss(prediction, target).item()
    require(after < before, f"it went from {before:.4g} to {after:.4g}")


def adversarial_losses_are_scalars(subject: Subject) -> None:
    """Both sides of an adversarial loss are finite scalars, also for bfloat16 and for very sure logits."""
    loss = _adversarial(subject)
    changes: tuple[Callable[[Tensor], Tensor], ...] = (lambda t: t, lambda t: t.bfloat16(), lambda t: 1000 * t)
    for change in changes:
        real, fake = [change(t) for t in _logits(6)], [change(t) for t in _logits(7)]
        _is_scalar(loss.discriminator(real, fake))
        _is_scalar(loss.generator(fake))


def scales_are_summed_and_patches_averaged(subject: Subject) -> None:
    """The adversarial loss of several scales is the sum of each scale's, and tiling a map of logits changes nothing."""
    loss = _adversarial(subject)
    real, fake = _logits(6), _logits(7)
    for side, arguments in ((loss.discriminator, (real, fake)), (loss.generator, (fake,))):
        whole = side(*arguments)
        parts = torch.stack([side(*([a[i]] for a in arguments)) for i in range(2)]).sum()
        require(torch.allclose(whole, parts, atol=1e-5), f"{side.__name__}: {whole:.5g}, its scales {parts:.5g}")
        tiled = side(*([t.repeat(1, 1, 2, 3) for t in a] for a in arguments))
        require(torch.allclose(tiled, whole, atol=1e-5), f"{side.__name__}: {whole:.5g}, {tiled:.5g} when tiled")


def adversarial_losses_pull_the_right_way(subject: Subject) -> None:
    """Minimised, the discriminator's side lifts real logits above fake ones, the generator's side lifts fake ones."""
    loss = _adversarial(subject)
    real, fake = [[t.zero_().requires_grad_() for t in _logits(s)] for s in (6, 7)]
    _minimise(lambda: loss.discriminator(real, fake), [*real, *fake])
    require(all((r.mean() > f.mean()).item() for r, f in zip(real, fake, strict=True)), "the discriminator's does not")
    fake = [t.zero_().requires_grad_() for t in _logits(7)]
    _minimise(lambda: loss.generator(fake), fake)
    require(all(f.mean() > 0 for f in fake), "the generator's does not")


class _Discriminator(nn.Module):
    """The least that a penalty can be taken of."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 1, 3)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.second(torch.tanh(self.first(image)))]


def penalty_is_the_discriminators(subject: Subject) -> None:
    """A penalty, if there is one, is a finite scalar with a gradient for the discriminator, none for the image."""
    loss = _adversarial(subject)
    real, fake = _images()
    with seeded(8):
        discriminator = _Discriminator()
        penalty = loss.penalty(discriminator, real, fake.requires_grad_())
    if penalty is None:
        raise NotApplicable("the loss has no penalty")
    _is_scalar(penalty)
    penalty.backward()
    require(discriminator.first.weight.grad is not None, "the discriminator gets no gradient")
    require(fake.grad is None, "the generated image gets a gradient")


RULES = (
    distance_is_a_scalar,
    distance_can_be_minimised,
    adversarial_losses_are_scalars,
    scales_are_summed_and_patches_averaged,
    adversarial_losses_pull_the_right_way,
    penalty_is_the_discriminators,
)
