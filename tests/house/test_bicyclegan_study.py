"""examples/bicyclegan_study.py end to end, on drawn facades with tiny networks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from scripts import script

import i2izoo

EXAMPLE = "examples/bicyclegan_study.py"
WORDS = ["--only", "pix2pix + noise,BicycleGAN,z at the input", "--seeds", "2"]
PAPER = {  # table 1 of the paper: fooled (%), LPIPS
    "pix2pix + noise": "27.93 / 0.013",
    "cVAE-GAN": "24.93 / 0.096",
    "cLR-GAN": "29.23 / 0.090",
    "BicycleGAN": "34.33 / 0.110",
}


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> dict[str, list[str]]:
    """Run of the tables -> its cells, of the first table that has it."""
    monkeypatch.setattr(sys, "argv", [EXAMPLE, "--out", str(out), *(words or WORDS)])
    script(EXAMPLE).main()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in (out / "tables.md").read_text().splitlines()]
    return {row[0]: row[1:] for row in reversed(rows) if len(row) > 1}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        run(patch, out)
    return out


def test_figures_stand_beside_the_papers(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run(monkeypatch, out)
    assert {name: rows[name][-1] for name in ("pix2pix + noise", "BicycleGAN")} == {
        name: PAPER[name] for name in ("pix2pix + noise", "BicycleGAN")
    }
    assert len(rows["z at the input"]) == 3, "the paper's table 1 has no such row"
    assert rows["pix2pix + noise"][3] == "-", "it has no encoder, so it reconstructs nothing"
    assert all("±" in cell for cell in rows["BicycleGAN"][:-1]), "two seeds make an interval"
    assert all((out / name).stat().st_size for name in ("figure.svg", "samples.png"))


def test_the_reconstruction_loss_is_that_of_the_pairs(out: Path) -> None:
    found = json.loads((out / "study.json").read_text())
    data = i2izoo.open_dataset({"name": "synthetic-facades", "count": 4, "size": 64}, split="val", crop_size=32)
    pairs = [data.sample(index, None) for index in range(2)]
    method = i2izoo.load(out / "runs" / "BicycleGAN,seed=1" / "model").method
    label, photo = (torch.stack([pair[side] for pair in pairs]) for side in ("label", "photo"))
    with torch.inference_mode():
        made = method.generator(label, method.encoder(photo)[0]).clamp(-1, 1)
    expected = (made - photo).abs().mean().item()
    assert found["runs"]["BicycleGAN"]["reconstruction"][1] == pytest.approx(expected, abs=1e-5)


def test_all_runs_differ_from_bicyclegan_in_what_their_name_says(tmp_path: Path) -> None:
    study = script(EXAMPLE)
    spec = study.spec(study.settings(["--data", "facades", "--size", "64"]))
    runs = {run["name"]: run for run in spec["runs"]}
    assert len(runs) == 9
    base = runs["BicycleGAN"]
    assert base["encoder"]["name"] == "resnet_encoder"
    assert spec["options"]["generator"]["latent_at"] == "all"
    assert spec["options"]["latent"] == 8
    changed = {
        name: {key for key, value in run.items() if base.get(key) != value} - {"name"} for name, run in runs.items()
    }
    assert changed["CNN encoder and z at the input"] == {"encoder", "generator.latent_at"}
    assert changed["z of 2"] == changed["z of 256"] == {"latent"}
    assert changed["cVAE-GAN"] == changed["cLR-GAN"] == {"method"}
