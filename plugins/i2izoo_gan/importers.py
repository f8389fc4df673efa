"""Original checkpoints of pix2pix, CycleGAN and CUT read into our networks: sizes and kinds are found in the tensors.

Two things cannot be read off a state dict and are assumed unless the user's options say otherwise: instance norm where
there are no norm parameters (it has none, "none" has none either), and the published dropout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_gan.resnet import ResNetGenerator

Weights = dict[str, Tensor]
Spec = dict[str, Any]


def role_of(file: str, roles: Sequence[str]) -> str | None:
    """Which of the roles a file's name ends in, by the authors' convention.

    >>> role_of("latest_net_G_A.pth", ["G_A", "G_B"]), role_of("BIG_A_net_G_B.pth", ["G_A", "G_B"])
    ('G_A', 'G_B')
    """
    found = re.findall(rf"(?<![A-Za-z0-9])({'|'.join(roles)})(?![A-Za-z0-9])", file)
    return found[-1] if found else None


def generator_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int, int]:
    """Recognise a generator's state dict.

    Returns:
        Its spec, its weights under our names, its input channels and its output channels.

    Raises:
        ConfigError: it is neither the original ResNet nor the original U-Net.
    """
    state = _without_instance_statistics(state)
    if "model.model.0.weight" in state:
        return _unet(state)
    if "model.1.weight" in state and state["model.1.weight"].shape[-1] == 7:
        return _resnet(state)
    raise ConfigError(
        f"{file} is not a generator of pix2pix or CycleGAN (ResNet or U-Net); its first keys are {list(state)[:3]}."
    )


def _unet(state: Weights) -> tuple[Spec, Weights, int, int]:
    prefixes = ["model.model"]
    while f"{prefixes[-1]}.{1 if len(prefixes) == 1 else 3}.model.1.weight" in state:
        prefixes.append(f"{prefixes[-1]}.{1 if len(prefixes) == 1 else 3}.model")
    depth = len(prefixes)
    names: dict[str, str] = {}
    for level, prefix in enumerate(prefixes):
        outer, inner, step = level == 0, level == depth - 1, depth - 1 - level
        # a block is [LeakyReLU] Conv [norm] (submodule) ReLU ConvT [norm], numbered without what it lacks
        down, up = (0, 3) if outer else (1, 3) if inner else (1, 5)
        names[f"{prefix}.{down}"] = f"down.{level}.1"
        names[f"{prefix}.{up}"] = f"up.{step}.1"
        if not outer:
            names[f"{prefix}.{up + 1}"] = f"up.{step}.2"
            if not inner:
                names[f"{prefix}.{down + 1}"] = f"down.{level}.2"
    weights = _renamed(state, names)
    first, last = weights["down.0.1.weight"], weights[f"up.{depth - 1}.1.weight"]
    spec: Spec = {"name": "unet_128" if depth == 7 else "unet_256", "width": len(first), "norm": _norm(weights)}
    spec["dropout_levels"] = "pytorch"  # that of the code whose key names these are; dropout itself leaves no trace
    if depth not in (7, 8):
        spec["depth"] = depth
    return spec, weights, first.shape[1], last.shape[1]


def _resnet(state: Weights) -> tuple[Spec, Weights, int, int]:
    blocks = len({k.split(".")[1] for k in state if ".conv_block." in k})
    antialias = any(k.endswith(".filt") for k in state)
    state = {k: v for k, v in state.items() if not k.endswith(".filt")}  # fixed filters
    layers = ResNetGenerator(width=1, blocks=blocks, antialias=antialias).layers.named_children()
    names: dict[str, str] = {}
    for index, (name, _) in enumerate(layers):
        if not name.startswith("block"):
            names[f"model.{index}"] = f"layers.{name}"
            continue
        inner = f"model.{index}.conv_block"
        second = 6 if getattr(state.get(f"{inner}.6.weight"), "ndim", 0) == 4 else 5  # dropout shifts it by one
        for position, part in ((1, "conv1"), (2, "norm1"), (second, "conv2"), (second + 1, "norm2")):
            names[f"{inner}.{position}"] = f"layers.{name}.{part}"
    weights = _renamed(state, names)
    first, last = weights["layers.conv_in.weight"], weights["layers.conv_out.weight"]
    spec: Spec = {"name": "resnet_6blocks" if blocks == 6 else "resnet_9blocks", "width": len(first)}
    spec |= {"norm": _norm(weights), "antialias": antialias}
    if blocks not in (6, 9):
        spec["blocks"] = blocks
    if any(k.endswith("conv_block.6.weight") and v.ndim == 4 for k, v in state.items()):
        spec["dropout"] = 0.5
    return spec, weights, first.shape[1], len(last)


def discriminator_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int]:
    """Recognise a discriminator's state dict: PatchGAN of any depth, or the pixel discriminator.

    Returns:
        Its spec, its weights under our names, and its input channels.

    Raises:
        ConfigError: it is neither.
    """
    state = _without_instance_statistics(state)
    for name, prefix in (("patchgan", "model."), ("pixel", "net.")):
        if f"{prefix}0.weight" not in state:
            continue
        antialias = any(k.endswith(".filt") for k in state)
        weights = {
            k.replace(prefix, "layers.", 1): v
            for k, v in state.items()
            if k.startswith(prefix) and not k.endswith(".filt")
        }
        first = weights["layers.0.weight"]
        spec: Spec = {"name": name, "width": len(first), "norm": _norm(weights)}
        if name == "patchgan":
            spec |= {"layers": sum(v.ndim == 4 for v in weights.values()) - 2, "antialias": antialias}
        return spec, weights, first.shape[1]
    raise ConfigError(f"{file} is not a PatchGAN or pixel discriminator; its first keys are {list(state)[:3]}.")


def _norm(weights: Weights) -> str:
    return "batch" if any(k.endswith("running_mean") for k in weights) else "instance"


def _without_instance_statistics(state: Mapping[str, Tensor]) -> Weights:
    """Drop the statistics that instance norms stored before PyTorch 0.4: they have no affine weight beside them."""
    statistics = re.compile(r"\.(running_mean|running_var|num_batches_tracked)$")
    return {k: v for k, v in state.items() if not statistics.search(k) or statistics.sub(".weight", k) in state}


def _renamed(state: Weights, names: Mapping[str, str]) -> Weights:
    weights = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        if module not in names:
            raise ConfigError(f"the checkpoint has a layer that the original network has not: {key!r}.")
        weights[f"{names[module]}.{leaf}"] = tensor
    return weights
