"""Tensors by name, compared with those that a network wants."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from i2izoo.errors import listing


def misfit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """What keeps `found` from being loaded in place of `wanted`, in words; empty: every name, shape and kind fits.

    >>> import torch
    >>> misfit({"a": torch.zeros(2), "b": torch.zeros(1)}, {"a": torch.zeros(3)})
    '1 missing (b); 1 of another shape (a: (3,) for (2,))'
    """
    both = sorted(wanted.keys() & found.keys())
    wrong = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": [
            f"{k}: {tuple(found[k].shape)} for {tuple(wanted[k].shape)}"
            for k in both
            if found[k].shape != wanted[k].shape
        ],
        "of another kind": [
            f"{k}: {found[k].dtype} for {wanted[k].dtype}" for k in both if _kind(found[k]) != _kind(wanted[k])
        ],
    }
    return "; ".join(f"{len(names)} {what} ({listing(names, 3)})" for what, names in wrong.items() if names)


def _kind(tensor: Tensor) -> tuple[bool, bool]:
    return tensor.is_floating_point(), tensor.is_complex()
