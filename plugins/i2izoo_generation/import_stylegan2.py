"""State dicts of StyleGAN2 as the authors' PyTorch code names them (stylegan2-ada-pytorch)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.checkpoints import Checkpoints, by_role
from i2izoo.errors import ConfigError

ROLES = ("G", "D")
Weights = dict[str, Tensor]
State = Mapping[str, Tensor]


def stylegan2_from_original(files: Mapping[str, State], options: Mapping[str, Any]) -> Checkpoints:
    """Read `..._G.pt`, the state dict of `G_ema` or `G`, and, where given, `..._D.pt`.

    Args:
        files: file name -> its tensors.
        options: what the user says of the method: `classes`, the names of the classes, which else are numbers.

    Raises:
        ConfigError: files are missing or surplus, or hold something else.
    """
    found = by_role("StyleGAN2", files, ROLES, needed=["G"])
    read, generator = _generator(*found["G"])
    weights = {"generator": generator}
    if "D" in found:
        read["discriminator"], weights["discriminator"] = _discriminator(*found["D"])
    count = generator["mapping.embed.weight"].shape[1] if "mapping.embed.weight" in generator else 0
    if count and "classes" not in options:
        read["classes"] = [str(number) for number in range(count)]
    return Checkpoints(read, weights)


def _generator(file: str, state: State) -> tuple[dict[str, Any], Weights]:
    """The method's options that its tensors tell, and its tensors under our names."""
    if "synthesis.b4.const" not in state or "mapping.w_avg" not in state:
        raise ConfigError(
            f"{file} is no generator of stylegan2-ada-pytorch; its first keys are {list(state)[:3]}, and there is no "
            "'synthesis.b4.const'."
        )
    features = {
        int(m[1]): len(v) for k, v in state.items() if (m := re.fullmatch(r"synthesis\.b(\d+)\.conv1\.bias", k))
    }
    size = max(features)
    layers = _count(state)
    style = len(state["mapping.w_avg"])
    embedded = len(state["mapping.embed.weight"]) if "mapping.embed.weight" in state else 0
    spec = {"name": "stylegan2", "style": style, "mapping_layers": layers, **_widths(features)}
    sides = [4, *(side for side in sorted(features) if side > 4 for _ in range(2))]

    def renamed(key: str) -> str:
        if block := re.fullmatch(r"synthesis\.b(\d+)\.(conv[01]|torgb)\.(.+)", key):
            side, layer, rest = int(block[1]), block[2], block[3].replace("affine", "style")
            place = 0 if side == 4 else int(layer[-1]) if layer != "torgb" else 0
            if rest == "noise_const":
                return f"synthesis.noise{sides.index(side) + place}"
            return f"synthesis.blocks.{side}." + ("to_image" if layer == "torgb" else f"layers.{place}") + f".{rest}"
        return _mapping(key.replace("synthesis.b4.const", "synthesis.start"))

    read = {
        "size": size, "latent": state["mapping.fc0.weight"].shape[1] - embedded, "generator": spec,
        "out_channels": len(state[f"synthesis.b{size}.torgb.bias"]),
    }  # fmt: skip
    return read, _taken(state, renamed)


def _discriminator(file: str, state: State) -> tuple[dict[str, Any], Weights]:
    """The spec that its tensors tell, and its tensors under our names."""
    if "b4.fc.weight" not in state:
        raise ConfigError(
            f"{file} is no discriminator of stylegan2-ada-pytorch; its first keys are {list(state)[:3]}, and there is "
            "no 'b4.fc.weight'."
        )
    features = {int(m[1]): len(v) for k, v in state.items() if (m := re.fullmatch(r"b(\d+)\.conv0\.bias", k))}
    features[4] = last = len(state["b4.fc.bias"])
    plane = state["b4.conv.weight"].shape[1] - last
    spec = {"name": "stylegan2", **_widths(features), **({} if plane else {"group": 1})}
    names = {"conv": "convolution", "fc": "linear", "out": "output"}

    def renamed(key: str) -> str:
        if last_layers := re.fullmatch(r"b4\.(conv|fc|out)\.(.+)", key):
            return f"{names[last_layers[1]]}.{last_layers[2]}"
        key = re.sub(r"^b\d+\.fromrgb\.", "from_image.", key)
        return _mapping(re.sub(r"^b(\d+)\.", r"blocks.\1.", key))

    weights = _taken(state, renamed)
    if "mapping.embed.weight" in state:
        spec["mapping_layers"] = _count(state)
        weights["mapping.average"] = torch.zeros(last)  # which it has no use for
    return spec, weights


def _taken(state: State, renamed: Callable[[str], str]) -> Weights:
    """All but the filters, which are no weights."""
    return {renamed(key): value.float() for key, value in state.items() if not key.endswith("resample_filter")}


def _mapping(key: str) -> str:
    return re.sub(r"^mapping\.fc(\d+)\.", r"mapping.layers.\1.", key).replace("mapping.w_avg", "mapping.average")


def _count(state: State) -> int:
    """Layers of the mapping network."""
    return sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", key)) for key in state)


def _widths(features: Mapping[int, int]) -> dict[str, int]:
    """`channel_base` and `channel_max` that give these channels; of what never reaches its base, the least base."""
    size, most = max(features), max(features.values())
    return {"channel_base": features[size] * size, "channel_max": most}
