"""A data set of one's own under a name: the command line takes it like any other, and says what it has not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import registry

SMALL = [
    "generator.width=2", "generator.depth=3", "discriminator=pixel", "steps=2", "device=cpu", "tensorboard=false",
    "sample_every=0",
]  # fmt: skip


class Levels(Dataset):
    """Pairs of a grey level and its negative; has no option that a training gives, but its own.

    Args:
        size: of the images.
    """

    domains = ("level", "negative")
    kind = "paired"

    def __init__(self, *, size: int = 16) -> None:
        self.size = size

    def __len__(self) -> int:
        return 4

    def name(self, index: int) -> str:
        return f"level_{index}"

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        image = torch.full((3, self.size, self.size), index / 4)
        return {"level": image, "negative": -image}


@pytest.fixture(autouse=True)
def levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("datasets"), "_registered", dict(registry("datasets")._registered))
    i2izoo.register("datasets", "levels")(Levels)


def test_it_trains_and_is_evaluated_and_swept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--data", "levels", "--to", "negative", "--out", str(tmp_path / "run")]
    assert main(["train", "pix2pix", *asked, *SMALL]) == 0
    assert "training level -> negative" in capsys.readouterr().out
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert (facts["options"]["domains"], facts["images"]) == (["level", "negative"], 4)
    out = tmp_path / "evaluation"
    assert (
        main(["evaluate", str(tmp_path / "run/model"), "--data", "levels", "--metrics", "psnr", "--out", str(out)]) == 0
    )
    assert json.loads((out / "protocol.json").read_text())["n"] == 4
    spec = tmp_path / "sweep.yaml"
    spec.write_text(
        "{method: pix2pix, to: negative, metrics: [psnr], val: levels, grid: {generator.width: [2, 4]},"
        " options: {steps: 1, generator.depth: 3, discriminator: pixel}}"
    )
    assert main(["sweep", str(spec), "--data", "levels", "--dry-run"]) == 0
    assert "generator.width=4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["crop_size=8"], "Levels has no option 'crop_size'"),
        (["--split", "val"], "Levels has no option 'split'"),
        (["--sides", "a,b"], "Levels has no option 'sides'"),
        (["in_channels=1"], "images of 'level' with 1 channels, and the data's have 3"),
        (["generator.depth=5"], "multiples of 32 and at least 32 pixels, and images of 'level' come as 16 x 16"),
        (["--metrics", "psnr"], "the training data has no split 'val'"),
    ],
)
def test_what_it_has_not_is_said_in_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data", "levels", "--to", "negative", "--out", str(tmp_path / "run")]
    assert (
        main(["train", "pix2pix", *asked, *[w for w in SMALL if w.split("=")[0] != words[0].split("=")[0]], *words])
        == 2
    )
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_a_method_by_name_takes_the_domains_of_its_data_in_python_too() -> None:
    method = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 2, "depth": 3}, "discriminator": "pixel"}
    options = {"steps": 1, "device": "cpu", "progress": False}
    trainer = i2izoo.Trainer(method, "levels", to="negative", **options)
    assert trainer.model.directions == {"negative": "level"}
    again = i2izoo.Trainer(method, Levels(), to="negative", **options)  # weights are a function of the seed
    for name, tensor in trainer.method.state_dict().items():
        assert torch.equal(tensor, again.method.state_dict()[name])
    with pytest.raises(i2izoo.errors.ConfigError, match="say which is the target"):
        i2izoo.Trainer(method, "levels", **options)
    with pytest.raises(i2izoo.errors.ConfigError, match="has its domains"):
        i2izoo.Trainer(trainer.model, "levels", to="negative", **options)
