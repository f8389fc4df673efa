"""A bound on what is built, kept while it is being built: of a network that was asked for by mistake, or to do harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)


class OverBudget(Exception):
    """More was about to be built than is allowed; the message says what."""


@contextmanager
def budget(*, values: float, modules: float) -> Iterator[None]:
    """Stop what builds networks inside as soon as they hold more than this: before a large layer is filled.

    torch calls back where a module gets a parameter or a module of its own. Memory that was asked for by then has not
    been written to, and so has not been taken yet.

    Args:
        values: of all parameters together.
        modules: number of modules inside of modules and of their parameters, counted together.

    Raises:
        OverBudget: there is more.

    >>> from torch import nn
    >>> with budget(values=1000, modules=10):
    ...     nn.Linear(20, 20)
    ...     nn.Linear(40, 40)
    Traceback (most recent call last):
    ...
    i2izoo.nn.budget.OverBudget: more than 1,000 parameters
    """
    thread, left = threading.get_ident(), {"parameters": values, "modules": modules}

    def spend(what: str, amount: int, allowed: float) -> None:
        if threading.get_ident() != thread:  # another one builds something else meanwhile
            return
        left[what] -= amount
        if left[what] < 0:
            raise OverBudget(f"more than {allowed:,.0f} {what}")

    def parameter(module: Any, name: str, value: Tensor | None) -> None:
        spend("modules", 1, modules)
        if value is not None and not hasattr(value, "materialize"):  # a lazy one has no size yet
            spend("parameters", value.numel(), values)

    hooks = [
        register_module_parameter_registration_hook(parameter),
        register_module_module_registration_hook(lambda *_: spend("modules", 1, modules)),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
