"""One process at a time writes into a folder, and a lock ends with its process."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from i2izoo.errors import WriteError
from i2izoo.files import locks
from i2izoo.files.locks import LOCK, locked, refuse_if_locked

HOLD = """
import sys
from pathlib import Path
from i2izoo.files.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["flock", "the file alone"])
def kind(request, monkeypatch):
    """As on a file system without locks, too."""
    if request.param != "flock":
        monkeypatch.setattr(locks, "try_lock", lambda handle: None)
    return request.param


def test_the_second_is_told_who_is_first(tmp_path, kind):
    with locked(tmp_path):
        who = rf"process {os.getpid()} on {socket.gethostname()} has been writing into '{tmp_path}' since 20"
        with pytest.raises(WriteError, match=who), locked(tmp_path):
            pass
        with pytest.raises(WriteError, match=who):
            refuse_if_locked(tmp_path)
        with locked(tmp_path / "other"):
            (tmp_path / "other" / "file").touch()
    assert [p.name for p in tmp_path.rglob("*")] == ["other", "file"]
    refuse_if_locked(tmp_path)
    with locked(tmp_path):
        pass


def test_a_kill_releases_it(tmp_path, kind):
    """Of another process, which does not get to clean up."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(WriteError, match=f"process {other.pid} on "), locked(tmp_path):
            pass
        other.kill()
        other.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_without_locks_that_of_another_host_stays(tmp_path, monkeypatch):
    """Whether that process lives cannot be seen from here."""
    monkeypatch.setattr(locks, "try_lock", lambda handle: None)
    (tmp_path / LOCK).write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(WriteError, match=rf"process 1 on elsewhere .* remove '{tmp_path / LOCK}'"), locked(tmp_path):
        pass


def test_with_locks_that_of_another_host_is_known_to_be_gone(tmp_path):
    """A job that was killed on one node goes on on the next."""
    (tmp_path / LOCK).write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with locked(tmp_path):
        pass


def test_one_that_waits_gets_it_when_the_first_is_done(tmp_path, monkeypatch):
    order = []
    release, waiting = threading.Event(), threading.Event()

    def second():
        with locked(tmp_path, wait=60):
            order.append("second")

    def sleep(seconds):  # it has found the lock taken
        waiting.set()
        release.wait(60)

    monkeypatch.setattr(locks.time, "sleep", sleep)
    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(60)
        order.append("first")
    release.set()
    thread.join(60)
    assert order == ["first", "second"]


def test_a_forked_child_neither_keeps_nor_ends_it(tmp_path):
    read, write = os.pipe()
    with locked(tmp_path):
        if not (child := os.fork()):
            try:
                os.close(write)
                os.read(read, 1)  # until the parent closes its end
            finally:
                os._exit(0)
        with pytest.raises(WriteError), locked(tmp_path):
            pass
    with locked(tmp_path):  # while the child still lives
        pass
    os.close(write)
    os.waitpid(child, 0)
    os.close(read)


def test_a_lock_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"cannot be written: a file stands where"), locked(tmp_path / "file" / "out"):
        pass
