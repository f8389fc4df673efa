"""The fuzzers' judge lets nothing pass that a user should not see."""

import logging
import os
import sys
import warnings

import pytest
from fuzzing import one_sentence, sensible, sensible_command

from i2izoo.errors import ConfigError


def test_results_and_sentences_pass():
    assert sensible(lambda: 3) == 3
    error = ConfigError("size wants a number; found 'x'.")
    assert sensible(raising(error)) is error
    assert sensible_command("list") == 0
    assert sensible_command("info", "no-such-model") == 2


def raising(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    "call",
    [
        raising(ConfigError("")),
        raising(ConfigError("two\nlines")),
        raising(ConfigError("x" * 2000)),
        lambda: one_sentence("an escape \x1b[31m"),
        lambda: one_sentence("half a name \udcff"),
        lambda: one_sentence("Traceback (most recent call last)"),
        lambda: warnings.warn("of Pillow", UserWarning, stacklevel=1),
        lambda: print("of Python", file=sys.stderr),
        lambda: os.write(2, b"of libtiff"),
        lambda: logging.getLogger("someone").warning("of a library"),
    ],
)
def test_noise_fails(call):
    with pytest.raises(AssertionError):
        sensible(call)


@pytest.mark.parametrize("error", [RecursionError, MemoryError, TypeError, UnicodeEncodeError("utf-8", "x", 0, 1, "")])
def test_other_exceptions_fail(error):
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        sensible(raising(error))
