"""What holds for every test, doctests included: no network, and workers that do not take each other's cores."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

MOST_WORKERS = 16
"""More only wait for the longest tests, and each reads a gigabyte of libraries and models."""

CORES = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A worker for each core that has a gigabyte of memory; none for tests of single files, which are run by hand."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist's own answer
    if not any(Path(word.partition("::")[0]).is_dir() for word in config.args):
        return 0
    workers = min(CORES, psutil.virtual_memory().available >> 30, MOST_WORKERS)
    return workers if workers > 1 else 0


if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # before torch is imported, and for what tests start: threads that outnumber the cores starve each other
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, CORES // int(workers))))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin starve tests that run beside them


def pytest_collection_finish() -> None:
    gc.freeze()  # the libraries and four thousand tests stay; collecting the garbage of one need not look at them


# huggingface_hub reads its settings once, when it is imported.
HOME = tempfile.mkdtemp(prefix="i2izoo-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

for name in (
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
):
    os.environ.pop(name, None)
os.environ.update(
    HF_HOME=HOME,
    HF_HUB_OFFLINE="1",  # a test of the Hub turns this off for its own server on loopback
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_HUB_DISABLE_IMPLICIT_TOKEN="0",
)
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
    filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])
)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite started in the background inherits none


# ------------------------------------------------------------------------------------------------- tests that learn


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--learning-seed", default="0", help="seeds of tests that learn: 3, or 0-9 to run each ten times")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first, _, last = metafunc.config.getoption("learning_seed").partition("-")
    if last and "learning_seed" in metafunc.fixturenames:
        seeds = range(int(first), int(last) + 1)
        metafunc.parametrize("learning_seed", seeds, ids=[f"seed{s}" for s in seeds], scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "learning_seed" in getattr(item, "fixturenames", ()):
            item.add_marker("learns")


@pytest.fixture(scope="session")
def learning_seed(request: pytest.FixtureRequest) -> int:
    """What the weights, the data and all randomness of a training start from, for tests that train to an end."""
    return int(request.config.getoption("learning_seed"))


@pytest.fixture
def learned(learning_seed: int, record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`learned("distance", value, below=0.2, untrained=0.5)` asserts, and records for tools/learning_table.py.

    `untrained` is what one gets without learning, from the docstring's argument or measured before the first step.
    """

    def check(
        what: str, value: float, *, below: float | None = None, above: float | None = None, untrained: float
    ) -> None:
        value, untrained = float(value), float(untrained)
        numbers = {"what": what, "value": value, "below": below, "above": above, "untrained": untrained}
        record_property("learned", json.dumps(numbers))
        if below is not None:
            assert value < below < untrained, what
        else:
            assert value > above > untrained, what

    return check
