"""Checkpoints that authors publish, over loopback: fetched once, checked, converted, kept, held to their first use."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import kills
import pytest
import torch
from originals import Resnet, drawn
from publishing import cached, published, tar, zipped
from torch import nn
from web_server import WebServer, through, web

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, DataError, StorageError
from i2izoo.files.download import fetching_nothing
from i2izoo.models.published import fetched

HOST = "http://models.example"
URL = f"{HOST}/cyclegan/horse2zebra.pth"
ENTRY = PretrainedEntry(
    licence="BSD-2-Clause",
    description="Horses to zebras.",
    checkpoints={"G_A": CheckpointFile(URL)},
    remote_method="cyclegan",
    remote_domains=("zebra",),
    options={"domains": ["horse", "zebra"]},
    facts={"citation": "@inproceedings{x, year = {2017}}", "data": "horses", "crop_size": 256},
)


BODY = published(drawn(Resnet(blocks=9)))
OTHER = published(drawn(Resnet(blocks=9), seed=1))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WebServer]:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry("pretrained"), "_registered", {})
    i2izoo.register("pretrained", "horse2zebra")(ENTRY)
    with web(monkeypatch) as server:
        server.files[URL] = BODY
        yield server


WHOLE = [f"models/horse2zebra/{file}" for file in ("README.md", "config.json", "model.safetensors")]


# ------------------------------------------------------------------------------------------------------ loaded once


def test_the_real_layout_is_this() -> None:
    """Names in the published horse2zebra.pth: nine blocks from 10 on, up-convolutions at 19 and 22, the last at 26."""
    names = torch.load(io.BytesIO(BODY), weights_only=True)
    convolutions = {name.removesuffix(".weight") for name in names if name.endswith(".weight")}
    blocks = {f"model.{number}.conv_block.{place}" for number in range(10, 19) for place in (1, 5)}
    assert convolutions == {"model.1", "model.4", "model.7", "model.19", "model.22", "model.26"} | blocks
    assert {name.rpartition(".")[2] for name in names} == {"weight", "bias", "running_mean", "running_var"}


def test_it_translates_as_the_original_and_is_fetched_once(server: WebServer, tmp_path: Path) -> None:
    model = i2izoo.load("horse2zebra")
    assert model.directions == {"zebra": "horse"}
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected = drawn(Resnet(blocks=9)).float()(image)
    torch.testing.assert_close(model(image), expected, rtol=1e-4, atol=1e-4)
    assert cached(tmp_path) == [*WHOLE, "published/checksums.json"]
    assert server.asked == [("horse2zebra.pth", None)]
    i2izoo.load("horse2zebra")
    i2izoo.load("horse2zebra", local_files_only=True)
    with fetching_nothing():
        i2izoo.load("this-program:horse2zebra")
    assert len(server.asked) == 1


def test_the_card_says_where_it_is_from(server: WebServer) -> None:
    i2izoo.load("horse2zebra", token="hf_secret")
    folder = fetched("horse2zebra", ENTRY)
    digest = hashlib.sha256(BODY).hexdigest()
    card, config = (folder / "README.md").read_text(), json.loads((folder / "config.json").read_text())
    assert f"Converted by i2izoo from {URL} (SHA-256 {digest})." in card
    assert "license: bsd-2-clause" in card
    assert "@inproceedings{x, year = {2017}}" in card
    assert 'model = i2izoo.load("horse2zebra")' in card
    assert config["provenance"]["licence"] == "BSD-2-Clause"
    assert config["provenance"]["crop_size"] == 256
    assert all("hf_secret" not in value for headers in server.headers for value in headers.values())


def test_another_cache_is_another_place(server: WebServer, tmp_path: Path) -> None:
    i2izoo.load("horse2zebra", cache_dir=tmp_path / "mine")
    assert len(list((tmp_path / "mine").glob("models/*/config.json"))) == 1
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ConfigError, match="is for Hub repositories, but 'horse2zebra' is converted from files"):
        i2izoo.load("horse2zebra", revision="main")


def test_another_declaration_is_converted_anew(server: WebServer) -> None:
    first = fetched("horse2zebra", ENTRY)
    again = fetched("horse2zebra", replace(ENTRY, options={"domains": ["pferd", "zebra"]}))
    assert first != again
    assert i2izoo.load(again).directions == {"zebra": "pferd"}
    assert fetched("horse2zebra", replace(ENTRY, description="Other words.")) == first


def test_a_training_starts_with_it(server: WebServer) -> None:
    model = i2izoo.create("cyclegan", pretrained="horse2zebra", learning_rate=1e-5)
    state = torch.load(io.BytesIO(BODY), weights_only=True)
    assert torch.equal(model.method.state_dict()["generator.to_zebra.layers.conv_in.weight"], state["model.1.weight"])


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_a_broken_download_is_gone_on_with(server: WebServer, tmp_path: Path) -> None:
    server.cuts["horse2zebra.pth"] = [5000, *[0] * 5]
    with pytest.raises(DataError, match=r"the connection was cut\. 5000 bytes are kept"):
        i2izoo.load("horse2zebra")
    assert cached(tmp_path) == ["published/horse2zebra.pth.part"]
    i2izoo.load("horse2zebra")
    assert server.asked[-1] == ("horse2zebra.pth", "bytes=5000-")
    assert cached(tmp_path) == [*WHOLE, "published/checksums.json"]


@pytest.mark.parametrize("known", [{"size": len(BODY) + 1}, {"size": 100}, {"sha256": "0" * 64}])
def test_another_file_than_is_declared_is_refused(server: WebServer, tmp_path: Path, known: dict[str, Any]) -> None:
    entry = replace(ENTRY, checkpoints={"G_A": CheckpointFile(URL, **known)})
    with pytest.raises(DataError, match=r"wanted (is 0000|are \d+)"):
        fetched("horse2zebra", entry)
    assert cached(tmp_path) == []


def test_a_file_that_has_changed_since_first_use_is_refused(server: WebServer, tmp_path: Path) -> None:
    folder = fetched("horse2zebra", ENTRY)
    for path in folder.iterdir():
        path.unlink()
    server.files[URL] = OTHER
    with pytest.raises(DataError, match=rf"^{URL} has changed: .* as noted on first use \(20\d\d-") as caught:
        i2izoo.load("horse2zebra")
    assert str(caught.value).count(". ") == 0
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert cached(tmp_path) == ["published/checksums.json"]
    server.files[URL] = BODY
    i2izoo.load("horse2zebra")
    (note,) = (tmp_path / "cache").rglob("checksums.json")
    assert json.loads(note.read_text())[URL]["sha256"] == hashlib.sha256(BODY).hexdigest()
    note.write_text("[1]")
    with pytest.raises(StorageError, match="checksums of what was fetched first, cannot be read"):
        fetched("other", ENTRY)


def test_without_the_network_it_says_so_and_takes_a_file_that_the_user_puts_there(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="'horse2zebra' is not in the cache"):
        i2izoo.load("horse2zebra", local_files_only=True)
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    with pytest.raises(DataError, match="I2IZOO_OFFLINE is set; load it once") as caught:
        i2izoo.load("horse2zebra")
    place = re.search(r"at (\S+)\.$", str(caught.value))
    assert place
    Path(place[1]).parent.mkdir(parents=True, exist_ok=True)
    Path(place[1]).write_bytes(BODY)
    assert i2izoo.load("horse2zebra").directions == {"zebra": "horse"}
    assert server.asked == []


def code() -> bytes:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.abort, ())

    file = io.BytesIO()
    torch.save(Code(), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>moved</html>", "is damaged, or no checkpoint"), (code(), "runs no code"), (b"", "damag")],
)
def test_what_is_no_checkpoint_is_removed_and_not_trusted(
    server: WebServer, tmp_path: Path, body: bytes, said: str
) -> None:
    server.files[URL] = body
    with pytest.raises(StorageError, match=f"what {URL} sent is no checkpoint, and was removed: .*{said}"):
        i2izoo.load("horse2zebra")
    assert cached(tmp_path) == []
    server.files[URL] = BODY
    i2izoo.load("horse2zebra")


def test_a_checkpoint_of_another_network_leaves_nothing_half_written(server: WebServer, tmp_path: Path) -> None:
    server.files[URL] = published(nn.Sequential(nn.Conv2d(3, 3, 3)))
    with pytest.raises(ConfigError, match="is not a generator of pix2pix or CycleGAN"):
        i2izoo.load("horse2zebra")
    assert cached(tmp_path) == ["published/horse2zebra.pth"]  # a better importer need not fetch it again


def test_a_model_of_another_direction_than_is_said_is_refused(server: WebServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is said to translate to horse, but its .* translates to zebra;"):
        fetched("x", replace(ENTRY, remote_domains=("horse",)))
    assert not (tmp_path / "cache" / "models").exists()


def test_an_address_that_is_gone(server: WebServer) -> None:
    server.files.clear()
    with pytest.raises(DataError, match=f"{URL} cannot be downloaded: the server says 404"):
        i2izoo.load("horse2zebra")


# ------------------------------------------------------------------------------------------------------- processes


def load_in_child(address: str, cache: Path) -> None:
    through(address)
    fetched("horse2zebra", ENTRY, cache_dir=cache)


def test_of_two_processes_one_downloads(server: WebServer, tmp_path: Path) -> None:
    server.answering.clear()
    arguments = (server.address, tmp_path / "cache")
    children = [kills.CONTEXT.Process(target=load_in_child, args=arguments) for _ in range(2)]
    for child in children:
        child.start()
    assert server.reached.wait(kills.PATIENCE)
    server.answering.set()
    for child in children:
        child.join(kills.PATIENCE)
    assert [child.exitcode for child in children] == [0, 0]
    assert len(server.asked) == 1
    assert cached(tmp_path) == [*WHOLE, "published/checksums.json"]


@pytest.mark.parametrize("count", [3, pytest.param(1000, marks=pytest.mark.slow)])
def test_killed_at_any_change_of_files_it_is_whole_or_not_there(server: WebServer, tmp_path: Path, count: int) -> None:
    whole = tmp_path / "cache"
    done = kills.run(load_in_child, server.address, whole, below=whole)
    assert (done.code, done.said) == (0, "")
    expected = kills.tree(whole)
    for number in range(count):
        moment = 1 + round(number * (done.changes - 1) / (count - 1))
        if count > done.changes and number >= done.changes:
            break
        cache = tmp_path / str(number)
        moment = number + 1 if count > done.changes else moment
        assert kills.run(load_in_child, server.address, cache, below=cache, kill_at=moment).killed
        for folder in (cache / "models").glob("[!.]*"):
            assert kills.tree(folder) == {
                name.split("/", 2)[2]: content for name, content in expected.items() if name.startswith("models/")
            }
        load_in_child(server.address, cache)
        left = kills.tree(cache)
        extra = set(left) - set(expected)
        assert {name: left[name] for name in expected} == expected
        assert [n for n in extra if not n.endswith((".lock", "-horse2zebra.pth"))] == []  # killed just before removal


# -------------------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(tar, id="tar"),
        pytest.param(lambda files: tar({f"./{n}": c for n, c in files.items()}, "w:gz"), id="tar.gz"),
        pytest.param(zipped, id="zip"),
    ],
)
def test_members_of_an_archive_that_is_fetched_once(server: WebServer, tmp_path: Path, archive: Any) -> None:
    url = f"{HOST}/all.tar"
    server.files[url] = archive({"a/latest_net_G.pth": BODY, "b/latest_net_G.pth": OTHER})
    for folder, body in (("a", BODY), ("b", OTHER)):
        file = CheckpointFile(url, member=f"{folder}/latest_net_G.pth")
        model = i2izoo.load(fetched(folder, replace(ENTRY, checkpoints={"G_A": file})))
        weights = torch.load(io.BytesIO(body), weights_only=True)["model.1.weight"]
        assert torch.equal(model.method.state_dict()["generator.to_zebra.layers.conv_in.weight"], weights)
    assert server.asked == [("all.tar", None)]
    assert [name for name in cached(tmp_path) if "published" in name] == [
        "published/all.tar",
        "published/checksums.json",
    ]
    missing = replace(ENTRY, checkpoints={"G_A": CheckpointFile(url, member="c/latest_net_G.pth")})
    with pytest.raises(StorageError, match=r"is no archive that holds 'c/latest_net_G\.pth'"):
        fetched("c", missing)


def test_what_is_no_archive(server: WebServer, tmp_path: Path) -> None:
    entry = replace(ENTRY, checkpoints={"G_A": CheckpointFile(URL, member="a.pth")})
    with pytest.raises(StorageError, match="is no archive that holds"):
        fetched("x", entry)
    assert cached(tmp_path) == []


def test_several_files_of_one_model(server: WebServer) -> None:
    urls = {role: f"{HOST}/{role}.pth" for role in ("G_A", "G_B")}
    server.files |= {urls["G_A"]: BODY, urls["G_B"]: OTHER}
    files = {role: CheckpointFile(url) for role, url in urls.items()}
    entry = replace(ENTRY, checkpoints=files, remote_domains=("zebra", "horse"))
    assert i2izoo.load(fetched("both", entry)).directions == {"zebra": "horse", "horse": "zebra"}


# -------------------------------------------------------------------------------------------------------- listings


def test_listing_says_what_is_remote_and_then_cached(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    sized = replace(ENTRY, checkpoints={"G_A": CheckpointFile(URL, about=45_600_000)})
    i2izoo.register("pretrained", "horse2zebra")(sized)
    assert main(["list", "horse2zebra"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"remote.*:\n(  .*\n)*  horse2zebra +46 MB  Horses to zebras\.\n", out)
    assert main(["info", "horse2zebra"]) == 0
    out = capsys.readouterr().out
    assert "size: 46 MB, fetched and converted when first loaded" in out
    assert f"G_A: {URL}" in out
    assert "directions: horse -> zebra" in out
    assert server.asked == []
    model = i2izoo.load("horse2zebra")
    assert main(["list", "horse2zebra"]) == 0
    assert re.search(r"cached:\n  horse2zebra +0\.\d MB  Horses to zebras\.\n", capsys.readouterr().out)
    assert main(["info", "horse2zebra"]) == 0
    out = capsys.readouterr().out
    assert f"parameters: {model.num_parameters:,}" in out
    assert f"G_A: {URL}" in out


def test_locating_what_is_cached_imports_no_torch(server: WebServer, tmp_path: Path) -> None:
    """Listing reads where models lie."""
    program = (
        "import sys; from i2izoo.cli.main import main; main(['list']); main(['info', 'cyclegan-horse2zebra']);"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_broken_entry_is_listed_last(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    i2izoo.register("pretrained", "broken-horse")(object())  # type: ignore[arg-type]
    assert main(["list", "horse"]) == 0
    assert "not loadable:\n  broken-horse" in capsys.readouterr().out


# -------------------------------------------------------------------------------------------------------- contract


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"checkpoints": None}, "is either bundled"),
        ({"repo": "a/b"}, "is either bundled"),
        ({"checkpoints": {}}, "one at least"),
        ({"checkpoints": {"G": URL}}, "role -> CheckpointFile"),
        ({"remote_method": ""}, "names the method"),
        ({"options": {"x": Path()}}, "are JSON"),
    ],
)
def test_an_entry_that_says_too_much_or_too_little(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        replace(ENTRY, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://a/b.pth"},
        {"url": "file:///etc/passwd"},
        {"url": "http://host"},
        {"member": "../x"},
        {"member": "/x"},
        {"member": "a\\..\\x"},
        {"size": 0},
        {"about": 1.5},
        {"sha256": "abc"},
    ],
)
def test_a_file_that_cannot_be_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CheckpointFile(**{"url": URL, **wrong})


def test_entries_are_hashable_and_know_their_size() -> None:
    assert len({ENTRY, replace(ENTRY)}) == 1
    assert ENTRY.size is None
    files = {"G_A": CheckpointFile(URL, size=5), "G_B": CheckpointFile(f"{URL}x", about=7)}
    assert replace(ENTRY, checkpoints=files).size == 12
    shared = {role: CheckpointFile(URL, member=f"{role}.pth", size=5) for role in ("G_A", "G_B")}
    assert replace(ENTRY, checkpoints=shared).size == 5
    assert ENTRY.directions == {"zebra": "horse"}
    with pytest.raises(StorageError, match="lie on the web"):
        ENTRY.folder()
