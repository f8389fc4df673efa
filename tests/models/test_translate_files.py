"""What a file becomes depends on its name, and not on the others, their order, the batch or the process."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, ImageError
from i2izoo.files.manifests import read_manifest
from i2izoo.models.file_jobs import parse_shard
from i2izoo.models.translate_files import translate_files
from i2izoo.nn.random import seeded

UNET = {"name": "unet_128", "width": 4, "depth": 3, "latent_at": "all"}
MODELS: dict[str, dict[str, Any]] = {
    "feed-forward": {"method": "pix2pix", "generator": {"name": "resnet_6blocks", "width": 8}},
    "sampling": {"method": "bicyclegan", "latent": 2, "generator": UNET},
}


def made(kind: str) -> i2izoo.Translator:
    with seeded(0):
        return i2izoo.create(**MODELS[kind])


@pytest.fixture(params=MODELS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine images of two sizes."""
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 24, 16, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image[: 16 if index % 3 else 24]).save(tmp_path / "in" / f"{index}.png")
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("*.png"))}


def test_order_batch_and_shards_change_no_byte(kind: str, folder: Path, tmp_path: Path) -> None:
    model = made(kind)
    translate_files(model, folder, tmp_path / "one")
    whole = contents(tmp_path / "one")
    assert len(set(whole.values())) == len(whole) == 9
    paths = sorted(folder.iterdir(), reverse=True)
    translate_files(model, paths, tmp_path / "reversed")
    assert contents(tmp_path / "reversed") == whole
    translate_files(model, folder / "7.png", tmp_path / "alone")
    assert contents(tmp_path / "alone") == {"7.png": whole["7.png"]}
    for number in (4, 2, 1, 3):
        translate_files(model, folder, tmp_path / "shards", shard=f"{number}/4")
    assert contents(tmp_path / "shards") == whole
    translate_files(model, folder, tmp_path / "fours", batch_size=4)
    for number in (1, 2, 3):  # batches that are not full in the shards, and full in the whole
        translate_files(model, folder, tmp_path / "thirds", batch_size=4, shard=f"{number}/3")
    assert contents(tmp_path / "thirds") == contents(tmp_path / "fours")


def test_the_noise_is_of_the_name_and_of_the_sample(folder: Path, tmp_path: Path) -> None:
    model = made("sampling")
    same = np.full((16, 16, 3), 90, np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(same).save(folder / name)
    one = translate_files(model, [folder / "a.png", folder / "b.png"], tmp_path / "out", samples=2)
    assert [[t.name for t in d.job.targets] for d in one] == [["a_0.png", "a_1.png"], ["b_0.png", "b_1.png"]]
    assert len(set(contents(tmp_path / "out").values())) == 4
    (_, alone), (_, again) = (next(model.stream([same], names=[n])) for n in ("a.png", "b.png"))
    assert np.array_equal(alone, np.asarray(Image.open(tmp_path / "out" / "a_0.png")))
    assert not np.array_equal(alone, again)
    with pytest.raises(ConfigError, match="1 names for 2 images"):
        model.stream([same, same], names=["a"])


def test_a_batch_is_filled_up() -> None:
    """The rows of a shape always run in the same number: counted where the network sees them."""
    model, rows = made("feed-forward"), list[int]()
    network = model.method.get_submodule("generator")
    network.register_forward_hook(lambda _, args, out: rows.append(len(args[0])))
    images = [torch.zeros(3, 8, 8)] * 5 + [torch.zeros(3, 8, 12)]
    list(model.stream(images, names=list("abcdef"), batch_size=4))
    assert rows == [4, 4, 4]
    rows.clear()
    list(model.stream(images, names=list("abcdef")))
    assert rows == [1] * 6


def test_skip_existing_does_the_rest_and_refuses_another_seed(folder: Path, tmp_path: Path) -> None:
    model, out = made("sampling"), tmp_path / "out"
    translate_files(model, folder, tmp_path / "whole")
    translate_files(model, folder, out, shard="2/4")
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("*.png")}
    (out / ".8.png.tmp").write_bytes(b"of a killed process")
    done = translate_files(model, folder, out, skip_existing=True)
    assert [d.before for d in done] == [d.job.targets[0].name in kept for d in done]
    assert sum(d.before for d in done) == 2
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in out.glob("*.png")}.items()
    assert contents(out) == contents(tmp_path / "whole")
    for options in ({"seed": 1}, {"size": 8}, {"latent": [0.0, 1.0]}):
        with pytest.raises(ImageError, match=f"another {next(iter(options))}"):
            translate_files(model, folder, out, skip_existing=True, **options)
    with pytest.raises(ImageError, match="another model"):
        translate_files(i2izoo.create(**MODELS["sampling"]), folder, out, skip_existing=True)
    with pytest.raises(ImageError, match="would be overwritten; use --force, --skip-existing"):
        translate_files(model, folder, out)
    (out / "translate.json").write_text("{")
    with pytest.raises(ImageError, match="cannot be read"):
        translate_files(model, folder, out, skip_existing=True)


