"""A trained method as a folder: config.json, model.safetensors, README.md, and training/ for what only training needs.

The folder is what a Hub repository holds. Loading is strict, reads nothing but JSON and safetensors, and builds
classes only through the registries.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.method import Method
from i2izoo.contracts.options import differences
from i2izoo.contracts.plain import parse_json
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, StorageError, UnknownNameError, listing
from i2izoo.files import formats
from i2izoo.files.locks import WAIT, locked
from i2izoo.files.refusal import naming
from i2izoo.files.writing import read_shapes, read_tensors, replace_folder, replacing, save_tensors
from i2izoo.models.building import build_fitting
from i2izoo.models.config_file import CARD, CONFIG, FORMAT, WEIGHTS, read_config
from i2izoo.models.providers import explained, providers
from i2izoo.models.safety import check_safe
from i2izoo.nn.state import misfit

TRAINING = "training/state.safetensors"
"""Of a folder that says more than translation needs: weights, and in a checkpoint all else that a run goes on with."""
OF_METHOD = "method/"
"""What the names of the method's own tensors begin with in there."""


def method_config(method: Method, name: str, **facts: Any) -> dict[str, Any]:
    """What config.json holds: the method's name, options and directions, who provides it, and further JSON facts."""
    (own, version), *others = providers(name, method.config).items()
    return {
        "i2izoo_format": FORMAT,
        "method": name,
        "options": method.config,
        "directions": dict(method.directions),
        "plugin": {"distribution": own, "version": version},
        **({"plugins": dict(others)} if others else {}),
        **facts,
    }


def save_folder(
    method: Method,
    folder: str | os.PathLike[str],
    *,
    name: str,
    card: str | None = None,
    dtype: torch.dtype | None = None,
    training: Mapping[str, Tensor] | None = None,
    facts: Mapping[str, Any] = {},
) -> Path:
    """Write a pretrained folder.

    Every file is first written in full beside its place; then the renames follow one another, weights before config.
    A save that is killed leaves the folder as it was, or (between two renames) one whose weights and config disagree,
    which `load_folder` reports: the weights carry their config in their metadata.

    Args:
        method: the trained method; only its inference parts are written.
        folder: created if missing; other files in it stay.
        name: the method's name in the registry.
        card: text of README.md.
        dtype: store floating-point tensors as this (half precision for small files); None keeps them.
        training: what `training/` is to hold of `training_weights`; an empty mapping removes what is there, None
            leaves it.
        facts: further JSON for config.json, such as `provenance`.

    Of two saves at once the second waits for the first, a minute at most.

    Raises:
        StorageError: a value is too large for `dtype`, or the config holds what `read_config` refuses.
        WriteError: there is no room, or another process is writing there; the folder is as it was.
    """
    folder = Path(folder)
    if name in formats.foreign().values():
        with _saving(folder):
            return _save_foreign(method, folder, card, dtype)
    content = {**method_config(method, name), **facts}
    check_safe(content, f"the config of {name!r}")
    config = json.dumps(content, indent=2)
    tensors = dict(method.inference_state())
    if dtype is not None:
        tensors = {k: _cast(v, dtype, k) for k, v in tensors.items()}
    with _saving(folder), contextlib.ExitStack() as files:  # the last one entered is renamed first
        if training:
            kept = {OF_METHOD + k: v if dtype is None else _cast(v, dtype, k) for k, v in training.items()}
            save_tensors(files.enter_context(replacing(folder / TRAINING, in_folder=True)), kept, {})
        if card is not None:
            files.enter_context(replacing(folder / CARD)).write_text(card, encoding="utf-8")
        files.enter_context(replacing(folder / CONFIG)).write_text(config + "\n", encoding="utf-8")
        for option, part in vars(method).items():  # a scheduler: as diffusers alone can read it
            if hasattr(part, "save_config"):
                for file, text in _scheduler_files(part).items():
                    files.enter_context(replacing(folder / option / file)).write_text(text, encoding="utf-8")
        weights = files.enter_context(replacing(folder / WEIGHTS, in_folder=True))
        save_tensors(weights, tensors, {"i2izoo_config": config})
    if training is not None and not training:
        (folder / TRAINING).unlink(missing_ok=True)
    return folder


@contextlib.contextmanager
def _saving(folder: Path) -> Iterator[None]:
    """One save at a time; a folder that a failed one made is removed again."""
    new = not folder.exists()
    try:
        with locked(folder, wait=WAIT):
            yield
    except BaseException:
        if new:
            for empty in (*sorted(folder.rglob("*"), reverse=True), folder):
                with contextlib.suppress(OSError):  # there is something in it
                    empty.rmdir()
        raise


