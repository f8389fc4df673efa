"""Names of trained models: method, place, revision, licence."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2izoo.errors import ConfigError, StorageError


@dataclass(frozen=True)
class PretrainedEntry:
    """A name bound to one folder (bundled) or one Hub repository at one revision.

    Entry points of the group `i2izoo.pretrained` point at instances in torch-free modules.

    Attributes:
        licence: SPDX identifier, or a short sentence.
        description: one line.
        bundled: `"package/folder"` inside an installed package; its config.json says method and domains.
        repo: `"owner/name"` on the Hub.
        revision: 40-hex commit of `repo`; names that can move (`main`) are refused.
        remote_method: name of the method of `repo`, which is not fetched only to be listed.
        remote_domains: the same of its target domains.
        recipe: `"package/path.yaml"` of what made it; None: `recipe.yaml` in the folder of a bundled entry.

    Raises:
        ConfigError: neither or both places are given, or the revision is not a commit.
    """

    licence: str
    description: str = ""
    bundled: str | None = None
    repo: str | None = None
    revision: str | None = None
    remote_method: str = ""
    remote_domains: tuple[str, ...] = ()
    recipe: str | None = None

    def __post_init__(self) -> None:
        if (self.bundled is None) == (self.repo is None):
            raise ConfigError("a pretrained entry is either bundled='package/folder' or repo='owner/name'.")
        if self.bundled is not None and (
            not re.fullmatch(r"[\w.]+(/[\w.-]+)+", self.bundled) or ".." in self.bundled.split("/")
        ):
            raise ConfigError(f"bundled wants 'package/folder' inside an installed package; found {self.bundled!r}.")
        if self.repo is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repo):
            raise ConfigError(f"repo wants 'owner/name' on the Hub; found {self.repo!r}.")
        if self.repo is not None and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            raise ConfigError(f"entry for {self.repo!r} needs a 40-hex revision; found {self.revision!r}.")

    @property
    def method(self) -> str:
        """Name of the method; of a bundled entry as its config.json has it, read when it is asked for."""
        return str(self._config.get("method", "")) if self.bundled else self.remote_method

    @property
    def domains(self) -> tuple[str, ...]:
        """Target domains, the default of `to=` first."""
        return tuple(self._config.get("directions", ())) if self.bundled else self.remote_domains

    @cached_property
    def _config(self) -> dict[str, Any]:
        path = self.folder() / "config.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            raise StorageError(f"{path} cannot be read ({error}); reinstall the package.") from error

    def folder(self) -> Path:
        """Where a bundled entry lies on disk.

        Raises:
            StorageError: the entry is not bundled, or its package or folder is not installed.
        """
        if self.bundled is None:
            raise StorageError(f"{self.repo!r} lies on the Hub, not in an installed package.")
        for place in _installed(self.bundled):
            if (place / "config.json").is_file():
                return place
        package = self.bundled.partition("/")[0]
        raise StorageError(f"bundled entry {self.bundled!r} is not in the installed package; reinstall {package!r}.")

    def recipe_file(self) -> Path | None:
        """The recipe that made it; None: it has none.

        Raises:
            StorageError: the entry names one, or is bundled, and its package is not installed.
        """
        if self.recipe is None:
            beside = self.folder() / "recipe.yaml" if self.bundled else None
            return beside if beside and beside.is_file() else None
        if found := [place for place in _installed(self.recipe) if place.is_file()]:
            return found[0]
        raise StorageError(f"the recipe {self.recipe!r} is not in the installed package.")


def _installed(place: str) -> list[Path]:
    """Where `"package/path"` may lie."""
    package, _, rest = place.partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a dotted package whose parent is absent
        spec = None
    return [Path(p) / rest for p in (spec.submodule_search_locations or [])] if spec else []
