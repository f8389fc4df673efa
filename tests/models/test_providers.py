"""A model whose plugin is not installed says which one it was saved with, and how it is had."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import tiny
from safetensors.torch import load_file, save_file

import i2izoo
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import registry
from i2izoo.errors import UnknownNameError
from i2izoo.models.providers import providers


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of the plugin my-translators 0.1.0, which is gone."""
    methods, generators = registry("methods"), registry("generators")
    with monkeypatch.context() as patch:
        patch.setattr(methods, "_registered", {**methods._registered})
        methods._registered["my_method"] = Entry("my_method", "x:y", "my-translators", "0.1.0", tiny.TinyMethod)
        i2izoo.create("my_method").save_pretrained(tmp_path / "model")
    assert "my_net" not in generators
    return tmp_path / "model"


def refusal(folder: Path, **changes: Any) -> str:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    weights = folder / "model.safetensors"
    save_file(load_file(weights), weights)  # without the copy of the config
    with pytest.raises(UnknownNameError) as caught:
        i2izoo.load(folder)
    return str(caught.value)


def test_the_plugin_is_recorded_and_named(saved: Path) -> None:
    recorded = json.loads((saved / "config.json").read_text())["plugin"]
    assert recorded == {"distribution": "my-translators", "version": "0.1.0"}
    assert refusal(saved) == (
        "there is no method named 'my_method'; the model was saved with my-translators 0.1.0, which is not installed: "
        "`pip install my-translators` adds it; a plugin is code, so install it if you trust its author."
    )


@pytest.mark.parametrize(
    "plugin",
    [
        {"distribution": "x; rm -rf ~", "version": "1"},
        {"distribution": "--index-url=http://evil", "version": "1"},
        {"distribution": "a\n`b`", "version": "1"},
        {"distribution": "../x", "version": "1"},
        {"distribution": "x" * 1000, "version": "1"},
        {"distribution": ["x"], "version": "1"},
        {"distribution": "git+https://evil/x"},
        [],
        "x",
        None,
        5,
    ],
    ids=str,
)
def test_what_is_no_name_is_not_shown(saved: Path, plugin: Any) -> None:
    own = plugin if isinstance(plugin, dict) else {}  # anything else is refused before
    name = own.get("distribution")
    said = refusal(saved, plugin=own, plugins={name: "1"} if isinstance(name, str) else [plugin])
    assert said.startswith("there is no method named 'my_method'")
    assert "pip" not in said
    assert "evil" not in said


def test_a_version_that_is_none_is_left_out(saved: Path) -> None:
    said = refusal(saved, plugin={"distribution": "my-translators", "version": "1 && evil"})
    assert "saved with my-translators, which is not installed" in said
    assert "evil" not in said


def test_another_version_may_have_it(saved: Path) -> None:
    here = version("torch")
    said = refusal(saved, plugin={"distribution": "torch", "version": "0.0.1"}, plugins=None)
    assert said.endswith(f"saved with torch 0.0.1, and {here} is installed: `pip install torch==0.0.1`.")
    assert "pip" not in refusal(saved, plugin={"distribution": "torch", "version": here}, plugins=None)


def test_what_a_program_registered_is_not_to_be_installed(saved: Path) -> None:
    said = refusal(saved, plugin={"distribution": "this-program", "version": "0"})
    assert "registered by the program that saved the model" in said
    assert "pip" not in said


def test_the_plugins_of_parts_are_recorded_and_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generators = registry("generators")
    own = {"name": "my_net", "ballast": 1}
    with monkeypatch.context() as patch:
        patch.setattr(generators, "_registered", {**generators._registered})
        generators._registered["my_net"] = Entry("my_net", "x:y", "my-nets", "2.0", tiny.TinyGenerator)
        model = i2izoo.create("tiny-method", generator=own)
        assert providers("tiny-method", model.method.config) == {"this-program": "0", "my-nets": "2.0"}
        folder = model.save_pretrained(tmp_path / "model")
    assert json.loads((folder / "config.json").read_text())["plugins"] == {"my-nets": "2.0"}
    said = refusal(folder, plugin={"distribution": "i2izoo", "version": version("i2izoo")})
    assert "there is no generator named 'my_net'; " in said
    assert "`pip install my-nets` adds it" in said


def test_bundled_models_need_nothing_else() -> None:
    for name in ("pix2pix-facades", "palette-facades"):
        model = i2izoo.load(name)
        assert list(providers(model.name, model.method.config)) == ["i2izoo"]
