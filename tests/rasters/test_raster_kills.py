"""A raster whose translation is killed, by SIGKILL, at any change of files, and goes on to the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kills
import numpy as np
import pytest
import torch

import i2izoo

MODEL = {"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "instance"}


def translate(folder: Path, resume: bool) -> None:
    """The command, on the same seven rows of tiles."""
    words = ["translate", folder / "model", folder / "a.npy", "-o", folder / "out/b.tif", "--tile", 64]
    kills.cli(*words, *(["--resume"] if resume else []))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("raster")
    torch.manual_seed(0)
    i2izoo.create("pix2pix", generator=MODEL).save_pretrained(found / "model")
    noise = np.random.default_rng(0).integers(0, 5000, (400, 100, 3))
    np.save(found / "a.npy", noise.astype(np.uint16))
    (found / "out").mkdir()  # else the first run alone makes it, and has one change more
    return found


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> tuple[kills.Ended, bytes]:
    ended = kills.run(translate, folder, False, below=folder / "out")
    assert ended.code == 0, ended.said
    made = (folder / "out/b.tif").read_bytes()
    (folder / "out/b.tif").unlink()
    return ended, made


def killed_and_resumed(folder: Path, undisturbed: Any, places: list[int]) -> None:
    ended, made = undisturbed
    assert ended.changes > 15, "a state for each row of tiles, the statistics, and the target"
    for place in places:
        assert kills.run(translate, folder, False, below=folder / "out", kill_at=place).killed, place
        assert not (folder / "out/b.tif").exists() or (folder / "out/b.tif").read_bytes() == made, place
        (folder / "out/b.tif").unlink(missing_ok=True)
        went_on = kills.run(translate, folder, True, below=folder / "out")
        assert went_on.code == 0, went_on.said
        assert (folder / "out/b.tif").read_bytes() == made, place
        assert [p.name for p in (folder / "out").iterdir()] == ["b.tif"], place
        (folder / "out/b.tif").unlink()


def test_killed_early_on_the_way_and_late(folder: Path, undisturbed: Any) -> None:
    last = undisturbed[0].changes
    killed_and_resumed(folder, undisturbed, [last // 4, last // 2, last - 2])


@pytest.mark.slow
def test_killed_at_every_change(folder: Path, undisturbed: Any) -> None:
    killed_and_resumed(folder, undisturbed, list(range(1, undisturbed[0].changes + 1)))
