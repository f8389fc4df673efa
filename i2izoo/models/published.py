"""Pretrained entries whose checkpoints lie on the web in other code's format: converted as `i2izoo import` does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from i2izoo.contracts.checkpoints import build, named_as, read
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, StorageError, listing
from i2izoo.files.published import Published
from i2izoo.files.writing import replacing_folder
from i2izoo.models import storage
from i2izoo.models.cards import render_card
from i2izoo.models.foreign import read_state_dict


def fetched(
    name: str,
    entry: PretrainedEntry,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder of an entry whose checkpoints lie on the web: fetched and converted once, then kept in the cache.

    Args:
        name: of the entry.
        entry: what it says.
        cache_dir: None: the cache of i2izoo.
        local_files_only: never ask the network.

    Raises:
        DownloadError: they cannot be had, or are not what came on first use.
        StorageError: what came is no checkpoint; it was removed.
        ConfigError: it is none of the entry's method, or translates to other domains than the entry says.
    """
    published = Published(name, entry, cache_dir=cache_dir, local_files_only=local_files_only)
    if not published.is_here:
        with published.alone():
            if not published.is_here:  # else another process did it while this one waited
                _convert(published)
    return published.folder


def _convert(published: Published) -> None:
    entry, sums, states = published.entry, {}, {}
    for role, file in published.files.items():
        sums[file.url] = published.fetch(file)
        try:
            with published.checkpoint(file) as path:
                states[named_as(file.name, role)] = read_state_dict(path)
        except StorageError as error:
            place = published.place(file)
            place.unlink(missing_ok=True)
            said = str(error).replace(str(place), place.name)
            raise StorageError(f"what {file.url} sent is no checkpoint, and was removed: {said}") from error
    came = listing(f"{url} (SHA-256 {digest})" for url, digest in sums.items())
    notes = " ".join([f"Converted by i2izoo from {came}.", *_texts(entry.facts.get("notes"))])
    facts = {**entry.facts, "licence": entry.licence, "notes": notes}
    kind = registry("methods").get(entry.method)
    found = read(kind, states, entry.options)
    method = build(kind, found)
    if entry.domains and set(method.directions) != set(entry.domains):
        raise ConfigError(
            f"{published.name!r} is said to translate to {listing(entry.domains)}, but its checkpoints make a model "
            f"that translates to {listing(method.directions)}; its plugin should say which."
        )
    card = render_card(storage.method_config(method, entry.method, provenance=facts), name=published.name)
    with replacing_folder(published.folder) as folder:
        training = storage.training_weights(method, list(found.weights))
        more = {"provenance": facts}
        storage.save_folder(method, folder, name=entry.method, card=card, training=training, facts=more)
        published.note(sums)  # before the folder can be seen: what is in use has been noted
    published.clear()


def _texts(said: Any) -> list[str]:
    return [] if said is None else [said] if isinstance(said, str) else list(said)
