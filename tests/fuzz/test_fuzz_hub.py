"""Hubs and web servers that answer anything: what is fetched is right or refused, and lies where it should.

The server is right except for what a case changes: statuses, headers, lengths, redirects, cut and silent connections,
and the list of files, of which any value may become any other. After each case the server is right again, and all
must come, whatever the case has left in the cache.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz.fuzzing import cases, sensible
from hub_faults import Cut, Fail, Fault, Hang, Headers, Reply, Truncate
from hub_server import HubServer, never_slept, nothing_beside

from i2izoo.errors import HubError, I2IZooError
from i2izoo.files.download import download
from i2izoo.files.hub import snapshot

OURS = {
    "README.md": b"# T\n",
    "config.json": b'{"method": "tiny"}',
    "model.safetensors": random.Random(0).randbytes(200_000),
    "scheduler/scheduler_config.json": b"{}",
    "other.bin": b"a pickle",
}
FOREIGN = {
    "model_index.json": b'{"_class_name": "DDIMPipeline", "unet": ["diffusers", "UNet2DModel"]}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": random.Random(1).randbytes(100_000),
}
LISTED = "/api/models/"

PLACES = ["../../../x", "..", "/tmp/x", "..\\..\\x", "C:\\x", "~/x", "a/../../x", "//x", "x" * 300, "a\0b", "a\nb"]
TEXTS = [*PLACES, "", "\x1b[2J", "\ud800", "é", "\u202e", "a" * 40, "0" * 40, "0" * 64, "main", "None", "%s%n", "<b>"]
VALUES = [*TEXTS, None, True, -1, 0, 1, 10**30, -(10**30), 0.5, 1e308, [], {}, [[]], {"a": {}}, [None], {"sha256": 5}]
STATUSES = [200, 201, 204, 206, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413, 416, 418]
STATUSES += [421, 425, 429, 451, 499, 500, 501, 502, 503, 504, 507, 520, 599]
HEADERS = {
    "ETag": [f'"{p}"' for p in PLACES] + ['W/"x"', '"', "a/b=="],
    "X-Linked-ETag": [f'"{p}"' for p in PLACES],
    "X-Linked-Size": ["-1", "x", "9" * 400],
    "X-Repo-Commit": [*PLACES, "0" * 40],
    "X-Error-Code": ["EntryNotFound", "RepoNotFound", "RevisionNotFound", "GatedRepo", "x" * 5000, ""],
    "X-Error-Message": ["\x1b[2J", "x" * 9000, "Access to this resource is disabled.", "é"],
    "X-Xet-Hash": PLACES,
    "Retry-After": ["99999999", "-1", "soon", "9" * 400, "Wed, 21 Oct 2065 07:28:00 GMT"],
    "RateLimit": ['"api";r=0;t=99999999', "x"],
    "Content-Encoding": ["gzip", "br", "x", "gzip, gzip"],
    "Content-Range": ["bytes 0-5/6", "bytes */0", "x", "bytes 9-1/-1"],
    "Content-Length": ["-1", "x", "0", "5", "99999999999999999999", "1, 2"],
    "Transfer-Encoding": ["chunked", "gzip", "x"],
    "Content-Type": ["text/html", "x; charset=x", ""],
    "Content-Disposition": ['attachment; filename="../../../x"'],
    "Set-Cookie": ["x=../../x; Path=/; Domain=evil"],
    "Link": ['<{hub}/api/models/a>; rel="next"', "<../x>; rel=xet-auth", "x"],
    "Location": ["{hub}/x", "?again", "file:///etc/passwd", "ftp://a/b", "http://", "//[::", "x" * 9000, "http://x y/"],
    "X-HF-Warning": ["a; \x1b[2J", "x"],
    "Connection": ["close", "x", "upgrade"],
}


def headers(rng: random.Random, hub: HubServer) -> dict[str, str]:
    chosen = rng.sample(sorted(HEADERS), rng.randint(1, 3))
    plain = {name: rng.choice(HEADERS[name]).replace("{hub}", hub.url) for name in chosen}
    return {name: value.encode("utf-8", "ignore").decode("latin-1").replace("\n", "") for name, value in plain.items()}


def mutated(rng: random.Random, value: Any) -> Any:
    """A JSON value with one to three of its nodes replaced, removed, repeated or renamed."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        nodes = [(value, key) for key in _keys(value)]
        for holder, key in nodes:  # grows as it goes
            nodes += [(holder[key], inner) for inner in _keys(holder[key])]
        if not nodes:
            return rng.choice(VALUES)
        holder, key = rng.choice(nodes)
        what = rng.random()
        if what < 0.6:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif what < 0.75:
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(0, copy.deepcopy(holder[key]))
        else:
            holder[rng.choice(TEXTS)] = holder.pop(key)
    return value


