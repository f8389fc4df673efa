"""Hubs that lie, lead out of the cache or never end: one sentence, nothing outside the cache, no waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fuzz.fuzzing import one_sentence, quiet
from hub_faults import Fail, Fault, Hang, Headers, Reply
from hub_server import HubServer, never_slept, nothing_beside

from i2izoo.errors import HubError
from i2izoo.files.hub import push_folder, snapshot

REPO = "alice/model"
FILES = {"README.md": b"# T\n", "config.json": b'{"method": "tiny"}', "model.safetensors": bytes(range(256)) * 40}
LISTED, OUT = "/api/models/", "../../../x"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with never_slept(monkeypatch) as server:
        server.add(REPO, FILES)
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    with nothing_beside(tmp_path) as folder:
        yield folder


def refused(cache: Path, *words: str, **options: Any) -> str:
    """The sentence of a refusal, after which no file of the model can be seen."""
    with quiet(), pytest.raises(HubError) as caught:
        snapshot(REPO, cache_dir=cache, **options)
    text = str(caught.value)
    one_sentence(text)
    for word in words:
        assert word in text, text
    assert not [p for p in cache.rglob("*") if "snapshots" in p.parts and not p.is_dir()]
    return text


def fetched(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def listing(hub: HubServer, **changes: Any) -> Reply:
    """The right list of files, except for what is changed; `files` maps names to what is different of a file."""
    repo = hub.repos[REPO]
    different = changes.pop("files", {})
    siblings = [
        {"rfilename": n, "size": len(f.content), "blobId": f.blob_id, "lfs": {"sha256": f.sha256} if f.lfs else None}
        | different.get(n, {})
        for n, f in repo.commits[repo.refs["main"]].items()
    ]
    answer = {"id": REPO, "sha": repo.refs["main"], "siblings": siblings, **changes}
    return Reply(json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


# -------------------------------------------------------------------------------------------------- out of the cache


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
@pytest.mark.parametrize("value", [f'"{OUT}"', f'W/"{OUT}"', "..\\..\\x"])
def test_a_header_that_leads_out_is_refused(hub: HubServer, cache: Path, header: str, value: str, file: str) -> None:
    hub.faults[file] = Headers({header: value})
    refused(cache, f"names a place outside the cache ({header}: ", "do not trust it")


@pytest.mark.parametrize("header", ["X-Linked-ETag", "X-Repo-Commit"])
def test_so_is_an_absolute_path(hub: HubServer, cache: Path, header: str) -> None:
    hub.faults["config.json"] = Headers({header: str(cache.parent / "x")})
    refused(cache, header, "do not trust it")


@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
def test_what_these_headers_say_names_nothing(hub: HubServer, cache: Path, header: str) -> None:
    hub.faults["config.json"] = Headers({header: '"abc/def=="'})
    assert fetched(snapshot(REPO, cache_dir=cache)) == FILES
    assert not [p for p in cache.rglob("*") if "abc" in p.name]


def test_nor_do_they_where_a_file_is_missing(hub: HubServer, cache: Path) -> None:
    """The Hub's client notes the absence of a file under the commit that this header names."""
    headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": "0" * 40}
    hub.faults["resolve"] = Reply(b"", 404, headers)
    refused(cache, f"a file of {REPO} is missing")
    headers["X-Repo-Commit"] = OUT
    refused(cache, "do not trust it")


@pytest.mark.parametrize("sha", [OUT, "/x", "x" * 40, "A" * 40, "", 5, None, [], {"a": OUT}, "0" * 41, "0" * 40 + "\n"])
def test_a_commit_that_is_none_is_refused(hub: HubServer, cache: Path, sha: Any) -> None:
    hub.faults[LISTED] = listing(hub, sha=sha)
    refused(cache, "cannot be used", "as a commit")
    assert not cache.exists()
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"blobId": OUT},
        {"blobId": 7},
        {"blobId": "0" * 39},
        {"lfs": {"sha256": OUT}},
        {"lfs": {"sha256": None}},
        {"lfs": {}, "blobId": None},
        {"lfs": "sha"},
        {"size": -1},
        {"size": "5"},
        {"size": 1.5},
        {"size": True},
        {"size": None},
        {"rfilename": None},
        {"rfilename": ["config.json"]},
    ],
    ids=str,
)
def test_what_is_no_file_is_refused(hub: HubServer, cache: Path, change: dict[str, Any]) -> None:
    hub.faults[LISTED] = listing(hub, files={"config.json": change})
    refused(cache)
    assert not [p for p in cache.rglob("*") if p.is_file()]
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    "name", ["../x/scheduler_config.json", "a/../../x", "a\\..\\..\\x", "/x", "C:\\x", "a//b", ".", ""]
)
def test_a_name_that_leads_out_is_refused(hub: HubServer, cache: Path, name: str) -> None:
    hub.repos.clear()
    hub.add(REPO, FILES | {name: b"{}"})
    refused(cache, "outside its folder")
    assert not cache.exists()


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", "a\0b", "\ud800", "\u202e"])
def test_a_needed_name_that_cannot_be_shown_is_refused(hub: HubServer, cache: Path, name: str) -> None:
    wrong = {"README.md": {"rfilename": f"{name}/scheduler_config.json"}}
    hub.faults[LISTED] = listing(hub, files=wrong)
    refused(cache, "names must be printable")


