"""The Hub's cache on this machine, in the layout of its client, which finds and shares what is in it.

    models--OWNER--NAME/blobs/HASH            content under its hash
    models--OWNER--NAME/snapshots/COMMIT/...  the files of a commit, as links to it
    models--OWNER--NAME/refs/BRANCH           the commit that a branch or tag was at
    models--OWNER--NAME/.incoming/HASH.part   what is being fetched; ours, and gone on success

Every name here was checked or made on this machine: hashes and commits are hex, paths stay inside.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from i2izoo.files.hub_api import COMMIT
from i2izoo.files.writing import write_text

DEFAULT_BRANCH = "main"


class CachedRepo:
    """The folder of one repository in the cache."""

    def __init__(self, cache: Path, repo_id: str) -> None:
        folder = f"models--{repo_id.replace('/', '--')}"
        self.folder, self._locks = cache / folder, cache / ".locks" / folder

    def snapshot(self, commit: str) -> Path:
        return self.folder / "snapshots" / commit

    def commit(self, revision: str | None) -> str | None:
        """The commit that a revision is, as far as this machine knows."""
        if revision and COMMIT.fullmatch(revision):
            return revision
        try:
            known = (self.folder / "refs" / (revision or DEFAULT_BRANCH)).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
        return known if COMMIT.fullmatch(known) else None

    def remember(self, revision: str | None, commit: str) -> None:
        """Note the commit of a branch or tag; a cache that cannot be written has to ask again."""
        if revision != commit and self.commit(revision) != commit:
            with contextlib.suppress(OSError):
                write_text(self.folder / "refs" / (revision or DEFAULT_BRANCH), commit)

    def blob(self, content_hash: str) -> Path:
        return self.folder / "blobs" / content_hash

    @contextlib.contextmanager
    def incoming(self, content_hash: str) -> Iterator[Path]:
        """Where content is fetched to; no other process fetches it meanwhile, the Hub's own client included."""
        self._locks.mkdir(parents=True, exist_ok=True)
        with FileLock(self._locks / f"{content_hash}.lock"):
            yield self.folder / ".incoming" / content_hash
        with contextlib.suppress(OSError):  # another file is on its way
            (self.folder / ".incoming").rmdir()

    def keep(self, path: Path, blob: Path) -> None:
        """Put a checked file among the contents."""
        blob.parent.mkdir(parents=True, exist_ok=True)
        path.replace(blob)

    def link(self, commit: str, name: str, blob: Path) -> None:
        """Show content as a file of a commit; where there are no links, move it there."""
        place = self.snapshot(commit) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and place.samefile(blob):
            return
        place.unlink(missing_ok=True)
        try:
            place.symlink_to(os.path.relpath(blob, place.parent))
        except FileExistsError:  # another process was quicker
            pass
        except OSError:
            blob.replace(place)
