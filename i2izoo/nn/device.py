"""Which device computes, and in which type: one choice for translators, evaluations and trainings."""

from __future__ import annotations

import torch

from i2izoo.errors import ConfigError, OptionTypeError, listing, suggest

DTYPES = {
    "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp64": torch.float64,
    "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64,
    "float": torch.float32, "half": torch.float16, "double": torch.float64,
}  # fmt: skip
"""Floating-point types by the names that people write."""


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
    cause: Exception | None = None
    try:
        device = torch.device("cpu" if asked is None else asked)
        if device.type != "meta":
            torch.empty(0, device=device)
            return device
    except Exception as error:  # each kind of device that torch knows fails in its own way
        reason, cause = _why(asked), error
    else:
        reason = "it computes nothing"
    raise ConfigError(
        f"cannot use device {asked!s}: {reason}. Here {_present()}; 'auto' takes the fastest there is."
    ) from cause


def _why(asked: object) -> str:
    """Why a device is not here, without torch's advice to its own developers."""
    try:
        kind = torch.device(asked).type  # type: ignore[call-overload]
    except (RuntimeError, TypeError):
        return "there is none of that name, and a GPU of NVIDIA or AMD is 'cuda', Apple's 'mps', Intel's 'xpu'"
    if kind == "cuda" and not torch.backends.cuda.is_built():
        return "this torch was installed without CUDA"
    if kind == "cuda" and not torch.cuda.is_available():
        return f"no driver of {'AMD' if torch.version.hip else 'NVIDIA'} is found"
    if kind == "mps" and not torch.backends.mps.is_available():
        return "only a Mac with Apple silicon has it"
    there = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return "there are not so many" if there is not None and there.type == kind else "this torch cannot use it"


def _present() -> str:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None:
        return "is 'cpu' alone"
    return "are " + listing(["'cpu'", *(f"'{found.type}:{n}'" for n in range(torch.accelerator.device_count()))])


def find_dtype(asked: str | torch.dtype | None) -> torch.dtype | None:
    """The floating-point type of this name.

    Args:
        asked: "fp32", "fp16", "bf16", or as torch names them; None stays None.

    Raises:
        ConfigError: there is no such type, or it is not one of fractions.

    >>> find_dtype("bf16"), find_dtype(torch.float16)
    (torch.bfloat16, torch.float16)
    """
    if asked is None or (isinstance(asked, torch.dtype) and asked.is_floating_point):
        return asked
    if not isinstance(asked, (str, torch.dtype)):
        raise OptionTypeError(f"dtype is a name such as 'fp16', or torch.float16; found {asked!r}.")
    name = str(asked).removeprefix("torch.")
    if name not in DTYPES:
        raise ConfigError(
            f"there is no dtype {name!r} to compute in{suggest(name, DTYPES) or '.'} Known: {listing(DTYPES)}."
        )
    return DTYPES[name]
