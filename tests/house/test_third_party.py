"""Two plugins installed as their users would, by pip and without the network: one is good, one is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "examples" / "third_party_plugin"
BROKEN = ROOT / "tests" / "plugins" / "broken"


def python(*arguments: str, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the plugins installed, the way a shell does."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both plugins installed, to be laid over the environment of the tests."""
    folder = tmp_path_factory.mktemp("plugins")
    sources = [shutil.copytree(s, folder / s.name) for s in (GOOD, BROKEN)]  # pip may write beside what it builds
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", str(folder / "site"), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_the_good_plugin_trains_saves_and_loads(
    site: Path, tmp_path: Path, learned: Callable[..., None], learning_seed: int
) -> None:
    code = """
import csv, sys, i2izoo, numpy, torch
seed = int(sys.argv[1])
assert "regression" in i2izoo.list_models()
torch.manual_seed(seed)  # the initial weights
generator = {"name": "dilated_residual", "width": 4, "depth": 2}
model = i2izoo.create("regression", domains=["label", "photo"], generator=generator)
data = {"name": "synthetic-facades", "count": 4, "size": 32}
i2izoo.Trainer(model, data, out="run", steps=60, batch_size=4, load_size=32, crop_size=32, log_every=1,
               sample_every=0, tensorboard=False, progress=False, device="cpu", seed=seed).fit()
image = numpy.arange(7 * 9 * 3, dtype=numpy.uint8).reshape(7, 9, 3)
again = i2izoo.load("run/model")
assert again.name == "regression" and again.method.config["loss"] == {"name": "charbonnier", "eps": 1e-3}
assert (again(image, to="photo") == model(image, to="photo")).all()
losses = [float(row["distance"]) for row in csv.DictReader(open("run/log.csv"))]
print(sum(losses[-5:]) / sum(losses[:5]))

mixed = i2izoo.create("pix2pix", generator=generator, reconstruction_loss="charbonnier").method
print(type(mixed.generator).__module__, type(mixed.reconstruction_loss).__module__)
"""
    done = python("-c", code, str(learning_seed), site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    falls, *modules = done.stdout.split()
    assert modules == ["i2izoo_regression.generator", "i2izoo_regression.loss"]
    learned("loss, of that of the first steps", float(falls), below=0.95, untrained=1.0)


def test_the_good_plugin_passes_the_conformance_kit_as_its_own_tests(site: Path, tmp_path: Path) -> None:
    project = shutil.copytree(GOOD, tmp_path / "project", ignore=shutil.ignore_patterns("i2izoo_regression"))
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", site=site, cwd=project)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_the_broken_plugin_harms_only_those_who_ask_for_it(site: Path, tmp_path: Path) -> None:
    code = """
import sys
import i2izoo
from i2izoo.errors import PluginError
from i2izoo.contracts.registry import registry

assert {"pix2pix", "regression", "quits"} <= set(i2izoo.list_models())
assert {"explodes", "absent", "unet_256"} <= set(i2izoo.list_parts("generators"))
for kind in ("generators", "discriminators", "losses", "datasets", "methods"):
    for entry in registry(kind).entries():
        if entry.distribution == "i2izoo":
            registry(kind).get("i2izoo:" + entry.name)
i2izoo.create("pix2pix", generator={"name": "unet_256", "width": 4, "depth": 2})
assert not any(name.startswith("i2izoo_broken") for name in sys.modules)
for generator in ("explodes", "unet_128"):
    try:
        i2izoo.create("pix2pix", generator=generator)
    except PluginError as error:
        print(error)
"""
    done = python("-c", code, site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    explodes, clash = done.stdout.splitlines()
    assert "'explodes' of plugin i2izoo-broken 0.6.6" in explodes
    assert "RuntimeError: this plugin was built for another age" in explodes
    assert "'i2izoo:unet_128' or 'i2izoo-broken:unet_128'" in clash


def test_listing_goes_on_beside_a_broken_plugin(site: Path, tmp_path: Path) -> None:
    done = python("-m", "i2izoo", "list", site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"regression", "pix2pix"} <= set(done.stdout.split())


def test_plugins_reports_what_is_broken_and_why(site: Path, tmp_path: Path) -> None:
    done = python("-m", "i2izoo", "plugins", site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, _, report = done.stdout.partition("i2izoo-broken 0.6.6\n")
    *parts, malformed = [line.strip() for line in report.splitlines()[:7]]
    found = dict(line.split("  ", 1) for line in parts)
    reasons = {
        "generator explodes": "RuntimeError: this plugin was built for another age",
        "generator absent": "has no attribute 'NoSuchClass'",
        "generator wrong_kind": "does not implement i2izoo.interfaces.Generator",
        "generator unfinished": "Unfinished lacks forward",
        "generator unet_128": "also claimed by i2izoo ",
        "method quits": "SystemExit: 3",
    }
    for part, reason in reasons.items():
        assert found[part].startswith("BROKEN: ")
        assert reason in found[part]
    assert malformed.startswith("MALFORMED: ")
    assert "did you mean 'generators'" in malformed
    _, _, good = done.stdout.partition("i2izoo-regression 0.1.0\n")
    assert [line.strip() for line in good.splitlines()[:3]] == [
        "generator dilated_residual",
        "loss charbonnier",
        "method regression",
    ]
