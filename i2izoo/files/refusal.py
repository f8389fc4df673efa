"""The system's refusal to write, as one sentence that names the file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from i2izoo.errors import WriteError

ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_FOLDER = "a file stands where its folder should be"


@contextlib.contextmanager
def naming(place: Path) -> Iterator[None]:
    """Errors of the system become a `WriteError` that names `place`; all others pass."""
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        if (number := _number(error)) is None:
            raise
        reason = NO_FOLDER if number in (errno.EEXIST, errno.ENOTDIR) else os.strerror(number).lower()
        advice = "make room and try again" if number in ROOM else "make it writable or name another place"
        said = WriteError(f"{str(place)!r} cannot be written: {reason}; {advice}.")
        said.errno = number
        raise said from error


def _number(error: Exception) -> int | None:
    """The system's number; safetensors, which writes by itself, tells it in its message only."""
    if isinstance(error, OSError):
        return error.errno
    cited = re.search(r"\(os error (\d+)\)", str(error)) if type(error).__name__ == "SafetensorError" else None
    return int(cited[1]) if cited else None
