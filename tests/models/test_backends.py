"""Engines in the place of PyTorch: the same images, and nothing that looks into a network goes past it."""

from __future__ import annotations

import copy
import json
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooWarning
from i2izoo.files.kept import cache_folder
from i2izoo.models.backends import attached, engines, fastest
from i2izoo.models.backends.attached import Attached, BackendError, attach
from i2izoo.models.translator import Translator

UNET = {"name": "unet_128", "depth": 2, "width": 8}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path_factory.mktemp("cache")))


class Counted:
    """An engine that PyTorch computes, which counts its calls and the shapes that it was built for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, add: float = 0.0) -> None:
        self.calls, self.built, self.add = 0, list[bool](), add
        monkeypatch.setattr(attached, "build", self.build)
        monkeypatch.setattr(fastest, "build", self.build)

    def build(self, name: str, network: nn.Module, inputs: Any, *, free: bool = True, anew: bool = False) -> Any:
        self.built.append(free)

        def run(*given: Tensor) -> Any:
            self.calls += 1
            found = network._call_impl(*given)
            return found + self.add if isinstance(found, Tensor) else tuple(tensor + self.add for tensor in found)

        return run


def saved(folder: Path, method: str = "pix2pix", **options: Any) -> Path:
    torch.manual_seed(0)
    options = options or {"generator": UNET}
    return i2izoo.create(method, **options).save_pretrained(folder)


def image(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((height, width, channels), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("saved"))


def test_onnxruntime_gives_the_same_at_every_size_and_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, engine = i2izoo.load(folder), i2izoo.load(folder, backend="onnxruntime")
    assert engine.backend == "onnxruntime"
    for count, height, width in ((1, 16, 16), (3, 40, 21), (2, 5, 64)):
        images = [image(height, width)] * count
        for ours, theirs in zip(engine(images), plain(images), strict=True):
            assert np.allclose(ours, theirs, atol=1e-4)
    kept = list((cache_folder() / "backends").iterdir())
    assert [file.suffix for file in kept] == [".onnx"]  # one for all of these, and for the next process
    good = kept[0].read_bytes()
    kept[0].write_bytes(b"of another version")  # which is then seen, and made again
    monkeypatch.setattr(engines, "to_onnx", lambda *_: good)
    again = i2izoo.load(folder, backend="onnxruntime")
    assert np.allclose(again(image(16, 16)), plain(image(16, 16)), atol=1e-4)


def test_a_model_with_an_engine_is_the_same_model(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    engine = Counted(monkeypatch, add=1e-6)
    model = i2izoo.load(folder, backend="onnxruntime")
    model(image(8, 8))
    model.save_pretrained(tmp_path / "again")
    assert i2izoo.load(tmp_path / "again").backend is None
    copied, calls = copy.deepcopy(model.method), engine.calls
    with torch.inference_mode():
        copied(torch.zeros(1, 3, 8, 8), to=model.target(None))
    assert engine.calls == calls  # a copy is PyTorch's, whose weights may change


def test_what_looks_into_a_network_is_computed_by_pytorch(folder: Path, monkeypatch: Any) -> None:
    engine = Counted(monkeypatch)
    model = i2izoo.load(folder, backend="openvino" if find_spec("openvino") else "onnxruntime")
    network, x = model.method.networks()[0], torch.zeros(1, 3, 8, 8)
    with pytest.warns(I2IZooWarning, match="gradients are asked for"):
        network(x)  # of which an engine knows nothing
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")  # it was said once
        layer = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
        layer.register_forward_hook(lambda *_: None)
        network(x)
        layer._forward_hooks.clear()
        next(m for m in network.modules() if isinstance(m, nn.BatchNorm2d)).train()
        network(x)
        assert engine.calls == 0
        network.eval()(x)
        assert engine.calls > 0


def test_tiles_have_the_statistics_of_the_whole(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from i2izoo.rasters.translate import translate_raster

    Counted(monkeypatch)
    torch.manual_seed(0)
    place = saved(tmp_path / "m", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1})
    np.save(tmp_path / "scan.npy", (image(40, 90) * 255).astype(np.uint8))
    made = []
    for backend in (None, "onnxruntime"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            out = translate_raster(
                i2izoo.load(place, backend=backend), tmp_path / "scan.npy", tmp_path / f"{backend}.npy", tile=32
            )
        made.append(np.load(out))
        assert any("tiles that share statistics" in str(warning.message) for warning in said) == (backend is not None)
    assert np.array_equal(*made)


def test_an_engine_that_gives_other_images_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Counted(monkeypatch, add=2e-4)
    with pytest.raises(BackendError, match=r"gives other values for UNet.* than PyTorch"):
        i2izoo.load(folder, backend="onnxruntime")(image(8, 8))


def test_an_engine_for_each_shape_where_there_is_none_for_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)

    def fixed_only(name: str, network: nn.Module, inputs: Any, *, free: bool, anew: bool = False) -> Any:
        if free:
            raise RuntimeError("constraints violated")
        return counted.build(name, network, inputs, free=free)

    monkeypatch.setattr(attached, "build", fixed_only)
    model, plain = i2izoo.load(folder, backend="onnxruntime"), i2izoo.load(folder)
    for side in (8, 16, 8, 16):
        assert np.array_equal(model(image(side, side)), plain(image(side, side)))
    assert counted.built == [False, False]


@pytest.mark.parametrize(("ratio", "expected"), [({"onnxruntime": 1.5, "openvino": 1.2}, "onnxruntime"),
                                                 ({"onnxruntime": 1.05, "openvino": None}, "eager")])  # fmt: skip
def test_auto_takes_what_was_measured_to_be_faster(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ratio: dict[str, float | None], expected: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fastest, "_candidates", lambda inputs: list(ratio))

    def measured(name: str, *_: object) -> float | None:
        asked.append(name)
        return ratio[name]

    monkeypatch.setattr(fastest, "_ratio", measured)
    counted = Counted(monkeypatch)
    for _ in range(2):
        model = i2izoo.load(folder, backend="auto")
        model(image(8, 8))
        (network,) = model.method.networks()
        chosen: Any = network._compiled_call_impl
        assert isinstance(chosen, Attached)
        assert chosen.backend == expected
    assert asked == list(ratio)  # and the second model knows it
    assert bool(counted.calls) == (expected != "eager")


def test_auto_drops_an_engine_that_fails_or_differs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Counted(monkeypatch, add=1.0)
    monkeypatch.setattr(fastest, "_candidates", lambda inputs: ["onnxruntime"])
    model, plain = i2izoo.load(folder, backend="auto"), i2izoo.load(folder)
    assert np.array_equal(model(image(8, 8)), plain(image(8, 8)))


def test_what_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"no backend 'onnx'\. Known: compile, onnxruntime"):
        i2izoo.load(folder, backend="onnx")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="computes on the CPU in float32"):
        i2izoo.load(folder, backend="onnxruntime", dtype="bf16")(image(8, 8))
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs onnx: pip install 'i2izoo\[openvino\]'"):
        i2izoo.load(folder, backend="openvino")


def test_the_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    Image.fromarray((image(9, 9) * 255).astype(np.uint8)).save(tmp_path / "a.png")
    words = ["translate", str(folder), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]
    assert main([*words, "--backend", "onnxruntime"]) == 0
    assert counted.calls
    assert Image.open(tmp_path / "b.png").size == (9, 9)


def test_compile_is_of_one_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Counted(monkeypatch)
    assert i2izoo.load(folder, compile=True).backend == "compile"


@pytest.mark.parametrize("name", [name for name in registry("methods").names() if name != "diffusers"])
def test_what_every_method_calls_is_what_an_engine_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Method.networks` names what is called: else a backend would be asked for and never used."""
    kind = registry("methods").get(name)
    torch.manual_seed(0)
    model = i2izoo.create(name, **(kind.tiny_options or {}))
    if not model.method.networks():
        with pytest.raises(ConfigError, match="no backend takes the networks of"):
            attach(model.method, "onnxruntime")
        return
    counted = Counted(monkeypatch)
    plain = made(model)
    attach(model.method, "onnxruntime")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert np.array_equal(made(model), plain)
    assert counted.calls or any("PyTorch computes" in str(warning.message) for warning in said)


