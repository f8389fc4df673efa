"""What the true images leave behind in a metric, kept by the hash of all that decides it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

from i2izoo.contracts.metric import SetMetric
from i2izoo.errors import DataError, ImageError, MetricError, StorageError
from i2izoo.evaluation.batches import in_groups
from i2izoo.evaluation.cases import Cases
from i2izoo.evaluation.measuring import Measurement, spec_of
from i2izoo.files.download import cache_folder
from i2izoo.files.writing import read_tensors, write_tensors


def add_references(
    measurements: list[Measurement],
    cases: Cases,
    versions: dict[str, str],
    batch_size: int | None,
    device: torch.device,
) -> None:
    """Show the true images to the metrics that compare sets, all in one pass; those known from before see none.

    The state of each is in the folder `references` of the cache (I2IZOO_CACHE, or ~/.cache/i2izoo), under a hash of
    the images, their size and resizing, the metric with its options and weights, and the libraries' versions.
    """
    wanting = [(m, m.metric) for m in measurements if m.runs and isinstance(m.metric, SetMetric)]
    if not wanting:
        return
    data = cases.hash(cases.to)
    places = {m.label: _place(m, cases, data, versions) for m, _ in wanting}
    missing = [(m, metric) for m, metric in wanting if not _restore(metric, places[m.label])]
    try:
        for group in in_groups(cases.truths() if missing else (), lambda image: image.shape, batch_size):
            batch = torch.stack(group).to(device)
            for m, metric in missing:
                _add(m, metric, batch)
    except (ImageError, DataError) as error:
        for m, _ in missing:
            m.stop(f"needs all the true images: {error}")
    for m, metric in missing:
        if m.runs:
            _keep(places[m.label], metric.reference_state())


def _add(measurement: Measurement, metric: SetMetric, batch: Tensor) -> None:
    if not measurement.runs:
        return
    try:
        metric.add_reference(batch)
    except MetricError as error:
        measurement.stop(error)


def _place(measurement: Measurement, cases: Cases, data: str, versions: dict[str, str]) -> Path:
    key = {
        "data": data,
        "channels": cases.channels,
        "size": cases.size,
        "filter": cases.filter,
        "metric": spec_of(measurement.label, measurement.metric),
        "weights": [[w.file, w.sha256] for w in measurement.metric.weights()],
        "versions": versions,
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "references" / f"{measurement.label.partition('[')[0]}-{digest}.safetensors"


def _restore(metric: SetMetric, place: Path) -> bool:
    """Take the state that was kept, if there is one and it is whole."""
    if not place.is_file():
        return False
    try:
        metric.load_reference_state(read_tensors(place))
    except (StorageError, KeyError, RuntimeError, ValueError):  # damaged: made anew, and written over
        return False
    return True


def _keep(place: Path, state: dict[str, Tensor]) -> None:
    # a cache that cannot be written to costs time, not the evaluation
    with contextlib.suppress(OSError):
        write_tensors(place, state)
