"""Exported models: the same images as the translator's, at sizes and counts that tracing has not seen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.contracts.stepwise import stepwise
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.models.exporting import ExportError, session
from i2izoo.models.graph import graph_of
from i2izoo.models.half_weights import in_half
from i2izoo.models.translator import Translator

UNET = {"name": "unet_128", "depth": 2, "width": 24}
PALETTE = [[0, 0, 222], [255, 120, 0], [0, 48, 255]]


def pix2pix(**options: Any) -> Translator:
    torch.manual_seed(0)
    return i2izoo.create("pix2pix", generator=UNET, **options)


def image(height: int, width: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, channels), np.float32)


def answer(path: Path, *inputs: np.ndarray) -> np.ndarray:
    """What ONNX Runtime makes of one image, H x W x C in [0, 1], and of what else the file takes."""
    planes = torch.from_numpy(inputs[0]).movedim(-1, 0)[None]
    return np.moveaxis(session(path)((planes, *map(torch.from_numpy, inputs[1:])))[0], 0, -1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Translator, Path]:
    model, path = pix2pix(), tmp_path_factory.mktemp("exported") / "model.onnx"
    done = model.export(path)
    assert done.path == path
    assert done.size == path.stat().st_size
    assert done.difference < 1e-5
    return model, path


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (33, 20), (128, 64)])
def test_any_size_is_padded_and_cropped_inside(exported: tuple[Translator, Path], height: int, width: int) -> None:
    model, path = exported
    given = image(height, width)
    assert np.allclose(answer(path, given), model(given), atol=1e-5)


def test_the_file_says_what_it_is(exported: tuple[Translator, Path]) -> None:
    onnx = pytest.importorskip("onnx")
    found = onnx.load(exported[1])
    onnx.checker.check_model(found)
    said = json.loads({prop.key: prop.value for prop in found.metadata_props}["i2izoo"])
    assert said["method"] == "pix2pix"
    assert said["direction"] == {"B": "A"} or len(said["direction"]) == 1
    assert [put.name for put in found.graph.input] == ["image"]


@pytest.mark.slow
def test_colours_in_lab_keep_their_gamut(tmp_path: Path) -> None:
    """The greatest of steps that select by value: many colours lie outside sRGB at these weights."""
    torch.manual_seed(0)
    base = {"name": "pix2pix", "generator": UNET, "init_gain": 2.0}
    model = i2izoo.create("colorization", base=base)
    model.export(tmp_path / "lab.onnx")
    given = image(20, 31)
    assert np.allclose(answer(tmp_path / "lab.onnx", given), model(given), atol=1e-4)


@pytest.mark.slow
def test_label_maps_go_in_and_out_as_paint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    maps = {"A": PALETTE, "B": PALETTE}
    model = i2izoo.create("pix2pix", generator=UNET, domains=["A", "B"], in_channels=3, out_channels=3, label_maps=maps)
    model.export(tmp_path / "maps.onnx")
    classes = np.random.default_rng(0).integers(0, 3, (5, 6)).repeat(9, 0).repeat(9, 1)
    given = np.array(PALETTE, np.uint8)[classes]
    mixed = given.astype(int) + np.random.default_rng(1).integers(-9, 10, given.shape)  # as JPEG does
    mixed = mixed.clip(0, 255).astype(np.uint8)
    mixed[9:11] = 128  # and an edge of no class
    painted = answer(tmp_path / "maps.onnx", mixed.astype(np.float32) / 255)
    assert {tuple(c) for c in (painted * 255).round().astype(int).reshape(-1, 3)} <= set(map(tuple, PALETTE))
    assert (np.abs(painted - model(mixed) / 255).max(-1) > 1e-3).mean() < 2e-3


@pytest.mark.slow
def test_a_latent_is_a_second_input(tmp_path: Path) -> None:
    from i2izoo_gan.bicyclegan import BicycleGAN

    torch.manual_seed(0)
    model = i2izoo.create("bicyclegan", **(BicycleGAN.tiny_options or {}))
    model.export(tmp_path / "latent.onnx")
    given, latent = image(40, 24), np.random.default_rng(2).standard_normal((1, model.method.config["latent"]))
    found = answer(tmp_path / "latent.onnx", given, latent.astype(np.float32))
    assert np.allclose(found, model(given, latent=latent[0].tolist()), atol=1e-5)


def test_half_weights_halve_the_file(exported: tuple[Translator, Path], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model, whole = exported
    halved = onnx.load(whole)
    in_half(halved)
    onnx.save(halved, tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").stat().st_size < 0.65 * whole.stat().st_size
    given = image(16, 16)
    apart = np.abs(answer(tmp_path / "half.onnx", given) - model(given)).max()
    assert 0 < apart < 5e-3


@pytest.mark.slow
def test_for_deepness(tmp_path: Path) -> None:
    """One image of a fixed square size, and the metadata that the plugin's `ModelBase` reads."""
    onnx = pytest.importorskip("onnx")
    model = pix2pix()
    model.config["provenance"] = {"ground_resolution": 60}
    model.export(tmp_path / "qgis.onnx", deepness=True, size=64)
    found = onnx.load(tmp_path / "qgis.onnx")
    said = {prop.key: prop.value for prop in found.metadata_props}
    assert {name: json.loads(said[name]) for name in ("model_type", "tile_size", "tiles_overlap", "resolution")} == {
        "model_type": "Superresolution", "tile_size": 64, "tiles_overlap": 0, "resolution": 60,
    }  # fmt: skip
    for put in (*found.graph.input, *found.graph.output):
        assert [dim.dim_value for dim in put.type.tensor_type.shape.dim] == [1, 3, 64, 64]


