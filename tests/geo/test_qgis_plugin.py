"""The QGIS plugin in examples/qgis_i2izoo: what it asks of the command line, and what it makes of the answers."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scripts import script

import i2izoo
from i2izoo.cli.main import parse

rasterio = pytest.importorskip("rasterio")

PLUGIN = Path(__file__).parents[2] / "examples" / "qgis_i2izoo"
QGIS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")  # that of Debian 12 is a wrapper, and broken
child = script("examples/qgis_i2izoo/child.py")


def never() -> bool:
    return False


def program(folder: Path, code: str) -> list[str]:
    path = folder / "program.py"
    path.write_text(code)
    return [sys.executable, str(path)]


@pytest.fixture(scope="module")
def i2izoo_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The executable `i2izoo` of this environment."""
    path = tmp_path_factory.mktemp("bin") / "i2izoo"
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom i2izoo.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and a grey raster of 50 rows of tiles of 64 (an overlap of 8) that lies west of Greenwich."""
    folder = tmp_path_factory.mktemp("scan")
    torch.manual_seed(0)
    unet = {"name": "unet_128", "depth": 2, "width": 4}
    i2izoo.create("colorization", base={"name": "pix2pix", "generator": unet}).save_pretrained(folder / "model")
    array = np.random.default_rng(0).integers(1, 255, (1, 2808, 64)).astype(np.uint8)
    place = rasterio.Affine(0.001, 0, -74.5, 0, -0.001, -8.5)
    with rasterio.open(
        folder / "scan.tif", "w", driver="GTiff", count=1, height=2808, width=64, dtype="uint8", crs="EPSG:4326",
        transform=place,
    ) as file:  # fmt: skip
        file.write(array)
    return folder / "model", folder / "scan.tif"


def test_the_commands_say_to_the_parser_what_they_mean() -> None:
    words = child.translate_command(
        "i2izoo", "my model", "/a b/scan.tif", "/a b/out.tif", to="colour", bounds=[-74.5, -8.25, -74.25, 1e-07],
        bands=[4, 3, 2], values="-1,1", tile=256, device="cuda:0", resume=True, options=["--statistics=exact", "x=1"],
    )  # fmt: skip
    args = parse(words[1:])
    assert (args.name, args.words, args.out) == ("my model", ["/a b/scan.tif", "x=1"], "/a b/out.tif")
    assert [float(number) for number in args.bounds.split(",")] == [-74.5, -8.25, -74.25, 1e-07]
    assert (args.to, args.bands, args.values, args.tile, args.device) == ("colour", "4,3,2", "-1,1", 256, "cuda:0")
    assert (args.resume, args.force, args.progress, args.statistics) == (True, True, "json", "exact")
    bare = parse(child.translate_command("i2izoo", "m", "a.tif", "b.tif")[1:])
    assert (bare.to, bare.bounds, bare.bands, bare.values, bare.device, bare.resume) == (None,) * 5 + (False,)
    words = child.tiles_command("i2izoo", "/a b.tif", "/out", licence="CC0, me", name="scan", bbox=[-1.5, 2, 3, 4.25])
    args = parse(words[1:])
    assert (args.sources, str(args.out), args.licence) == (["scan=/a b.tif"], "/out", "CC0, me")
    assert (args.bbox, args.size, args.block, args.val) == ([-1.5, 2, 3, 4.25], 256, 8, 0.1)


def test_progress_and_errors_are_read_from_what_is_said(tmp_path: Path) -> None:
    first, second = (
        json.dumps({"stage": stage, "done": done, "total": 4.0})
        for stage, done in (("statistics", 0), ("translating", 2))
    )
    lines = [first, "a word of a library", second, '{"stage": "done", "target": "x"}', "[1]"]
    said: list[str] = []
    assert child.run(program(tmp_path, f"print(*{lines!r}, sep='\\n')"), said.append, never)
    assert said == lines
    known = [(2, "statistics"), None, (52.5, "translating"), (100, "done"), None]
    assert list(map(child.progress, said)) == known
    failing = "import sys; print('i2izoo: a warning.', 'i2izoo: no model m.', sep='\\n', file=sys.stderr); sys.exit(2)"
    with pytest.raises(child.ChildError, match=r"^no model m\.$"):
        child.run(program(tmp_path, failing), said.append, never)
    with pytest.raises(child.ChildError, match=r"^i2izoo failed with exit code 1: ModuleNotFoundError: No module"):
        child.run(program(tmp_path, "import no_such_module"), said.append, never)
    with pytest.raises(child.ChildError, match="smaller tiles"):
        child.run(program(tmp_path, f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"), said.append, never)
    with pytest.raises(child.ChildError, match="Settings > Options"):
        child.run([str(tmp_path / "none")], said.append, never)
    with pytest.raises(child.ChildError, match="does not list its models"):
        child.models(shutil.which("true"))


@pytest.mark.parametrize("obeys", [True, False])
def test_a_child_that_is_cancelled_ends(obeys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PATIENCE", 60.0 if obeys else 0.2)
    handler = "lambda *_: sys.exit(143)" if obeys else "signal.SIG_IGN"
    code = f"import signal, sys, time, os\nsignal.signal(signal.SIGTERM, {handler})\nprint(os.getpid(), flush=True)\n"
    said: list[str] = []
    assert not child.run(program(tmp_path, f"{code}while True: time.sleep(0.1)"), said.append, lambda: bool(said))
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[0]), 0)


def test_nothing_of_qgis_reaches_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the PYTHONHOME of another Python no Python starts."""
    for name in ("PYTHONHOME", "PYTHONPATH", "PROJ_LIB", "GDAL_DATA"):
        monkeypatch.setenv(name, str(tmp_path / "of-qgis"))
    said: list[str] = []
    assert child.run(program(tmp_path, "import os; print('of-qgis' in str(os.environ))"), said.append, never)
    assert said == ["False"]


