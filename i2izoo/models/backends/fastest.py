"""`backend="auto"`: the engine that was the fastest for a network on this machine, or none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2izoo.errors import WriteError
from i2izoo.files.kept import cache_folder
from i2izoo.files.writing import write_text
from i2izoo.models.backends.engines import LIBRARIES, NEAR, build, difference, on_cpu

TURNS = 5
WORTH = 1.1
"""How much faster than PyTorch's eager mode an engine has to be."""


def fastest(network: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """The name of the engine to compute a network with, or "eager".

    On a CPU ONNX Runtime and OpenVINO, where they are installed, take turns with PyTorch on the first image; elsewhere
    PyTorch's compiler does, which on a CPU takes minutes to start. What was found is kept in the cache folder for this
    network, number of threads and versions, so that a machine measures once.

    Args:
        network: in evaluation mode.
        inputs: of its first call.
    """
    place, key = cache_folder() / "backends" / "fastest.json", _key(network, inputs)
    known = _known(place)
    if known.get(key) in (*LIBRARIES, "eager"):
        return str(known[key])
    ratios = {name: ratio for name in _candidates(inputs) if (ratio := _ratio(name, network, inputs)) is not None}
    best = max(ratios, key=ratios.__getitem__, default="eager")
    found = best if ratios.get(best, 0) >= WORTH else "eager"
    with contextlib.suppress(WriteError):  # it is measured again the next time
        write_text(place, json.dumps({**_known(place), key: found}, indent=2))
    return found


def _candidates(inputs: tuple[Tensor, ...]) -> list[str]:
    if not on_cpu(inputs) or inputs[0].dtype != torch.float32:
        return ["compile"]
    return [name for name, libraries in LIBRARIES.items() if libraries and all(map(find_spec, libraries))]


def _ratio(name: str, network: nn.Module, inputs: tuple[Tensor, ...]) -> float | None:
    """Time of eager PyTorch over the engine's, the median of turns; None: the engine cannot, or gives other values."""
    given = tuple(tensor.contiguous() for tensor in inputs)
    try:
        engine = build(name, network, given)
        if difference(engine(*given), network._call_impl(*given)) > NEAR:
            return None
        engine(*given)
        return statistics.median(
            _seconds(lambda: network._call_impl(*given)) / _seconds(lambda: engine(*given)) for _ in range(TURNS)
        )
    except Exception:  # of any kind: it is then no candidate
        return None


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def _key(network: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """What the choice depends on: not the weights, and of the sizes the first image's alone."""
    machine = (torch.backends.cpu.get_cpu_capability(), os.cpu_count(), torch.get_num_threads())
    libraries = [(name, _version(name)) for name in ("torch", "onnxruntime", "openvino")]
    shapes = [tuple(p.shape) for p in network.parameters()]
    seen = (machine, libraries, str(network), shapes, str(inputs[0].device), str(inputs[0].dtype))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _known(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