def test_a_name_that_is_not_needed_harms_nobody(hub: HubServer, cache: Path) -> None:
    hub.faults[LISTED] = listing(hub, files={"README.md": {"rfilename": "\x1b[2J.txt"}})
    assert fetched(snapshot(REPO, cache_dir=cache)).keys() == {"config.json", "model.safetensors"}


def test_a_file_in_the_place_of_a_folder(hub: HubServer, cache: Path) -> None:
    hub.repos.clear()
    both = {"a/scheduler_config.json": b"{}", "a/scheduler_config.json/scheduler_config.json": b"[]"}
    hub.add(REPO, FILES | both)
    with quiet(), pytest.raises(HubError) as caught:
        snapshot(REPO, cache_dir=cache)
    one_sentence(str(caught.value))


def test_another_commit_than_the_one_that_is_pinned(hub: HubServer, cache: Path) -> None:
    hub.faults[LISTED] = listing(hub)
    refused(cache, "for " + "0" * 40, "do not trust it", revision="0" * 40)


@pytest.mark.parametrize("revision", [OUT, "/x", "a//b", "a\\..\\..\\x", "a\nb", "a..b", "."])
def test_a_revision_that_leads_out(hub: HubServer, cache: Path, revision: str) -> None:
    refused(cache, "is no branch, tag or commit", revision=revision)
    assert hub.requests == []


# ------------------------------------------------------------------------------------------------- other kinds of lies


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>log in</html>", b"[]", b"null", b"5", b'"a"', b"{", b"\xff\xfe", b"[" * 100_000, b"{}",
        b"1" * 5000, b'{"sha": 1e999}',
    ],
    ids=lambda body: str(body[:12]),
)  # fmt: skip
def test_an_answer_that_is_no_list(hub: HubServer, cache: Path, body: bytes) -> None:
    hub.faults[LISTED] = Reply(body)
    refused(cache, "the Hub's answer about alice/model cannot be used")
    assert not cache.exists()


@pytest.mark.parametrize("siblings", [5, "abc", {"a": 1}, [5], [[]], [{}]], ids=str)
def test_files_that_are_no_list(hub: HubServer, cache: Path, siblings: Any) -> None:
    hub.faults[LISTED] = listing(hub, siblings=siblings)
    refused(cache, "cannot be used")


def test_more_than_the_disk_holds(hub: HubServer, cache: Path) -> None:
    hub.faults[LISTED] = listing(hub, files={"model.safetensors": {"size": 10**30}})
    refused(cache, "GB to fetch", "cache_dir")
    assert len(hub.requests) == 1


def test_more_files_than_a_model_has(hub: HubServer, cache: Path) -> None:
    hub.repos.clear()
    hub.add(REPO, FILES | {f"{n}/scheduler_config.json": b"{}" for n in range(2000)})
    refused(cache, "wants 2003 files")
    assert len(hub.requests) == 1


@pytest.mark.parametrize("where", [LISTED, "config.json", "model.safetensors"])
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_without_an_end(hub: HubServer, cache: Path, where: str, status: int) -> None:
    hub.faults[where] = Reply(b"x" * 65536, status, length=None, endless=True)
    text = refused(cache, REPO)
    assert "has no end" in text or "damaged" in text or "404" in text


@pytest.mark.parametrize("where", [LISTED, "config.json"])
@pytest.mark.parametrize("status", [204, 300, 304, 418, 451, 500, 599])
def test_odd_statuses(hub: HubServer, cache: Path, where: str, status: int) -> None:
    hub.faults[where] = Reply(b"", status, length=None)
    refused(cache, REPO)


@pytest.mark.parametrize("error", ["\x1b[2Jboo", ["a"], None, "x" * 10_000, {"a": 1}], ids=lambda e: str(e)[:10])
def test_what_a_refusal_says_is_shown_as_it_should_be(hub: HubServer, cache: Path, error: Any) -> None:
    hub.faults[LISTED] = Reply(json.dumps({"error": error, "errors": error}).encode(), 418)
    refused(cache, "(418)")
    hub.faults[LISTED] = Reply(b'["not an object"]', 418)
    refused(cache, "(418)")


# ------------------------------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize("where", [LISTED, "config.json"])
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "headers", [{"Retry-After": "99999999"}, {"RateLimit": '"api";r=0;t=99999999'}, {"Retry-After": "9" * 5000}]
)
def test_nobody_waits_for_years(hub: HubServer, cache: Path, where: str, status: int, headers: dict[str, str]) -> None:
    hub.faults[where] = Reply(b"", status, headers)
    text = refused(cache, f"({status})")
    assert "999" not in text


