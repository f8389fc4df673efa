"""What the installed distributions claim in their `entry_points.txt`, read so that no damaged one can hurt.

`importlib.metadata.entry_points()` raises for everybody when one installed distribution has one malformed line.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from i2izoo.errors import listing, suggest

if TYPE_CHECKING:
    from importlib.metadata import Distribution

PREFIX = "i2izoo."
"""The entry point group of a kind of part is `i2izoo.<kind>`."""


@dataclass(frozen=True)
class Entry:
    """One claim on a name: who makes it and where the object is."""

    name: str
    value: str
    distribution: str
    version: str
    target: Any = None
    """The object itself, for parts that were registered in the running program."""

    @property
    def plugin(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Malformed:
    """A line, or a whole file, that is no entry point."""

    distribution: str
    version: str
    reason: str


@dataclass
class Scan:
    """All claims, by kind, and everything that could not be read."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    malformed: tuple[Malformed, ...] = ()


@functools.cache
def scan(kinds: frozenset[str]) -> Scan:
    """Read the entry points of every distribution on `sys.path`; never raises."""
    from importlib.metadata import distributions  # 40 ms, so not at the top

    found, malformed, seen = Scan(), [], set()
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except (OSError, ValueError) as error:  # unreadable, or not UTF-8: it may or may not be a plugin
            malformed.append(Malformed(*_identity(distribution), f"entry_points.txt cannot be read ({error})"))
            continue
        if f"[{PREFIX}" not in text:
            continue
        name, version = _identity(distribution)
        if canonical(name) in seen:  # a second copy further down sys.path: Python imports the first
            continue
        seen.add(canonical(name))
        claimed: set[tuple[str, str]] = set()
        for kind, line in _lines(text):
            point, reason = _parse(kind, line, kinds, claimed)
            if reason:
                malformed.append(Malformed(name, version, reason))
            else:
                claimed.add((kind, point[0]))
                found.entries.setdefault(kind, []).append(Entry(*point, name, version))
    found.malformed = tuple(malformed)
    return found


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Kind and line, for the lines in our groups."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and line[0] not in "#;" and group.startswith(PREFIX):
            yield group.removeprefix(PREFIX), line


def _parse(
    kind: str, line: str, kinds: frozenset[str], claimed: set[tuple[str, str]]
) -> tuple[tuple[str, str], str | None]:
    """Name and value of a line, and what is wrong with it, or None."""
    name, equals, value = (part.strip() for part in line.partition("="))
    value = re.sub(r"\s*\[.*\]$", "", value)  # the extras that the specification allows and nobody uses
    reason = None
    if kind not in kinds:
        hint = suggest(kind, kinds) or "."
        reason = (
            f"{line!r} is in group {PREFIX + kind!r}, which is no kind of part{hint} Kinds: {listing(sorted(kinds))}"
        )
    elif not (name and equals and value):
        reason = f"{line!r} in group {PREFIX + kind!r} is not of the form name = package.module:attribute"
    elif ":" in name:
        reason = f"the name {name!r} in group {PREFIX + kind!r} has a colon, which means distribution:name"
    elif (kind, name) in claimed:
        reason = f"{name!r} is twice in group {PREFIX + kind!r}; the first counts"
    return (name, value), reason


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Name and version, from the metadata or, where they are damaged, from the folder's name."""
    folder = str(getattr(getattr(distribution, "_path", None), "name", "")).rpartition(".")[0]
    name, _, version = folder.partition("-")
    with contextlib.suppress(Exception):  # newer Pythons raise for a missing METADATA file, each in its own way
        metadata = distribution.metadata
        name, version = metadata["Name"] or name, metadata["Version"] or version
    return name or "unknown", version or "?"


def canonical(distribution: str) -> str:
    """The normalised name of a distribution (PEP 503).

    >>> canonical("My_Plug.in")
    'my-plug-in'
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()
