"""Building without memory: what a network's tensors will be, before there is any number in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def only_shapes() -> Iterator[None]:
    """Modules that are made inside have tensors on the device "meta": shapes and types, and no memory.

    Some cannot be made so, since they look at the numbers; whoever calls this takes any error for that.

    >>> from torch import nn
    >>> with only_shapes():
    ...     layer = nn.Linear(10**6, 10**6)
    >>> layer.weight.shape, layer.weight.device.type
    (torch.Size([1000000, 1000000]), 'meta')
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves out what fills weights: on "meta" it does nothing, but torch imports a second of libraries for it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _fills(func):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _fills(func: Callable[..., Any]) -> bool:
    return func is Tensor.normal_ or (
        getattr(func, "__module__", None) == "torch.nn.init" and func.__name__.endswith("_")
    )