def made(model: Translator) -> np.ndarray:
    to = model.target(None)
    source = model.directions[to]
    if source is None:
        return np.asarray(model.generate(1, size=16, output="array"))
    given = image(32, 32, model.method.image_channels[source])
    options: dict[str, Any] = {}
    if found := re.match(r"(\w+)=(.*)", model.method.required_options):
        mask = np.eye(32, dtype=np.uint8)[..., None] * 255
        options[found[1]] = mask if found[1] == "mask" else json.loads(found[2])
    return np.asarray(
        model(given if source not in model.method.label_maps else (given * 255).astype(np.uint8), **options)
    )


BUNDLED = [name for name in i2izoo.list_models(pretrained=True) if registry("pretrained").get(name).bundled]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_entry(name: str, backend: Any) -> None:
    pytest.importorskip(backend)
    plain, engine = i2izoo.load(name), i2izoo.load(name, backend=backend)
    for to, source in plain.directions.items():
        if source is None:
            continue
        given = image(64, 80, plain.method.image_channels[source])
        for count in (1, 2):
            ours, theirs = (model([given] * count, to=to) for model in (engine, plain))
            apart = max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))
            assert apart < 1e-4


@pytest.mark.slow
def test_the_compiler(folder: Path) -> None:
    plain, engine = i2izoo.load(folder), i2izoo.load(folder, backend="compile")
    for side in (16, 24):
        assert np.allclose(engine(image(side, 16)), plain(image(side, 16)), atol=1e-4)


def test_what_is_kept_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "fastest.json").write_text("[1, 2")
    assert fastest._known(tmp_path / "fastest.json") == {}
    (tmp_path / "fastest.json").write_text(json.dumps([1]))
    assert fastest._known(tmp_path / "fastest.json") == {}
