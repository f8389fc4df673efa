"""Files are whole or not there, and a refusal of the system is one sentence that names the file."""

import os
import subprocess
import threading

import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_method
from training_run import trainer

from i2izoo.cli.main import main
from i2izoo.errors import StorageError, WriteError
from i2izoo.files import writing
from i2izoo.files.writing import append_text, hidden, replacing, replacing_folder, write_tensors, write_text
from i2izoo.models import storage
from i2izoo.models.storage import load_folder, save_folder
from i2izoo.training.checkpoint import checkpoints


def names(folder):
    return sorted(p.name for p in folder.rglob("*"))


def test_two_writers_of_one_file_do_not_share_the_hidden_one(tmp_path):
    with replacing(tmp_path / "a.txt") as one, replacing(tmp_path / "a.txt") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert (tmp_path / "a.txt").read_text() == "one"  # which was renamed last
    assert names(tmp_path) == ["a.txt"]


def test_what_a_killed_writer_left_is_taken_over(tmp_path):
    hidden(tmp_path / "a.txt", "tmp").write_text("half of a much longer text")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_link_in_the_place_of_the_hidden_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    hidden(tmp_path / "a.txt", "tmp").symlink_to(tmp_path / "precious")
    with pytest.raises(WriteError, match=r"a\.txt' cannot be written: too many levels of symbolic links"):
        write_text(tmp_path / "a.txt", "new")
    hidden(tmp_path / "b.txt", "tmp").hardlink_to(tmp_path / "precious")
    write_text(tmp_path / "b.txt", "new")
    assert (tmp_path / "precious").read_text() == "precious"


def test_where_there_are_no_locks_every_writer_has_a_new_hidden_file(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "try_lock", lambda handle: None)
    with replacing(tmp_path / "a.txt") as one, replacing(tmp_path / "a.txt") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(2)})
    assert names(tmp_path) == ["a.safetensors", "a.txt"]


@pytest.mark.parametrize("name", ["x" * 255, "\N{SNOWMAN}" * 85])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_text(tmp_path / name, "long")
    assert names(tmp_path) == [name]


def test_files_have_the_rights_that_the_user_wants(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
        write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(2)})
    finally:
        os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o640}


def test_a_folder_that_was_killed_between_its_renames_comes_back(tmp_path):
    place = tmp_path / "a"
    hidden(place, "old").mkdir()
    (hidden(place, "old") / "file").write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing_folder(place) as temporary:
        (temporary / "file").write_text("\ud800", encoding="utf-8")
    assert (place / "file").read_text() == "old"
    assert names(tmp_path) == ["a", "file"]


# --------------------------------------------------------------------------------------------------- two at a time


def test_two_saves_into_one_folder_follow_each_other(tmp_path, monkeypatch):
    """The second begins while the first has its files written and none renamed."""
    save, waiting, first = storage.save_tensors, threading.Event(), []
    second = threading.Thread(target=lambda: save_folder(tiny_method(ballast=7), tmp_path, name="tiny-method"))

    def saving(*arguments):
        save(*arguments)
        if not first:
            first.append(1)
            second.start()
            assert waiting.wait(60)

    monkeypatch.setattr(storage, "save_tensors", saving)
    monkeypatch.setattr("i2izoo.files.locks.time.sleep", lambda seconds: waiting.set())
    save_folder(tiny_method(ballast=5), tmp_path, name="tiny-method")
    second.join(60)
    assert load_folder(tmp_path)[0].config["generator"]["ballast"] == 7
    assert names(tmp_path) == ["config.json", "model.safetensors"]


def test_a_save_that_waits_too_long_says_for_whom(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "WAIT", 0.0)
    with storage.locked(tmp_path), pytest.raises(WriteError, match=f"process {os.getpid()} on "):
        save_folder(tiny_method(), tmp_path, name="tiny-method")


# ------------------------------------------------------------------------------------------------------ a full disk


@pytest.fixture
def disk(tmp_path):
    """A file system of 1 MB; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk, leave):
    """Take all but so many bytes."""
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_frsize - leave))


def test_a_line_that_finds_no_room_is_not_cut(disk):
    path = disk / "log.csv"
    path.write_text("1,2\n")
    fill(disk, 0)
    with pytest.raises(WriteError, match=r"log\.csv' cannot be written: no space left on device"):
        append_text(path, "3" * 10_000 + "\n")
    assert path.read_text() == "1,2\n"


def test_a_save_on_a_full_disk_leaves_the_model_that_was_there(disk):
    save_folder(tiny_method(seed=1), disk / "model", name="tiny-method")
    fill(disk, 32_768)
    said = rf"'{disk}/model/model.safetensors' cannot be written: no space left on device; make room and try again\.$"
    with pytest.raises(WriteError, match=said):
        save_folder(tiny_method(seed=2, ballast=50_000), disk / "model", name="tiny-method")
    assert names(disk / "model") == ["config.json", "model.safetensors"]
    assert torch.equal(load_folder(disk / "model")[0].state_dict()["generator.convolution.weight"],
                       tiny_method(seed=1).state_dict()["generator.convolution.weight"])  # fmt: skip
    with pytest.raises(WriteError, match="no space left"):
        save_folder(tiny_method(ballast=50_000), disk / "new", name="tiny-method")
    assert not (disk / "new").exists()


def test_a_training_on_a_full_disk_keeps_its_last_checkpoint_and_goes_on(disk, tmp_path):
    options = {"steps": 3, "checkpoint_every": 1, "log_every": 1}
    whole = trainer("regression", tmp_path / "whole", **options).fit().method.state_dict()
    out = disk / "run"
    run = trainer("regression", out, **options)
    step = run.train_step

    def filling():
        if run.step == 2:
            fill(disk, 24_576)
        return step()

    run.train_step = filling
    last = out / "checkpoints/step-00000002"
    said = rf"^'{out}/.*' cannot be written: no space left on .*checkpoint is {last}\.$"
    with pytest.raises(WriteError, match=said):
        run.fit()
    assert checkpoints(out / "checkpoints")[-1] == last
    assert load_file(last / "model.safetensors")
    assert [name for name in names(out) if name.startswith(".")] == []
    with pytest.raises((WriteError, StorageError)):
        trainer("regression", out, resume="auto", **options).fit()
    (disk / "filler").unlink()
    again = trainer("regression", out, resume="auto", **options)
    assert again.step == 2
    found = again.fit().method.state_dict()
    assert all(torch.equal(found[name], whole[name]) for name in whole)


def test_on_the_command_line_it_is_one_sentence(disk, tmp_path, capsys):
    fill(disk, 8192)
    assert main(["data", "make", "synthetic-facades", str(disk / "data"), "--count", "9", "--size", "64"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"i2izoo: '{disk}/data/")
    assert said.endswith("' cannot be written: no space left on device; make room and try again.\n")
    assert said.count("\n") == 1
