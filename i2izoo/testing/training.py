"""Rules for how methods learn, through the trainer's own code and on the CPU."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from i2izoo.contracts.annotations import part_interface
from i2izoo.contracts.augmentation import Augmentation
from i2izoo.contracts.config import schema
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.method import Batch, Method
from i2izoo.contracts.parts import AdversarialLoss, Discriminator
from i2izoo.contracts.registry import registry
from i2izoo.errors import listing
from i2izoo.models.storage import method_config
from i2izoo.models.translator import Translator
from i2izoo.nn.random import seeded
from i2izoo.testing.images import RandomImages
from i2izoo.testing.subject import NotApplicable, Subject, require
from i2izoo.training.device import outermost
from i2izoo.training.step import Stepper
from i2izoo.training.trainer import Trainer

STEPS = 6
"""Enough for a discriminator that is trained five times as often as its generator."""


def data_for(method: Method) -> RandomImages:
    """Noise of the method's classes, at its training size, else the smallest from 32 that all its networks accept."""
    multiple = max(method.size_multiple(to) for to in method.directions)
    discriminators = [m.min_size for m in method.modules() if isinstance(m, Discriminator)]
    least = max(32, *(method.min_size(to) for to in method.directions), *discriminators)
    channels = {d: method.channels[d] for d in method.domains}
    kind: Any = "paired" if method.data == "paired" else "unpaired"
    size = method.training_size[0] if method.training_size else least + -least % multiple
    return RandomImages(channels=channels, size=size, kind=kind, classes=list(method.classes))


def batches(method: Method, count: int) -> list[Batch]:
    """Batches of two, as the first steps of a run get them."""
    data = data_for(method)
    made = []
    for step in range(count):
        places = [(2 * step + row) % len(data) for row in range(2)]
        rows = [data.sample(place, seed=step) for place in places]
        labels = torch.tensor([data.label(place) for place in places]) if method.classes else None
        texts = [data.text(place) for place in places]
        images = {d: torch.stack([r[d] for r in rows]) for d in data.domains}
        made.append(Batch(images, step, step / count, labels=labels, texts=texts))
    return made


def stepper_of(method: Method, autocast: Callable[[], Any] = contextlib.nullcontext) -> Stepper:
    return Stepper(method.train(), autocast, torch.amp.GradScaler("cpu", enabled=False))


def _check_losses(losses: dict[str, torch.Tensor]) -> None:
    require(losses, "training_step yielded no loss")
    bad = [name for name, value in losses.items() if not torch.isfinite(value)]
    require(not bad, f"losses that are not finite: {listing(bad)}")


