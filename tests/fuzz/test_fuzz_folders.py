"""Model folders that are damaged, odd or hostile: a model comes of each, or one sentence; and `info` says the same.

A case takes a whole folder of one of the registry's methods at its smallest, and spoils its config, the copy of that in
the weights, the header of the weights, or any bytes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import cases, sensible, sensible_command
from spoiling import odd_value, spoiled

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import I2IZooError
from i2izoo.models.translator import Translator

METHODS = [entry.name for entry in registry("methods").entries() if entry.distribution == "i2izoo"]


@functools.cache
def whole(name: str) -> dict[str, bytes] | None:
    """The files of a saved model of a method at its smallest; None where that needs files."""
    options = registry("methods").get(name).tiny_options
    if options is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        i2izoo.create(name, **options).save_pretrained(folder)
        found = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def unpacked(weights: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and rest of a safetensors file."""
    size = int.from_bytes(weights[:8], "little")
    return json.loads(weights[8 : 8 + size]), weights[8 + size :]


def packed(header: Any, rest: bytes, draw: random.Random | None = None) -> bytes:
    text = json.dumps(header).encode()
    size = len(text) if draw is None else draw.choice([0, 1, len(text) - 1, len(text) + 1, 2**31, 2**63, 2**64 - 1])
    return size.to_bytes(8, "little") + text + rest


def spoil_config(draw: random.Random, files: dict[str, bytes]) -> None:
    """Another config, of which the weights know, or do not."""
    config = json.loads(files["config.json"])
    for _ in range(draw.choice([1, 1, 2])):
        with contextlib.suppress(RecursionError):  # it is nested deeper than Python itself can copy
            config = spoiled(draw, config)
    files["config.json"] = json.dumps(config).encode()
    header, rest = unpacked(files["model.safetensors"])
    if draw.random() < 0.7:
        header["__metadata__"] = {"i2izoo_config": json.dumps(config)}
    elif draw.random() < 0.5:
        header.pop("__metadata__")
    files["model.safetensors"] = packed(header, rest)


def spoil_header(draw: random.Random, files: dict[str, bytes]) -> None:
    """Shapes, types, places and names of tensors, and the length of all that."""
    header, rest = unpacked(files["model.safetensors"])
    name = draw.choice([name for name in header if name != "__metadata__"])
    how = draw.choice(["any", "shape", "dtype", "places", "metadata", "copy", "length"])
    if how == "any":
        header = spoiled(draw, header)
    elif how == "shape":
        shape = header[name]["shape"]
        header[name]["shape"] = draw.choice(
            [shape[::-1], [*shape, 1], [-1], [0], [2**62, 2**62], [2**62, 0], [1.5], odd_value(draw)]
        )
    elif how == "dtype":
        header[name]["dtype"] = draw.choice(
            ["F64", "F16", "I64", "BOOL", "C64", "F8_E4M3", "F4", "U64", "X", odd_value(draw)]
        )
    elif how == "places":
        header[name]["data_offsets"] = draw.choice([[0, 0], [5, 1], [0, 2**63], [-1, 4], odd_value(draw)])
    elif how == "metadata":
        text = draw.choice(["[]", "null", "{", "5", '{"method": "pix2pix"}', json.dumps(odd_value(draw))])
        header["__metadata__"] = draw.choice([{"i2izoo_config": text}, odd_value(draw)])
    elif how == "copy":
        header[f"{name}.copy"] = header[name]
    files["model.safetensors"] = packed(header, rest, draw if how == "length" else None)


def spoil_bytes(draw: random.Random, files: dict[str, bytes]) -> None:
    """Any file cut, empty, gone, or with other bytes in it."""
    name = draw.choice(sorted(files))
    data = bytearray(files[name])
    how = draw.choice(["cut", "flip", "flip", "empty", "gone", "noise"])
    if how == "gone":
        del files[name]
        return
    if how == "cut":
        data = data[: draw.randrange(len(data) + 1)]
    elif how == "flip":
        for _ in range(draw.choice([1, 5, 100])):
            data[draw.randrange(len(data))] = draw.randrange(256)
    else:
        data = bytearray(draw.randbytes(0 if how == "empty" else 200))
    files[name] = bytes(data)


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    """Which has no memory for what a case may ask for."""
    memory = type("Memory", (), {"total": 2**28, "available": 2**28})
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)


@cases(60, slow=900)
def test_folder(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    files = None
    while files is None:
        files = whole(draw.choice(METHODS))
    files = dict(files)
    draw.choices([spoil_config, spoil_header, spoil_bytes], [5, 3, 1])[0](draw, files)
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    model = sensible(lambda: i2izoo.load(tmp_path))
    assert isinstance(model, (Translator, I2IZooError))
    sensible_command("info", tmp_path)
    if isinstance(model, Translator):
        again = sensible(lambda: model.save_pretrained(tmp_path / "again"))
        if not isinstance(again, I2IZooError):
            assert repr(i2izoo.load(again)) == repr(model)
            shutil.rmtree(again)
        sensible(lambda: repr(model) + model._repr_html_())


@functools.cache
def pipeline() -> dict[str, bytes]:
    """The files of a folder of diffusers."""
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(4, 4), norm_num_groups=2,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        DDPMPipeline(unet, DDPMScheduler(num_train_timesteps=10)).save_pretrained(folder)
        found = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@cases(6, slow=60)
def test_folder_of_diffusers(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    files = dict(pipeline())
    if seed % 6 == 5:
        spoil_bytes(draw, files)
    else:
        name = draw.choice(["model_index.json"] * 3 + [name for name in files if name.endswith(".json")])
        files[name] = json.dumps(spoiled(draw, json.loads(files[name]))).encode()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    model = sensible(lambda: i2izoo.load(tmp_path))
    assert isinstance(model, (Translator, I2IZooError))
