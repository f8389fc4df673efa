"""What the fuzzers share: numbered cases, and what may come of any input, be it ever so bad.

A case is a function of its seed alone: `pytest -n 0 tests/fuzz/test_images.py -k 'reading and 17'` runs one again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from i2izoo.cli.main import main
from i2izoo.errors import I2IZooError, I2IZooWarning

LONGEST = 1000
"""Characters of a message that is still one sentence to read."""

HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Warnings that Python does not show unless it is asked to."""


def cases(default: int, slow: int = 0) -> pytest.MarkDecorator:
    """Run a test for so many seeds in the default suite, and for so many more with `-m slow`.

    @cases(30, slow=200)
    def test_something(seed): ...
    """
    more = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(default, default + slow)]
    return pytest.mark.parametrize("seed", [*range(default), *more])


def sensible(call: Callable[[], Any]) -> Any:
    """What a call gives, or the I2IZooError that it raises; anything else that a user would see fails the test.

    That is: another exception, a message that is not one printable sentence, a warning that is not an I2IZooWarning of
    one such sentence, or a word on stderr, written by Python or by a C library.
    """
    with quiet():
        try:
            return call()
        except I2IZooError as error:
            one_sentence(str(error))
            return error


def sensible_command(*argv: object) -> int:
    """The exit code of a command that is done, or refused with 2 and a printable sentence on stderr for each mistake.

    (`data check` says its on stdout, in a report.) What is done may say a sentence, too: that of an I2IZooWarning.

    A word in `argv` may hold bytes that are no UTF-8, as `os.fsdecode` gives them.
    """
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # as strict as a terminal's
    with seen() as noise, contextlib.redirect_stdout(stdout):
        code = main([str(word) for word in argv])
    stdout.flush()
    lines, told = noise.pop("stderr").splitlines(), stdout.buffer.getvalue().decode().splitlines()
    assert not any(noise.values()), noise
    assert code == 0 or (code == 2 and (lines or told)), (code, lines)
    assert all(shows(line) for line in told), told
    for line in lines:
        assert line.startswith("i2izoo: "), lines
        one_sentence(line)
    return code


def one_sentence(text: str) -> None:
    """Fail unless a message can be read at a glance: one line of printable characters, no traceback, not too long."""
    assert text.strip(), "an error without a message"
    assert shows(text), f"not printable: {text!r}"
    assert "Traceback" not in text, text
    assert len(text) <= LONGEST, f"{len(text)} characters: {text}"


def shows(text: str) -> bool:
    """Is each character one that a terminal shows as it is?"""
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Fail if what runs inside warns, logs a warning, or writes to stderr."""
    with seen() as noise:
        yield
    assert not any(noise.values()), noise


@contextlib.contextmanager
def seen() -> Iterator[dict[str, str]]:
    """What a user would see beside results: `stderr` (of Python), `fd` (of C libraries), `warnings` and `logged`."""
    noise: dict[str, str] = {}
    records = _Records()
    known = [x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    loggers = [logging.root, *(x for x in known if not x.propagate)]  # such as the Hub's
    written = io.StringIO()
    with _descriptor(noise), warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(written):
        warnings.simplefilter("always")
        for category in HIDDEN:
            warnings.simplefilter("ignore", category)
        for logger in loggers:
            logger.addHandler(records)
        try:
            yield noise
        finally:
            for logger in loggers:
                logger.removeHandler(records)
            noise["stderr"] = written.getvalue()
            for warning in caught:
                if issubclass(warning.category, I2IZooWarning):
                    one_sentence(str(warning.message))
            others = [w for w in caught if not issubclass(w.category, I2IZooWarning)]
            noise["warnings"] = "\n".join(f"{w.filename}: {w.category.__name__}: {w.message}" for w in others)
            noise["logged"] = "\n".join(records.messages)


class _Records(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@contextlib.contextmanager
def _descriptor(noise: dict[str, str]) -> Iterator[None]:
    """Put what is written to file descriptor 2 into `noise["fd"]`."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            noise["fd"] = file.read().decode("utf-8", "backslashreplace")
