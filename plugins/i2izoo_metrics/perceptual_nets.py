"""The frozen networks that image distances look through: LPIPS on AlexNet or VGG-16, and VGG-19.

The trunks are torchvision's, trained on ImageNet. The files are found by `i2izoo.files.weights.find`, so that
they are checked, kept and explained when they are missing, whichever library would have fetched them.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Literal

import torch
from torch import nn

from i2izoo.files.weights import find
from i2izoo.interfaces import Weights
from i2izoo_metrics.networks import VGG16_WEIGHTS, built, read_state

ADDRESS = "https://download.pytorch.org/models/"
ALEXNET, VGG19 = (
    Weights(file, ADDRESS + file, sha256=file[-12:-4], licence="BSD-3-Clause", size=size)
    for file, size in (("alexnet-owt-7be5be79.pth", 244_408_911), ("vgg19-dcbb9e9d.pth", 574_673_361))
)

TRUNKS = {"alex": ALEXNET, "vgg": VGG16_WEIGHTS}
LEAST_SIDE = {"alex": 31, "vgg": 16}
"""Smallest sides, in pixels, whose deepest features are not empty."""


def open_lpips(net: Literal["alex", "vgg"], device: torch.device, version: Literal["0.1", "0.0"] = "0.1") -> nn.Module:
    """The lpips package's network with its own linear heads; `network(a, b)` is N x 1 x 1 x 1 for images in [-1, 1].

    Raises:
        MetricError: "needs ...": the weights of the trunk are not here and cannot be fetched.
    """
    weights = TRUNKS[net]
    state = read_state(find(weights), weights)
    import lpips

    # the package says hello on stdout and calls torchvision in a deprecated way
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, version=version, pnet_rand=True, verbose=False)
    # its slices keep torchvision's numbers: slice2.3.weight is features.3.weight
    names = {own: "features." + own.split(".", 1)[1] for own in network.net.state_dict()}
    built(weights, lambda: network.net.load_state_dict({own: state[name] for own, name in names.items()}))
    return network.eval().requires_grad_(False).to(device)


def open_vgg19(device: torch.device) -> nn.Sequential:
    """The convolutions of VGG-19; its input is RGB, `normalised`.

    Raises:
        MetricError: "needs ...": the weights are not here and cannot be fetched.
    """
    state = read_state(find(VGG19), VGG19)
    from torchvision.models import vgg19

    with torch.device("meta"):  # nothing is drawn, and the large linear layers are never made
        features = vgg19(weights=None).features
    own = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    built(VGG19, lambda: features.load_state_dict(own, assign=True))
    return features.eval().requires_grad_(False).to(device)
