"""What went wrong, what was found, what is allowed and what to do next.

Every mistake of a user's ends in one of these, with one clear sentence. Each class also derives from the
built-in that a Python programmer would catch (`ValueError`, `TypeError`, ...).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class I2IZooError(Exception):
    """Base of every error that i2izoo raises on purpose; names in its message are shown, never obeyed: `escaped`."""

    def __str__(self) -> str:
        return escaped(super().__str__())


class ConfigError(I2IZooError, ValueError):
    """An option is unknown, missing or has a value that is not allowed."""


class OptionTypeError(ConfigError, TypeError):
    """An option has a value of the wrong type."""


class UnknownNameError(I2IZooError, LookupError, ValueError):
    """No part, method or pretrained entry has this name."""


class PluginError(I2IZooError, ImportError):
    """A plugin's entry point cannot be imported or does not implement its interface."""


class PluginConflictError(PluginError):
    """Two distributions claim one name."""


class ImageError(I2IZooError, ValueError):
    """An image cannot be read, written or used; the message names the file."""


class DataError(I2IZooError, ValueError):
    """A dataset is missing, mismatched or unreadable."""


class StorageError(I2IZooError, ValueError):
    """A pretrained folder or checkpoint is incomplete, damaged or unsafe."""


class WriteError(I2IZooError, OSError):
    """A file or folder cannot be written: no room, no permission, or another process writes there; it is named."""


class HubError(I2IZooError, OSError):
    """The Hub refused, is unreachable, or sent something incomplete."""


class TrainingError(I2IZooError, RuntimeError):
    """Training cannot start or go on."""


class NonFiniteLossError(TrainingError, ArithmeticError):
    """A loss became NaN or infinite; the message names the last good checkpoint."""


class EvaluationError(I2IZooError, ValueError):
    """An evaluation cannot start or go on; the message says what has been kept.

    Attributes:
        partial: the `Result` of the images that were measured before; None where there were none.
    """

    partial: Any = None


class MetricError(EvaluationError):
    """A metric cannot be computed here: weights are missing, or the images are not what it compares."""


class I2IZooWarning(UserWarning):
    """Something works and may not be what was meant; on the command line it is a sentence on stderr."""


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for close matches of `name`, or an empty string.

    >>> suggest("cyclgan", ["cyclegan", "pix2pix"])
    "; did you mean 'cyclegan'?"
    >>> suggest("lr", ["learning_rate", "latent"])
    "; did you mean 'learning_rate'?"
    """
    allowed = list(allowed)
    initials = [one for one in allowed if "_" in one and "".join(word[:1] for word in one.split("_")) == name]
    close = initials or difflib.get_close_matches(str(name), allowed, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def listing(names: Iterable[str], limit: int = 30) -> str:
    """Join names for a message, cut after `limit`.

    >>> listing(["a", "b"])
    'a, b'
    """
    names = list(names)
    more = f", ... ({len(names) - limit} more)" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more


def in_a_sentence(error: BaseException) -> str:
    """What happened, in one line; of errors that are not ours with their type.

    >>> in_a_sentence(KeyError("a")), in_a_sentence(ConfigError("no such option."))
    ("KeyError: 'a'", 'no such option.')
    """
    text = " ".join(str(error).split())
    return text if isinstance(error, I2IZooError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def escaped(text: str) -> str:
    r"""The same text with control characters (but the end of a line), and what is no character, shown as escapes.

    Names of files may hold anything: what a terminal would obey, and bytes that are no text.

    >>> escaped("a\x1b[2Jb\udcff")
    'a\\x1b[2Jb\\udcff'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in BLANK else ascii(c)[1:-1] for c in text)


BLANK = "\n\u00a0\u3000"
"""What is not printable to Python, but does no harm."""


def is_text(name: str) -> bool:
    r"""Are all characters of a name characters, and not bytes that are no UTF-8?

    >>> is_text("ü"), is_text("a\udcff")
    (True, False)
    """
    return not any("\ud800" <= c <= "\udfff" for c in name)


def printable(text: str, limit: int = 300) -> str:
    r"""Foreign text for a message: on one line, escape sequences and half characters shown as such, cut after `limit`.

    >>> printable("a\n\x1b[2Jb\ud800")
    'a \\x1b[2Jb\\ud800'
    """
    shown = escaped(" ".join(text.split()))
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."
