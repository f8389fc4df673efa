"""Rules for discriminators."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.nn.random import seeded
from i2izoo.testing.networks import run
from i2izoo.testing.subject import Subject, inputs, require


def logits_come_as_a_list(subject: Subject) -> None:
    """`forward` gives a list with one N x 1 x h x w (or N x 1) of finite logits for each scale, from min_size on."""
    network = subject.network()
    least = network.min_size
    for size in ((least, least), (2 * least + 1, least + 5)):
        with seeded(4), torch.no_grad():
            logits = network(torch.rand(2, network.config["in_channels"], *size) * 2 - 1)
        require(isinstance(logits, list) and logits, f"found {type(logits).__name__}")
        for scale in logits:
            shape = tuple(scale.shape)
            require(shape[:2] == (2, 1) and len(shape) in (2, 4) and scale.numel(), f"found logits of shape {shape}")
            require(torch.isfinite(scale).all(), "found logits that are not finite")


def channels_are_an_option(subject: Subject) -> None:
    """It has the option in_channels, and takes 1, 4 and 6 (image and condition together)."""
    require("in_channels" in schema(subject.part), "it lacks the option in_channels")
    for channels in (1, 4, 6):
        network = subject.build(in_channels=channels).eval()
        require(run(network, *inputs(network)), f"in_channels={channels} gave no logits")


def has_a_second_derivative(subject: Subject) -> None:
    """The gradient with respect to the image can be differentiated again, as gradient penalties do."""
    network = subject.network()
    image = inputs(network)[0].requires_grad_()
    logits: list[Tensor] = network(image)
    (slope,) = torch.autograd.grad(torch.stack([s.sum() for s in logits]).sum(), image, create_graph=True)
    try:
        slope.square().sum().backward()
    except RuntimeError as error:
        raise AssertionError(f"{str(error).splitlines()[0]} (timm: timm.layers.set_fused_attn(False))") from error
    require(any(p.grad is not None for p in network.parameters()), "no parameter gets a second derivative")


RULES = (logits_come_as_a_list, channels_are_an_option, has_a_second_derivative)