def test_the_executable_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("i2izoo", "other"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("I2IZOO_EXECUTABLE", raising=False)
    assert child.executable() == str(tmp_path / "i2izoo")
    monkeypatch.setenv("I2IZOO_EXECUTABLE", str(tmp_path / "other"))
    assert child.executable() == str(tmp_path / "other")
    assert child.executable(str(tmp_path / "i2izoo")) == str(tmp_path / "i2izoo")
    with pytest.raises(child.ChildError, match=r"'/none'; set the path of i2izoo in Settings"):
        child.executable("/none")


def test_a_cancelled_translation_is_resumed_to_the_same_bytes(
    scan: tuple[Path, Path], i2izoo_program: str, tmp_path: Path
) -> None:
    said: list[float] = []

    def told(line: str) -> None:
        if (found := child.progress(line)) is not None:
            said.append(found[0])

    def command(name: str, **flags: bool) -> list[str]:
        return child.translate_command(i2izoo_program, *map(str, scan), str(tmp_path / name), tile=64, **flags)

    assert child.run(command("whole.tif"), told, never)
    assert said == sorted(said)
    assert len(said) > 50
    assert said[-1] == 100
    said.clear()
    assert not child.run(command("out.tif"), told, lambda: bool(said) and said[-1] > 12)
    assert not (tmp_path / "out.tif").exists()
    reached = said[-1]
    said.clear()
    assert child.run(command("out.tif", resume=True), told, never)
    assert min(share for share in said if share >= 10) >= reached
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    names = [model["name"] for model in child.models(i2izoo_program)]
    assert "pix2pix-facades-colorization" in names
    assert "ddim-facades" not in names, "diffusion cannot be run in tiles"


def test_the_plugin_is_one_that_qgis_finds() -> None:
    said = configparser.ConfigParser()
    said.read(PLUGIN / "metadata.txt", encoding="utf-8")
    said = said["general"]
    assert said["hasProcessingProvider"] == "yes"
    assert (PLUGIN / said["icon"]).is_file()
    assert {"name", "description", "about", "version", "qgisMinimumVersion", "author"} <= set(
        map(str, ["qgisMinimumVersion", *said])
    )
    for path in PLUGIN.glob("*.py"):  # no torch in QGIS
        imported = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0)
            for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        }
        assert imported <= {*sys.stdlib_module_names, "qgis", "processing"}


