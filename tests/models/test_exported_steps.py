"""One step of a diffusion model as ONNX: the loop in NumPy gives what the sampler gives."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.contracts.stepwise import stepwise
from i2izoo.errors import ConfigError
from i2izoo.models.graph import graph_of
from i2izoo.models.translator import Translator
from i2izoo.nn.random import derive_seed

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx" / "denoise_onnx.py"
UNET = {"name": "unet2d", "channels": [8], "attention": [], "layers": 1, "norm_groups": 4}


def denoiser() -> Any:
    spec = importlib.util.spec_from_file_location("denoise_onnx", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Denoiser


class Draws:
    """The noise that i2izoo draws for the first image of seed 0, in the order in which the loop asks for it."""

    def __init__(self, filled: int) -> None:
        own = derive_seed(0, 0, 0)
        self.seeds = [*(derive_seed(own, "fill") for _ in range(filled)), derive_seed(own, "noise")]
        self.steps = torch.Generator().manual_seed(derive_seed(own, "steps"))
        self.asked = 0

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        self.asked += 1
        if self.asked > len(self.seeds):
            return torch.randn(shape, generator=self.steps).numpy()
        return torch.randn(shape, generator=torch.Generator().manual_seed(self.seeds[self.asked - 1])).numpy()


def compared(model: Translator, path: Path, image: np.ndarray, **options: Any) -> float:
    """The greatest difference between the translator and the loop in NumPy, of values in [0, 1]."""
    model.export(path, **options)
    loop = denoiser()(str(path), threads=1)
    found = loop(np.moveaxis(image, -1, 0)[None], Draws(len(loop.plan["noise"])))
    expected = model(image, **options)
    return float(np.abs(np.moveaxis(found[0], 0, -1) - expected).max())


def image(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((height, width, channels), np.float32)


class OfTorch:
    """A session that PyTorch computes."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        with torch.inference_mode():
            return [found.numpy() for found in self.graph(*(torch.from_numpy(inputs[n]) for n in self.graph.names))]


@pytest.mark.parametrize("options", [{"guidance": 1.5, "eta": 0.5}, {"steps": 2, "eta": 0.0}, {"scheduler": "ddpm"}])
def test_the_loop_in_numpy_is_the_sampler(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    unet = {**UNET, "channels": [8, 8]}
    model = i2izoo.create("ddim", generator=unet, sampling_steps=3, prediction="v_prediction")
    graph: Any = graph_of(model, None, options)
    loop = denoiser().__new__(denoiser())
    loop.plan, loop.session = json.loads(json.dumps(graph.about())), OfTorch(graph)
    given = image(13, 18)
    found = loop(np.moveaxis(given, -1, 0)[None], Draws(0))
    assert np.allclose(np.moveaxis(found[0], 0, -1), model(given, **options), atol=1e-4)


def test_the_noise_of_a_task_is_an_input() -> None:
    """Holes are filled with noise that is not of the steps, and what is known stays as it is."""
    torch.manual_seed(0)
    model = i2izoo.create("restoration", base={"name": "palette", "generator": UNET, "sampling_steps": 2,
                                               "scheduler": "ddim", "prediction": "sample"})  # fmt: skip
    graph: Any = graph_of(model, None, {})
    assert graph.names == ("image", "noisy", "step", "noise_0")
    loop = denoiser().__new__(denoiser())
    loop.plan, loop.session = json.loads(json.dumps(graph.about())), OfTorch(graph)
    given = image(12, 12, 4).round(2)
    given[..., 3] = 1
    given[3:8, 3:8, 3] = 0
    found = np.moveaxis(loop(np.moveaxis(given, -1, 0)[None], Draws(1))[0], 0, -1)
    assert np.allclose(found, model(given), atol=1e-4)
    assert np.allclose(found[:3], given[:3, :, :3], atol=1e-6)


@pytest.mark.slow
def test_the_file_alone_is_enough(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = i2izoo.create("ddim", generator=UNET, sampling_steps=3, prediction="v_prediction")
    given = image(13, 18)
    assert compared(model, tmp_path / "m.onnx", given, guidance=1.5, eta=0.5) < 1e-4
    np.save(tmp_path / "in.npy", given)
    code = "import sys, runpy; sys.modules.update(torch=None, i2izoo=None); runpy.run_path({!r}, run_name='__main__')"
    words = [str(tmp_path / name) for name in ("m.onnx", "in.npy", "out.npy")]
    subprocess.run([sys.executable, "-c", code.format(str(EXAMPLE)), *words], check=True)
    assert np.load(tmp_path / "out.npy").shape == (13, 18, 3)


@pytest.mark.parametrize("name", ["ddim", "ddpm"])
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_the_rows_are_the_papers_step(name: str, prediction: str) -> None:
    """DDIM: Song et al. 2021, eq. 12; DDPM: Ho et al. 2020, eq. 7, of ten steps, in closed form."""
    method = i2izoo.create("ddim", generator=UNET, scheduler=name, prediction=prediction).method
    inside: Any = stepwise(method)
    rows = inside.step_table(steps=10, eta=0.0)
    assert len(rows) == 10
    for row, later in zip(rows, [*rows[1:], None], strict=True):
        alpha, sigma = row["alpha"], row["sigma"]
        assert alpha**2 + sigma**2 == pytest.approx(1, abs=1e-6)
        next_alpha, next_sigma = (later["alpha"], later["sigma"]) if later else (1.0, 0.0)
        if name == "ddim":
            expected = (next_alpha - next_sigma * alpha / sigma, next_sigma / sigma, 0.0)
        else:
            step = (alpha / next_alpha) ** 2
            variance = (next_sigma / sigma) ** 2 * (1 - step)
            expected = (next_alpha * (1 - step) / sigma**2, step**0.5 * (next_sigma / sigma) ** 2, variance**0.5)
        found = (row["of_clean"], row["of_noisy"], row["of_noise"])
        assert found == pytest.approx(expected, abs=2e-4)


def test_what_has_no_step_by_itself(tmp_path: Path) -> None:
    model = i2izoo.create("ddim", generator=UNET)
    with pytest.raises(ConfigError, match="follows from more than the last image"):
        model.export(tmp_path / "m.onnx", scheduler="dpmsolver++")
    with pytest.raises(ConfigError, match="which are exported to ONNX"):
        model.export(tmp_path / "m.pt2")
    with pytest.raises(ConfigError, match="a step by itself has no strength"):
        model.export(tmp_path / "m.onnx", strength=0.5)
    assert not list(tmp_path.iterdir())


BUNDLED = [name for name in i2izoo.list_models(pretrained=True) if registry("pretrained").get(name).bundled]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_model_of_steps(name: str, tmp_path: Path) -> None:
    model = i2izoo.load(name)
    if stepwise(model.method) is None:
        pytest.skip("it does not translate in steps")
    source = model.directions[model.target(None)]
    if source is None:
        pytest.skip("it makes images from nothing")
    given = image(40, 52, model.method.image_channels[source])
    assert compared(model, tmp_path / "m.onnx", given, steps=4) < 1e-4
