"""A training that is asked to stop stops between two steps, never within one, with a checkpoint.

Asked by Ctrl-C (SIGINT), by a cluster or `kill` (SIGTERM), or by a terminal that is closed (SIGHUP).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a process; Windows has no SIGHUP."""


def end(number: int, frame: FrameType | None = None) -> NoReturn:
    """Handler of a signal that ends a command in good order, with the exit code that a shell gives it: 128 + number."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP end the program as Ctrl-C does: what is half done is removed or kept whole.

    Only in the main thread, and only where they have the system's own meaning: `nohup` keeps its own.
    """
    mine = [number for number in ENDINGS if _in_main_thread() and signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


class Interrupt:
    """While it is open, a first signal is only noted, so that the step can end and be saved; a second acts at once.

    Only in the main thread, and only signals that have Python's or the system's own meaning, or that of `ending`.

    Args:
        patient: no later signal acts at once, either. A launcher of several processes passes on to them what the
            terminal has sent them already.

    Attributes:
        asked: the signal that came; 0: none.
    """

    def __init__(self, patient: bool = False) -> None:
        self.asked = 0
        self.patient = patient
        self.before: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        if _in_main_thread():
            for number in (signal.SIGINT, *ENDINGS):
                if (handler := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler, end):
                    self.before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def stop(self, asked: int) -> NoReturn:
        """Do what the signal asks for.

        Raises:
            KeyboardInterrupt: it was Ctrl-C.
            SystemExit: it was another; the code is 128 + its number.
        """
        if asked == signal.SIGINT:
            raise KeyboardInterrupt
        end(asked)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self.patient:
            self.stop(number)
        if not self.asked:
            name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            more = "" if self.patient else f"; {name} again stops at once"
            print(f"{name}: stopping after this step{more}", file=sys.stderr)
        self.asked = number


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
