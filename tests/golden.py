"""Recordings of the methods' public implementations in tests/data/golden, and how close to them we must be."""

from pathlib import Path

import torch
from safetensors.torch import load_file

FOLDER = Path(__file__).parent / "data" / "golden"


class Golden:
    """One recording; `golden["output.image"]`, and `golden.state` with the original key names.

    An image that is kept in bytes is in steps of 1/128.
    """

    def __init__(self, name, prefix="state."):
        tensors = load_file(FOLDER / f"{name}.safetensors")
        self.tensors = {k: v.float() / 128 if v.dtype == torch.int8 else v for k, v in tensors.items()}
        self.state = {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    def __getitem__(self, key):
        return self.tensors[key]


def assert_equal(found, recorded):
    """Absolutely within 1e-5; where values exceed 1 (features reach 15), within 1e-5 of their size."""
    torch.testing.assert_close(found, recorded, rtol=1e-5, atol=1e-5)
