"""Rules for generators that make images of latents."""

from __future__ import annotations

import torch

from i2izoo.contracts.config import schema
from i2izoo.contracts.styles import StyleGenerator
from i2izoo.nn.random import seeded
from i2izoo.testing.networks import TOLERANCE, gap, run
from i2izoo.testing.subject import NotApplicable, Subject, inputs, require


def output_is_an_image_of_its_size(subject: Subject) -> None:
    """The output is N x out_channels x size x size, in [-1, 1], for 1 and 4 channels, with and without a condition."""
    lacking = {"latent", "condition", "out_channels", "size"} - schema(subject.part).keys()
    require(not lacking, f"it lacks the options {sorted(lacking)}")
    for channels, condition in ((1, 0), (4, 3)):
        network = subject.build(out_channels=channels, condition=condition).eval()
        (output,) = run(network, *inputs(network))
        side = network.config["size"]
        wanted = (2, channels, side, side)
        require(tuple(output.shape) == wanted, f"found {tuple(output.shape)}, not {wanted}")
        require(bool((output.abs() <= 1).all()), f"values are from {output.min():.3g} to {output.max():.3g}")


def latent_and_condition_decide(subject: Subject) -> None:
    """Another latent gives another image, and so does another condition."""
    network = subject.build(condition=3).eval()
    first, other = inputs(network), inputs(network, seed=3)
    for name, changed in (("latent", (other[0], first[1])), ("condition", (first[0], other[1]))):
        require(gap(run(network, *changed), run(network, *first)) > 0, f"another {name} gives the same image")


def rows_are_independent(subject: Subject) -> None:
    """In eval mode a row of a batch gives what it gives alone."""
    network = subject.network()
    given = inputs(network, batch=3)
    difference = gap(run(network, *(g[1:2] for g in given)), [run(network, *given)[0][1:2]])
    require(difference <= TOLERANCE, f"a row differs from itself alone by {difference:.2g}, more than {TOLERANCE}")


def takes_latents_of_the_length_asked_for(subject: Subject) -> None:
    """The latent has the length that its option says."""
    network = subject.build(latent=5).eval()
    with seeded(0), torch.no_grad():
        _, *told = inputs(network)
        require(torch.isfinite(network(torch.randn(1, 5), *(t[:1] for t in told))).all(), "values are not finite")


def styles_make_the_image(subject: Subject) -> None:
    """A generator of styles is its two halves: what the last of the stages gives is the image of z.

    Sides of the stages grow, each layer has a w of its own, and truncation to 0 gives the average.
    """
    network = subject.network()
    if not isinstance(network, StyleGenerator):
        raise NotApplicable("it has no styles")
    mapping, synthesis = network.mapping, network.synthesis
    with torch.no_grad(), seeded(4):
        given = inputs(network, batch=2)
        w = mapping(*given)[:, None].repeat(1, synthesis.layers, 1)
        require(w.shape[2:] == mapping.average.shape, f"w is of {w.shape[2]} numbers, not {len(mapping.average)}")
        stages = list(synthesis.stages(w, "constant"))
        sides = [side for side, *_ in stages]
        require(sides == sorted(sides) and sides, f"stages are of the sides {sides}")
        require(all(f.shape[-2:] == (side, side) for side, f, _ in stages), "features are not of their stage's side")
        image = synthesis(w, "constant")
        last = stages[-1][2]
        require(last is not None and torch.equal(image, last), "the last stage has another image")
        require(gap([image.clamp(-1, 1)], run(network, *given)) <= TOLERANCE, "the halves make another image than both")
        for layer in range(synthesis.layers):
            moved = w.clone()
            moved[:, layer] += 1
            require(gap([synthesis(moved, "constant")], [image]) > 0, f"w of layer {layer} changes nothing")
        average = mapping.truncated(w, 0.0)
        require(torch.equal(average, mapping.average.expand_as(w)), "truncated to 0 it is not the average")


RULES = (
    output_is_an_image_of_its_size,
    latent_and_condition_decide,
    rows_are_independent,
    takes_latents_of_the_length_asked_for,
    styles_make_the_image,
)
