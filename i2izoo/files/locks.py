"""Folders that one process at a time writes into.

The lock is the operating system's (`flock`), so it ends with its process, however that ends; on Linux network file
systems pass it on to other hosts. Beside it stands who holds it. Where there are no such locks, the file alone counts,
and one of this host whose process is gone is taken over.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from i2izoo.errors import WriteError
from i2izoo.files.refusal import naming

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Name of the file in a locked folder."""

WAIT = 60.0
"""Seconds that a save waits for another one into the same folder."""

_held: set[int] = set()


@contextlib.contextmanager
def locked(folder: Path, *, wait: float = 0.0, file: Path | None = None) -> Iterator[None]:
    """Nobody else writes into the folder, in this process or another.

    Args:
        folder: created if missing, and removed in the end if there is nothing in it.
        wait: seconds to wait for whoever writes there.
        file: of the lock; None: `.lock` in the folder. It is removed at the end.

    Raises:
        WriteError: another process is writing there, which is named with its host; or the folder cannot be made.
    """
    place = folder / LOCK if file is None else file
    process, until, new = os.getpid(), time.monotonic() + wait, not place.parent.exists()
    with naming(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        while (handle := _take(place)) is None:
            if time.monotonic() >= until:
                raise _refusal(folder, place)
            time.sleep(0.05)
    try:
        yield
    finally:
        if os.getpid() == process:  # a fork has no part in it
            _held.discard(handle)
            try:
                with contextlib.suppress(OSError):
                    place.unlink()  # before the lock goes: whoever waits for this file sees that it is gone
            finally:
                os.close(handle)
            if new:
                with contextlib.suppress(OSError):  # there is something in it
                    place.parent.rmdir()


def refuse_if_locked(folder: Path) -> None:
    """Say early that `locked` would refuse.

    Raises:
        WriteError: another process is writing into the folder.
    """
    if (folder / LOCK).exists():
        with locked(folder):
            pass


def try_lock(handle: int) -> bool | None:
    """Lock an open file: True, or False if another has it; None: there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def is_at(handle: int, place: Path) -> bool:
    """Is the open file still the one of this name?"""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(place))
    except FileNotFoundError:
        return False


def _take(place: Path) -> int | None:
    """The locked file with our name in it, or None: another has it."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            got = try_lock(handle)
            if got is None:
                got = _gone(_owner(place))
            if got and is_at(handle, place):
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not got:
            return None
    _held.add(handle)
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M}"}
    with contextlib.suppress(OSError):  # a full disk: the lock holds, without a name
        os.ftruncate(handle, 0)
        os.write(handle, (json.dumps(mine) + "\n").encode())
    return handle


def _close_in_fork() -> None:
    """A forked child would keep the locks of a parent that is killed."""
    for handle in _held:
        os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_fork)


def _owner(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("pid"), int) else {}


def _gone(owner: dict[str, Any]) -> bool:
    """Has whoever wrote the file ended, as far as can be told from here? For places without locks."""
    import psutil

    return not owner or (owner.get("host") == socket.gethostname() and not psutil.pid_exists(owner["pid"]))


def _refusal(folder: Path, place: Path) -> WriteError:
    owner = _owner(place)
    who = f"process {owner.get('pid')} on {owner.get('host')}" if owner else "another process"
    since = f" since {owner['since']}" if "since" in owner else ""
    elsewhere = owner.get("host", socket.gethostname()) != socket.gethostname()
    more = f"; if it has ended, remove {str(place)!r}" if elsewhere else ""
    return WriteError(
        f"{who} has been writing into {str(folder)!r}{since}; wait for it or stop it, or name another folder{more}."
    )
