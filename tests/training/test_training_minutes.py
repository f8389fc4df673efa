"""Runs whose length is a budget of time, by a clock of the tests' own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training_run import trainer

from i2izoo.errors import ConfigError
from i2izoo.training.checkpoint import read_facts
from i2izoo.training.config import lay_over
from i2izoo.training.trainer import Trainer


class Clock:
    """Seconds that pass only when a step is trained: 7 each, after a beginning that is not 0."""

    def __init__(self, run: Trainer, stop_after: int | None = None) -> None:
        self.time, self.seen, self.rates = 1000.0, list[tuple[int, float]](), list[float]()
        plain = run.method.training_step

        def training_step(batch: Any) -> Any:
            self.seen.append((batch.step, batch.progress))
            self.rates.append(run.stepper.optimizers["generator"].param_groups[0]["lr"] / 2e-4)
            if batch.step == stop_after:
                raise KeyboardInterrupt
            yield from plain(batch)
            self.time += 7

        run.method.training_step = training_step
        run.schedule.now = lambda: self.time


def timed(out: Path | None = None, stop_after: int | None = None, **options: Any) -> tuple[Trainer, Clock]:
    run = trainer("regression", out, **{"steps": None, "minutes": 1.0, **options})
    return run, Clock(run, stop_after)


def test_progress_and_rate_follow_the_share_of_the_budget(tmp_path: Path) -> None:
    """60 seconds at 7 a step: nine steps, the last of which begins at 56."""
    run, clock = timed(tmp_path, decay_share=0.5, log_every=1, checkpoint_every=100, sample_every=100)
    run.fit()
    shares = [7 * step / 60 for step in range(9)]
    assert clock.seen == [(step, pytest.approx(share)) for step, share in enumerate(shares)]
    assert clock.rates == pytest.approx([min(1, (1 - share) / 0.5) for share in shares])
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [float(row["seconds"]) for row in csv.DictReader(file)] == [7 * step for step in range(1, 10)]

    # what is due after the last step is done, and the length is known
    last = tmp_path / "checkpoints/step-00000009"
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == [last.name]
    assert [place.name for place in (tmp_path / "samples").iterdir()] == ["step-00000009.png"]
    assert read_facts(last)["schedule"] == {"seconds": 63.0, "length": 9}
    assert json.loads((tmp_path / "run.json").read_text())["schedule"] == {"seconds": 63.0, "length": 9}
    facts = json.loads((tmp_path / "model/config.json").read_text())["provenance"]
    assert (facts["steps"], facts["minutes"]) == (9, 1.1)
    assert "| Steps | 9 |" in (tmp_path / "model/README.md").read_text()


def test_the_last_step_is_evaluated(tmp_path: Path) -> None:
    run, _ = timed(tmp_path, metrics=["psnr"], evaluate_every=0, val_limit=2)
    run.fit()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["9"]


def test_a_run_that_was_killed_does_not_get_its_time_back(tmp_path: Path) -> None:
    """Its checkpoint of step 4 had used 28 of 60 seconds; those of steps 5 and 6 are lost with them."""
    run, _ = timed(tmp_path, stop_after=6, checkpoint_every=4)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert read_facts(tmp_path / "checkpoints/step-00000004")["schedule"] == {"seconds": 28.0}
    run, clock = timed(tmp_path, resume="auto", checkpoint_every=4)
    run.fit()
    assert clock.seen == [(step, pytest.approx(7 * step / 60)) for step in range(4, 9)]
    run, clock = timed(tmp_path, resume="auto")
    run.fit()  # is done, and stays it
    assert (clock.seen, run.step) == ([], 9)
    longer, clock = timed(tmp_path, resume="auto", minutes=2.0)
    longer.fit()
    assert clock.seen[0] == (9, pytest.approx(63 / 120))
    assert longer.step == 18  # 126 of 120 seconds


def test_once_the_length_is_known_a_step_has_its_place_whatever_the_clock_says(tmp_path: Path) -> None:
    run, _ = timed(tmp_path / "run", decay_share=0.5, checkpoint_every=5)
    run.fit()
    place = tmp_path / "run/checkpoints/step-00000005"
    ends = []
    for name, pace in (("a", 1.0), ("b", 500.0)):
        again, clock = timed(tmp_path / name, resume=place, decay_share=0.5)
        again.schedule.now = lambda clock=clock, pace=pace: pace * clock.time  # type: ignore[misc]
        ends.append(again.fit().method.state_dict())
        assert clock.seen == [(step, pytest.approx(step / 9)) for step in range(5, 9)]
        assert clock.rates == pytest.approx([min(1, (1 - step / 9) / 0.5) for step in range(5, 9)])
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


def test_minutes_take_the_place_of_steps_and_of_a_recipes_epochs() -> None:
    run, _ = timed()
    assert (run.options.minutes, run.options.decay_share) == (1.0, 0.5)  # pix2pix: 100 epochs and 100 of decay
    assert lay_over({"minutes": 12.0, "decay_share": 0.5}, {"steps": 3}) == {"steps": 3}
    for other in ("steps", "epochs", "decay_steps"):
        with pytest.raises(ConfigError, match=f"'minutes' and '{other}' both say how long to train; give one of them"):
            trainer("regression", **{"steps": None, "minutes": 1.0, other: 3})


def test_it_warms_up_in_steps() -> None:
    run, clock = timed(warmup_steps=4, decay_share=0.0)
    run.fit()
    assert clock.rates == pytest.approx([0.25, 0.5, 0.75, *[1.0] * 6])
