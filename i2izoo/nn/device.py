"""Which device computes: one choice for translators, evaluations and trainings."""

from __future__ import annotations

import torch

from i2izoo.errors import ConfigError


def find_device(asked: str | torch.device | None) -> torch.device:
    """The device of this name, which is there and computes.

    Args:
        asked: "cpu", "cuda", "cuda:1", "mps", or "auto" for the fastest there is; None: the CPU.

    Raises:
        ConfigError: there is no such device here.

    >>> find_device(None)
    device(type='cpu')
    """
    if asked == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(asked or "cpu")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ConfigError(f"cannot use device {asked!s}: {reason}. 'auto' takes the fastest there is.") from error
    return device
