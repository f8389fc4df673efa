"""`rename=`: data whose domains have other names than the model's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.data.open import spec_of
from i2izoo.errors import ConfigError, DataError
from i2izoo.evaluation.protocol import Protocol

EDGES = {"edges": "label"}


def write(folder: Path, *domains: str, split: str = "") -> Path:
    """Four pairs of noise: the n-th domain is the same whatever its name is."""
    for seed, domain in enumerate(domains):
        place = folder / split / domain
        place.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place / f"{i}.png")
    return folder


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    return write(tmp_path / "edges", "edges", "photo")


@pytest.fixture
def label(tmp_path: Path) -> Path:
    return write(tmp_path / "label", "label", "photo")


def same(one: Any, other: Any) -> bool:
    samples = [(data.sample(i, seed) for i in range(len(data)) for seed in (None, 3)) for data in (one, other)]
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in zip(*samples, strict=True)
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"domains": ["photo", "label"]}, {"channels": {"label": 1, "photo": 3}}, {"crop_size": 16, "limit": 2},
     {"kind": "unpaired"}, {"kind": "single", "domains": ["label"]}],
)  # fmt: skip
def test_it_is_the_data_of_those_names(edges: Path, label: Path, options: dict[str, Any]) -> None:
    renamed, plain = i2izoo.open_dataset(edges, rename=EDGES, **options), i2izoo.open_dataset(label, **options)
    assert set(renamed.domains) == set(plain.domains)
    assert same(renamed, plain)
    assert [renamed.name(i) for i in range(len(plain))] == [plain.name(i) for i in range(len(plain))]
    assert [renamed.count(d) for d in plain.domains] == [plain.count(d) for d in plain.domains]


def test_a_mapping_says_it_too_and_opens_it_again(edges: Path, label: Path) -> None:
    data = i2izoo.open_dataset({"root": str(edges), "rename": EDGES}, channels={"label": 1}, crop_size=16)
    spec = spec_of(data)
    assert spec["rename"] == EDGES
    again = i2izoo.open_dataset(spec)
    assert same(data, again)
    assert same(again.with_options(crop_size=8, channels={"label": 3}), i2izoo.open_dataset(label, crop_size=8))


def test_two_names_may_change_places(tmp_path: Path) -> None:
    folder = write(tmp_path / "ab", "A", "B")
    data = i2izoo.open_dataset(folder, rename={"A": "B", "B": "A"})
    plain = i2izoo.open_dataset(folder)
    assert torch.equal(data.sample(1, None)["A"], plain.sample(1, None)["B"])
    assert torch.equal(data.sample(1, None)["B"], plain.sample(1, None)["A"])


def test_data_of_the_registry_and_what_is_made_of_data(tmp_path: Path) -> None:
    drawn = i2izoo.open_dataset("synthetic-facades", rename={"label": "edges"}, limit=2)
    assert set(drawn.domains) == {"edges", "photo"}
    folder = write(tmp_path / "images", "snaps", "x")
    task = {"name": "colorization", "root": str(folder)}
    renamed = i2izoo.open_dataset(task, rename={"snaps": "colour"})
    plain = i2izoo.open_dataset({"name": "colorization", "root": str(write(tmp_path / "plain", "colour", "x"))})
    assert set(renamed.domains) == {"grey", "colour"}
    assert same(renamed, plain)
    assert same(i2izoo.open_dataset(spec_of(renamed)), plain)
    assert renamed.option("rename") == {"snaps": "colour"}


@pytest.mark.parametrize(
    ("rename", "error", "said"),
    [
        ({"edgs": "label"}, DataError, "no domain 'edgs' to rename; did you mean 'edges'"),
        ({"edges": "photo"}, DataError, "two domains of the data would have one name"),
        ({"edges": "a", "photo": "a"}, ConfigError, "one name to two domains"),
        ({"edges": 3}, ConfigError, "rename wants"),
        ("edges=label", ConfigError, "rename wants"),
    ],
)
def test_mistakes(edges: Path, rename: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        i2izoo.open_dataset(edges, rename=rename)


def test_an_open_data_set_keeps_its_names(edges: Path) -> None:
    data = i2izoo.open_dataset(edges, rename=EDGES)
    assert i2izoo.open_dataset(data, rename=EDGES) is data
    with pytest.raises(DataError, match="rename cannot change"):
        i2izoo.open_dataset(data, rename={"photo": "x"})


TINY = ["steps=2", "load_size=32", "crop_size=32", "generator.width=2", "generator.depth=2", "discriminator=pixel"]


def test_train_evaluate_and_compare_take_it(
    edges: Path, label: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the command line: the same weights and the same numbers as with folders of the right names."""
    for name, data, words in (("a", edges, ["--rename", "edges=label"]), ("b", label, [])):
        run = ["train", "pix2pix", "--data", str(data), "--to", "photo", "--out", str(tmp_path / name), *TINY, *words]
        assert main(run) == 0
    a, b = (i2izoo.load(tmp_path / name / "model") for name in "ab")
    weights, plain_weights = (model.method.inference_state() for model in (a, b))
    assert all(torch.equal(weights[name], plain_weights[name]) for name in plain_weights)
    assert a.directions == {"photo": "label"}

    common = ["--data", str(edges), "--metrics", "psnr", "--rename", "edges=label", "--out"]
    assert main(["evaluate", str(tmp_path / "a" / "model"), *common, str(tmp_path / "scores")]) == 0
    plain = i2izoo.evaluate(b, label, metrics=["psnr"])
    protocol = Protocol.load(tmp_path / "scores")
    assert protocol.rename == EDGES
    assert protocol.data_sha256 == plain.protocol.data_sha256
    again = i2izoo.evaluate(a, edges, protocol=protocol)
    assert again["psnr"] == plain["psnr"]

    models = [str(tmp_path / "a" / "model"), "copy-input"]
    assert main(["compare", *models, *common, str(tmp_path / "c"), "--no-report", "--no-costs"]) == 0
    capsys.readouterr()
    assert main(["evaluate", models[0], "--data", str(edges), "--metrics", "psnr"]) == 2
    assert "'label'" in capsys.readouterr().err
    assert main(["evaluate", models[0], "--data", str(edges), "--rename", "edges"]) == 2
    assert "edges=label" in capsys.readouterr().err


def test_images_that_are_held_out_are_renamed_too(tmp_path: Path) -> None:
    folder = write(write(tmp_path / "both", "edges", "photo", split="train"), "edges", "photo", split="val")
    tiny = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 2, "depth": 2}, "discriminator": "pixel"}
    trainer = i2izoo.Trainer(
        tiny, folder, to="photo", out=tmp_path / "run", steps=1, load_size=32, crop_size=32, rename=EDGES,
        metrics=["psnr"], progress=False,
    )  # fmt: skip
    trainer.fit()
    assert "psnr" in (tmp_path / "run" / "metrics.csv").read_text()
