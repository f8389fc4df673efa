"""What follows a run as it goes: TensorBoard, Weights & Biases, MLflow, trackio and others, through accelerate."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.errors import ConfigError, TrainingError, in_a_sentence, listing, suggest
from i2izoo.files.refusal import naming

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker  # type: ignore[import-untyped]

    from i2izoo.training.trainer import Trainer

PROJECT = "i2izoo"
OWN = "tensorboard"
"""The one that writes into the folder of the run, without a server."""
CALLED = {
    "mlflow": "run_name",
    "clearml": "task_name",
    "swanlab": "experiment_name",
    "wandb": "name",
    "trackio": "name",
}
"""Trackers whose run can be given a name -> the option for it."""

Tracked = str | dict[str, Any]


def check_trackers(asked: Sequence[Tracked]) -> None:
    """Refuse trackers that are not there, before anything is trained.

    Raises:
        ConfigError: there is no such tracker, or its package is not installed.
    """
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    allowed = sorted(LOGGER_TYPE_TO_CLASS)
    for name in (_split(one)[0] for one in asked):
        if name not in allowed:
            raise ConfigError(
                f"there is no tracker {name!r}{suggest(name, allowed) or ';'} accelerate has {listing(allowed)}."
            )
        if _of_accelerate(name) and name not in set(map(str, get_available_trackers())):
            raise ConfigError(f"the tracker {name!r} is not installed: pip install {name}.")


class Trackers:
    """Those of one run. One that fails while it runs is said once and left; the training goes on.

    Args:
        asked: names, or `{"name": ..., option: value}` with options of what the tracker starts with; `project` is
            one of all of them.
        folder: of the run; None: those that write there are left out.
        start: steps that are done; TensorBoard drops later events of a run that was interrupted.
        config: what the run is, for those that keep it.
        own: trackers that the program made.
        warn: what to do with a sentence.

    Raises:
        TrainingError: one of them cannot start.
        WriteError: TensorBoard cannot write into the folder.
    """

    def __init__(
        self,
        asked: Sequence[Tracked],
        folder: Path | None,
        start: int = 0,
        config: Mapping[str, Any] | None = None,
        own: Sequence[GeneralTracker] = (),
        warn: Callable[[str], None] = print,
    ) -> None:
        self.folder, self.warn = folder, warn
        self.running: list[GeneralTracker] = []
        for tracker in [*_made(asked, folder, start), *own]:
            self._call(tracker, "start", fatal=True)
            self.running.append(tracker)
            if config is not None and tracker.name != OWN:  # which would make a run of its own of it; run.json has it
                self._call(tracker, "store_init_configuration", _plain(config))

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name, at a step."""
        for tracker in list(self.running):
            self._call(tracker, "log", dict(values), step=step)

    def image(self, path: Path, step: int) -> None:
        """A grid of samples, for those that take images; TensorBoard lies beside the file."""
        from PIL import Image

        for tracker in list(self.running):
            if tracker.name != OWN and hasattr(tracker, "log_images"):
                with Image.open(path) as image:
                    self._call(tracker, "log_images", {"samples": [image.convert("RGB")]}, step=step)

    def close(self) -> None:
        """End them all."""
        for tracker in list(self.running):
            self._call(tracker, "finish")
        self.running = []

    def _call(self, tracker: GeneralTracker, what: str, *values: Any, fatal: bool = False, **more: Any) -> None:
        if tracker.name == OWN and self.folder is not None:
            with naming(self.folder / OWN):  # what its thread could not write, it says at the next call
                getattr(tracker, what)(*values, **more)
            return
        try:
            getattr(tracker, what)(*values, **more)
        except Exception as error:  # whatever a service does, it is not to cost the training
            said = f"the tracker {tracker.name!r} failed ({in_a_sentence(error).rstrip('.')})"
            if fatal:
                raise TrainingError(f"{said}, before anything was trained; leave it out, or set it up.") from error
            self.warn(f"{said}; the training goes on without it.")
            self.running = [one for one in self.running if one is not tracker]


def trackers_of(trainer: Trainer, label: str) -> Trackers | None:
    """What follows a run; a try of a seed, which has a label, is followed in its folder alone."""
    if not trainer.main:
        return None
    asked: list[Tracked] = [] if label else [*trainer.options.log_with]
    asked = [*asked, OWN] if trainer.options.tensorboard else asked
    own = () if label else trainer.trackers
    if not asked and not own:
        return None
    return Trackers(asked, trainer.out, trainer.step, trainer.run_facts(), own, trainer.warn)


def _split(one: Tracked) -> tuple[str, dict[str, Any]]:
    """Name and options.

    Raises:
        ConfigError: there is no name.
    """
    options: dict[str, Any] = {"name": one} if isinstance(one, str) else dict(one)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"a tracker is a name or {{'name': ..., option: value}}; found {one!r}.")
    return name, options


def _of_accelerate(name: str) -> bool:
    """Is it one that accelerate has, and none that somebody registered there?"""
    from accelerate.utils import LoggerType  # type: ignore[import-untyped]

    return name in set(map(str, LoggerType.list()))


def _made(asked: Sequence[Tracked], folder: Path | None, start: int) -> list[GeneralTracker]:
    """The trackers that are asked for, each once, which have not started yet."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    made = {}
    for name, options in map(_split, asked):
        kind = LOGGER_TYPE_TO_CLASS[name]
        if kind.requires_logging_directory and folder is None:
            continue
        project = OWN if name == OWN else options.pop("project", PROJECT)
        defaults: dict[str, Any] = {"logging_dir": str(folder)} if kind.requires_logging_directory else {}
        if name == OWN:
            defaults["purge_step"] = start + 1
        if folder is not None and name in CALLED:
            defaults[CALLED[name]] = folder.name
        try:
            made[name] = kind(project, **{**defaults, **options})
        except TypeError as error:
            raise ConfigError(f"the tracker {name!r} has no such option ({in_a_sentence(error)}).") from error
    return list(made.values())


def _plain(config: Mapping[str, Any], before: str = "") -> dict[str, bool | int | float | str]:
    """Options by dotted keys, with values that every tracker takes."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _plain(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value if isinstance(value, (bool, int, float, str)) else json.dumps(value)
    return found
