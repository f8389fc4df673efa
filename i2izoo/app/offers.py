"""The models that the app offers, by a label that says nothing of this machine, loaded when they are asked for."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, UnknownNameError
from i2izoo.files.kept import cache_folder, converted_folder, is_whole
from i2izoo.images.writing import find_images
from i2izoo.models.locate import locate
from i2izoo.models.translator import Translator, load

KEPT = 3
"""Models that stay in memory."""

EXAMPLES = "examples"
"""In a model's folder: images to try it with, DOMAIN-anything.png for those of one source."""


@dataclass(frozen=True)
class Offer:
    """A model by the name that `load` takes.

    Attributes:
        name: a pretrained entry, a folder or a repository.
        label: what visitors see: of a folder its last part.
        entry: of the registry, if it is one.
    """

    name: str
    label: str
    entry: PretrainedEntry | None = None

    @property
    def here(self) -> bool:
        """Can it be loaded without fetching anything?"""
        if self.entry is not None and self.entry.checkpoints:
            return is_whole(converted_folder(self.name, self.entry, cache_folder()))
        if self.entry is not None and self.entry.bundled:
            return True
        try:
            return bool(locate(self.name, local_files_only=True))
        except I2IZooError:
            return False

    @property
    def shown(self) -> str:
        """The name as a visitor would write it."""
        return self.name if self.entry or not Path(self.name).expanduser().is_dir() else f"./{self.label}"

    @property
    def about(self) -> str:
        """A line about it."""
        size = self.entry.size if self.entry else None
        fetched = "" if self.here else f"Fetched when first used{f' ({size / 1e6:.0f} MB)' if size else ''}."
        return f"{self.entry.description if self.entry else ''} {fetched}".strip()

    @cached_property
    def folder(self) -> Path:
        """Where it lies, fetched if need be."""
        return locate(self.name)

    @property
    def card(self) -> str:
        """Its card without the front matter and images, which would be asked of other servers; "": it has none."""
        path = self.folder / "README.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        text = re.sub(r"\A---\r?\n.*?\r?\n---\s+(# [^\n]*\n)?", "", text, flags=re.DOTALL)
        return re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text).strip()

    def examples(self, source: str | None) -> list[Path]:
        """Images to try it with, of one source: in its folder, or in that which its entry names."""
        places = [self.folder / EXAMPLES]
        if self.entry is not None:
            places += self.entry.example_folders()
        found = next((find_images(place) for place in places if place.is_dir()), [])
        return [path for path in found if source and re.match(rf"{re.escape(source)}\b", path.stem)] or found


class Offers:
    """All that the app offers.

    Args:
        names: of models that come first: as `load` takes them.
        all_entries: offer every pretrained entry of the registry, too.
        device: where they run; None: the CPU.

    Raises:
        ConfigError: nothing is offered.
        UnknownNameError: a name is none.
    """

    def __init__(self, names: Sequence[str] = (), *, all_entries: bool = True, device: str | None = None) -> None:
        entries = registry("pretrained")
        wanted = dict.fromkeys([*names, *(entries.names() if all_entries else ())])
        if not wanted:
            raise ConfigError("name at least one model to offer.")
        self.device, self._loaded, self._lock = device, OrderedDict[str, Translator](), threading.RLock()
        self._offers: dict[str, Offer] = {}
        found = []
        for name in wanted:
            is_folder = Path(name).expanduser().is_dir()
            entry = entries.get(name) if name in entries and not is_folder else None
            found.append(Offer(name, Path(name).expanduser().resolve().name if is_folder else name, entry))
        for offer in sorted(found, key=lambda one: one.name not in names and not one.here):  # what is here comes first
            self._add(offer)
        for name in names:
            if "/" not in name and name not in entries and not Path(name).expanduser().is_dir():
                locate(name)  # which says what else could have been meant

    def _add(self, offer: Offer) -> None:
        label, count = offer.label, 1
        while label in self._offers:
            count += 1
            label = f"{offer.label} ({count})"
        self._offers[label] = Offer(offer.name, label, offer.entry)

    @property
    def labels(self) -> list[str]:
        return list(self._offers)

    def __getitem__(self, label: str) -> Offer:
        """By its label.

        Raises:
            UnknownNameError: it is not offered.
        """
        if label not in self._offers:
            raise UnknownNameError(f"{label!r} is not offered here.")
        return self._offers[label]

    def load(self, label: str) -> Translator:
        """The model, loaded now if it is not in memory."""
        with self._lock:
            name = self[label].name
            if name not in self._loaded:
                self._loaded[name] = load(name, device=self.device)
                if len(self._loaded) > KEPT:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(name)
            return self._loaded[name]
