"""Ctrl-C between two steps, never within one."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType


class Interrupt:
    """While it is open, a first Ctrl-C is only noted, so that the step can end and be saved; a second acts at once.

    Only where Ctrl-C has Python's own meaning and in the main thread; elsewhere it changes nothing.

    Args:
        active: False changes nothing.

    Attributes:
        asked: has Ctrl-C been pressed?
    """

    def __init__(self, active: bool = True) -> None:
        self.asked = False
        self.active = active

    def __enter__(self) -> Interrupt:
        self.active = (
            self.active
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self.active:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.active:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("stopping after this step; Ctrl-C again stops at once", file=sys.stderr)
