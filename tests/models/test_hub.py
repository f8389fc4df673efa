"""The real huggingface_hub client against `hub_server` on loopback: round trips, and each failure as one error."""

from functools import partial

import pytest
import torch
from hub_server import Cut, Fail, HubServer, Truncate, connected
from huggingface_hub import constants
from tiny import tiny_method

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import HubError, StorageError
from i2izoo.files import hub as client
from i2izoo.files.download import fetching_nothing
from i2izoo.files.hub import parse_repo, snapshot
from i2izoo.models.storage import load_folder, save_folder

REPO = "alice/tiny-facades"
push_folder = partial(client.push_folder, method="tiny-method")

# the client's own, about its upload through httpx
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch):
    with connected(monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A folder whose weights are larger than 10 MB."""
    folder = tmp_path_factory.mktemp("large") / "model"
    return save_folder(tiny_method(ballast=2_700_000, seed=1), folder, name="tiny-method", card="---\n{}\n---\n# T\n")


@pytest.fixture
def small(tmp_path):
    return save_folder(
        tiny_method(seed=2), tmp_path / "small", name="tiny-method", card="---\nlicense: mit\n---\n# T\n"
    )


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def nothing_half_written(cache):
    """No temporary file anywhere, and no entry in a snapshot."""
    left = [p for p in cache.rglob("*") if not p.is_dir()]
    assert not [p for p in left if ".incomplete" in p.name]
    assert not [p for p in left if "snapshots" in p.parts and p.name == "model.safetensors"]
    assert not [p for p in left if "blobs" in p.parts and p.stat().st_size > 100_000]
    return True


def one_sentence(error, *words):
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    return True


# ---------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice/m", ("alice/m", None)),
        ("hf-hub:alice/m", ("alice/m", None)),
        ("hf-hub:alice/m@v1.0", ("alice/m", "v1.0")),
        ("alice/m-1.0_x@refs/pr/1", ("alice/m-1.0_x", "refs/pr/1")),
    ],
)
def test_parse_repo(text, expected):
    assert parse_repo(text) == expected


@pytest.mark.parametrize("text", ["m", "", "a/b/c", "../b", "a/..", "a/b@", "hf-hub:", "a b/c", "a/b--c", "/a/b"])
def test_what_is_no_repository(text):
    with pytest.raises(HubError, match=r"owner/name|Hub allows"):
        parse_repo(text)


# ----------------------------------------------------------------------------------------------------- round trips


def test_round_trip_above_10_mb_through_lfs(hub, large, cache):
    assert (large / "model.safetensors").stat().st_size > 10_000_000
    url = push_folder(large, REPO)
    assert url == f"{hub.url}/{REPO}/commit/{hub.repos[REPO].refs['main']}"
    assert len(hub.lfs) == 1
    folder = snapshot(REPO, cache_dir=cache)
    assert files(folder) == files(large)
    method, _ = load_folder(folder)
    expected = tiny_method(ballast=2_700_000, seed=1)
    for key, value in method.inference_state().items():
        assert torch.equal(value, expected.inference_state()[key])


def test_one_commit_for_all_files(hub, small):
    push_folder(small, REPO, commit_message="my words")
    assert hub.repos[REPO].messages == ["initial commit", "my words"]
    push_folder(small, REPO)  # nothing changed
    assert len(hub.repos[REPO].messages) == 2


def test_revision_pins_config_and_weights_of_one_commit(hub, small, tmp_path, cache):
    push_folder(small, REPO)
    first = hub.repos[REPO].refs["main"]
    other = save_folder(tiny_method(ballast=9), tmp_path / "other", name="tiny-method")
    push_folder(other, REPO)
    pinned = snapshot(REPO, revision=first, cache_dir=cache)
    assert pinned.name == first
    assert files(pinned)["config.json"] == files(small)["config.json"]
    assert files(pinned)["model.safetensors"] == files(small)["model.safetensors"]
    newest = snapshot(f"hf-hub:{REPO}@main", cache_dir=cache)
    assert files(newest)["model.safetensors"] == files(other)["model.safetensors"]


def test_a_cached_commit_is_not_asked_for_again(hub, small, cache):
    push_folder(small, REPO)
    folder = snapshot(REPO, cache_dir=cache)
    hub.requests.clear()
    assert snapshot(REPO, revision=folder.name, cache_dir=cache) == folder
    assert hub.requests == []
    assert snapshot(REPO, cache_dir=cache) == folder  # a branch may have moved: one question
    assert len(hub.requests) == 1


def test_branch_is_created(hub, small, cache):
    push_folder(small, REPO, revision="experiment")
    assert "model.safetensors" not in hub.repos[REPO].commits[hub.repos[REPO].refs["main"]]
    assert files(snapshot(REPO, revision="experiment", cache_dir=cache)) == files(small)


def test_create_pr_leaves_main(hub, small, cache):
    hub.add(REPO, {"README.md": b"empty"})
    before = hub.repos[REPO].refs["main"]
    assert push_folder(small, REPO, create_pr=True) == f"{hub.url}/{REPO}/discussions/1"
    assert hub.repos[REPO].refs["main"] == before
    assert files(snapshot(REPO, revision="refs/pr/1", cache_dir=cache)) == files(small)


def test_another_user_may_propose_but_not_write(hub, small):
    hub.add(REPO, {"README.md": b"empty"})
    assert "discussions" in push_folder(small, REPO, token="hf_bob", create_pr=True)
    with pytest.raises(HubError) as error:
        push_folder(small, REPO, token="hf_bob")
    assert one_sentence(error, "may not write to", REPO, "403")


def test_training_and_temporary_files_stay_behind(hub, small, cache):
    for name in ["training/optimizer.safetensors", "weights.bin", "code.py", ".secret", ".config.json.x.tmp"]:
        (small / name).parent.mkdir(exist_ok=True)
        (small / name).write_bytes(b"x")
    push_folder(small, REPO)
    tree = hub.repos[REPO].commits[hub.repos[REPO].refs["main"]]
    assert sorted(tree) == ["README.md", "config.json", "model.safetensors"]
    push_folder(small, REPO, include_training=True)
    tree = hub.repos[REPO].commits[hub.repos[REPO].refs["main"]]
    assert sorted(tree) == ["README.md", "config.json", "model.safetensors", "training/optimizer.safetensors"]
    assert "training" not in {p.name for p in snapshot(REPO, cache_dir=cache).iterdir()}


def test_only_what_a_translator_needs_is_fetched(hub, small, cache):
    extra = ["pytorch_model.bin", "net.pt", "net.pth", "x.pkl", "modeling.py", "training/x.json", "other.safetensors"]
    hub.add(REPO, files(small) | {"scheduler/scheduler_config.json": b"{}"} | dict.fromkeys(extra, b"bad"))
    folder = snapshot(REPO, cache_dir=cache)
    assert set(files(folder)) == {
        "README.md",
        "config.json",
        "model.safetensors",
        "scheduler/scheduler_config.json",
    }
    assert not [path for _, path in hub.requests if any(name in path for name in extra)]


# --------------------------------------------------------------------------------------------- who may see and write


def test_private_repository(hub, small, cache):
    push_folder(small, REPO, private=True)
    assert hub.repos[REPO].private
    assert files(snapshot(REPO, token="hf_alice", cache_dir=cache)) == files(small)
    with pytest.raises(HubError) as error:
        snapshot(REPO, token=False, cache_dir=cache / "anonymous")
    assert one_sentence(error, REPO, "does not exist, or is private", "401", "hf auth login")
    with pytest.raises(HubError) as error:
        snapshot(REPO, token="hf_bob", cache_dir=cache / "bob")
    assert one_sentence(error, "no repository", REPO, "404")


def test_wrong_token(hub, small, cache):
    push_folder(small, REPO, private=True)
    for attempt in (
        lambda: snapshot(REPO, token="hf_wrong", cache_dir=cache),
        lambda: push_folder(small, REPO, token="x"),
    ):
        with pytest.raises(HubError) as error:
            attempt()
        assert one_sentence(error, "refused the token", REPO, "401", "hf auth login")
        assert "hf_wrong" not in str(error.value)


def test_no_token_to_push(hub, small, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError) as error:
        push_folder(small, REPO)
    assert one_sentence(error, REPO, "401", "hf auth login")


def test_foreign_namespace(hub, small):
    with pytest.raises(HubError) as error:
        push_folder(small, "carol/model")
    assert one_sentence(error, "may not write to carol/model", "403")


def test_gated_repository(hub, small, cache):
    hub.add(REPO, files(small), gated=True)
    with pytest.raises(HubError) as error:
        snapshot(REPO, token="hf_bob", cache_dir=cache)
    assert one_sentence(error, REPO, "gated", f"{hub.url}/{REPO}")


# ------------------------------------------------------------------------------------------------- what is not there


def test_missing_repository(hub, cache):
    with pytest.raises(HubError) as error:
        snapshot("alice/nothing", cache_dir=cache)
    assert one_sentence(error, "no repository alice/nothing", "404")
    assert nothing_half_written(cache)


def test_missing_revision(hub, small, cache):
    push_folder(small, REPO)
    with pytest.raises(HubError) as error:
        snapshot(REPO, revision="v9", cache_dir=cache)
    assert one_sentence(error, REPO, "no revision 'v9'", "404")


def test_missing_file(hub, cache):
    hub.add(REPO, {"config.json": b"{}", "pytorch_model.bin": b"x"})
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, REPO, "no model.safetensors", "it holds config.json, pytorch_model.bin")


def test_a_file_that_vanishes_between_listing_and_fetching(hub, small, cache):
    hub.add(REPO, files(small))
    hub.faults["resolve"] = Fail(404, "EntryNotFound")
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, f"a file of {REPO} is missing", "404")


@pytest.mark.parametrize("name", ["../scheduler_config.json", "/tmp/scheduler_config.json", "a\\..\\..\\b", "C:\\x"])
def test_a_file_name_that_leaves_the_folder_is_refused(hub, small, cache, name):
    hub.add(REPO, files(small) | {name: b"{}"})
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, REPO, "outside its folder")
    assert not [method for method, path in hub.requests if "/resolve/" in path]


def test_a_config_that_asks_for_code_is_refused_after_fetching_and_before_pushing(hub, small, cache, capsys):
    hub.add(REPO, files(small) | {"config.json": b'{"method": "os:system", "options": {}}'})
    with pytest.raises(StorageError, match="asks for code"):
        load_folder(snapshot(REPO, cache_dir=cache))
    (small / "config.json").write_text('{"method": "tiny-method", "options": {"auto_map": "x"}}')
    assert main(["push", str(small), REPO]) == 2
    assert "asks for code" in capsys.readouterr().err


def test_pushing_half_a_folder_is_refused(hub, small):
    (small / "model.safetensors").unlink()
    with pytest.raises(HubError, match=r"lacks model\.safetensors"):
        push_folder(small, REPO)
    assert REPO not in hub.repos


# ------------------------------------------------------------------------------------------------ broken transmission


def test_truncated_download(hub, large, cache):
    hub.add(REPO, files(large))
    hub.faults["model.safetensors"] = Truncate(size=5_000_000)
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, REPO, "incomplete", "try again")
    assert nothing_half_written(cache)
    hub.faults.clear()
    assert files(snapshot(REPO, cache_dir=cache)) == files(large)


def test_truncated_download_that_looks_whole(hub, large, cache):
    hub.add(REPO, files(large))
    hub.faults["model.safetensors"] = Truncate(size=5_000_000, lie_in_head=True)
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, "model.safetensors", REPO, "damaged", "5000000 bytes", "try again")
    assert nothing_half_written(cache)
    hub.faults.clear()
    assert files(snapshot(REPO, cache_dir=cache)) == files(large)


def test_damaged_small_file(hub, small, cache):
    hub.add(REPO, files(small))
    hub.faults["config.json"] = Truncate(size=20, lie_in_head=True)
    with pytest.raises(HubError, match=rf"config\.json of {REPO} arrived damaged"):
        snapshot(REPO, cache_dir=cache)


def test_connection_cut_once_is_resumed(hub, large, cache):
    hub.add(REPO, files(large))
    hub.faults["model.safetensors"] = Cut(after=4_000_000, times=1)
    assert files(snapshot(REPO, cache_dir=cache)) == files(large)


def test_connection_cut_for_good(hub, large, cache):
    hub.add(REPO, files(large))
    hub.faults["model.safetensors"] = Cut(after=4_000_000)
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, REPO, "was cut", hub.url, "try again")
    assert nothing_half_written(cache)


def test_upload_that_fails_leaves_no_commit(hub, small):
    hub.faults["/lfs/"] = Fail(507)
    with pytest.raises(HubError) as error:
        push_folder(small, REPO)
    assert one_sentence(error, REPO, "507", "try again later")
    assert hub.repos[REPO].messages == ["initial commit"]


@pytest.mark.parametrize(
    ("status", "words"), [(500, "a fault (500)"), (429, "too many requests (429)"), (418, "(418)")]
)
def test_other_answers(hub, small, cache, status, words):
    push_folder(small, REPO)
    hub.faults["/api/models/"] = Fail(status)
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache)
    assert one_sentence(error, REPO, words)


# -------------------------------------------------------------------------------------------------- without the Hub


def test_unreachable_host(hub, small, cache, monkeypatch):
    push_folder(small, REPO)
    folder = snapshot(REPO, cache_dir=cache)
    with HubServer() as gone:
        nowhere = gone.url  # a port that nobody listens on any more
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    with pytest.warns(UserWarning, match=f"cannot be reached; using commit {folder.name[:12]}"):
        assert snapshot(REPO, cache_dir=cache) == folder
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache / "empty")
    assert one_sentence(error, REPO, nowhere, "check the network")
    with pytest.raises(HubError) as error:
        push_folder(small, REPO)
    assert one_sentence(error, REPO, nowhere, "check the network")


def test_a_hub_with_a_fault_falls_back_on_the_cache(hub, small, cache):
    push_folder(small, REPO)
    folder = snapshot(REPO, cache_dir=cache)
    hub.faults["/api/models/"] = Fail(503)
    with pytest.warns(UserWarning, match="using commit"):
        assert snapshot(REPO, cache_dir=cache) == folder


def test_a_wrong_token_does_not_fall_back_on_the_cache(hub, small, cache):
    push_folder(small, REPO)
    snapshot(REPO, cache_dir=cache)
    with pytest.raises(HubError, match="refused the token"):
        snapshot(REPO, token="hf_wrong", cache_dir=cache)


@pytest.mark.filterwarnings("error:the Hub cannot be reached")  # who sets offline mode knows
def test_offline_mode(hub, small, cache, monkeypatch):
    push_folder(small, REPO)
    folder = snapshot(REPO, cache_dir=cache)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert snapshot(REPO, cache_dir=cache) == folder
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache / "empty")
    assert one_sentence(error, REPO, "not in the cache", "HF_HUB_OFFLINE")
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        push_folder(small, REPO)
    assert hub.requests == []


def test_local_files_only(hub, small, cache):
    push_folder(small, REPO)
    with pytest.raises(HubError) as error:
        snapshot(REPO, cache_dir=cache, local_files_only=True)
    assert one_sentence(error, REPO, "not in the cache", "local_files_only")
    folder = snapshot(REPO, cache_dir=cache)
    hub.requests.clear()
    assert snapshot(REPO, cache_dir=cache, local_files_only=True) == folder
    assert hub.requests == []


def test_nothing_is_fetched_where_nothing_may_be(hub, small, cache):
    push_folder(small, REPO)
    hub.requests.clear()
    with fetching_nothing(), pytest.raises(HubError, match="not in the cache"):
        snapshot(REPO, cache_dir=cache)
    assert hub.requests == []


def test_a_cache_that_lost_a_file_does_not_serve(hub, small, cache):
    push_folder(small, REPO)
    folder = snapshot(REPO, cache_dir=cache)
    (folder / "model.safetensors").unlink()
    with pytest.raises(HubError, match="not in the cache"):
        snapshot(REPO, cache_dir=cache, local_files_only=True)
    assert files(snapshot(REPO, cache_dir=cache)) == files(small)


def test_the_default_cache_is_the_clients(hub, small, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "default"))
    push_folder(small, REPO)
    assert tmp_path / "default" in snapshot(REPO).parents


# ---------------------------------------------------------------------------------------------- what the user writes


def image():
    return torch.linspace(-1, 1, 3 * 8 * 8).reshape(3, 8, 8)


def test_translator_round_trip(hub, cache):
    model = i2izoo.create("tiny-method", generator={"name": "tiny-generator", "ballast": 2_700_000})
    model.config["provenance"] = {"data": "facades", "licence": "MIT", "seed": 0}
    model.push_to_hub(REPO, private=True, commit_message="first")
    repo = hub.repos[REPO]
    assert repo.private
    assert repo.messages[-1] == "first"
    assert len(repo.commits[repo.refs["main"]]["model.safetensors"].content) > 10_000_000
    again = i2izoo.load(REPO, cache_dir=cache)
    assert torch.equal(again(image()), model(image()))
    assert again.config["provenance"] == model.config["provenance"]
    card = repo.commits[repo.refs["main"]]["README.md"].content.decode()
    assert f'i2izoo.load("{REPO}")' in card
    assert "license: mit" in card


def test_translator_of_a_pinned_revision(hub, cache):
    old, new = i2izoo.create("tiny-method"), i2izoo.create("tiny-method")
    old.push_to_hub(REPO)
    pinned = hub.repos[REPO].refs["main"]
    new.push_to_hub(REPO)
    for name, options in [(f"hf-hub:{REPO}@{pinned}", {}), (REPO, {"revision": pinned})]:
        assert torch.equal(i2izoo.load(name, cache_dir=cache, **options)(image()), old(image()))
    assert torch.equal(i2izoo.load(REPO, cache_dir=cache)(image()), new(image()))


def test_translator_errors_are_the_hubs(hub, small, cache, monkeypatch):
    push_folder(small, REPO, private=True)
    with pytest.raises(HubError, match="refused the token"):
        i2izoo.load(REPO, token="hf_wrong", cache_dir=cache)
    with pytest.raises(HubError, match="no repository alice/nothing"):
        i2izoo.load("alice/nothing", cache_dir=cache)
    with pytest.raises(HubError, match="local_files_only"):
        i2izoo.load(REPO, cache_dir=cache, local_files_only=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        i2izoo.load(REPO, cache_dir=cache)


def test_saved_folder_pushes_and_loads(hub, tmp_path, cache):
    model = i2izoo.create("tiny-method")
    model.save_pretrained(tmp_path / "out")
    push_folder(tmp_path / "out", REPO)
    assert files(snapshot(REPO, cache_dir=cache)) == files(tmp_path / "out")
