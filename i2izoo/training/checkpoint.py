"""Checkpoints: a pretrained folder plus `training/`, by name, whole or not there, and enough to go on bit for bit."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.method import Method
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import StorageError, listing
from i2izoo.files.writing import hidden, read_tensors, replacing_folder, write_tensors, write_text
from i2izoo.models.storage import OF_METHOD, TRAINING, save_folder, training_weights
from i2izoo.training.ema import EMA
from i2izoo.training.step import Stepper

FACTS = "training/state.json"
_NAME = re.compile(r"step-(\d{8})")


def checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints in `folder`, oldest first."""
    found = [p for p in folder.glob("step-*") if _NAME.fullmatch(p.name) and (p / FACTS).is_file()]
    return sorted(found)


def read_facts(place: Path) -> dict[str, Any]:
    """The numbers and options of a checkpoint: `step`, `run`, `optimizers`, ...

    Raises:
        StorageError: it is missing or damaged.
    """
    try:
        facts = parse_json((place / FACTS).read_text(encoding="utf-8"))
        return {key: facts[key] for key in ("step", "run", "schedule", "optimizers", "scaler", "ema_updates")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{place / FACTS} is missing or damaged; resume from another checkpoint.") from error


def save_checkpoint(
    folder: Path,
    step: int,
    *,
    name: str,
    method: Method,
    stepper: Stepper,
    ema: EMA | None,
    keep: int,
    run: Mapping[str, Any],
    schedule: Mapping[str, Any],
    **facts: Any,
) -> Path:
    """Write `folder/step-00001234` beside its place, rename it, and delete all but the last `keep`.

    Args:
        folder: of all checkpoints of the run.
        step: steps done.
        name: the method's name.
        method, stepper, ema: what is saved.
        keep: how many checkpoints stay.
        run: the options of the run, by which a resumed one knows that it is the same.
        schedule: what it knows of the run beside the step.
        facts: further JSON for config.json.

    Raises:
        WriteError: there is no room, say; the checkpoints are as they were.
    """
    place = folder / f"step-{step:08d}"
    # with an EMA, model.safetensors has the average, so the weights themselves are training state
    weights = training_weights(method) if ema is None else method.state_dict()
    tensors = {OF_METHOD + k: v for k, v in weights.items()}
    for owner, module in method.named_modules():
        if hasattr(module, "training_state"):
            tensors |= {f"module/{owner}/{k}": v for k, v in module.training_state().items()}
    optimizer_tensors, optimizer_facts = _optimizer_state(method, stepper)
    state = {
        "step": step,
        "run": dict(run),
        "schedule": dict(schedule),
        "optimizers": optimizer_facts,
        "scaler": stepper.scaler.state_dict(),
        "ema_updates": ema.updates if ema else None,
    }
    with replacing_folder(place) as temporary:
        with contextlib.nullcontext() if ema is None else ema.applied(method):
            save_folder(method, temporary, name=name, facts=facts)
        write_tensors(temporary / TRAINING, tensors | optimizer_tensors)
        write_text(temporary / FACTS, json.dumps(state, indent=1) + "\n")
    keep_last(folder, keep)
    return place


def keep_last(folder: Path, keep: int) -> None:
    """Delete all checkpoints but the last `keep`, also those that a killed run was about to delete."""
    for old in checkpoints(folder)[:-keep]:  # hidden first, so that a half-deleted one is never taken for a whole one
        shutil.rmtree(old.replace(hidden(old, "old")))


def load_checkpoint(place: Path, *, method: Method, stepper: Stepper, ema: EMA | None) -> int:
    """Restore everything in place and return the step; the method must be built with the same options.

    Raises:
        StorageError: a file is missing or damaged, or belongs to a method with other options.
    """
    facts = read_facts(place)
    weights, state = read_tensors(place / "model.safetensors"), read_tensors(place / TRAINING)
    if (ema is None) != (facts["ema_updates"] is None):
        raise StorageError(f"{place} was trained {'with' if ema is None else 'without'} an EMA; give the same 'ema'.")
    saved = {k.removeprefix(OF_METHOD): v for k, v in state.items() if k.startswith(OF_METHOD)}
    _load_exactly(method, {**weights, **saved}, place)
    if ema is not None:
        ema.load(weights, facts["ema_updates"])
    for owner, module in method.named_modules():
        if hasattr(module, "load_training_state"):
            prefix = f"module/{owner}/"
            mine = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            module.load_training_state(mine, next(method.parameters()).device)
    _load_optimizer_state(method, stepper, state, facts["optimizers"], place)
    stepper.scaler.load_state_dict(facts["scaler"])
    return int(facts["step"])


@torch.no_grad()
def take_over(method: Method, fresh: Method) -> None:
    """Give a method in place the weights, buffers and training state of another one with the same options."""
    device = next(method.parameters()).device
    method.load_state_dict(fresh.state_dict())
    pairs: Iterable[tuple[Any, Any]] = zip(method.modules(), fresh.modules(), strict=True)
    for module, new in pairs:
        if hasattr(module, "load_training_state"):
            module.load_training_state(new.training_state(), device)


@torch.no_grad()
def _load_exactly(method: Method, state: dict[str, Tensor], place: Path) -> None:
    own = method.state_dict()
    wrong = sorted(
        (own.keys() ^ state.keys()) | {k for k in own.keys() & state.keys() if own[k].shape != state[k].shape}
    )
    if wrong:
        raise StorageError(
            f"{place} belongs to a method with other options; these tensors differ: {listing(wrong, 5)}."
        )
    for key, tensor in own.items():
        tensor.copy_(state[key])


def _names(method: Method) -> dict[int, str]:
    return {id(p): name for name, p in method.named_parameters()}


def _optimizer_state(method: Method, stepper: Stepper) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Optimiser state by parameter name: tensors, and the numbers beside them."""
    names = _names(method)
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    for owner, optimizer in stepper.optimizers.items():
        facts[owner] = {"class": type(optimizer).__name__, "values": {}}
        for parameter, values in optimizer.state.items():
            for field, value in values.items():
                key = f"{names[id(parameter)]}/{field}"
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{owner}/{key}"] = value
                else:
                    facts[owner]["values"][key] = value
    return tensors, facts


def _load_optimizer_state(
    method: Method, stepper: Stepper, state: dict[str, Tensor], facts: dict[str, Any], place: Path
) -> None:
    if facts.keys() != stepper.optimizers.keys():
        raise StorageError(f"{place} has the optimisers {listing(facts)}, the method {listing(stepper.optimizers)}.")
    parameters = dict(method.named_parameters())
    for owner, optimizer in stepper.optimizers.items():
        prefix = f"optimizer/{owner}/"
        on_device = {
            id(p) for g in optimizer.param_groups if g.get("fused") or g.get("capturable") for p in g["params"]
        }  # their step counts live beside the parameters, all others' on the CPU
        fields: dict[str, Any] = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for key, value in {**fields, **facts[owner]["values"]}.items():
            name, _, field = key.rpartition("/")
            parameter = parameters[name]
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                # moments live beside their parameter, in its memory format: other layouts round differently
                value = torch.empty_like(parameter).copy_(value)
            elif isinstance(value, Tensor) and id(parameter) in on_device:
                value = value.to(parameter.device)
            optimizer.state[parameter][field] = value
