"""Original checkpoints of BicycleGAN read into our networks: sizes and kinds are found in the tensors.

Instance norm leaves no trace and is assumed, as are a generator without dropout and ReLU in its decoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.checkpoints import Checkpoints, by_role
from i2izoo.errors import ConfigError, listing
from i2izoo_gan.importers import (
    Spec,
    Weights,
    discriminator_from_original,
    generator_from_original,
    without_instance_statistics,
)

ROLES = ("G", "E", "D", "D2")


def bicyclegan_from_original(
    method: str, files: Mapping[str, Mapping[str, Tensor]], judges: Sequence[str]
) -> Checkpoints:
    """Read `..._net_G.pth`, `..._net_E.pth` and, where given, `..._net_D.pth` and `..._net_D2.pth`.

    Args:
        method: for messages.
        files: file name -> its tensors.
        judges: the roles of the discriminators that the method has; others are left out.

    Raises:
        ConfigError: a file is missing, surplus or no network of BicycleGAN.
    """
    found = by_role(method, files, ROLES, needed=["G", "E"])
    encoder, encoder_weights, latent = encoder_from_original(*found["E"])
    generator, generator_weights, before, after = latent_generator_from_original(*found["G"], latent)
    read: dict[str, Any] = {"generator": generator, "encoder": encoder, "latent": latent}
    read |= {"in_channels": before, "out_channels": after}
    weights = {"generator": generator_weights, "encoder": encoder_weights}
    given = [role for role in ("D", "D2") if role in found]
    if given and not found.keys() >= set(judges):
        raise ConfigError(f"{method} imports all of its discriminators or none; found {listing(files)}.")
    for role in given:
        spec, judge, seen = multiscale_from_original(*found[role])
        read |= {"discriminator": spec, "conditional": seen == before + after}
        if role in judges:
            weights["discriminator.encoded" if role == "D" else "discriminator.random"] = judge
    assumed = {"generator.dropout": 0.0, "generator.activation": "relu"}
    return Checkpoints(read, weights, assumed)


def latent_generator_from_original(
    file: str, state: Mapping[str, Tensor], latent: int
) -> tuple[Spec, Weights, int, int]:
    """A U-Net with its latent at the input or at all levels: spec, weights, input and output channels."""
    state = without_instance_statistics(state)
    if "model.down.0.weight" in state:
        weights, spec, before, after = _add_to_all(file, state)
        at = "all"
    else:
        spec, weights, before, after = generator_from_original(file, state)
        at = "input"
        if spec["name"] not in ("unet_128", "unet_256"):
            raise ConfigError(f"{file} is not a U-Net of BicycleGAN.")
        del spec["dropout_levels"]
    if spec["norm"] == "batch":
        raise ConfigError(
            f"{file} has batch norms, whose convolutions BicycleGAN's code gives a bias; cannot import it."
        )
    for name in [n for n in weights if re.fullmatch(r"up\.[1-9]\d*\.1(\.1)?\.weight", n)]:
        # that code concatenates a level's output and its skip the other way round than pix2pix's
        first = 1 if "bilinear" in spec.values() else 0
        weights[name] = torch.cat(weights[name].chunk(2, dim=first)[::-1], dim=first)
    return spec | {"latent_at": at}, weights, before - latent, after


def _add_to_all(file: str, state: Mapping[str, Tensor]) -> tuple[Weights, Spec, int, int]:
    depth = 1 + max(key.count("submodule.") for key in state)
    bilinear = "model.up.3.weight" in state
    weights: Weights = {}
    for key, tensor in state.items():
        place = re.fullmatch(r"model\.((?:submodule\.)*)(down|up)\.(\d)\.(weight|bias)", key)
        if place is None:
            raise ConfigError(f"{file} has a layer that BicycleGAN's U-Net with instance norm has not: {key!r}.")
        level = place[1].count(".")
        name = f"down.{level}.1" if place[2] == "down" else f"up.{depth - 1 - level}.1" + (".1" if bilinear else "")
        weights[f"{name}.{place[4]}"] = tensor
    first, last = weights["down.0.1.weight"], weights[f"up.{depth - 1}.1{'.1' if bilinear else ''}.weight"]
    spec: Spec = {"name": "unet_128" if depth == 7 else "unet_256", "width": len(first), "norm": "instance"}
    if depth not in (7, 8):
        spec["depth"] = depth
    if bilinear:
        spec["upsample"] = "bilinear"
    return weights, spec, first.shape[1], last.shape[0 if bilinear else 1]


def encoder_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int]:
    """E_ResNet or E_CNN: spec, weights and the length of the latent."""
    heads = {"fc.0": "mean", "fcVar.0": "log_variance"}
    state = without_instance_statistics(state)
    if not {"conv.0.weight", "fc.0.weight", "fcVar.0.weight"} <= state.keys():
        raise ConfigError(f"{file} is not an encoder of BicycleGAN; its first keys are {list(state)[:3]}.")
    weights: Weights = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        name = re.sub(r"^conv\.", "layers.", module)
        name = re.sub(r"\.conv\.(\d)(\.0)?$", r".residual.\1", name)
        weights[f"{heads.get(module, name)}.{leaf}"] = tensor
    blocks = len({key.split(".")[1] for key in state if ".shortcut." in key})
    convolutions = sum(tensor.ndim == 4 for tensor in state.values())
    kind: Spec = {"name": "resnet_encoder", "blocks": blocks} if blocks else {"name": "cnn_encoder"}
    if not blocks:
        kind["layers"] = convolutions
    kind |= {"width": len(weights["layers.0.weight"])}
    kind["norm"] = "batch" if any(key.endswith("running_mean") for key in weights) else "instance"
    return kind, weights, len(weights["mean.weight"])


def multiscale_from_original(file: str, state: Mapping[str, Tensor]) -> tuple[Spec, Weights, int]:
    """A multi-scale PatchGAN, or a plain one: spec, weights and input channels."""
    if "model_0.0.weight" not in state:
        return discriminator_from_original(file, state)
    scales = sorted({key.split(".")[0] for key in state})
    parts = [
        discriminator_from_original(file, {"model" + k.removeprefix(s): v for k, v in state.items() if k.startswith(s)})
        for s in scales
    ]
    spec, _, channels = parts[0]
    del spec["antialias"]
    spec |= {"name": "multiscale", "scales": len(parts), "halve_width": parts[-1][0]["width"] != spec["width"]}
    weights = {f"scales.{i}.{name}": tensor for i, (_, own, _) in enumerate(parts) for name, tensor in own.items()}
    return spec, weights, channels
