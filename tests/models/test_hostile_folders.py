"""Folders that were made to do harm, or damaged by hand: one sentence, before memory and time are gone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TinyMethod, tiny_method
from torch import nn

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, StorageError
from i2izoo.interfaces import Generator, Part
from i2izoo.nn.budget import OverBudget, budget
from i2izoo.nn.shapes import only_shapes


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    parts = {
        "generator": {"name": "resnet_6blocks", "width": 4, "blocks": 1},
        "discriminator": {"name": "patchgan", "width": 4},
    }
    return i2izoo.create("pix2pix", **parts).save_pretrained(folder)


@pytest.fixture
def folder(saved: Path, tmp_path: Path):
    """Write the saved folder again, its config changed by a function; the copy in the weights' metadata, too."""

    def write(change: Any = None, *, text: str | None = None, metadata: str | None = None) -> Path:
        config = copy.deepcopy(json.loads((saved / "config.json").read_text()))
        if change is not None:
            change(config)
        text = json.dumps(config) if text is None else text
        (tmp_path / "config.json").write_text(text)
        save_file(load_file(saved / "model.safetensors"), tmp_path / "model.safetensors",
                  {"i2izoo_config": text if metadata is None else metadata})  # fmt: skip
        return tmp_path

    return write


def part(name: str, **options: Any):
    return lambda config: config["options"][name].update(options)


@pytest.fixture
def no_memory(monkeypatch):
    """Fails the test where a parameter of half a gigabyte is filled."""

    def parameter(module: Any, name: str, value: torch.Tensor | None) -> None:
        assert value is None or value.is_meta or value.numel() < 2**27, f"{name} of {tuple(value.shape)}"

    hook = nn.modules.module.register_module_parameter_registration_hook(parameter)
    yield
    hook.remove()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (part("generator", width=4096), "the weights in .* do not fit its config: .* of another shape"),
        (part("generator", width=65536, blocks=256), "do not fit its config: .* missing"),
        (part("generator", blocks=10**6), "'blocks' of ResNet6 wants int from 0 to 256, found 1000000"),
        (part("generator", width=-40), "'width' of ResNet6 wants int from 1 to 65536, found -40"),
        (part("generator", width=10**30), "'width' of ResNet6 wants int from 1"),
        (part("generator", dropout=-1e30), "'dropout' of ResNet6 wants float from 0 to 1, found -1e"),
        (part("discriminator", layers=1000), "'layers' of PatchGAN wants int from 1 to 6, found 1000"),
        (part("discriminator", width=65536, layers=6), "(has more than|is too large).* and its weights are 8,739"),
        (lambda c: c["options"].update(init_gain=-1), "'init_gain' of Pix2Pix wants float from 0 to 1000, found -1"),
        (lambda c: c["options"].update(betas=[1e308, 0.9]), "'betas' of Pix2Pix wants list"),
        (lambda c: c["options"].update(domains=["\ud800", "b"]), "half of a character"),
        (lambda c: c.update(plugin=["x"]), r"'plugin' must be a JSON object; found \['x'\]"),
        (lambda c: c.update(provenance=5), "'provenance' must be a JSON object; found 5"),
    ],
)  # fmt: skip
def test_a_config_that_its_weights_cannot_be_of(folder, no_memory, change, said):
    with pytest.raises(StorageError, match=said):
        i2izoo.load(folder(change))


@pytest.mark.parametrize("depth", [70, 900, 100_000])
def test_deep_nesting(folder, depth, capsys):
    deep = "[" * depth + "]" * depth
    text = f'{{"method": "pix2pix", "options": {{"generator": {{"name": "unet_256", "norm": {deep}}}}}}}'
    with pytest.raises(StorageError, match="nested deeper than 64 levels"):
        i2izoo.load(folder(text=text))
    assert main(["info", str(folder(text=text))]) == 2
    assert main(["translate", "pix2pix", "x.png", "-o", "y.png", f"generator={deep}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "metadata", ["[]", "5", "null", "{", '{"method": 5}', '{"method": "pix2pix", "options": 3}', "[" * 900]
)
def test_a_damaged_copy_of_the_config(folder, metadata):
    with pytest.raises(StorageError, match="saved with another config"):
        i2izoo.load(folder(metadata=metadata))


@pytest.mark.parametrize(
    "index",
    ['{"_class_name": 5}', '{"_class_name": ["a", 5]}', '{"_class_name": null}', "[" * 900 + "]" * 900, "[]", "\ud800"],
)
def test_another_librarys_index(tmp_path, index):
    (tmp_path / "model_index.json").write_text(index, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(StorageError):
        i2izoo.load(tmp_path)


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"name": "x", "inner": value}
    return value


def test_options_in_python():
    endless: dict[str, Any] = {"name": "unet_256"}
    endless["norm"] = endless
    for generator in (deep(900), deep(70), endless):
        with pytest.raises(ConfigError, match="nested deeper"):
            i2izoo.create("pix2pix", generator=generator)
    with pytest.raises(ConfigError, match="half of a character"):
        i2izoo.create("pix2pix", domains=["\ud800", "b"])


def test_what_no_memory_holds_is_refused_before_it_is_taken(no_memory, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"total": 2**20}))
    with pytest.raises(ConfigError, match=r"'pix2pix' .* more than 262,144 parameters, and this machine has 0 GB"):
        i2izoo.create("pix2pix", generator={"name": "unet_256", "width": 16})


@i2izoo.register("methods", "test-careless")
class Careless(TinyMethod):
    """Checks nothing: `wide` is as third parties write it, without a range."""

    def __init__(self, *, wide: int = 1, generator: Part[Generator] = "tiny-generator"):
        super().__init__(generator=generator)
        self.more = nn.ModuleList(nn.Linear(1, 1) for _ in range(wide))
        self.numbers = nn.Linear(3, wide).weight.tolist()  # which cannot be without memory


def test_a_plugin_that_declares_no_range_is_bounded_too(tmp_path):
    model = i2izoo.create("test-careless", wide=2)
    folder = model.save_pretrained(tmp_path / "model")
    assert i2izoo.load(folder).config["options"]["wide"] == 2
    for wide in (10**7, 10**30, -(10**30)):
        text = (folder / "config.json").read_text().replace('"wide": 2', f'"wide": {wide}')
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "config.json").write_text(text)
        save_file(load_file(folder / "model.safetensors"), tmp_path / "other" / "model.safetensors")
        with pytest.raises(StorageError, match=r"has more than|do not fit its config|wants int of 64 bits"):
            i2izoo.load(tmp_path / "other")
    with pytest.raises(ConfigError, match="'test-careless' cannot be built with these options: RuntimeError"):
        i2izoo.create("test-careless", wide=-1)


def test_loading_asks_nothing_of_the_random_state():
    before = torch.get_rng_state()
    with only_shapes():
        planned = type(tiny_method())()
        nn.init.orthogonal_(nn.Linear(9, 9).weight)
    assert all(tensor.is_meta for tensor in planned.state_dict().values())
    assert torch.equal(before, torch.get_rng_state())


def test_a_budget_counts_parameters_and_modules():
    with budget(values=12, modules=6):
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(OverBudget, match="more than 11 parameters"), budget(values=11, modules=9):
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(OverBudget, match="more than 1 modules"), budget(values=99, modules=1):
        nn.Sequential(nn.Identity(), nn.Identity())
    nn.Linear(50, 50)  # the hooks are gone
