"""What each visitor is waiting for, so that it can be stopped, and where the files of the app lie."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from i2izoo.app.work import Done, Progress, StoppedError, Work
from i2izoo.errors import I2IZooError, in_a_sentence

T = TypeVar("T")

KEPT = 3600
"""Seconds that results stay."""

MADE = "made-"
"""What the names of their folders begin with."""

log = logging.getLogger("i2izoo.app")


class Sessions:
    """Visitors and their work.

    Args:
        folder: of all files of the app.
        seconds: that a piece may take; None: as long as it wants.
    """

    def __init__(self, folder: Path, seconds: float | None = None) -> None:
        self.folder, self.seconds = folder, seconds
        self._works: dict[str, Work] = {}

    def cancel(self, session: str | None) -> None:
        """Stop what a visitor waits for."""
        if (work := self._works.get(session or "")) is not None:
            work.cancel()

    def new_folder(self) -> Path:
        """A folder for results; those of long ago are removed."""
        for place in self.folder.glob(f"{MADE}*"):
            if time.time() - place.stat().st_mtime > KEPT:
                shutil.rmtree(place, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=MADE, dir=self.folder))

    def follow(self, session: str | None, function: Callable[[Work], T]) -> Generator[Progress | Done[T], None, None]:
        """Do it, and tell; what goes wrong is a `Done` with an error of one sentence."""
        with self._work(session) as work:
            try:
                yield from work.follow(lambda: function(work))
            except I2IZooError as error:
                yield Done(None, type(error)(without_paths(str(error))))
            except Exception as error:
                log.exception("the app could not do it")
                yield Done(None, StoppedError(f"that failed inside ({type(error).__name__}); its log says where."))

    @contextmanager
    def _work(self, session: str | None) -> Iterator[Work]:
        self.cancel(session)
        work = Work(self.seconds)
        self._works[session or ""] = work
        try:
            yield work
        finally:
            if self._works.get(session or "") is work:
                del self._works[session or ""]


def without_paths(text: str) -> str:
    """A message that names files without saying where they lie.

    >>> without_paths("image '/tmp/app/3f/x y.png' is not an image; see docs/faq.md.")
    "image 'x y.png' is not an image; see docs/faq.md."
    """
    text = re.sub(r"(['\"])(?:[A-Za-z]:)?[/\\](?:[^'\"]*[/\\])?([^'\"/\\]*)\1", r"\1\2\1", text)
    return re.sub(r"(?<![\w./:'\"])/(?:[\w.@+-]+/)+([\w.@+-]*)", r"\1", text)


def sentence(error: BaseException | None) -> str:
    """What went wrong, for a visitor."""
    text = in_a_sentence(error) if error else ""
    return f"{text[:1].upper()}{text[1:]}"
