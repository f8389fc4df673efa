"""Names of trained models: method, place, revision, licence."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from i2izoo.contracts.published import CheckpointFile
from i2izoo.errors import ConfigError, StorageError


@dataclass(frozen=True)
class PretrainedEntry:
    """A name bound to one folder (bundled), one Hub repository at one revision, or checkpoints of other code.

    Entry points of the group `i2izoo.pretrained` point at instances in torch-free modules.

    Attributes:
        licence: SPDX identifier, or a short sentence.
        description: one line.
        bundled: `"package/folder"` inside an installed package; its config.json says method and domains.
        repo: `"owner/name"` on the Hub.
        revision: 40-hex commit of `repo`; names that can move (`main`) are refused.
        checkpoints: role -> file, as `i2izoo import --as ROLE=FILE` has it: what the authors of the method publish in
            their own format. They are fetched when the entry is first loaded, converted, and kept in the cache.
        remote_method: name of the method of `repo` or `checkpoints`, which are not fetched only to be listed.
        remote_domains: the same of its target domains.
        options: of the method, JSON, which the tensors of `checkpoints` do not tell: domains, and so on.
        facts: what the card of converted `checkpoints` says beside licence and address: citation, data, crop_size,
            limitations and what else `i2izoo.models.cards.render_card` takes.
        recipe: `"package/path.yaml"` of what made it; None: `recipe.yaml` in the folder of a bundled entry.
        examples: `"package/folder"` of images to try it with, called after the domain that they are of: `label-1.png`;
            None: `examples` in the folder of a bundled entry.

    Raises:
        ConfigError: no place or more than one is given, the revision is not a commit, or checkpoints have no method.
    """

    licence: str
    description: str = ""
    bundled: str | None = None
    repo: str | None = None
    revision: str | None = None
    checkpoints: Mapping[str, CheckpointFile] | None = field(default=None, hash=False)
    remote_method: str = ""
    remote_domains: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    recipe: str | None = None
    examples: str | None = None

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.bundled, self.repo, self.checkpoints)) != 1:
            raise ConfigError(
                "a pretrained entry is either bundled='package/folder', repo='owner/name' or "
                "checkpoints={role: CheckpointFile(url)}."
            )
        if self.bundled is not None and (
            not re.fullmatch(r"[\w.]+(/[\w.-]+)+", self.bundled) or ".." in self.bundled.split("/")
        ):
            raise ConfigError(f"bundled wants 'package/folder' inside an installed package; found {self.bundled!r}.")
        if self.repo is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repo):
            raise ConfigError(f"repo wants 'owner/name' on the Hub; found {self.repo!r}.")
        if self.repo is not None and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            raise ConfigError(f"entry for {self.repo!r} needs a 40-hex revision; found {self.revision!r}.")
        if self.checkpoints is not None:
            self._check_checkpoints(self.checkpoints)

    def _check_checkpoints(self, checkpoints: Mapping[str, CheckpointFile]) -> None:
        if not checkpoints or not all(isinstance(file, CheckpointFile) for file in checkpoints.values()):
            raise ConfigError(f"checkpoints are role -> CheckpointFile, one at least; found {checkpoints!r}.")
        if not self.remote_method:
            raise ConfigError("an entry of checkpoints names the method that reads them: remote_method='cyclegan'.")
        try:
            json.dumps([self.options, self.facts])
        except (TypeError, ValueError) as error:
            raise ConfigError(f"options and facts of an entry are JSON ({error}).") from error

    @property
    def method(self) -> str:
        """Name of the method; of a bundled entry as its config.json has it, read when it is asked for."""
        return str(self._config.get("method", "")) if self.bundled else self.remote_method

    @property
    def domains(self) -> tuple[str, ...]:
        """Target domains, the default of `to=` first."""
        return tuple(self.directions)

    @property
    def directions(self) -> dict[str, str | None]:
        """Target -> source, as far as that is known without fetching; None where it is not, or where there is none."""
        if self.bundled:
            return dict(self._config.get("directions", {}))
        both = self.options.get("domains")
        both = both if isinstance(both, list) and len(both) == 2 else []
        return {to: next((d for d in both if d != to), None) for to in self.remote_domains}

    @property
    def tiling(self) -> dict[str, str]:
        """Target -> how a bundled entry may be run in tiles, such as "refused", where its config.json says so."""
        return (
            {to: str(found.get("mode")) for to, found in self._config.get("tiling", {}).items()} if self.bundled else {}
        )

    @property
    def size(self) -> int | None:
        """Bytes: of a bundled entry its weights, of checkpoints all that is fetched, roughly; None: not known."""
        if self.bundled:
            weights = self.folder() / "model.safetensors"
            return weights.stat().st_size if weights.is_file() else None
        files = {file.url: file.size or file.about for file in (self.checkpoints or {}).values()}
        known = [size for size in files.values() if size]
        return sum(known) if files and len(known) == len(files) else None

    @property
    def fingerprint(self) -> str:
        """Of what decides how checkpoints are converted, in hex: another declaration is another folder in the cache."""
        files = {role: [file.url, file.member] for role, file in (self.checkpoints or {}).items()}
        said = json.dumps([files, self.remote_method, dict(self.options)], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

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
            where = (
                f"{self.repo!r} lies on the Hub" if self.repo else f"the checkpoints of {self.method} lie on the web"
            )
            raise StorageError(f"{where}, not in an installed package.")
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

    def example_folders(self) -> list[Path]:
        """Where images to try it with lie, if there are any."""
        return [] if self.examples is None else [place for place in _installed(self.examples) if place.is_dir()]


def _installed(place: str) -> list[Path]:
    """Where `"package/path"` may lie."""
    package, _, rest = place.partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a dotted package whose parent is absent
        spec = None
    return [Path(p) / rest for p in (spec.submodule_search_locations or [])] if spec else []
