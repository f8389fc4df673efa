"""What is written about a folder of tiles: `tiles.json`, and a line for each tile in `tiles.jsonl`, as it goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from i2izoo.errors import DataError
from i2izoo.files.writing import append_text, write_text

MANIFEST, JOURNAL = "tiles.json", "tiles.jsonl"
DROPPED = ("missing", "empty", "partial", "blank", "duplicate")
"""States of tiles that are left out."""


class Record:
    """The manifest and the journal of a folder.

    The journal has the tiles in the order of the grid, so what is done is its first lines, and a killed run goes on
    behind the last whole one.

    Args:
        folder: of the data set.
        plan: what decides which tiles there are and what becomes of them.
        date: today's.

    Raises:
        DataError: the folder holds something else, or was begun by another plan.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], date: str) -> None:
        self._folder, self.counts = folder, Counter[str]()
        self.seen: list[set[str]] = []
        self.channels: list[set[int]] = []
        self.done = 0
        manifest = folder / MANIFEST
        self._manifest: dict[str, Any] = {"plan": dict(plan), "begun": date, "finished": None, "counts": {}}
        if manifest.is_file():
            self._take_up(manifest, plan)
        elif any(p.name != ".lock" for p in folder.iterdir()):
            raise DataError(f"{folder} is not empty and holds no {MANIFEST}; name another folder.")

    def _take_up(self, manifest: Path, plan: Mapping[str, Any]) -> None:
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
            begun = found["plan"]
            self._manifest.update(begun=found["begun"], finished=found["finished"], counts=found["counts"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{manifest} is damaged; remove it with its folder, or name another folder.") from error
        if begun != json.loads(json.dumps(plan)):
            other = next(key for key in (*plan, *begun) if begun.get(key) != json.loads(json.dumps(plan.get(key))))
            raise DataError(
                f"{manifest.parent} was begun with other settings: {other} was {json.dumps(begun.get(other))}, now "
                f"{json.dumps(plan.get(other))}; use the same, or name another folder."
            )
        for line in self._lines():
            self._count(line)

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The whole lines of the journal; what a kill has cut is taken off the file."""
        journal, end = self._folder / JOURNAL, 0
        if not journal.is_file():
            return
        with journal.open("rb+") as file:
            for line in file:
                try:
                    found = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    found = None
                if not isinstance(found, dict):
                    break
                end += len(line)
                yield found
            file.truncate(end)

    def _count(self, line: Mapping[str, Any]) -> None:
        self.done += 1
        self.counts[line["state"]] += 1
        if line["state"] != "kept":
            return
        self.counts[line["part"]] += 1
        self._grow(len(line["pixels"]))
        for layer, (digest, channels) in enumerate(zip(line["pixels"], line["channels"], strict=True)):
            self.seen[layer].add(digest)
            self.channels[layer].add(channels)

    def _grow(self, layers: int) -> None:
        while len(self.seen) < layers:
            self.seen.append(set())
            self.channels.append(set())

    def repeats(self, fingerprints: list[str]) -> bool:
        """Did any layer have such pixels before?"""
        self._grow(len(fingerprints))
        return any(digest in seen for digest, seen in zip(fingerprints, self.seen, strict=True))

    @property
    def complete(self) -> bool:
        """Is everything there?"""
        return self._manifest["finished"] is not None

    def note(self, **line: Any) -> None:
        """A tile is done: its files are there, or it is left out."""
        append_text(self._folder / JOURNAL, json.dumps(line) + "\n")
        self._count(line)

    def write(self, finished: str | None = None, **more: Any) -> None:
        """Write `tiles.json`."""
        self._manifest.update(finished=finished, counts=dict(sorted(self.counts.items())), **more)
        write_text(self._folder / MANIFEST, json.dumps(self._manifest, indent=2, ensure_ascii=False) + "\n")