def test_a_wait_that_can_be_meant_is_said(hub: HubServer, cache: Path) -> None:
    hub.faults[LISTED] = Reply(b"", 429, {"Retry-After": "120"})
    refused(cache, "too many requests (429)", "wait 120 s")


@pytest.mark.parametrize("where", ["/lfs/", "/preupload/", "/commit/", "/api/repos/create"])
@pytest.mark.parametrize("headers", [{"Retry-After": "99999999"}, {"RateLimit": '"api";r=0;t=99999999'}])
def test_nor_does_a_push(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, headers: dict[str, str]
) -> None:
    no_sleep = SimpleNamespace(sleep=lambda seconds: pytest.fail(f"slept {seconds} s"))
    monkeypatch.setattr("huggingface_hub.utils._http.time", no_sleep)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content + b" ")
    hub.faults[where] = Reply(b"", 429, headers)
    with quiet(), pytest.raises(HubError, match=r"too many requests \(429\)") as caught:
        push_folder(tmp_path, REPO, method="tiny")
    one_sentence(str(caught.value))


def test_a_push_that_fails_says_one_thing(hub: HubServer, tmp_path: Path) -> None:
    """The client logs each of its five tries."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content + b" ")
    hub.faults["/lfs/"] = Fail(503)
    with quiet(), pytest.raises(HubError, match=r"a fault \(503\)"):
        push_folder(tmp_path, REPO, method="tiny")


@pytest.mark.parametrize("where", [LISTED, "config.json", "model.safetensors"])
@pytest.mark.parametrize("fault", [Hang(0, head=True), Hang(9, head=True), Hang(5)], ids=["silent", "head", "body"])
def test_a_server_that_falls_silent(
    hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch, where: str, fault: Hang
) -> None:
    if where == LISTED and not fault.head:
        pytest.skip("a list has no such fault")
    monkeypatch.setenv("I2IZOO_TIMEOUT", "0.1")
    hub.faults[where] = Hang(fault.after, fault.head)
    refused(cache, REPO, "try again", "I2IZOO_TIMEOUT=SECONDS waits longer")


def test_a_hub_that_falls_silent_is_away(hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = snapshot(REPO, cache_dir=cache)
    monkeypatch.setenv("I2IZOO_TIMEOUT", "0.1")
    hub.faults[LISTED] = Hang(9, head=True)
    with pytest.warns(UserWarning, match="cannot be reached; using commit"):
        assert snapshot(REPO, cache_dir=cache) == folder


# ----------------------------------------------------------------------------------------------------------- elsewhere


def test_another_server_does_not_get_the_token(hub: HubServer, cache: Path) -> None:
    with HubServer() as other:
        other.add(REPO, FILES)
        other.repos[REPO].commits[hub.repos[REPO].refs["main"]] = other.repos[REPO].commits.popitem()[1]
        there = f"{other.url}/{REPO}/resolve/{hub.repos[REPO].refs['main']}/config.json"
        hub.faults["config.json"] = Reply(b"", 302, {"Location": there})
        assert fetched(snapshot(REPO, cache_dir=cache)) == FILES
        assert [headers["Authorization"] for headers in other.sent] == [None]
        assert {headers["Authorization"] for headers in hub.sent} == {"Bearer hf_alice"}


def to(location: str) -> Callable[[HubServer], Fault]:
    return lambda hub: Reply(b"x" * 1000, 302, {"Location": location.format(hub=hub.url)})


@pytest.mark.parametrize("where", [LISTED, "config.json"])
@pytest.mark.parametrize(
    "redirect",
    [
        to("file:///etc/passwd"),
        to("ftp://a/b"),
        to("http://"),
        to("//[::"),
        to("{hub}/nothing"),
        to("x" * 9000),
        to("\t"),
    ],
)
def test_a_redirect_to_nowhere(hub: HubServer, cache: Path, where: str, redirect: Callable[[HubServer], Fault]) -> None:
    hub.faults[where] = redirect(hub)
    refused(cache, REPO)


@pytest.mark.parametrize("where", [LISTED, "config.json"])
def test_a_redirect_to_itself(hub: HubServer, cache: Path, where: str) -> None:
    hub.faults[where] = Reply(b"", 307, {"Location": "?again"})
    refused(cache, "more than 10 redirects")
    assert len(hub.requests) < 15


def test_a_damaged_token_is_not_shown(hub: HubServer, cache: Path) -> None:
    assert "secret" not in refused(cache, "token", token="hf_secret\nX-Evil: 1")
    assert hub.requests == []


def test_other_files_of_the_repository_go_on(hub: HubServer, cache: Path) -> None:
    """What came whole and checked before a fault need not come again."""
    hub.faults["model.safetensors"] = Fail(500)
    refused(cache, "a fault (500)")
    hub.faults.clear()
    hub.requests.clear()
    assert fetched(snapshot(REPO, cache_dir=cache)) == FILES
    assert [path.rpartition("/")[2] for _, path in hub.requests if "resolve" in path] == ["model.safetensors"]
    assert not (cache / "models--alice--model" / ".incoming").exists()