def _cast(tensor: Tensor, dtype: torch.dtype, key: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    cast = tensor.to(dtype)
    if not torch.equal(torch.isfinite(cast), torch.isfinite(tensor)):
        raise StorageError(f"{key} has values that do not fit {dtype}; save as torch.bfloat16 or torch.float32.")
    return cast


def _scheduler_files(part: Any) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as temporary:
        part.save_config(temporary)
        return {file.name: file.read_text(encoding="utf-8") for file in Path(temporary).glob("*.json")}


def load_folder(folder: str | os.PathLike[str], dtype: torch.dtype | None = None) -> tuple[Method, dict[str, Any]]:
    """Build the method of a pretrained folder and load its weights, strictly, as float32.

    Args:
        folder: what `save_folder` or, in its own format, another library wrote.
        dtype: another library's folder is loaded as this, for it may be too large for twice the memory.

    Returns:
        The method in eval mode, and the folder's config.

    Raises:
        StorageError: a file is missing or damaged, weights and config do not belong together, or a tensor is
            missing, unexpected or of another shape or kind.
    """
    config = read_config(folder)
    if formats.index_in(Path(folder)):
        return _load_foreign(config["method"], Path(folder), dtype)
    weights = Path(folder) / WEIGHTS
    shapes, metadata = read_shapes(weights)
    written = metadata.get("i2izoo_config")
    if written is not None and (difference := _disagreement(config, written)):
        raise StorageError(
            f"{weights} was saved with another config than the {CONFIG} beside it ({difference}): a save was "
            "interrupted or a file was replaced; save or fetch the folder again."
        )
    try:
        method = build_fitting({**config.get("options", {}), "name": config["method"]}, shapes, where=str(folder))
    except UnknownNameError as error:
        raise explained(error, config) from error
    except ConfigError as error:
        raise StorageError(f"{Path(folder) / CONFIG}: {error}") from error
    load_state(method, read_tensors(weights), where=str(folder))
    return method.eval(), config


def _disagreement(config: Mapping[str, Any], written: str) -> str:
    """Where config.json and the copy in the weights' metadata build different methods; empty if nowhere."""
    try:
        other = dict(parse_json(written))
        both = ({"method": one["method"], "options": dict(one.get("options", {}))} for one in (other, config))
        found = list(differences(*both))
    except (ValueError, KeyError, TypeError):
        return "its copy of the config is damaged"
    return listing((f"{k}: {shown(a)} in the weights, {shown(b)} in {CONFIG}" for k, a, b in found), 3) if found else ""


def training_weights(method: Method, places: Collection[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a method that only training needs, such as its discriminator's, by name.

    Args:
        method: the method.
        places: of these sub-modules alone; None: all.
    """
    needed, prefixes = method.inference_state(), tuple(f"{place}." for place in places or ())
    return {
        k: v for k, v in method.state_dict().items() if k not in needed and (places is None or k.startswith(prefixes))
    }


def load_state(method: Method, tensors: Mapping[str, Tensor], where: str) -> None:
    """Load inference tensors into a method; every key and shape must fit."""
    wanted = method.inference_state()
    if wrong := misfit(wanted, tensors):
        raise StorageError(f"the weights in {where} do not fit its config: {wrong}.")
    with torch.no_grad():
        for key, target in wanted.items():
            target.copy_(tensors[key])


# -------------------------------------------------------------------------------------------- other libraries' folders


def _load_foreign(name: str, folder: Path, dtype: torch.dtype | None) -> tuple[Method, dict[str, Any]]:
    options = {} if dtype is None else {"dtype": str(dtype).removeprefix("torch.")}
    method = registry("methods").get(name)(folder=str(folder), **options)
    licence = _licence(folder)
    return method.eval(), method_config(
        method, name, provenance=method.facts | ({"licence": licence} if licence else {})
    )


def _licence(folder: Path) -> str | None:
    """What the card of a folder states, which stays true of a copy."""
    from i2izoo.models.cards import read_card

    try:
        card = read_card(folder)
    except StorageError:
        return None
    return card.get("license_name") if card.get("license") == "other" else card.get("license")


def _save_foreign(method: Any, folder: Path, card: str | None, dtype: torch.dtype | None) -> Path:
    """Have the method write into a hidden place, then move each component to its own, the index last."""
    temporary = folder / ".saving.tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
    try:
        with naming(folder):
            temporary.mkdir()
            method.write(temporary)
            if dtype is not None:
                for path in temporary.rglob("*.safetensors"):
                    metadata = read_shapes(path)[1]
                    save_tensors(path, {k: _cast(v, dtype, k) for k, v in read_tensors(path).items()}, metadata)
            if card is not None:
                (temporary / CARD).write_text(card, encoding="utf-8")
            indices = formats.foreign()
            for part in sorted(temporary.iterdir(), key=lambda path: (path.name in indices, path.name)):
                replace_folder(part, folder / part.name) if part.is_dir() else part.replace(folder / part.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
