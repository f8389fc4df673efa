"""Trackers through accelerate: TensorBoard for real, one of a program, one that fails, and those that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import training_run
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from accelerate.utils import LoggerType
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, TrainingError
from i2izoo.training.trackers import Trackers


class Kept(GeneralTracker):  # type: ignore[misc]
    """Keeps all that it is told; `fails` names the call that raises."""

    name = "kept"
    requires_logging_directory = False

    def __init__(self, run_name: str = "", fails: str = "", **options: Any) -> None:
        super().__init__()
        self.run_name, self.fails, self.options = run_name, fails, options
        self.calls: list[tuple[str, Any, Any]] = []

    @property
    def tracker(self) -> Any:
        return self

    def _note(self, call: str, value: Any = None, step: int | None = None) -> None:
        self.calls.append((call, value, step))
        if self.fails == call:
            raise ConnectionError("no route to host")

    def start(self) -> None:
        self._note("start")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._note("config", values)

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self._note("log", values, step)

    def log_images(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self._note("images", values, step)

    def finish(self) -> None:
        self._note("finish")


def fit(out: Path | None, trackers: Any = (), **options: Any) -> i2izoo.Trainer:
    options = {"steps": 2, "log_every": 1, "device": "cpu", "tensorboard": False, "sample_every": 2, **options}
    trainer = i2izoo.Trainer(
        training_run.model("pix2pix"), training_run.DATA, out=out, progress=False, trackers=trackers,
        **training_run.SIZES, **options,
    )  # fmt: skip
    trainer.fit()
    return trainer


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(e.step, e.value) for e in EventAccumulator(str(folder)).Reload().Scalars(name)]


def losses(out: Path) -> list[tuple[int, float]]:
    import csv

    with (out / "log.csv").open(newline="") as file:
        return [(int(row["step"]), float(row["gan"])) for row in csv.DictReader(file)]


def test_tensorboard_has_what_log_csv_has_also_when_resumed(tmp_path: Path) -> None:
    fit(tmp_path, log_with=["tensorboard"], steps=3, checkpoint_every=2, keep_last=2)
    options: Any = {"steps": 4, "log_every": 1, "device": "cpu", "sample_every": 0, "checkpoint_every": 2}
    trainer = i2izoo.Trainer(
        training_run.model("pix2pix"), training_run.DATA, out=tmp_path, progress=False, resume="auto",
        **training_run.SIZES, **options,
    )  # fmt: skip
    trainer.fit()
    found = scalars(tmp_path / "tensorboard", "loss/gan")
    assert [step for step, _ in found] == [1, 2, 3, 4]
    torch.testing.assert_close([value for _, value in found], [value for _, value in losses(tmp_path)])
    assert {path.name.split(".")[0] for path in (tmp_path / "tensorboard").iterdir()} == {"events"}  # no other runs


def test_a_tracker_of_the_program_is_told_everything(tmp_path: Path) -> None:
    tracker = Kept()
    fit(tmp_path, [tracker])
    calls = [call for call, *_ in tracker.calls]
    assert calls[:2] == ["start", "config"]
    assert calls[-1] == "finish"
    config = next(value for call, value, _ in tracker.calls if call == "config")
    assert (config["method"], config["options.generator.name"], config["training.steps"]) == ("pix2pix", "unet_256", 2)
    assert all(isinstance(value, (bool, int, float, str)) for value in config.values())
    logged = [(step, values["loss/gan"]) for call, values, step in tracker.calls if call == "log"]
    assert logged == losses(tmp_path)
    (image,) = (values["samples"][0] for call, values, step in tracker.calls if call == "images" and step == 2)
    assert image.mode == "RGB"
    assert min(image.size) >= 32  # a grid of samples of 16 pixels


def test_without_a_folder_too() -> None:
    tracker = Kept()
    fit(None, [tracker], sample_every=0)
    assert [step for call, _, step in tracker.calls if call == "log"] == [1, 2]


def test_one_by_name_and_with_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Kept] = []

    class Named(Kept):
        def __init__(self, run_name: str, **options: Any) -> None:
            super().__init__(run_name, **options)
            made.append(self)

    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "kept", Named)  # which accelerate.tracking.register_tracker_class does
    fit(tmp_path / "a", log_with=["kept"])
    fit(tmp_path / "b", log_with=[{"name": "kept", "project": "houses", "entity": "me"}, "kept"])
    assert [(one.run_name, one.options) for one in made[:1]] == [("i2izoo", {})]
    assert {"entity": "me"} in [one.options for one in made[1:]]


def test_one_that_fails_does_not_end_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Kept(), Kept(fails="log")
    trainer = fit(tmp_path, [bad, good])
    assert trainer.step == 2
    said = capsys.readouterr().err
    assert said.count("'kept' failed (ConnectionError: no route to host); the training goes on without it.") == 1
    assert [call for call, *_ in bad.calls].count("log") == 1
    assert [step for call, _, step in good.calls if call == "log"] == [1, 2]


def test_one_that_cannot_start_does(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"'kept' failed \(ConnectionError: no route to host\), before anything"):
        fit(tmp_path, [Kept(fails="start")])


def test_those_that_are_not_there_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import accelerate.tracking

    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [LoggerType.TENSORBOARD])
    flags = ["train", "pix2pix", "--data", "synthetic-facades", "--to", "photo", "--dry-run"]
    assert main([*flags, "--log-with", "tensorboard,wandb"]) == 2
    assert capsys.readouterr().err == "i2izoo: the tracker 'wandb' is not installed: pip install wandb.\n"
    assert main([*flags, "--log-with", "wandbb"]) == 2
    assert "there is no tracker 'wandbb'; did you mean 'wandb'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="a tracker is a name or"):
        fit(None, log_with=[{"project": "x"}])


def test_an_option_that_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'mlflow' has no such option"):
        Trackers([{"name": "mlflow", "colour": "red"}], tmp_path)
