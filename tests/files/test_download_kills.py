"""Downloads that are killed, between any two changes of files and within a file: nothing half-written, and going on
gives the same bytes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kills
import pytest
from hub_faults import Hang
from hub_server import HubServer, connected
from i2izoo_facades.facades import COUNTS, fetch_facades
from test_data_download import archive

from i2izoo.errors import HubError
from i2izoo.files.download import download
from i2izoo.files.hub import snapshot

REPO = "alice/model"
FILES = {
    "README.md": b"# T\n",
    "config.json": b'{"method": "tiny"}',
    "model.safetensors": random.Random(0).randbytes(300_000),
    "scheduler/scheduler_config.json": b"{}",
}
WEIGHTS = FILES["model.safetensors"]


@dataclass
class KillClient(Hang):
    """Kill the client, a child of this process, when so many bytes are sent."""

    def wait(self) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with connected(monkeypatch) as server:
        server.add(REPO, FILES)
        yield server


def from_hub(endpoint: str, cache: Path) -> None:
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE, constants.ENDPOINT = False, endpoint
    constants.HUGGINGFACE_CO_URL_TEMPLATE = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    snapshot(REPO, cache_dir=cache)


def from_web(endpoint: str, folder: Path) -> None:
    url = f"{endpoint}/{REPO}/resolve/main/model.safetensors"
    download(url, folder / "file", sha256=hashlib.sha256(WEIGHTS).hexdigest())


def facades(endpoint: str, folder: Path, size: int) -> None:
    fetch_facades(folder, url=f"{endpoint}/{REPO}/resolve/main/facades.tar.gz", size=size)


def some(changes: int, count: int) -> list[int]:
    """So many of the changes from 1 on, evenly: the last one, too."""
    return sorted({1 + round(n * (changes - 1) / (count - 1)) for n in range(count)}) if count < changes else [
        *range(1, changes + 1)
    ]  # fmt: skip


def nothing_torn(cache: Path) -> None:
    """What can be seen is whole, and the model is served as a whole or not at all."""
    seen = [p for p in cache.glob("models--*/snapshots/*/**/*") if not p.is_dir()]
    for path in seen:
        name = "/".join(path.parts[path.parts.index("snapshots") + 2 :])
        assert path.read_bytes() == FILES[name]
    try:
        folder = snapshot(REPO, cache_dir=cache, local_files_only=True)
    except HubError:
        return
    assert kills.tree(folder) == FILES


def goes_on(hub: HubServer, cache: Path) -> None:
    assert kills.tree(snapshot(REPO, cache_dir=cache)) == FILES
    left = [p.name for p in cache.rglob("*") if p.suffix in (".part", ".tmp") or p.name == ".incoming"]
    assert left == []


@pytest.mark.parametrize("count", [5, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_model_of_the_hub_killed_between_changes_of_files(hub: HubServer, tmp_path: Path, count: int) -> None:
    done = kills.run(from_hub, hub.url, tmp_path / "whole", below=tmp_path / "whole")
    assert (done.code, done.said) == (0, "")
    assert kills.tree(snapshot(REPO, cache_dir=tmp_path / "whole", local_files_only=True)) == FILES
    for moment in some(done.changes, count):
        cache = tmp_path / str(moment)
        assert kills.run(from_hub, hub.url, cache, below=cache, kill_at=moment).killed
        nothing_torn(cache)
        goes_on(hub, cache)


@pytest.mark.parametrize("count", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_a_model_of_the_hub_killed_within_a_file(hub: HubServer, tmp_path: Path, count: int) -> None:
    for after in some(len(WEIGHTS), count):
        cache = tmp_path / str(after)
        hub.faults["model.safetensors"] = KillClient(after)
        assert kills.run(from_hub, hub.url, cache, below=cache).killed
        hub.faults.clear()
        nothing_torn(cache)
        kept = b"".join(path.read_bytes() for path in cache.rglob("*.part"))
        assert kept == WEIGHTS[: len(kept)]
        hub.sent.clear()
        goes_on(hub, cache)
        assert {headers["Range"] for headers in hub.sent} == {None, *([f"bytes={len(kept)}-"] if kept else [])}


def test_a_full_disk_is_one_sentence_and_what_came_is_kept(hub: HubServer, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ended = kills.run(from_hub, hub.url, cache, below=cache, largest=200_000)
    *_, sentence = ended.said.strip().splitlines()
    assert ended.code == 1
    assert sentence.startswith(f"i2izoo.errors.HubError: {REPO} cannot be stored in the cache (File too large): free ")
    nothing_torn(cache)
    hub.sent.clear()
    goes_on(hub, cache)
    assert "bytes=200000-" in {headers["Range"] for headers in hub.sent}


@pytest.mark.parametrize("count", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_a_file_of_the_web_killed_within(hub: HubServer, tmp_path: Path, count: int) -> None:
    for after in some(len(WEIGHTS), count):
        folder = tmp_path / str(after)
        hub.faults["model.safetensors"] = KillClient(after)
        assert kills.run(from_web, hub.url, folder, below=folder).killed
        hub.faults.clear()
        assert not (folder / "file").exists()
        from_web(hub.url, folder)
        assert kills.tree(folder) == {"file": WEIGHTS}


def test_a_file_of_the_web_killed_between_changes_of_files(hub: HubServer, tmp_path: Path) -> None:
    done = kills.run(from_web, hub.url, tmp_path / "whole", below=tmp_path / "whole")
    for moment in some(done.changes, 1000):
        folder = tmp_path / str(moment)
        assert kills.run(from_web, hub.url, folder, below=folder, kill_at=moment).killed
        assert not (folder / "file").exists()
        from_web(hub.url, folder)
        assert kills.tree(folder) == {"file": WEIGHTS}


@pytest.mark.parametrize("count", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_the_facades_killed_between_changes_of_files(hub: HubServer, tmp_path: Path, count: int) -> None:
    content = archive(COUNTS)
    hub.add(REPO, {"facades.tar.gz": content})
    done = kills.run(facades, hub.url, tmp_path / "whole", len(content), below=tmp_path / "whole")
    assert (done.code, done.said) == (0, "")
    whole = kills.tree(tmp_path / "whole")
    assert len(whole) == sum(COUNTS.values()) + 2  # the checksum and the lock
    for moment in some(done.changes, count):
        folder = tmp_path / str(moment)
        assert kills.run(facades, hub.url, folder, len(content), below=folder, kill_at=moment).killed
        place = folder / "facades"
        assert not place.exists() or len(list(place.rglob("*.jpg"))) == sum(COUNTS.values())
        facades(hub.url, folder, len(content))
        left = kills.tree(folder)
        left.pop("facades.tar.gz", None)  # killed just before it was removed
        assert left == whole
