"""What the cluster has, and what a worker of it takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2izoo.errors import ConfigError
from i2izoo.models.translator import Translator, load


@dataclass(frozen=True)
class Worker:
    """What one worker takes of the cluster.

    Attributes:
        cpus: cores, and so threads.
        gpus: 0 for the CPU.
    """

    cpus: float
    gpus: float

    def load(self, model: str) -> Translator:
        """The model where and as this worker runs it."""
        import torch

        torch.set_num_threads(max(1, int(self.cpus)))
        return load(model, device="cuda" if self.gpus else "cpu")


def connected() -> Any:
    """The library, connected to the cluster that `RAY_ADDRESS` or `ray.init` names, or to a new one on this machine.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("translating over Ray needs Ray: pip install 'i2izoo[ray]'.") from error
    if not ray.is_initialized():
        ray.init()
    return ray


def share(ray: Any, workers: int | None, cpus: float, gpus: float | None) -> tuple[int, Worker]:
    """How many workers of which kind.

    Args:
        ray: what `connected` gives.
        workers: at most; None: as many as the cluster has room for.
        cpus: of each.
        gpus: of each; None: one where the cluster has any.

    Raises:
        ConfigError: there is room for none.
    """
    there = ray.cluster_resources()
    if gpus is None:
        gpus = 1 if there.get("GPU", 0) >= 1 else 0
    needs = {"CPU": cpus, "GPU": gpus}
    rooms = [int(there.get(kind, 0) / need) for kind, need in needs.items() if need]
    room = min(rooms, default=1)
    if room < 1:
        raise ConfigError(
            f"a worker takes {cpus:g} CPUs and {gpus:g} GPUs, and the cluster has {there.get('CPU', 0):g} and "
            f"{there.get('GPU', 0):g} in all."
        )
    return min(room, workers or room), Worker(cpus, gpus)


def everywhere(model: str | os.PathLike[str]) -> str:
    """What a model is called on every machine: a folder by its whole path, which all of them see."""
    return str(Path(model).expanduser().absolute()) if Path(model).expanduser().exists() else os.fspath(model)
