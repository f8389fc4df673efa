"""Parts are tried in a process of their own: an import may end it, hang in it, or print in it.

One child imports all parts, one after the other, and says of each what is wrong with it. Where a plugin takes the child
down, that plugin is given up, and a new child goes on with the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import Distribution, EntryPoints
from typing import Any, Self

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import registry, singular
from i2izoo.errors import in_a_sentence, printable

Claim = tuple[str, Entry]
"""A kind of part, and who claims a name of it."""


def try_parts(claims: Sequence[Claim], limit: float) -> dict[Claim, str | None]:
    """Import parts of installed plugins, and say why each is broken; None: it is not.

    A part is missing from the answer if it was not tried: another one of its plugin took the process down before.

    Args:
        claims: what the plugins say that they have.
        limit: seconds for each.
    """
    found: dict[Claim, str | None] = {}
    rest = list(claims)
    while rest:
        with _Child(rest, limit) as child:
            for kind, entry in rest:
                reason, down = child.next()
                where = f"{singular(kind)} {entry.name!r} of plugin {entry.plugin} ({entry.value}) "
                found[kind, entry] = where + down if down else reason
                if down:
                    break
        rest = [(k, e) for k, e in rest if (k, e) not in found and e.distribution != entry.distribution]
    return found


class _Child:
    """A process that imports parts in turn."""

    def __init__(self, claims: Sequence[Claim], limit: float) -> None:
        self._limit = limit
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        parts = [(kind, e.name, e.value, e.distribution, e.version) for kind, e in claims]
        threading.Thread(target=self._talk, args=({"path": sys.path, "parts": parts},), daemon=True).start()

    def _talk(self, task: dict[str, Any]) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(OSError, ValueError):  # it is down
            self._process.stdin.write(json.dumps(task).encode())
            self._process.stdin.close()
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put(b"")

    def next(self) -> tuple[str | None, str]:
        """What is wrong with the next part, and how it took the process down, if it did."""
        try:
            line = self._answers.get(timeout=self._limit)
        except queue.Empty:
            return None, f"does not end its import within {self._limit:g} s."
        if line.endswith(b"\n"):
            return json.loads(line), ""
        code = self._process.wait()
        with contextlib.suppress(ValueError):
            return None, f"crashes the program that imports it ({signal.Signals(-code).name})."
        return None, f"ends the program that imports it (exit code {code})."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _import_all() -> None:
    """What the child does: it reads the task from stdin and answers on stdout, where no import gets at it."""
    task = json.load(sys.stdin)
    answers, nowhere = os.fdopen(os.dup(1), "w", encoding="ascii"), os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    sys.path[:] = task["path"]
    _forgive_malformed_plugins()
    for kind, *claim in task["parts"]:
        print(json.dumps(_reason(kind, Entry(*claim))), file=answers, flush=True)
    os._exit(0)  # whatever threads a plugin has started


def _forgive_malformed_plugins() -> None:
    """Let `entry_points()` skip what it cannot read, which is listed for itself: here, `import torch` asks for them."""
    read = Distribution.entry_points.fget  # type: ignore[attr-defined]

    def readable(distribution: Distribution) -> EntryPoints:
        try:
            return read(distribution)  # type: ignore[no-any-return]
        except Exception:
            return EntryPoints(())

    Distribution.entry_points = property(readable)  # type: ignore[assignment]


def _reason(kind: str, entry: Entry) -> str | None:
    try:
        reason = registry(kind).check(entry)
    except (Exception, KeyboardInterrupt) as error:  # the user's Ctrl-C ends both processes
        reason = f"{entry.name!r} of plugin {entry.plugin} ({entry.value}) raises {in_a_sentence(error)}"
    return reason and printable(reason, 1000)


if __name__ == "__main__":
    _import_all()
