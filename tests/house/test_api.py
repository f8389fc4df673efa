"""The public names: lazy, complete, and without torch until images are at hand."""

import subprocess
import sys

import pytest

import i2izoo
from i2izoo.contracts.registry import registry


def run(code):
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


HEAVY = ("torch", "torchvision", "numpy", "PIL", "diffusers", "huggingface_hub", "timm", "accelerate", "safetensors")
SEEN = f"import sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"


def test_listing_imports_nothing_heavy():
    listing = "i2izoo.list_models(); i2izoo.list_models('*', pretrained=True); i2izoo.list_parts('generators')"
    assert (
        run(f"import i2izoo; {listing}; dir(i2izoo); i2izoo.__version__; i2izoo.errors; i2izoo.register; {SEEN}") == []
    )


def test_the_bare_import_reads_no_metadata():
    assert run("import i2izoo, sys; print(*[m for m in sys.modules if m.startswith('importlib.metadata')])") == []
    assert run(f"import i2izoo; {SEEN}") == []


def test_every_public_name_is_there_and_is_what_its_home_calls_it():
    for name in i2izoo.__all__:
        assert name in dir(i2izoo)
        value = getattr(i2izoo, name)
        if name not in ("__version__", "errors"):
            assert value.__name__ == name
    assert i2izoo.__version__.count(".") >= 1
    assert i2izoo.errors.I2IZooError


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"no attribute 'laod'"):
        _ = i2izoo.laod
    with pytest.raises(ImportError):
        from i2izoo import laod  # noqa: F401


@pytest.fixture
def _apart(monkeypatch):
    """What a test registers is gone after it."""
    for kind in ("methods", "generators", "pretrained"):
        monkeypatch.setattr(registry(kind), "_registered", dict(registry(kind)._registered))


@pytest.mark.usefixtures("_apart")
def test_listing_methods_and_entries():
    i2izoo.register("methods", "listed_64")(object)
    i2izoo.register("methods", "listed_128")(object)
    i2izoo.register("pretrained", "listed_64-facades")(object())
    assert i2izoo.list_models("listed*", pretrained=False) == ["listed_64", "listed_128"]
    assert i2izoo.list_models("listed*", pretrained=True) == ["listed_64-facades"]
    assert i2izoo.list_models("listed*") == ["listed_64", "listed_128", "listed_64-facades"]
    assert "listed_64-facades" in i2izoo.list_models("*facade[s]", pretrained=True)
    assert i2izoo.list_models("nothing*") == []


@pytest.mark.usefixtures("_apart")
def test_listing_parts():
    i2izoo.register("generators", "listed_generator")(object)
    assert i2izoo.list_parts("generators", "listed*") == ["listed_generator"]
    with pytest.raises(i2izoo.errors.UnknownNameError, match="did you mean 'generators'"):
        i2izoo.list_parts("generator")