def test_manifests_name_images_and_what_became_of_them(folder: Path, tmp_path: Path) -> None:
    model = str(made("feed-forward").save_pretrained(tmp_path / "model"))
    (folder / "north").mkdir()
    (folder / "0.png").rename(folder / "north" / "1.png")
    (folder / "2.png").write_bytes(b"no image")
    (folder / "=3.png").write_bytes((folder / "3.png").read_bytes())
    (folder / "list.csv").write_text('path,name\nnorth/1.png,\n1.png,\n2.png,\n"=3.png",\n4.png,east/four.png\n')
    out = tmp_path / "out"
    argv = ["translate", model, "-o", str(out), "--write-manifest", str(out / "made.csv")]
    assert main([*argv, "--manifest", str(folder / "list.csv")]) == 2
    names = ["1.png", "=3.png", "east/four.png", "north/1.png"]
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png")) == names
    with (out / "made.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["north/1.png", "1.png", "", "'=3.png", "east/four.png"]
    assert rows[0]["sha256"] == hashlib.sha256((out / "north/1.png").read_bytes()).hexdigest()
    assert "no image" not in rows[1]["error"]
    assert "2.png" in rows[2]["error"]
    assert [image.name for image in read_manifest(out / "made.csv")] == [
        "north/1.png",
        "1.png",
        "=3.png",
        "east/four.png",
    ]
    again = ["translate", model, "--manifest", str(out / "made.csv"), "-o", str(tmp_path / "twice"), "--shard", "1/2"]
    assert main(again) == 0
    assert sorted(p.name for p in (tmp_path / "twice").rglob("*.png")) == ["1.png", "=3.png"]
    assert json.loads((tmp_path / "twice" / "translate.json").read_text())["to"] == "target"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("list.txt", "\n\n", "lists no images"),
        ("list.csv", "file\n1.png\n", "no column 'path'"),
        ("list.csv", "path,name\n1.png,../x.png\n", "leaves its folder"),
        ("list.csv", "path,name\n1.png,/x.png\n", "leaves its folder"),
        ("list.csv", "path,name\n,x.png\n", "has no path"),
        ("list.txt", "a.png\n/elsewhere/a.png\n", "both named 'a.png'"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_manifest(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "nowhere.txt")


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/2"])
def test_shards_that_are_none(shard: str) -> None:
    with pytest.raises(ConfigError, match="I/N with I from 1 to N"):
        parse_shard(shard)


def test_parts_take_no_option_with_a_value_for_each_image(folder: Path, tmp_path: Path) -> None:
    model = made("sampling")
    with pytest.raises(ConfigError, match="one for all"):
        translate_files(model, folder, tmp_path / "out", shard="1/2", latent=[[0.0, 0.0]] * 9)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_four_processes_write_the_bytes_of_one(kind: str, folder: Path, tmp_path: Path) -> None:
    model = str(made(kind).save_pretrained(tmp_path / "model"))

    def start(out: str, *more: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "i2izoo", "translate", model, str(folder), "-o", str(tmp_path / out), *more]
        return subprocess.Popen(argv, env={**os.environ, "OMP_NUM_THREADS": "1"})

    running = [start("one"), *(start("four", "--shard", f"{number}/4") for number in range(1, 5))]
    assert [process.wait() for process in running] == [0] * 5
    assert len(contents(tmp_path / "one")) == 9
    assert contents(tmp_path / "four") == contents(tmp_path / "one")
