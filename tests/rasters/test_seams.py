"""Seam ratio and drift: closed forms, and what a model of tiles that shift in tint shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import MetricError
from i2izoo.images.seams import block_drift, seam_ratio


def test_a_step_at_each_border() -> None:
    """A ramp of 0.01 a pixel along both sides, and tiles that are 0.1 brighter from one to the next."""
    side = torch.arange(64) * 0.01
    image = side + side[:, None]
    tiles = image + 0.1 * (torch.arange(64) // 16 + (torch.arange(64) // 16)[:, None])
    borders = [16, 32, 48]
    assert torch.isclose(seam_ratio(image[None, None], borders, borders), torch.ones(1)).all()
    assert torch.isclose(seam_ratio(tiles[None, None], borders, borders), torch.tensor(11.0), rtol=1e-3).all()
    drift = torch.tensor([0.0, 0.1, 0.2, 0.3])
    expected = (drift + drift[:, None]).mean()
    assert torch.isclose(block_drift(tiles[None, None], image[None, None], side=16), expected).all()


def test_metrics_see_what_tiles_do_and_not_what_the_whole_has() -> None:
    torch.manual_seed(0)
    resnet = {"name": "resnet_6blocks", "width": 4, "blocks": 1}
    image = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(1)) - 0.5 + torch.linspace(-0.5, 0.5, 160)
    found = {}
    for norm in ("none", "instance"):
        model = i2izoo.create("pix2pix", generator={**resnet, "norm": norm}, init_gain=0.3)
        for name in ("seam_ratio", "tile_drift"):
            metric = registry("metrics").build({"name": name, "tile": 64, "statistics": "tile"})
            found[norm, name] = float(metric.update(source=image, model=model))
    assert abs(found["none", "seam_ratio"] - 1) < 1e-3
    assert found["none", "tile_drift"] < 1e-2
    assert found["instance", "tile_drift"] > 1
    with pytest.raises(MetricError, match="larger than a tile of 256"):
        registry("metrics").build("seam_ratio").update(source=image, model=model)


def test_evaluate_reports_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of images that are larger than a tile; of others it says what is wanted."""
    resnet = {"name": "resnet_6blocks", "width": 2, "blocks": 1}
    i2izoo.create("pix2pix", generator=resnet, domains=["label", "photo"]).save_pretrained(tmp_path / "model")
    words = ["evaluate", str(tmp_path / "model"), "--data", "synthetic-facades", "--metrics", "psnr", "--tiled"]
    assert main([*words, "--limit", "1", "--size", "320"]) == 0
    found = capsys.readouterr().out
    assert "seam_ratio" in found
    assert "tile_drift" in found
    assert "larger than a tile" not in found
    assert main([*words, "--limit", "1", "--size", "64"]) == 0
    assert "needs images larger than a tile of 256 pixels" in "".join(capsys.readouterr()).replace("\n", " ")
