"""Rules for everything with weights: generators, discriminators and encoders."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2izoo.errors import listing
from i2izoo.files.writing import read_tensors, write_tensors
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import Subject, inputs, require

TOLERANCE = 1e-4
"""Of outputs that another kernel computed: other batch size, other memory format; relative to the largest value."""


def run(network: Any, *arguments: Tensor) -> list[Tensor]:
    """The outputs as a list, without a graph."""
    with torch.no_grad():
        return as_list(network(*arguments))


def as_list(output: Any) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else list(output)


def gap(found: list[Tensor], wanted: list[Tensor]) -> float:
    """Largest difference, relative to the largest value (or 1); infinite for other shapes."""
    if [f.shape for f in found] != [w.shape for w in wanted]:
        return float("inf")
    pairs = [(f.float(), w.float()) for f, w in zip(found, wanted, strict=True)]
    return max(float((f - w).abs().max()) / max(1.0, float(w.abs().max())) for f, w in pairs)


def is_deterministic_in_eval(subject: Subject) -> None:
    """In eval mode the same input gives the same output, whatever the global random state."""
    network = subject.network()
    with seeded(1):
        first = run(network, *inputs(network))
    with seeded(2):
        second = run(network, *inputs(network))
    require(gap(first, second) == 0, f"two calls differ by {gap(first, second):.2g}; does it draw, or count calls?")


def leaves_its_input_alone(subject: Subject) -> None:
    """`forward` does not write into its input."""
    network = subject.network()
    given = inputs(network)
    kept = [g.clone() for g in given]
    run(network, *given)
    require(gap(list(given), kept) == 0, "the input was changed; is the first layer in place?")


def gradient_reaches_everything(subject: Subject) -> None:
    """In training mode the gradient of the output reaches every parameter and the image, and is finite."""
    network = subject.network().train()
    image, *conditions = inputs(network)
    outputs = as_list(network(image.requires_grad_(), *conditions))
    with seeded(3):
        sum((o * torch.randn_like(o)).sum() for o in outputs).backward()  # type: ignore[union-attr]
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    require(not without, f"parameters without gradient: {listing(without, 5)}")
    bad = [n for n, p in network.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not bad, f"parameters whose gradient is not finite: {listing(bad, 5)}")
    require(image.grad is not None and image.grad.abs().sum() > 0, "the image gets no gradient")


def copies_are_independent(subject: Subject) -> None:
    """`copy.deepcopy` gives the same network, and changing the copy leaves the original."""
    network = subject.network()
    given = inputs(network)
    before = run(network, *given)
    twin = copy.deepcopy(network)
    require(gap(run(twin, *given), before) == 0, "the copy gives another output")
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    require(gap(run(network, *given), before) == 0, "changing the copy changed the original")


def weights_reload_strictly(subject: Subject) -> None:
    """The state dict goes through safetensors into a fresh network, strictly, which then gives the same output."""
    network = subject.network()
    given = inputs(network)
    with tempfile.TemporaryDirectory() as folder:
        write_tensors(Path(folder) / "x.safetensors", network.state_dict())
        state = read_tensors(Path(folder) / "x.safetensors")
    with seeded(9):
        fresh = type(network)(**network.config).eval()
    fresh.load_state_dict(state, strict=True)
    difference = gap(run(fresh, *given), run(network, *given))
    require(difference == 0, f"the reloaded output differs by {difference:.2g}; is some state no parameter or buffer?")


def channels_last_changes_nothing(subject: Subject) -> None:
    """The channels-last memory format gives the output of the contiguous one."""
    network = subject.network()
    given = inputs(network)
    before = run(network, *given)
    network.to(memory_format=torch.channels_last)
    last = [g.to(memory_format=torch.channels_last) if g.ndim == 4 else g for g in given]
    difference = gap(run(network, *last), before)
    require(difference <= TOLERANCE, f"outputs differ by {difference:.2g}, more than {TOLERANCE}")


def bfloat16_is_finite(subject: Subject) -> None:
    """Under autocast to bfloat16 the output is finite, and of the same shape."""
    network = subject.network()
    given = inputs(network)
    before = run(network, *given)
    with torch.autocast("cpu", torch.bfloat16):
        half = run(network, *given)
    require([h.shape for h in half] == [b.shape for b in before], "the shape differs")
    require(all(torch.isfinite(h).all() for h in half), "the output is not finite")


RULES = (
    is_deterministic_in_eval,
    leaves_its_input_alone,
    gradient_reaches_everything,
    copies_are_independent,
    weights_reload_strictly,
    channels_last_changes_nothing,
    bfloat16_is_finite,
)
