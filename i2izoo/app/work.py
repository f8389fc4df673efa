"""A piece of work that somebody watches: how far it is, and a way to stop it between two passes of a network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import nn

from i2izoo.contracts import parts
from i2izoo.errors import I2IZooError

T = TypeVar("T")


class StoppedError(I2IZooError):
    """The work was cancelled, or took longer than it may."""


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        said: in words.
        share: of the whole, from 0 to 1; None: not known.
    """

    said: str
    share: float | None = None


class Work:
    """What the worker tells, and the watcher asks for.

    Args:
        seconds: that it may take; None: as long as it wants.

    Attributes:
        now: how far it is.
        passes: of the network, so far.

    >>> work = Work()
    >>> work.tell("translating", 0.5)
    >>> work.cancel()
    >>> work.tell("translating", 0.6)
    Traceback (most recent call last):
    ...
    i2izoo.app.work.StoppedError: cancelled.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds, self._began, self._cancelled = seconds, time.monotonic(), False
        self._changed, self.now = threading.Condition(), Progress("starting")
        self.passes = 0

    def cancel(self) -> None:
        """Let it end before the next pass of the network."""
        self._cancelled = True

    def check(self) -> None:
        """Go on, or not.

        Raises:
            StoppedError: it is not to go on.
        """
        if self._cancelled:
            raise StoppedError("cancelled.")
        if self.seconds is not None and time.monotonic() - self._began > self.seconds:
            raise StoppedError(
                f"stopped: this takes longer than {self.seconds:g} seconds; choose a smaller size or fewer steps."
            )

    def tell(self, said: str, share: float | None = None) -> None:
        """Say how far it is, and see whether it is to go on."""
        self.check()
        with self._changed:
            self.now = Progress(said, share)
            self._changed.notify_all()

    @contextmanager
    def watching(self, method: nn.Module, doing: str = "") -> Iterator[None]:
        """Look before each pass of its generators whether to go on, count them, and say how many of what is `doing`."""

        def before(*_: Any) -> None:
            self.check()
            self.passes += 1
            if doing and self.passes > 1:
                self.tell(f"{doing}: pass {self.passes} of the network")

        inner = [one for one in method.modules() if isinstance(one, (parts.Generator, parts.LatentGenerator))]
        hooks = [one.register_forward_pre_hook(before) for one in inner]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def follow(self, function: Callable[[], T], every: float = 0.5) -> Generator[Progress | Done[T], None, None]:
        """Do it in a thread: what it tells, when it tells it or `every` so many seconds, and at last its result."""
        found: list[Done[T]] = []

        def run() -> None:
            try:
                found.append(Done(function()))
            except BaseException as error:
                found.append(Done(None, error))
            with self._changed:
                self._changed.notify_all()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while not found:
                with self._changed:
                    self._changed.wait(every)
                    now = self.now
                if not found:
                    yield now
        finally:  # whoever does not ask any more does not want it any more
            if not found:
                self.cancel()
            thread.join()
        if found[0].error is not None:
            raise found[0].error
        yield found[0]


@dataclass(frozen=True)
class Done(Generic[T]):
    """The end: a result, or what was raised."""

    result: T | None
    error: BaseException | None = None
