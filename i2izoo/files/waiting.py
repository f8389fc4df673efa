"""A bound on how long a server may keep us waiting, which no client has for an answer that comes byte by byte."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic as clock
from typing import Any

from i2izoo.errors import ConfigError

SETTING = "I2IZOO_TIMEOUT"
PACE = 1024
"""Bytes a second that an answer must bring, on average over the time limit."""


class TooSlow(TimeoutError):
    """A server was silent for too long, or sent too little in all that time."""

    def __init__(self, limit: float) -> None:
        super().__init__(
            f"the server sent less than {PACE * limit / 1024:.0f} KiB in {limit:g} s; {SETTING}=SECONDS waits longer"
        )


@dataclass(frozen=True)
class Head:
    """What comes before the body: status and headers, their names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


Ask = Callable[[str, Mapping[str, str], float], Generator[Head | bytes, None, None]]
"""Sends a GET with headers and a limit on each wait, and gives the head, then the body in pieces as they come."""


def time_limit(default: float) -> float:
    """Seconds without news after which a server counts as away: the environment variable I2IZOO_TIMEOUT, or `default`.

    Raises:
        ConfigError: it is set to something else than a positive number.
    """
    text = os.environ.get(SETTING, "").strip() or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError(f"{SETTING} is the seconds to wait for a server, such as 60; found {text!r}.")
    return min(seconds, threading.TIMEOUT_MAX)


@contextlib.contextmanager
def answer(ask: Ask, url: str, headers: Mapping[str, str], limit: float) -> Iterator[tuple[Head, Iterator[bytes]]]:
    """The head and the pieces of an answer, as long as it goes forward.

    Of name lookup, connection, head and body together: whenever `limit` seconds were spent waiting, `PACE * limit`
    bytes must have come. A thread does the reading, for it alone can be left behind.

    Raises:
        TooSlow: it did not.
    """
    reader = _Reader(ask(url, headers, limit), limit)
    try:
        head = reader.next()
        assert isinstance(head, Head)
        yield head, iter(reader.next, None)
    finally:
        reader.leave()


class _Reader:
    """Reads an answer in a thread, a few pieces ahead."""

    def __init__(self, items: Generator[Any, None, None], limit: float) -> None:
        self._items, self._limit = items, limit
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=8)
        self._left = threading.Event()
        self._waited, self._came = 0.0, 0
        threading.Thread(target=self._read, name="i2izoo-download", daemon=True).start()

    def _read(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                self._queue.put(item)
                if self._left.is_set():
                    break
        except BaseException as error:  # whatever it is, it is raised where the answer is wanted
            end = error
        self._items.close()
        self._queue.put(end)

    def next(self) -> Any:
        """The next piece; None: there are no more."""
        asked = clock()
        try:
            item = self._queue.get(timeout=max(self._limit - self._waited, 0))
        except queue.Empty:
            raise TooSlow(self._limit) from None
        if isinstance(item, BaseException):
            raise item
        self._waited += clock() - asked
        self._came += len(item) if isinstance(item, bytes) else 0
        if self._came >= PACE * self._limit:
            self._waited, self._came = 0.0, 0
        elif self._waited > self._limit:
            raise TooSlow(self._limit)
        return item

    def leave(self) -> None:
        """Have the thread end with the piece that it reads now."""
        self._left.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
