"""Grids of samples during training, made by the translator itself: a preview is what the model will give."""

from __future__ import annotations

from pathlib import Path

from i2izoo.contracts.dataset import Dataset
from i2izoo.images import writing as images
from i2izoo.models.captions import captions
from i2izoo.models.translator import Translator


def sample_grid(model: Translator, data: Dataset, rows: int, path: Path | None) -> None:
    """Write a PNG: for each direction and image the input, the translation and, for paired data, the truth.

    A direction without a source has one row of images, always of the same seeds, of the items' captions if it has any.

    Args:
        model: with the weights that are to be seen.
        data: its first items are translated, without jitter.
        rows: how many, for each direction.
        path: the file; None translates without writing, as the other processes of a run do.
    """
    items = [data.sample(index, None) for index in range(min(rows, len(data)))]
    grid = []
    for to, source in model.directions.items():
        if source is None:
            size = (items[0][to].shape[-2], items[0][to].shape[-1])
            said = captions(model, data, range(len(items)))
            grid.append(list(model.generate(len(items), to=to, size=size, batch_size=1, output="tensor", **said)))
            continue
        translated = model([item[source] for item in items], to=to, batch_size=1)
        for item, image in zip(items, translated, strict=True):
            grid.append([item[source], image.float(), *([item[to]] if data.kind == "paired" else [])])
    if path is not None:
        images.save(images.grid(grid), path)
