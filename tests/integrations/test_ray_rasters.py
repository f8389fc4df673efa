"""A raster over Ray: the bytes of one process for all statistics, also where workers are killed."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from local_ray import started

import i2izoo
from i2izoo.errors import ImageError
from i2izoo.integrations.ray import rasters, translate_raster
from i2izoo.nn.random import seeded

GENERATOR = {"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "instance"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    pytest.importorskip("ray")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have it
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)):
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with seeded(0):
        i2izoo.create("pix2pix", generator=GENERATOR).save_pretrained(tmp_path / "model")
    scan = np.random.default_rng(0).integers(0, 5000, (200, 150, 3)).astype(np.float32)
    scan[70:130, 60:] = np.nan  # no pixels there
    np.save(tmp_path / "scan.npy", scan)
    return tmp_path


def mortal(folder: Path, name: str, always: bool = False) -> type:
    """A worker that is killed when it has done its part of `name` and has not said so; once, or always."""

    class Mortal(rasters.BlockWorker):
        def do(self, method: str, index: int, *common: Any) -> Any:
            found = super().do(method, index, *common)
            mark = folder / f"killed-{name}"
            if method == name and index == 1 and (always or not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return found

    return Mortal


@pytest.mark.slow
def test_the_bytes_of_one_process_where_a_worker_is_killed(
    cluster: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"tile": 64, "values": (0, 5000), "joint_tiles": 3}
    for options["statistics"], name in (("exact", "layer"), ("joint", "tiles")):
        monkeypatch.setattr(rasters, "BlockWorker", mortal(folder, name))
        one = i2izoo.translate_raster(folder / "model", folder / "scan.npy", folder / f"one-{name}.npy", **options)
        many = translate_raster(folder / "model", folder / "scan.npy", folder / f"many-{name}.npy", **options)
        assert (folder / f"killed-{name}").exists()
        assert np.isfinite(np.load(one)).mean() > 0.5
        assert many.read_bytes() == one.read_bytes(), options


@pytest.mark.slow
def test_what_kills_every_worker_is_said_and_a_later_run_goes_on(
    cluster: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"tile": 64, "values": (0, 5000), "statistics": "tile", "workers": 1}
    with monkeypatch.context() as patched:
        patched.setattr(rasters, "BlockWorker", mortal(folder, "tiles", always=True))
        with pytest.raises(ImageError, match="workers died 1 times at one row of tiles"):
            translate_raster(folder / "model", folder / "scan.npy", folder / "many.npy", retries=0, **options)
    assert not (folder / "many.npy").exists()
    many = translate_raster(folder / "model", folder / "scan.npy", folder / "many.npy", resume=True, **options)
    del options["workers"]
    one = i2izoo.translate_raster(folder / "model", folder / "scan.npy", folder / "one.npy", **options)
    assert many.read_bytes() == one.read_bytes()
