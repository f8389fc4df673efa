"""From a method's name and options to the method, and not one for which no machine has memory or patience."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.method import Method
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, StorageError, in_a_sentence
from i2izoo.nn.budget import OverBudget, budget
from i2izoo.nn.shapes import only_shapes
from i2izoo.nn.state import misfit

MODULES = 100_000
"""Modules of a method, at most. The largest that there is in earnest has some thousands."""


def build(spec: PartSpec) -> Method:
    """Build an untrained method, through the registries only.

    Args:
        spec: its name, or `{"name": ..., option: value}`.

    Raises:
        UnknownNameError: there is no such method, or part.
        ConfigError: an option is not allowed, the method's own code fails with these, or it does not fit into memory.
    """
    memory = psutil.virtual_memory().total
    room = f"and this machine has {memory / 2**30:.0f} GB of memory; choose smaller ones, such as a width"
    with _said(spec, room), budget(values=memory / 4, modules=MODULES):  # a value of float32 has 4 bytes
        return _registered(spec)


def build_without_memory(spec: PartSpec) -> Method:
    """The method without memory for its weights; one that needs the numbers is built in full.

    Raises:
        UnknownNameError, ConfigError: see `build`.
    """
    return _plan(spec) or build(spec)


def build_fitting(spec: PartSpec, weights: Mapping[str, Tensor], where: str) -> Method:
    """Build the method that a config describes if the weights are those of such a method, before memory is taken.

    Args:
        spec: see `build`.
        weights: what is there, as tensors without memory.
        where: of the config and the weights, for messages.

    Raises:
        StorageError: names, shapes or kinds of the tensors differ, or the config describes something far larger.
        UnknownNameError, ConfigError: see `build`.
    """
    there = sum(tensor.numel() for tensor in weights.values())
    modules = 16 * len(weights) + 5_000
    with _too_large_for(there, where), budget(values=math.inf, modules=modules):
        planned = _plan(spec)
    if planned is not None and (wrong := misfit(planned.inference_state(), weights)):
        raise StorageError(f"the weights in {where} do not fit its config: {wrong}.")
    # beside what translates there is what trained it, which is hardly larger
    room = f"and its weights are {there:,} values; fetch the folder again"
    with _said(spec, room), budget(values=4 * there + 2**27, modules=modules):
        return _registered(spec)


def _plan(spec: PartSpec) -> Method | None:
    """The method without memory; None where it cannot be built so."""
    try:
        with only_shapes():
            return _registered(spec)
    except (I2IZooError, OverBudget):
        raise
    except Exception:  # it looks at numbers, or it fails with memory, too, which building it says
        return None


def _registered(spec: PartSpec) -> Method:
    built: Method = registry("methods").build(spec)
    return built


@contextmanager
def _said(spec: PartSpec, room: str) -> Iterator[None]:
    """Whatever building raises, as one sentence."""
    name = spec if isinstance(spec, str) else spec.get("name")
    try:
        yield
    except I2IZooError:
        raise
    except Exception as error:
        if isinstance(error, OverBudget):
            raise ConfigError(f"method {name!r} with these options has {error}, {room}.") from error
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise ConfigError(f"method {name!r} with these options is too large, {room}.") from error
        raise ConfigError(f"method {name!r} cannot be built with these options: {in_a_sentence(error)}.") from error


@contextmanager
def _too_large_for(count: int, where: str) -> Iterator[None]:
    try:
        yield
    except OverBudget as error:
        raise StorageError(
            f"the weights in {where} do not fit its config, which describes a model of {error}, and they are {count:,} "
            "values; save or fetch the folder again."
        ) from error
