"""Original checkpoints of pix2pix, CycleGAN and CUT read into our networks: sizes and kinds are found in the tensors.

Where nothing is normalised the original's convolutions have no bias; ours have one, and get zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_gan.resnet import Antialias, ResNetGenerator

Weights = dict[str, Tensor]
Spec = dict[str, Any]


def generator_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int, int]:
    """Recognise a generator's state dict.

    Returns:
        Its spec, its weights under our names, its input channels and its output channels. A U-Net's dropout leaves no
        trace and is not in the spec.

    Raises:
        ConfigError: it is neither the original ResNet nor the original U-Net.
    """
    state = without_instance_statistics(state)
    if "model.model.0.weight" in state:
        return _unet(state)
    if "model.1.weight" in state and state["model.1.weight"].shape[-1] == 7:
        return _resnet(state)
    raise ConfigError(
        f"{file} is not a generator of pix2pix or CycleGAN (ResNet or U-Net); its first keys are {list(state)[:3]}."
    )


def unet_dropout(spec: Spec, probability: float) -> dict[str, Any]:
    """What is assumed of a generator that was recognised: a U-Net's dropout, as the original code has it."""
    return {"generator.dropout": probability} if spec["name"].startswith("unet") else {}


def _unet(state: Weights) -> tuple[Spec, Weights, int, int]:
    """Nested blocks, each [LeakyReLU] Conv [norm] (block) ReLU (ConvT or Upsample, Pad, Conv) [norm], numbered without
    what it lacks."""
    blocks: list[tuple[str, int, int]] = []  # of each level, outermost first: its prefix, and the two convolutions
    prefix, inner = "model.model", True
    without_norm = False
    while inner:
        convolutions = _numbers(state, rf"{re.escape(prefix)}\.(\d+)\.weight", ndim=4)
        if not convolutions:
            raise ConfigError(f"the checkpoint has a layer that the original network has not: {prefix!r}.")
        blocks.append((prefix, convolutions[0], convolutions[-1]))
        inner = bool(below := _numbers(state, rf"{re.escape(prefix)}\.(\d+)\.model\..*"))
        if inner:
            if len(blocks) > 1:
                without_norm |= below[0] == convolutions[0] + 1  # the block follows at once
            prefix = f"{prefix}.{below[0]}.model"
    depth = len(blocks)
    bilinear = state[f"{blocks[0][0]}.{blocks[0][2]}.weight"].shape[-1] == 3
    names: dict[str, str] = {}
    for level, (prefix, down, up) in enumerate(blocks):
        step = depth - 1 - level
        names[f"{prefix}.{down}"] = f"down.{level}.1"
        names[f"{prefix}.{up}"] = f"up.{step}.1" + (".1" if bilinear else "")
        if level:
            names[f"{prefix}.{up + 1}"] = f"up.{step}.2"
            if step:
                names[f"{prefix}.{down + 1}"] = f"down.{level}.2"
    weights = _renamed(state, names)
    first, last = weights["down.0.1.weight"], weights[names[f"{blocks[0][0]}.{blocks[0][2]}"] + ".weight"]
    spec: Spec = {"name": "unet_128" if depth == 7 else "unet_256", "width": len(first)}
    spec["norm"] = "none" if without_norm else _norm(weights, inner=f"down.{depth - 1}.1")
    spec["dropout_levels"] = "pytorch"  # that of the code whose key names these are
    if depth not in (7, 8):
        spec["depth"] = depth
    if bilinear:
        spec["upsample"] = "bilinear"
    if spec["norm"] == "none":
        _add_biases(weights, transposed=() if bilinear else ("up.",))
    return spec, weights, first.shape[1], last.shape[0 if bilinear else 1]


def _resnet(state: Weights) -> tuple[Spec, Weights, int, int]:
    blocks = len({k.split(".")[1] for k in state if ".conv_block." in k})
    filters = _numbers(state, r"model\.(\d+)\.filt")  # a blur after each convolution down, and before each one up
    down, up = 7 in filters, len(filters) > 2 * (7 in filters)
    antialias: Antialias = down if down == up else "down" if down else "up"
    state = {k: v for k, v in state.items() if not k.endswith(".filt")}
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
    spec |= {"norm": _norm(weights, inner="layers.down1"), "antialias": antialias}
    if blocks not in (6, 9):
        spec["blocks"] = blocks
    if any(k.endswith("conv_block.6.weight") and v.ndim == 4 for k, v in state.items()):
        spec["dropout"] = 0.5
    if spec["norm"] == "none":
        _add_biases(weights, transposed=() if up else ("layers.up1", "layers.up2"))
    return spec, weights, first.shape[1], len(last)


def discriminator_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int]:
    """Recognise a discriminator's state dict: PatchGAN of any depth, or the pixel discriminator.

    Returns:
        Its spec, its weights under our names, and its input channels.

    Raises:
        ConfigError: it is neither.
    """
    state = without_instance_statistics(state)
    for name, prefix in (("patchgan", "model."), ("pixel", "net.")):
        if f"{prefix}0.weight" not in state:
            continue
        antialias = any(k.endswith(".filt") for k in state)
        weights = {
            k.replace(prefix, "layers.", 1): v
            for k, v in state.items()
            if k.startswith(prefix) and not k.endswith(".filt")
        }
        first, *inner = _numbers(weights, r"layers\.(\d+)\.weight", ndim=4)[:-1] or [0]
        if not inner:
            break
        channels = weights[f"layers.{first}.weight"]
        spec: Spec = {"name": name, "width": len(channels), "norm": _norm(weights, inner=f"layers.{inner[0]}")}
        if name == "patchgan":
            spec |= {"layers": len(inner), "antialias": antialias}
        if spec["norm"] == "none":
            _add_biases(weights)
        return spec, weights, channels.shape[1]
    raise ConfigError(f"{file} is not a PatchGAN or pixel discriminator; its first keys are {list(state)[:3]}.")


def _norm(weights: Weights, inner: str) -> str:
    """The norm by what it leaves: statistics of batch norm, or what instance norm alone lets a convolution have."""
    if any(k.endswith("running_mean") for k in weights):
        return "batch"
    return "instance" if f"{inner}.bias" in weights else "none"


def _add_biases(weights: Weights, transposed: tuple[str, ...] = ()) -> None:
    """Zeros for each convolution without a bias; those named `transposed` have their outputs second."""
    for key in [k for k in weights if k.endswith(".weight")]:
        outputs = weights[key].shape[1 if key.startswith(transposed) else 0]
        weights.setdefault(key.removesuffix("weight") + "bias", torch.zeros(outputs))


def _numbers(state: Mapping[str, Tensor], pattern: str, ndim: int | None = None) -> list[int]:
    """The numbers that a pattern finds in the names, of tensors with so many dimensions, each once, in order."""
    found = {int(m[1]) for k, v in state.items() if ndim in (None, v.ndim) and (m := re.fullmatch(pattern, k))}
    return sorted(found)


def without_instance_statistics(state: Mapping[str, Tensor]) -> Weights:
    """A state without the statistics that instance norms stored before PyTorch 0.4: they have no weight beside them."""
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