def every_optimizer_learns(subject: Subject) -> None:
    """Within six steps every optimiser steps, all its parameters get a gradient, and it changes them."""
    method: Method = subject.build()
    stepper = stepper_of(method)
    before = {name: [p.detach().clone() for p in group] for name, group in stepper.parameters.items()}
    reached: set[int] = set()
    stepped: set[str] = set()

    def watch(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            stepped.add(name)
            reached.update(id(p) for p in stepper.parameters[name] if p.grad is not None)

        return hook

    for name, optimizer in stepper.optimizers.items():
        optimizer.register_step_pre_hook(watch(name))
    for batch in batches(method, STEPS):
        with seeded(batch.step):
            _check_losses(stepper.run([batch]))
    idle = stepper.optimizers.keys() - stepped
    require(not idle, f"optimisers that never step: {listing(sorted(idle))}")
    names = {id(p): n for n, p in method.named_parameters()}
    for name, group in stepper.parameters.items():
        without = [names.get(id(p), "?") for p in group if p.requires_grad and id(p) not in reached]
        require(not without, f"optimiser {name!r} has parameters that get no gradient: {listing(without, 5)}")
        changed = any(not torch.equal(p, old) for p, old in zip(group, before[name], strict=True))
        require(changed, f"optimiser {name!r} steps, but changes nothing")


def what_translates_is_trained(subject: Subject) -> None:
    """Every parameter of the inference parts that wants a gradient is in an optimiser."""
    method: Method = subject.build()
    owned = {id(p) for o in method.optimizers().values() for g in o.param_groups for p in g["params"]}
    needed = method.inference_state()
    parameters = [(n, p) for n, p in method.named_parameters() if n in needed]
    left = [n for n, p in parameters if p.requires_grad and id(p) not in owned]
    require(not left, f"in no optimiser: {listing(left, 5)}; train them or set requires_grad=False")


def trains_in_bfloat16(subject: Subject) -> None:
    """A step under autocast to bfloat16 gives finite losses and leaves the weights float32 and finite."""
    method: Method = subject.build()
    stepper = stepper_of(method, lambda: torch.autocast("cpu", torch.bfloat16))
    with seeded(0):
        _check_losses(stepper.run(batches(method, 1)))
    bad = [n for n, p in method.named_parameters() if p.dtype != torch.float32 or not torch.isfinite(p).all()]
    require(not bad, f"weights that are not finite float32: {listing(bad, 5)}")


def discriminators_are_augmented(subject: Subject) -> None:
    """With each augmentation of its discriminators, and with R1, a method learns; all they see in a step is augmented.

    A discriminator is called, `discriminator(image)`, and never by its `forward`, which is past the augmentation.
    """
    judges = _options_of(subject, Discriminator)
    if not judges:
        raise NotApplicable("it has no option that is a discriminator")
    method: Method = subject.build()
    changes = [_within(method, judges, "augment", _tiny(augment)) for augment in registry("augmentations").entries()]
    changes.append(_within(method, _options_of(subject, AdversarialLoss), "r1", 1.0))
    for change in changes:
        _step(subject.build(**change))
    seen: list[torch.Tensor] = []
    for judge in outermost(method, Discriminator):
        judge.augment, judge.forward = _Blackout(), _spied(judge.forward, seen)
    stepper = stepper_of(method)
    for batch in batches(method, STEPS)[::2]:  # some networks learn late in a training
        with seeded(batch.step):
            stepper.run([batch])
    require(seen, "no discriminator saw an image")
    plain = sum(image.abs().sum().item() > 0 for image in seen)
    require(not plain, f"{plain} of {len(seen)} batches that discriminators saw were not augmented")


class _Blackout(Augmentation):
    """Leaves nothing of an image."""

    def forward(self, image: torch.Tensor, condition_channels: int = 0) -> torch.Tensor:
        return 0 * image


def _spied(forward: Callable[..., Any], seen: list[torch.Tensor]) -> Callable[..., Any]:
    def spy(image: torch.Tensor, *conditions: torch.Tensor) -> Any:
        seen.append(image.detach())
        return forward(image, *conditions)

    return spy


def _options_of(subject: Subject, interface: type) -> list[str]:
    """The options of a method that are parts behind an interface."""
    found = {name: part_interface(option.annotation) for name, option in schema(subject.part).items()}
    return [name for name, kind in found.items() if kind is not None and issubclass(kind, interface)]


def _within(method: Method, parts: list[str], option: str, value: Any) -> dict[str, Any]:
    """Options that give an option to these parts, on top of those that the method has them with."""
    return {part: {**method.config[part], option: value} for part in parts}


def _tiny(augment: Entry) -> dict[str, Any]:
    """An augmentation at its tiny options."""
    name = f"{augment.distribution}:{augment.name}"
    return {"name": name, **(registry("augmentations").get(name).tiny_options or {})}


def _step(method: Method) -> None:
    """The first step, with losses and weights that are finite."""
    stepper = stepper_of(method)
    with seeded(0):
        _check_losses(stepper.run(batches(method, 1)))
    bad = [name for name, value in method.named_parameters() if not torch.isfinite(value).all()]
    require(not bad, f"weights that are not finite: {listing(bad, 5)}")


def resumes_exactly(subject: Subject) -> None:
    """A run of four steps that is stopped after two and resumed ends, bit for bit, as the uninterrupted one."""

    def trainer(out: Path, resume: Any = None) -> Trainer:
        method: Method = subject.build()
        model = Translator(method, method_config(method, subject.entry.name))
        return Trainer(
            model, data_for(method), out=out, resume=resume, progress=False, steps=4, decay_steps=0, batch_size=2,
            sample_every=0, tensorboard=False, device="cpu",
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder, seeded(0):
        whole = trainer(Path(folder) / "whole")
        whole.fit()
        first = trainer(Path(folder) / "parts")
        for _ in range(2):
            first.train_step()
        first.save()
        first.loader.close()
        second = trainer(Path(folder) / "parts", resume="auto")
        require(second.step == 2, f"the checkpoint of step 2 resumed at step {second.step}")
        second.fit()
    wanted, found = whole.method.state_dict(), second.method.state_dict()
    wrong = [name for name, value in wanted.items() if not torch.equal(value, found[name])]
    require(
        not wrong,
        f"{len(wrong)} tensors differ, such as {listing(wrong, 3)}; is there state that no buffer or training_state() "
        "holds, or randomness that is not torch's?",
    )


RULES = (
    every_optimizer_learns,
    what_translates_is_trained,
    trains_in_bfloat16,
    discriminators_are_augmented,
    resumes_exactly,
)