@pytest.mark.parametrize("name", ["vit", "noisy_classifier"])
def test_a_classifier_gives_its_scores(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = i2izoo.create(name, **(registry("methods").get(name).tiny_options or {}))
    model.export(tmp_path / "scores.pt2")
    program: Any = torch.export.load(tmp_path / "scores.pt2").module()
    given = torch.rand(3, 3, 40, 24)
    with torch.inference_mode():
        found = program(given)
        expected = model.method.log_probabilities(given * 2 - 1).exp()  # type: ignore[operator]
    assert found.shape == (3, len(model.method.answers))  # type: ignore[arg-type]
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(found.sum(1), torch.ones(3), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in registry("methods").names() if name != "diffusers"])
def test_every_method_is_exported_or_says_why_not(name: str, tmp_path: Path) -> None:
    kind = registry("methods").get(name)
    torch.manual_seed(0)
    model = i2izoo.create(name, **(kind.tiny_options or {}))
    for to, source in model.directions.items():
        reason = refused(model, to)
        assert (source is None) == ("from nothing" in reason)
        if reason:
            assert re.search("from nothing|draws noise|beside the image|follows from more than the last image", reason)
        elif stepwise(model.method) is not None:  # see test_exported_steps.py
            with pytest.raises(ConfigError, match="takes steps"):
                model.export(tmp_path / f"{to}.pt2", to=to)
        else:
            assert model.export(tmp_path / f"{to}.pt2", to=to).difference < 1e-4


def refused(model: Translator, to: str) -> str:
    try:
        graph_of(model, to, {})
    except ConfigError as error:
        return str(error)
    return ""


def test_what_cannot_be_exported_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    noisy = pix2pix(inference="paper")
    with pytest.raises(ConfigError, match="draws noise"):
        noisy.export(tmp_path / "noisy.onnx")
    with pytest.raises(ConfigError, match=r"to \.onnx .* or \.pt2"):
        pix2pix().export(tmp_path / "model.pth")
    with pytest.raises(ConfigError, match="half and deepness are of ONNX"):
        pix2pix().export(tmp_path / "model.pt2", half=True)
    with pytest.raises(ConfigError, match="from the CPU in float32"):
        pix2pix().to(dtype="bf16").export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_gives_other_images_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import i2izoo.models.exporting as exporting

    monkeypatch.setattr(exporting, "_called", lambda module: lambda inputs: np.zeros(tuple(inputs[0].shape)))
    (tmp_path / "model.pt2").write_text("an older one")
    with pytest.raises(ExportError, match="gives other images"):
        pix2pix().export(tmp_path / "model.pt2")
    assert (tmp_path / "model.pt2").read_text() == "an older one"
    assert [found.name for found in tmp_path.iterdir()] == ["model.pt2"]


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import i2izoo.models.backends.engines as engines

    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(I2IZooError, match=r"pip install 'i2izoo\[export\]'"):
        pix2pix().export(tmp_path / "model.onnx")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pix2pix().save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "model", "--format", "torch", "--size", "32x48"]) == 0
    assert "model.pt2: 0." in capsys.readouterr().out
    assert main(["export", "model", "-o", "a.onnx", "--to", "nowhere"]) == 2
    assert "does not translate to 'nowhere'" in capsys.readouterr().err
