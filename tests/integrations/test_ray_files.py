"""Image files over Ray: the bytes of one process, also where workers are killed."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from local_ray import started
from PIL import Image

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.integrations.ray import files, translate_dataset
from i2izoo.nn.random import seeded

UNET = {"name": "unet_128", "width": 4, "depth": 3, "latent_at": "all"}
MODELS: dict[str, dict[str, Any]] = {
    "feed-forward": {"method": "pix2pix", "generator": {"name": "resnet_6blocks", "width": 8}},
    "sampling": {"method": "bicyclegan", "latent": 2, "generator": UNET},
}


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*.png"))}


def test_without_ray_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"needs Ray: pip install 'i2izoo\[ray\]'"):
        translate_dataset("pix2pix-facades", tmp_path, tmp_path / "out")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for index, image in enumerate(np.random.default_rng(0).integers(0, 256, (9, 24, 16, 3), dtype=np.uint8)):
        Image.fromarray(image[: 16 if index % 3 else 24]).save(tmp_path / "in" / f"{index}.png")
    return tmp_path / "in"


@pytest.mark.slow
def test_killed_workers_lose_nothing_and_change_no_byte(
    cluster: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is killed in the middle of its task, and one after it has written all and said nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have it
    marks = tmp_path / "marks"
    marks.mkdir()

    class Mortal(files.FileWorker):
        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            half = len(batch["name"]) // 2 or 1
            super().__call__({name: column[:half] for name, column in batch.items()})
            for mark, when in (("middle", 0), ("end", 1)):
                if not (marks / mark).exists():
                    if when:
                        super().__call__(batch)
                    (marks / mark).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    monkeypatch.setattr(files, "FileWorker", Mortal)
    (folder / "bad.png").write_bytes(b"no image")
    try:
        for kind, options in MODELS.items():
            with seeded(0):
                model = i2izoo.create(**options).save_pretrained(tmp_path / kind)
            i2izoo.translate_files(model, folder, tmp_path / f"{kind}-one")
            done = translate_dataset(model, folder, tmp_path / f"{kind}-ray", images_per_task=4, workers=2)
            assert sorted(p.name for p in marks.iterdir()) == ["end", "middle"]
            assert [d.job.source.name for d in done if d.error] == ["bad.png"]
            assert "bad.png" in str(done[-1].error)
            assert len(contents(tmp_path / f"{kind}-one")) == 9
            assert contents(tmp_path / f"{kind}-ray") == contents(tmp_path / f"{kind}-one")
        again = translate_dataset(model, folder, tmp_path / f"{kind}-ray", skip_existing=True)
        assert [d.before for d in again] == [True] * 9 + [False]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_an_image_that_kills_every_worker_is_said_and_ends_no_other(
    cluster: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poisoned(files.FileWorker):
        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            if "5.png" in batch["name"]:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    monkeypatch.setattr(files, "FileWorker", Poisoned)
    model = i2izoo.create(**MODELS["feed-forward"]).save_pretrained(tmp_path / "model")
    done = translate_dataset(model, folder, tmp_path / "out", images_per_task=3, retries=0)
    assert [d.job.name for d in done if d.error] == ["5.png"]
    assert "its worker died 1 times" in str(done[5].error)
    assert len(contents(tmp_path / "out")) == 8


@pytest.mark.slow
def test_there_must_be_room_for_a_worker(cluster: None, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes 64 CPUs and 0 GPUs, and the cluster has 2 and 0"):
        translate_dataset("pix2pix-facades", folder, tmp_path / "out", cpus=64)
    with pytest.raises(ConfigError, match="takes 1 CPUs and 8 GPUs"):
        translate_dataset("pix2pix-facades", folder, tmp_path / "out", gpus=8)
