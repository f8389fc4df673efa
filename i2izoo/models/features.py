"""What the layers of a translator give on the way from an image to its translation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from i2izoo.contracts.method import Method
from i2izoo.errors import ConfigError, OptionTypeError, UnknownNameError, suggest
from i2izoo.models.trimming import trimmed

UNCALLED = nn.Module.forward
"""What a module that only holds others has, and that is never called itself."""


def layers_of(method: Method) -> dict[str, nn.Module]:
    """The layers that translating may run, by their names in `method`, in the order of `named_modules`."""
    found = trimmed(method).named_modules()
    return {
        name: layer for name, layer in found if not isinstance(layer, Method) and type(layer).forward is not UNCALLED
    }


def find_layers(method: Method, layers: Any, model: str) -> dict[str, nn.Module]:
    """The layers of these names.

    Raises:
        OptionTypeError: there is none, or they are not names.
        UnknownNameError: the model has no such layer; close matches are given.
    """
    names = [layers] if isinstance(layers, str) else layers
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise OptionTypeError(f"layers wants one or more names of `model.layers`; found {layers!r}.")
    allowed = layers_of(method)
    for name in names:
        if name not in allowed:
            close = suggest(name, allowed) or ";"
            raise UnknownNameError(f"{model!r} has no layer {name!r}{close} `model.layers` lists its {len(allowed)}.")
    return {name: allowed[name] for name in names}


@contextmanager
def recorded(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Inside, what each call of these layers gives is appended to the list of its name."""
    calls: dict[str, list[Tensor]] = {name: [] for name in layers}

    def keep(name: str) -> Any:
        def hook(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            calls[name].append(_first_tensor(output, name).detach().clone())  # later layers may work in place

        return hook

    hooks = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def chosen(calls: Mapping[str, list[Tensor]], call: int, to: str) -> dict[str, Tensor]:
    """Of each layer what its call of this number gave; from the end if it is negative.

    Raises:
        ConfigError: a layer was not called so often.
    """
    for name, outputs in calls.items():
        if not -len(outputs) <= call < len(outputs):
            how_often = f"{len(outputs)} times" if outputs else "not at all"
            raise ConfigError(
                f"layer {name!r} was called {how_often} on the way to {to!r}, and call={call} was asked for; leave "
                "call out for the last one, or name another layer or target domain (to=)."
            )
    return {name: outputs[call].clone() for name, outputs in calls.items()}


def _first_tensor(output: Any, name: str) -> Tensor:
    """The tensor that a layer gives, or the first of several."""
    if isinstance(output, Mapping):  # so are the dataclasses of diffusers
        output = list(output.values())
    if isinstance(output, (list, tuple)):
        output = next((one for one in output if isinstance(one, Tensor)), None)
    if not isinstance(output, Tensor):
        raise ConfigError(f"layer {name!r} gives no tensor, but {type(output).__name__}; name a layer inside of it.")
    return output
