"""Ray on this machine, as small as it gets: two places for workers, no dashboard, no noise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
SMALL = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False, "log_to_driver": False}


@contextmanager
def started(folder: Path) -> Iterator[None]:
    """A cluster that ends with the block and leaves its files in `folder`, which should have a short name."""
    os.environ.update(QUIET)
    import ray

    ray.init(**SMALL, logging_level="ERROR", _temp_dir=str(folder))
    try:
        yield
    finally:
        ray.shutdown()
