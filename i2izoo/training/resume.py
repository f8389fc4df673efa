"""Where a run goes on: from which checkpoint, and whether it is still the same run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.options import differences, with_defaults
from i2izoo.contracts.registry import registry
from i2izoo.errors import StorageError, TrainingError, WriteError, listing
from i2izoo.files.locks import locked
from i2izoo.files.writing import write_text
from i2izoo.models.config_file import CONFIG
from i2izoo.training.checkpoint import FACTS, checkpoints
from i2izoo.training.config import TrainingOptions
from i2izoo.training.run_file import RUN

FREE = {
    "epochs", "decay_epochs", "decay_ahead", "steps", "decay_steps", "minutes", "decay_share",
    "log_every", "sample_every", "samples", "checkpoint_every",
    "keep_last", "tensorboard", "log_with", "device", "compile", "metrics", "evaluate_every", "val_limit",
}  # fmt: skip
"""Training options that a resumed run may change: its length, what it writes, and what only makes it faster."""

SCREENING = "screening"
"""Folder in that of a run where its seeds are tried; there is none before and afterwards."""


def start_from(out: Path, resume: str | os.PathLike[str] | None) -> Path | None:
    """The checkpoint that a run in the folder `out` goes on from; None: it starts afresh.

    Args:
        out: folder of the run.
        resume: None, "auto" or the folder of a checkpoint.

    Raises:
        TrainingError: `out` holds a run, or goes beyond the named checkpoint.
        StorageError: there is no complete checkpoint at the named place.
    """
    found = checkpoints(out / "checkpoints")
    if resume == "auto":
        return found[-1] if found else None
    if resume is None:
        if (out / SCREENING).is_dir():
            raise TrainingError(
                f"{out} already holds a run, whose seeds are being screened; go on with resume='auto' (--resume auto), "
                "or name another folder."
            )
        if found:
            raise TrainingError(
                f"{out} already holds a run with {len(found)} checkpoint{'s' * (len(found) != 1)}; "
                "go on with resume='auto' (--resume auto), or name another folder."
            )
        return None
    place = Path(resume)
    if not (place / FACTS).is_file():
        raise StorageError(
            f"there is no complete checkpoint {str(resume)!r}; resume is 'auto' or the folder of a checkpoint; "
            f"{out} has {listing(map(str, found), 3)}."
            + (" The weights of a model alone start a new run: --from." if (place / CONFIG).is_file() else "")
        )
    if found and place.resolve() != found[-1].resolve():
        raise TrainingError(
            f"{out} holds a run that ends in {found[-1].name}; to go on from {place}, name another 'out'."
        )
    return place


def check_same_run(place: Path, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on by 'auto' with a run whose options changed.

    Args:
        place: the checkpoint.
        saved: facts of the run by section ("options", "training") or name, as its checkpoint has them.
        now: the same of the run that is about to go on.

    Raises:
        TrainingError: they differ in more than `FREE`; names each difference.
    """
    different = changed_options(saved, now)
    if different:
        raise TrainingError(
            f"{place} belongs to a run with other options: {listing(different, 5)}. Give the same, or change them on "
            f"purpose with resume={str(place)!r}."
        )


def changed_options(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two runs in more than `FREE`, in words."""
    found = differences(_lasting(completed(saved)), _lasting(completed(now)))
    return [f"{re.sub('^(options|training)[.]', '', key)} was {shown(a)}, is {shown(b)}" for key, a, b in found]


def completed(run: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run with all options: one that an earlier release wrote goes on with the defaults of new ones."""
    classes: dict[str, Any] = {"training": TrainingOptions}
    if isinstance(name := run.get("method"), str) and name in registry("methods"):
        classes["options"] = registry("methods").get(name)
    return {**run, **{key: with_defaults(cls, run[key]) for key, cls in classes.items() if key in run}}


def _lasting(run: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run less what it may change, and what it has found."""
    training = run.get("training", {})
    kept = {name: value for name, value in run.items() if name != "screening"}
    return {**kept, "training": {name: value for name, value in training.items() if name not in FREE}}


@contextlib.contextmanager
def claimed(out: Path, step: int) -> Iterator[None]:
    """The folder of a run, for this process alone; what a killed one left half-written or half-deleted is removed.

    Args:
        out: the folder.
        step: steps that this run has done.

    Raises:
        WriteError: another process trains in it; or, with the last good checkpoint, what was written within failed.
        TrainingError: another has trained further there.
    """
    with locked(out):
        found = checkpoints(out / "checkpoints")
        if found and int(found[-1].name.removeprefix("step-")) > step:
            raise TrainingError(f"{out} has been trained to {found[-1].name} meanwhile; make the trainer anew.")
        for stray in (out / "checkpoints").glob(".step-*"):
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
        try:
            yield
        except WriteError as error:
            raise WriteError(f"{str(error).rstrip('.')}; {last_good(out)}.") from error


def write_run(out: Path, facts: Mapping[str, Any]) -> None:
    """Write `run.json`: what a run is, and what was found of its seeds."""
    write_text(out / RUN, json.dumps(facts, indent=2) + "\n")


def last_good(out: Path | None) -> str:
    """From where a training can go on, in words."""
    found = checkpoints(out / "checkpoints") if out else []
    return f"the last good checkpoint is {found[-1]}" if found else "there is no checkpoint yet"
