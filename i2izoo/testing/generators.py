"""Rules for generators."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.parts import Generator
from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.testing.networks import TOLERANCE, gap, run
from i2izoo.testing.subject import NotApplicable, Subject, inputs, require


def sized_inputs(network: Generator, height: int, width: int) -> tuple[Tensor, ...]:
    """Arguments of `forward` whose images are height x width."""
    arguments = inputs(network)
    side = arguments[0].shape[-2:]
    with seeded(4):
        return tuple(
            torch.rand(*a.shape[:2], height, width) * 2 - 1 if a.ndim == 4 and a.shape[-2:] == side else a
            for a in arguments
        )


def output_has_the_size_of_the_input(subject: Subject) -> None:
    """At its smallest legal size and at larger, oblong ones the output is N x out_channels x H x W."""
    network = subject.network()
    multiple = network.size_multiple
    least = network.min_size + -network.min_size % multiple
    for size in ((least, least), (least, least + multiple), (least + 3 * multiple, least + multiple)):
        (output,) = run(network, *sized_inputs(network, *size))
        wanted = (2, network.config["out_channels"], *size)
        require(tuple(output.shape) == wanted, f"{size[0]} x {size[1]} gave {tuple(output.shape)}, not {wanted}")
        require(torch.isfinite(output).all(), f"{size[0]} x {size[1]} gave values that are not finite")


def channels_are_options(subject: Subject) -> None:
    """It has the options in_channels and out_channels, and does what they say for 1 and 4 (or refuses in words)."""
    lacking = {"in_channels", "out_channels"} - schema(subject.part).keys()
    require(not lacking, f"it lacks the options {sorted(lacking)}")
    for before, after in ((1, 1), (4, 4), (1, 3), (4, 1)):
        try:
            network = subject.build(in_channels=before, out_channels=after).eval()
        except ConfigError:
            continue
        image, *conditions = inputs(network)
        require(image.shape[1] == before, f"example_inputs has {image.shape[1]} channels for in_channels={before}")
        (output,) = run(network, image, *conditions)
        require(output.shape[1] == after, f"out_channels={after} gave {output.shape[1]} channels")


def rows_are_independent(subject: Subject) -> None:
    """In eval mode a row of a batch gives what it gives alone."""
    network = subject.network()
    given = inputs(network, batch=3)
    if any(len(g) != 3 for g in given):
        raise NotApplicable("an input has no batch dimension")
    (together,) = run(network, *given)
    (alone,) = run(network, *(g[1:2] for g in given))
    difference = gap([together[1:2]], [alone])
    require(difference <= TOLERANCE, f"a row differs from itself alone by {difference:.2g}, more than {TOLERANCE}")


RULES = (output_has_the_size_of_the_input, channels_are_options, rows_are_independent)
