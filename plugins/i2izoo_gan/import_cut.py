"""Original checkpoints of CUT and FastCUT: the generator, the MLPs of the patch sampler ("netF"), the discriminator."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_gan.importers import Spec, Weights, discriminator_from_original, generator_from_original, role_of
from i2izoo_gan.resnet import ResNetGenerator

ORIGINAL_LAYERS = (0, 4, 8, 12, 16)
"""The original's default `nce_layers`, places in the generator's sequence. Without anti-aliasing the sequence is
shorter and the same numbers mean other layers, which the MLPs of such a checkpoint were trained on."""


def cut_from_original(
    files: Mapping[str, Mapping[str, Tensor]], layers: Sequence[str] | None = None
) -> tuple[Spec, dict[str, Weights]]:
    """Read `..._net_G.pth` and, where given, `..._net_F.pth` and `..._net_D.pth`.

    Args:
        files: file name -> its tensors.
        layers: names of the tapped layers, where it was trained with others than the original's default.

    Returns:
        The options of the method that the tensors tell, and the weights of each of its parts under our names.

    Raises:
        ConfigError: files are missing or surplus, or hold something else.
    """
    found: dict[str, tuple[str, Mapping[str, Tensor]]] = {}
    for name, state in files.items():
        role = role_of(name, ["G", "F", "D"]) or "G"
        if role in found:
            raise ConfigError(_wanted(files))
        found[role] = (name, state)
    if "G" not in found:
        raise ConfigError(_wanted(files))
    spec, generator, before, after = generator_from_original(*found["G"])
    if before != after or not spec["name"].startswith("resnet"):
        raise ConfigError(f"CUT has a ResNet of equal channels; found {spec['name']} from {before} to {after}.")
    read: dict[str, Any] = {"generator": spec, "channels": before}
    read["layers"] = list(layers or _layer_names(spec, ORIGINAL_LAYERS))
    weights = {"generator": generator}
    if "F" in found:
        weights["sampler"], read["projection"] = _sampler(*found["F"], count=len(read["layers"]))
    if "D" in found:
        read["discriminator"], weights["discriminator"], _ = discriminator_from_original(*found["D"])
    return read, weights


def _wanted(files: Mapping[str, Any]) -> str:
    return f"CUT imports one ..._net_G.pth, and at most one ..._net_F.pth and ..._net_D.pth; found {sorted(files)}."


def _layer_names(spec: Spec, indices: Sequence[int]) -> list[str]:
    """Our names of the layers in these places of the original's sequence, which is ours."""
    sizes = {"width": 1, "antialias": spec["antialias"], "blocks": spec.get("blocks", int(spec["name"][7]))}
    names = [name for name, _ in ResNetGenerator(**sizes).layers.named_children()]
    return [names[i] for i in indices]


def _sampler(file: str, state: Mapping[str, Tensor], count: int) -> tuple[Weights, int]:
    """Weights of the sampler, from `mlp_0.0.weight` and so on, and the length of its vectors."""
    if not state or not all(re.fullmatch(r"mlp_\d+\.[02]\.(weight|bias)", key) for key in state):
        raise ConfigError(f"{file} is not CUT's patch sampler with its MLPs; its first keys are {list(state)[:3]}.")
    heads = len({key.partition(".")[0] for key in state})
    if heads != count:
        raise ConfigError(f"{file} has MLPs for {heads} layers, not {count}; name the layers: layers=NAME,NAME.")
    return {re.sub(r"^mlp_(\d+)", r"heads.\1", key): value for key, value in state.items()}, len(state["mlp_0.0.bias"])
