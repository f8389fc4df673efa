"""examples/bicyclegan_study.py end to end, on drawn facades with tiny networks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
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


def test_a_second_call_trains_and_measures_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (out / "study.json").read_bytes()

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("it was there already")

    monkeypatch.setattr(i2izoo.Trainer, "train_step", refused)
    monkeypatch.setattr("i2izoo.evaluation.compare.run", refused)
    run(monkeypatch, out)
    assert (out / "study.json").read_bytes() == before


def test_a_study_that_was_stopped_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--only", "BicycleGAN", "--steps", "3"]
    one_step = i2izoo.Trainer.train_step

    def stop_after_two(trainer: i2izoo.Trainer) -> dict[str, torch.Tensor]:
        if trainer.step == 2:
            raise KeyboardInterrupt
        return one_step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(i2izoo.Trainer, "train_step", stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            run(patch, tmp_path / "stopped", *words)
    run(monkeypatch, tmp_path / "stopped", *words)
    run(monkeypatch, tmp_path / "whole", *words)
    weights = [
        load_file(tmp_path / name / "runs" / "BicycleGAN,seed=0" / "model" / "model.safetensors")
        for name in ("stopped", "whole")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def test_all_runs_differ_from_bicyclegan_in_what_their_name_says(tmp_path: Path) -> None:
    study = script(EXAMPLE)
    spec = study.spec(study.parse(["--data", "facades", "--size", "64"]))
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


def test_means_have_students_interval() -> None:
    found = {"settings": {}, "real photographs": {"kid": 0.0}, "runs": {"BicycleGAN": {"kid": [1.0, 2.0, 3.0]}}}
    text = script(EXAMPLE).tables(found)
    assert "| BicycleGAN | 2.000 ± 2.484 | 34.33 / 0.110 |" in text  # 4.3027 / sqrt(3)


def test_an_unknown_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        script(EXAMPLE).parse(["--only", "StarGAN"])
    assert "no run 'StarGAN'" in capsys.readouterr().err


def test_the_site_lays_out_the_stored_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = script("tools/site_hooks.py")
    monkeypatch.setattr(hooks, "DOCS", tmp_path)
    found = {"settings": {}, "real photographs": {"kid": 0.0}, "runs": {"z of 2": {"kid": [0.25]}}}
    (tmp_path / "assets" / "studies").mkdir(parents=True)
    (tmp_path / "assets" / "studies" / "bicyclegan.json").write_text(json.dumps(found))
    text = hooks.fill("before <!-- study bicyclegan --> after")
    assert "| z of 2 | 0.250 |" in text
    assert text.startswith("before ")
    assert text.endswith(" after")
