"""The tree fits in a hand: bounds of what is tracked, in bytes. Who needs more, makes something smaller first."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MB = 1_000_000
LARGEST_ENTRY = 4 * MB
LARGER_ENTRIES = {
    "bicyclegan-facades": 6_165_022,
    "cvae-facades": 7_637_174,
    "cyclegan-facades": 4_444_748,
    "ddim-facades": 7_396_574,
    "palette-facades": 5_457_758,
    "pix2pix-facades": 6_769_966,
    "pix2pix-facades-colorization": 6_764_596,
    "segmenter-facades": 6_830_504,
}
"""Entries from before the bound on each: the list is closed, and its sizes only shrink."""
SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".svg", ".html"}


@pytest.fixture(scope="module")
def tracked() -> dict[str, int]:
    """Path -> size of every file that git tracks."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        top = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git cannot list the files: this is no checkout")
    if Path(top.strip()).resolve() != ROOT.resolve():
        pytest.skip("this is no checkout of its own: it lies inside another")
    return {name: (ROOT / name).stat().st_size for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()}


def entries(tracked: dict[str, int]) -> dict[str, int]:
    """Bundled entry -> size of its weights."""
    return {
        Path(n).parent.name: s for n, s in tracked.items() if n.startswith("plugins/") and n.endswith(".safetensors")
    }


def test_weights(tracked):
    sizes = entries(tracked)
    assert sizes
    assert sum(sizes.values()) <= 80 * MB
    assert {n: s for n, s in sizes.items() if s > LARGER_ENTRIES.get(n, LARGEST_ENTRY)} == {}


@pytest.mark.parametrize(
    ("folder", "bound"), [("docs/assets/", 6 * MB), ("tests/data/golden/", 6 * MB), ("examples/images/", MB)]
)
def test_folders(tracked, folder, bound):
    sizes = [size for name, size in tracked.items() if name.startswith(folder)]
    assert sizes
    assert sum(sizes) <= bound


def test_all_but_the_weights(tracked):
    assert sum(tracked.values()) - sum(entries(tracked).values()) <= 20 * MB


def test_single_files(tracked):
    assert {name: size for name, size in tracked.items() if size > 9 * MB} == {}
    assert {n: s for n, s in tracked.items() if Path(n).suffix.lower() in SHOWN and s > MB / 2} == {}
