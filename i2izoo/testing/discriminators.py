"""Rules for discriminators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from i2izoo.contracts.config import schema
from i2izoo.nn.init import init_weights
from i2izoo.nn.random import seeded
from i2izoo.nn.spectral import raw_weight
from i2izoo.testing.networks import gap, run
from i2izoo.testing.subject import NotApplicable, Subject, inputs, require


def logits_come_as_a_list(subject: Subject) -> None:
    """`forward` gives a list with one N x 1 x h x w (or N x 1) of finite logits for each scale, from min_size on.

    One with an option `size` is given images of that side.
    """
    network = subject.network()
    least, own = network.min_size, network.config.get("size")
    _, *conditions = inputs(network)
    for size in ((own, own),) if own else ((least, least), (2 * least + 1, least + 5)):
        with seeded(4), torch.no_grad():
            logits = network(torch.rand(2, network.config["in_channels"], *size) * 2 - 1, *conditions)
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
    image, *conditions = inputs(network)
    logits: list[Tensor] = network(image.requires_grad_(), *conditions)
    (slope,) = torch.autograd.grad(torch.stack([s.sum() for s in logits]).sum(), image, create_graph=True)
    try:
        slope.square().sum().backward()
    except RuntimeError as error:
        raise AssertionError(f"{str(error).splitlines()[0]} (timm: timm.layers.set_fused_attn(False))") from error
    require(any(p.grad is not None for p in network.parameters()), "no parameter gets a second derivative")


def spectral_norm_bounds_its_layers(subject: Subject) -> None:
    """With spectral_norm=True no convolution or linear layer's matrix stretches anything, once it is in use.

    What a method's initialisation drew stays behind it, and a state dict brings back weights and singular vectors.
    """
    if "spectral_norm" not in schema(subject.part):
        raise NotApplicable("it has no such option")
    network, fresh = (subject.build(spectral_norm=True, seed=seed) for seed in (0, 1))
    with seeded(5):
        init_weights(network, "normal", 0.5)
    before = {name: raw_weight(layer).clone() for name, layer in _matrices(network)}
    if not before:
        raise NotApplicable("it has no convolution and no linear layer")
    for _ in range(50):
        network.train()(*inputs(network))
    for name, layer in _matrices(network):
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1).double(), 2).item()
        require(0.99 < largest < 1.01, f"{name}.weight has the largest singular value {largest:.4f}, not 1")
        require(torch.equal(raw_weight(layer), before[name]), f"a forward pass changed the parameter behind {name}")
    fresh.load_state_dict(network.state_dict(), strict=True)
    given = inputs(network)
    require(gap(run(fresh.eval(), *given), run(network.eval(), *given)) == 0, "the reloaded output differs")


def _matrices(network: nn.Module) -> list[tuple[str, Any]]:
    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    return [(name, layer) for name, layer in network.named_modules() if isinstance(layer, kinds)]


RULES = (
    logits_come_as_a_list,
    channels_are_an_option,
    has_a_second_derivative,
    spectral_norm_bounds_its_layers,
)