# ------------------------------------------------------------------------------------------------ by a real QGIS


@pytest.fixture(scope="module")
def qgis(tmp_path_factory: pytest.TempPathFactory, i2izoo_program: str) -> dict[str, str]:
    """The environment of a QGIS that has the plugin in a profile of its own."""
    if QGIS is None:
        pytest.skip("QGIS is not installed")
    home = tmp_path_factory.mktemp("home")
    # The Python inside QGIS takes its home from the first python3 of PATH, and dies with that of another installation.
    own = {"PATH": os.defpath, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "QT_QPA_PLATFORM": "offscreen"}
    found = {**own, "OMP_NUM_THREADS": "1", "QGIS_PLUGINPATH": str(PLUGIN.parent), "I2IZOO_EXECUTABLE": i2izoo_program}
    subprocess.run([QGIS, "plugins", "enable", PLUGIN.name], env=found, check=True, capture_output=True)
    return found


def test_qgis_translates_a_raster(qgis: dict[str, str], scan: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "out.tif"
    words = ["run", "i2izoo:translate", "--", f"INPUT={scan[1]}", f"OWN_MODEL={scan[0]}", f"OUTPUT={target}", "TILE=64",
             "EXTENT=-74.49,-74.45,-8.6,-8.55 [EPSG:4326]"]  # fmt: skip
    done = subprocess.run([QGIS, *words], env=qgis, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "translating" in done.stdout
    assert "100 - done" in done.stdout
    with rasterio.open(target) as file:
        assert (file.count, file.width, file.height, file.crs.to_epsg()) == (3, 40, 50, 4326)
        assert np.allclose(file.bounds, (-74.49, -8.6, -74.45, -8.55))
    done = subprocess.run([QGIS, *words, "TO=nowhere"], env=qgis, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search(r"^ERROR:\t.*'nowhere'", done.stderr, re.MULTILINE)


CANCEL = """
import json, sys
sys.path[:0] = ["/usr/share/qgis/python/plugins", "/usr/share/qgis/python", sys.argv[1]]
from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback
application = QgsApplication([], False)
application.initQgis()
from processing.core.Processing import Processing
Processing.initialize()
from qgis_i2izoo import classFactory
plugin = classFactory(None)
plugin.initProcessing()
for resume in (False, True):
    seen, context, feedback = [], QgsProcessingContext(), QgsProcessingFeedback()
    feedback.progressChanged.connect(seen.append)
    if not resume:
        feedback.progressChanged.connect(lambda share: feedback.cancel() if share > 12 else None)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("i2izoo:translate")
    found = algorithm.run({**json.loads(sys.argv[2]), "RESUME": resume}, context, feedback)
    print(json.dumps([found, seen]), flush=True)
"""


@pytest.mark.slow
def test_qgis_cancels_and_resumes(qgis: dict[str, str], scan: tuple[Path, Path], tmp_path: Path) -> None:
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import qgis.core"], env=qgis, check=False, capture_output=True).returncode:
        pytest.skip("the system's Python has no PyQGIS")
    target = tmp_path / "out.tif"
    parameters = {"INPUT": str(scan[1]), "OWN_MODEL": str(scan[0]), "OUTPUT": str(target), "TILE": 64}
    done = subprocess.run([python, "-c", CANCEL, str(PLUGIN.parent), json.dumps(parameters)],
                          env=qgis, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (first, before), (second, after) = (json.loads(line) for line in done.stdout.splitlines() if line[:2] == "[[")
    assert first == [{}, True]
    assert max(before) < 95
    assert second == [{"OUTPUT": str(target)}, True]
    assert after[1] >= max(before)
    assert rasterio.open(target).shape == (2808, 64)
