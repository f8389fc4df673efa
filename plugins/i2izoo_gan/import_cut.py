"""Original checkpoints of CUT and FastCUT: the generator, the MLPs of the patch sampler ("netF"), the discriminator."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from i2izoo.contracts.checkpoints import Checkpoints, by_role
from i2izoo.errors import ConfigError
from i2izoo_gan.importers import Spec, Weights, discriminator_from_original, generator_from_original, unet_dropout
from i2izoo_gan.resnet import ResNetGenerator

ROLES = ("G", "F", "D")
ORIGINAL_LAYERS = (0, 4, 8, 12, 16)
"""The original's default `nce_layers`, places in the generator's sequence. Without anti-aliasing the sequence is
shorter and the same numbers mean other layers, which the MLPs of such a checkpoint were trained on."""


def cut_from_original(files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
    """Read `..._net_G.pth` and, where given, `..._net_F.pth` and `..._net_D.pth`.

    Args:
        files: file name -> its tensors.
        options: what the user says of the method: `layers`, the names of the tapped ones where it was trained with
            others than the original's default, and of the generator what its tensors do not tell, such as norm "none".

    Raises:
        ConfigError: files are missing or surplus, or hold something else.
    """
    found = by_role("CUT", files, ROLES, needed=["G"])
    spec, generator, before, after = generator_from_original(*found["G"])
    if before != after:
        raise ConfigError(f"CUT has a generator of equal channels; found {before} and {after}.")
    read: dict[str, Any] = {"generator": spec, "channels": before}
    said = options.get("generator")
    told = {**spec, **(said if isinstance(said, Mapping) else {})}
    read["layers"] = list(options.get("layers") or _layer_names(told, ORIGINAL_LAYERS))
    weights = {"generator": generator}
    if "F" in found:
        weights["sampler"], read["projection"] = _sampler(*found["F"], count=len(read["layers"]))
    if "D" in found:
        read["discriminator"], weights["discriminator"], _ = discriminator_from_original(*found["D"])
    return Checkpoints(read, weights, unet_dropout(spec, 0.0))


def _layer_names(spec: Spec, indices: Sequence[int]) -> list[str]:
    """Our names of the layers in these places of the original's sequence, which is ours.

    Of a U-Net, whose features the original code cannot give, as many levels from the outermost on.
    """
    if spec["name"].startswith("unet"):
        return [f"e{level}" for level in range(1, min(len(indices), spec.get("depth", 7)) + 1)]
    sizes = {"width": 1, "antialias": spec["antialias"], "blocks": spec.get("blocks", int(spec["name"][7]))}
    names = [name for name, _ in ResNetGenerator(**sizes).layers.named_children()]
    return [names[_left_by_relu(names, i, spec["norm"], indices[-1])] for i in indices]


def _left_by_relu(names: Sequence[str], index: int, norm: str, last: int) -> int:
    """Which place holds what the original compares as that of layer `index`.

    Its ReLUs work in place, so what was taken before one of them is what that leaves, unless it does not run: features
    are taken no further than `last`. "No norm" passes on the tensor that it is given.
    """
    following = index + 1
    if norm == "none" and following < len(names) and names[following].endswith("_norm"):
        following += 1
    return following if following <= last and names[following].endswith("_relu") else index


def _sampler(file: str, state: Mapping[str, Tensor], count: int) -> tuple[Weights, int]:
    """Weights of the sampler, from `mlp_0.0.weight` and so on, and the length of its vectors."""
    if not state or not all(re.fullmatch(r"mlp_\d+\.[02]\.(weight|bias)", key) for key in state):
        raise ConfigError(f"{file} is not CUT's patch sampler with its MLPs; its first keys are {list(state)[:3]}.")
    heads = len({key.partition(".")[0] for key in state})
    if heads != count:
        raise ConfigError(f"{file} has MLPs for {heads} layers, not {count}; name the layers: layers=NAME,NAME.")
    return {re.sub(r"^mlp_(\d+)", r"heads.\1", key): value for key, value in state.items()}, len(state["mlp_0.0.bias"])
