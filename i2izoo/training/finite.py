"""A training whose numbers are no longer finite ends, and says from where it can go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from i2izoo.errors import NonFiniteLossError, listing
from i2izoo.training.resume import last_good


def check_finite(what: str, values: Mapping[str, Tensor], step: int, out: Path | None) -> None:
    """See that all values are finite.

    Args:
        what: they are.
        values: by name.
        step: steps done.
        out: folder of the run.

    Raises:
        NonFiniteLossError: one is not; names it, and the last good checkpoint.
    """
    bad = [k for k, v in values.items() if v.is_floating_point() and not torch.isfinite(v).all()]
    if bad:
        raise NonFiniteLossError(
            f"{what} {listing(bad, 3)} is not finite at step {step}; {last_good(out)}. Lower the learning rate, set "
            "'max_grad_norm', or use fp32 or bf16 instead of fp16."
        )
