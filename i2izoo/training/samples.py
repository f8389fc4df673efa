"""Grids of samples during training, made by the same function that translates afterwards."""

from __future__ import annotations

from pathlib import Path

import torch

from i2izoo.data.interface import Dataset
from i2izoo.interfaces import Method


@torch.inference_mode()
def sample_grid(method: Method, data: Dataset, rows: int, device: torch.device, path: Path) -> None:
    """Write a PNG: for each direction and picture the input, the translation and, for paired data, the truth."""
    from i2izoo import images

    grid = []
    for to, source in method.directions.items():
        for index in range(min(rows, len(data))):
            item = data.sample(index, None)
            row = [item[source], method(item[source][None].to(device), to=to)[0].float().cpu()]
            grid.append(row + ([item[to]] if data.kind == "paired" else []))
    path.parent.mkdir(parents=True, exist_ok=True)
    images.grid(grid).save(path)
