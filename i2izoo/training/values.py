"""Which values a model has learned from: what a raster of another type is scaled to."""

from __future__ import annotations

import numpy as np

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Method
from i2izoo.rasters.values import PERCENTILES

IMAGES = 32
"""That are looked at, evenly spread over the data."""
PIXELS = 1 << 14
"""Values of each of them, at most."""


def value_ranges(method: Method, data: Dataset) -> dict[str, list[float]]:
    """The percentiles 1 and 99 of the images that each direction of a method begins with.

    Args:
        method: the method; its label maps have no values.
        data: what it learns from; it is seen without jitter.

    Returns:
        Domain -> low and high as shares of the whole range of the type, in [0, 1]; a domain of one value is left out.
        `config["values"]` of a model has it, for `translate_raster`.

    >>> import i2izoo
    >>> data = i2izoo.open_dataset({"name": "synthetic-facades", "count": 4, "size": 32})
    >>> method = i2izoo.create("pix2pix", domains=["photo", "label"]).method
    >>> value_ranges(method, data).keys()
    dict_keys(['photo'])
    """
    domains = {str(d) for d in method.directions.values() if d is not None} - set(method.label_maps)
    seen: dict[str, list[np.ndarray]] = {domain: [] for domain in sorted(domains)}
    count = min(len(data), IMAGES) if domains else 0
    for i in range(count):
        images = data.sample(i * len(data) // count, None)
        for domain, found in seen.items():
            values = images[domain].flatten().numpy()
            found.append(values[:: -(-len(values) // PIXELS)])
    ranges = {d: (np.percentile(np.concatenate(found), PERCENTILES) + 1) / 2 for d, found in seen.items() if found}
    return {d: [round(float(v), 4) for v in pair] for d, pair in ranges.items() if pair[1] - pair[0] > 1e-3}
