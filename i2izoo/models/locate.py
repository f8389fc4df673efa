"""What a name given to `i2izoo.load` means: a folder, a pretrained entry or a Hub repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, UnknownNameError, listing, suggest
from i2izoo.files.formats import index_in


def locate(name: str, revision: str | None = None, **hub_options: Any) -> Path:
    """The folder on this machine that `name` means, fetched if need be.

    An existing folder goes before a pretrained entry of the same name, and that before a Hub repository.

    Args:
        name: as `i2izoo.load` takes it.
        revision: of a Hub repository.
        hub_options: for `i2izoo.files.hub.snapshot`: token, cache_dir, local_files_only; the last two of them also for
            an entry whose checkpoints are fetched and converted.

    Raises:
        UnknownNameError: nothing can be meant; close matches are given.
        ConfigError: a revision for what has none, or two revisions.
        HubError: the Hub refuses or cannot be reached.
        DataError: checkpoints of an entry cannot be fetched, or are not those of its first use.
        StorageError: they are no checkpoints.
    """
    from_hub, path = name.startswith("hf-hub:"), Path(name).expanduser()
    entries = registry("pretrained")
    if not from_hub and ((path / "config.json").is_file() or index_in(path)):
        return _only_local(path, revision)
    if not from_hub and name in entries:
        entry = entries.get(name)
        if entry.repo:
            return _snapshot(entry.repo, revision or entry.revision, **hub_options)
        return (
            _converted(name, entry, revision, **hub_options)
            if entry.checkpoints
            else (_only_local(entry.folder(), revision))
        )
    if not from_hub and path.is_dir():
        return _only_local(path, revision)  # whose loading says what it lacks
    repo = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@(.+))?", name.removeprefix("hf-hub:"))
    if repo is None or name[0] in "./~":
        raise UnknownNameError(
            f"there is no pretrained entry, folder or Hub repository {name!r}"
            + (suggest(name, entries.names()) or ".")
            + (_said_of_file(path) if path.is_file() else "")
            + (
                f" {name!r} is a method: i2izoo.create({name!r}) makes an untrained one."
                if name in registry("methods")
                else f" Entries: {listing(entries.names())}. A repository is 'user/repo'."
            )
        )
    if revision is not None and repo[2] not in (None, revision):
        raise ConfigError(f"{name!r} names revision {repo[2]!r}, and revision={revision!r} another; give one of them.")
    return _snapshot(repo[1], revision or repo[2], **hub_options)


def _converted(name: str, entry: PretrainedEntry, revision: str | None, **hub_options: Any) -> Path:
    from i2izoo.models.published import fetched

    if revision is not None:
        raise ConfigError(f"revision={revision!r} is for Hub repositories, but {name!r} is converted from files.")
    return fetched(name, entry, **{k: v for k, v in hub_options.items() if k != "token"})  # which is the Hub's alone


def _only_local(folder: Path, revision: str | None) -> Path:
    if revision is not None:
        raise ConfigError(f"revision={revision!r} is for Hub repositories, but {str(folder)!r} is a folder here.")
    return folder


def _snapshot(repo: str, revision: str | None, **hub_options: Any) -> Path:
    from i2izoo.files import hub

    return Path(hub.snapshot(repo, revision=revision, **hub_options))


def _said_of_file(path: Path) -> str:
    if path.suffix in (".pth", ".pt", ".ckpt"):
        return f" {str(path)!r} is a checkpoint of other code: i2izoo import METHOD {path.name} makes a folder of it."
    return f" {str(path)!r} is a file; give its folder."
