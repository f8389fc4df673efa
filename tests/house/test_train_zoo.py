"""tools/train_zoo.py: recipes side by side, and what it bundles."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from PIL import Image

import i2izoo

TOOL = Path(__file__).parents[2] / "tools" / "train_zoo.py"
RECIPE = """
method: pix2pix
to: photo
options:
  generator: {name: resnet_6blocks, width: 2, blocks: 1}
  discriminator: {name: patchgan, width: 2, layers: 1}
data: {name: synthetic-facades, count: 4, size: 16}
training: {steps: 6, crop_size: 16, load_size: 16, device: cpu}
"""


def test_two_recipes_side_by_side(tmp_path: Path) -> None:
    """With a budget that is over at once, so that each trains a step or a few."""
    (tmp_path / "one.yaml").write_text(RECIPE)
    (tmp_path / "two.yaml").write_text(RECIPE + "stages: [{steps: 3, learning_rate: 1e-3}, {}]\n")
    (tmp_path / "wrong.yaml").write_text(RECIPE.replace("pix2pix", "pix2pixx"))
    command = [sys.executable, str(TOOL), "one.yaml", "two.yaml", "wrong.yaml", "--minutes", "0.01", "--out", "zoo",
               "--evaluate", "psnr", "--set", "seed=3"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "wrong failed: train_zoo: wrong.yaml: " in done.stderr.replace("wrong.yaml failed", "wrong failed")
    assert sorted(path.name for path in (tmp_path / "zoo/bundle").iterdir()) == ["one.tar", "two.tar"]
    for name in ("one", "two"):
        with tarfile.open(tmp_path / f"zoo/bundle/{name}.tar") as tar:
            found = {member.name for member in tar.getmembers()}
            grid = tar.extractfile(f"{name}/training/{name}.webp")
            assert grid is not None
            assert Image.open(io.BytesIO(grid.read())).format == "WEBP"
            tar.extractall(tmp_path / "out", filter="data")
        assert {f"{name}/{file}" for file in (
            "config.json", "README.md", "model.safetensors", "recipe.yaml", "evaluation/protocol.json",
            "training/log.csv", "training/run.json",
        )} <= found  # fmt: skip
        model = i2izoo.load(tmp_path / "out" / name)
        assert model.config["provenance"]["metrics"]["psnr"]["n"] == 4
        assert model.config["provenance"]["seed"] == 3
    assert (tmp_path / "zoo/two/stage-1/model").is_dir()

    again = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1  # the wrong one is tried again, and the others stay as they are
    assert "one: " in again.stdout