def _keys(value: Any) -> Any:
    return range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()


def body(rng: random.Random, right: bytes) -> bytes:
    choice = rng.randint(0, 5)
    if choice == 0:
        return rng.randbytes(rng.randint(0, 3000))
    if choice == 1:
        return right[: rng.randint(0, len(right))]
    if choice == 2:
        return right + b"x" * rng.randint(1, 100_000)
    if choice == 3:
        return rng.choice(
            [b"", b"null", b"[" * 50_000, b"<html>", b"\xff\xfe{", b'{"error": ["\\u001b[2J"]}', b"\x1f\x8b"]
        )
    return right


def fault(rng: random.Random, hub: HubServer, right: bytes) -> Fault:
    """Something wrong with one answer."""
    choice = rng.randint(0, 8)
    if choice == 0:
        return Fail(rng.choice(STATUSES[2:]), rng.choice([None, *HEADERS["X-Error-Code"][:4]]))
    if choice == 1:
        return Cut(rng.randint(0, len(right)), times=rng.choice([1, 2, 1000]))
    if choice == 2:
        return Truncate(rng.randint(0, len(right)), lie_in_head=rng.random() < 0.5)
    if choice <= 4:
        return Headers(headers(rng, hub))
    if choice == 5 and rng.random() < 0.3:
        return Hang(rng.randint(0, 30), head=rng.random() < 0.7)
    sent = body(rng, right)
    length = rng.choice([-1, -1, -1, None, 0, len(sent) // 2, len(sent) + 10])
    return Reply(sent, rng.choice([200, 200, 206, *STATUSES]), headers(rng, hub), length)


def tell_lies(rng: random.Random, hub: HubServer, repo_id: str) -> None:
    """Faults of one case."""
    repo = hub.repos[repo_id]
    tree = repo.commits[repo.refs["main"]]
    listed = [
        {"rfilename": n, "size": len(f.content), "blobId": f.blob_id}
        | ({"lfs": {"sha256": f.sha256, "size": len(f.content), "pointerSize": 134}} if f.lfs else {})
        for n, f in tree.items()
    ]
    listing = {"id": repo_id, "sha": repo.refs["main"], "private": False, "siblings": listed}
    if rng.random() < 0.5:
        wrong = json.dumps(mutated(rng, listing)).encode()
        hub.faults[LISTED] = Reply(wrong, headers={"Content-Type": "application/json"})
    elif rng.random() < 0.3:
        hub.faults[LISTED] = fault(rng, hub, json.dumps(listing).encode())
    for name in rng.sample(list(tree), rng.randint(0 if hub.faults else 1, 2)):
        hub.faults[name] = fault(rng, hub, tree[name].content)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with never_slept(monkeypatch) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    with nothing_beside(tmp_path) as folder:
        yield folder


def shown(cache: Path) -> dict[str, bytes]:
    """All files of all commits that can be seen in a cache."""
    files = [p for p in cache.glob("models--*/snapshots/*/**/*") if not p.is_dir()]
    return {"/".join(p.parts[p.parts.index("snapshots") + 2 :]): p.read_bytes() for p in files}


@cases(60, slow=500)
def test_a_hub_that_lies(seed: int, hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    right = dict(rng.choice([OURS, OURS, FOREIGN]))
    if "model_index.json" in right and rng.random() < 0.5:
        right["model_index.json"] = json.dumps(mutated(rng, json.loads(right["model_index.json"]))).encode()
    hub.add("alice/model", right)
    commit = hub.repos["alice/model"].refs["main"]
    revision = rng.choice([None, None, "main", commit])
    if before := rng.random() < 0.2:  # another commit is in the cache
        hub.add("alice/model", right | {"README.md": b"old"})
        sensible(lambda: snapshot_or_error(cache, None))  # its index may be one that is refused
        hub.repos["alice/model"].refs["main"] = commit
    tell_lies(rng, hub, "alice/model")
    falls_silent = any(isinstance(f, Hang) for f in hub.faults.values())
    monkeypatch.setenv("I2IZOO_TIMEOUT", "0.2" if falls_silent else "60")
    found = sensible(lambda: snapshot_or_error(cache, revision))
    assert isinstance(found, (Path, I2IZooError))
    allowed = {name: {content, b"old"} for name, content in {"README.md": b"", **right}.items()}
    for name, content in shown(cache).items():  # whole and right, or not at all
        assert content in allowed[name], name
    if isinstance(found, Path):
        names = {p.relative_to(found).as_posix() for p in found.rglob("*") if p.is_file()}
        assert names >= {"config.json", "model.safetensors"} or names >= {"model_index.json"}
        assert not before or found.name == commit or found.is_dir()

    list_was_right = LISTED not in hub.faults
    hub.faults.clear()
    monkeypatch.setenv("I2IZOO_TIMEOUT", "60")
    again = sensible(lambda: snapshot_or_error(cache, revision))
    if "model_index.json" in right and not isinstance(again, Path):
        assert right["model_index.json"] != FOREIGN["model_index.json"]  # which was refused for good
        return
    assert isinstance(again, Path), again
    needed = {"config.json", "model.safetensors"} & right.keys()
    if list_was_right:  # else a list without a file that need not be there was believed, as it must be
        needed |= right.keys() - {"other.bin"} if needed else set()
    assert all((again / name).read_bytes() in allowed[name] for name in needed)
    assert not list(cache.rglob(".incoming/*"))


def snapshot_or_error(cache: Path, revision: str | None) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the Hub cannot be reached; using commit")
        return snapshot("alice/model", revision=revision, cache_dir=cache)


@cases(20, slow=200)
def test_a_web_server_that_lies(seed: int, hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    content = rng.randbytes(rng.choice([0, 1, 1000, 300_000]))
    hub.add("alice/model", {"file.bin": content})
    url = f"{hub.url}/alice/model/resolve/main/file.bin"
    place = cache / "file.bin"
    wanted = {"size": len(content)} if rng.random() < 0.5 else {}
    if not wanted or rng.random() < 0.7:
        wanted["sha256"] = hashlib.sha256(content).hexdigest()
    hub.faults["file.bin"] = fault(rng, hub, content)
    monkeypatch.setenv("I2IZOO_TIMEOUT", "0.2" if isinstance(hub.faults["file.bin"], Hang) else "60")
    found = sensible(lambda: download(url, place, **wanted))
    assert not isinstance(found, HubError)
    if "sha256" in wanted:
        assert place.exists() == isinstance(found, str)
        assert not place.exists() or place.read_bytes() == content
    place.unlink(missing_ok=True)

    hub.faults.clear()
    monkeypatch.setenv("I2IZOO_TIMEOUT", "60")
    found = sensible(lambda: download(url, place, **wanted))
    if "sha256" in wanted and isinstance(found, I2IZooError):  # what was kept was wrong: it is thrown away at the end
        found = sensible(lambda: download(url, place, **wanted))
    if "sha256" in wanted:
        assert isinstance(found, str), found
        assert place.read_bytes() == content
        assert [p.name for p in cache.iterdir()] == ["file.bin"]
