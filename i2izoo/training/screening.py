"""Screening: several seeds begin, each is judged after a few steps, and the run goes on with the best of them.

What an unpaired method learns may be decided by chance in its first steps: which class of one domain becomes light in
the other, say, where nothing but the look of the whole can tell (pytorch-CycleGAN-and-pix2pix, issue 91). A figure that
wants no pairs can. One seed at a time trains, in a folder of its own below `screening/` in that of the run; of all that
are done the best one stays. The run that goes on is the one of its seed alone, bit for bit.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ConfigError, NonFiniteLossError, StorageError, TrainingError, listing
from i2izoo.evaluation.measuring import build
from i2izoo.files.refusal import naming
from i2izoo.files.writing import replace_folder
from i2izoo.training.checkpoint import checkpoints, read_facts, take_over
from i2izoo.training.held_out import open_held_out
from i2izoo.training.resume import SCREENING, changed_options, write_run
from i2izoo.training.step import of_first_process
from i2izoo.training.validation import judge

if TYPE_CHECKING:
    from i2izoo.training.trainer import Trainer

IMAGES = 200
"""Held-out images that are translated at most, unless `val_limit` says how many."""


def check(trainer: Trainer) -> None:
    """Refuse what cannot be screened, and the folder of a run that is being screened with other options.

    Raises:
        ConfigError: an option is not allowed.
        UnknownNameError: there is no such metric or target domain.
        TrainingError: other options began in the folder.
    """
    o, total, out = trainer.options, trainer.schedule.total, trainer.out
    if out is not None and under_way(out) and (different := changed_options(_read(out), trainer.run_facts())):
        raise TrainingError(
            f"{out} holds a run whose seeds are being screened with other options: {listing(different, 5)}. Give the "
            f"same, name another folder, or remove {str(out / SCREENING)!r} to begin anew."
        )
    if o.screen_seeds < 2:
        return
    build([o.screen_metric], o.seed)
    if o.screen_to is not None:
        trainer.model.target(o.screen_to)
    if total is not None and o.screen_steps > total:
        raise ConfigError(f"screen_steps ({o.screen_steps}) is more than the {total} steps of the run; give fewer.")
    if trainer.world > 1 and out is None:
        raise ConfigError("several processes screen seeds in the folder of the run: give out=.")


def under_way(out: Path) -> bool:
    """Are the seeds of a run being screened, with none chosen for good?"""
    return (out / SCREENING).is_dir() and not checkpoints(out / "checkpoints")


def found_before(place: Path) -> dict[str, Any]:
    """What the run of a checkpoint found of its seeds.

    Raises:
        ConfigError: it has screened none.
    """
    if not (found := read_facts(place)["run"].get("screening")):
        raise ConfigError(f"{place} has its seed, and no other can be tried any more; leave screen_seeds out.")
    return dict(found)


def in_words(found: Mapping[str, Any]) -> str:
    """For the card.

    >>> seeds = [{"seed": 0, "value": 0.31}, {"seed": 1, "value": 0.17}, {"seed": 2, "value": None}]
    >>> in_words({"steps": 80, "metric": "kid[pixels]", "images": "9 held-out", "seeds": seeds, "chosen": 1})
    '80 steps each, by kid[pixels] on 9 held-out images: seed 0: 0.31, seed 1: 0.17 (chosen), seed 2: none'
    """
    values = [
        f"seed {s['seed']}: {_number(s['value'])}{' (chosen)' if s['seed'] == found['chosen'] else ''}"
        for s in found["seeds"]
    ]
    return f"{found['steps']} steps each, by {found['metric']} on {found['images']} images: {', '.join(values)}"


def sweep_up(out: Path) -> None:
    """Remove what the screening of a run has left, once the run has a checkpoint."""
    if (out / SCREENING).is_dir() and not under_way(out):
        with naming(out / SCREENING):
            shutil.rmtree(out / SCREENING)


def screen(trainer: Trainer) -> None:
    """Train and judge each seed that has not been, and leave the trainer where the best one is.

    Raises:
        TrainingError: the metric cannot be computed, or no seed has a figure.
    """
    with contextlib.ExitStack() as stack:
        out = trainer.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        screening = _Screening(trainer, out)
        best = screening.run()
        screening.go_on(best)


class _Screening:
    """The seeds of one run.

    Args:
        trainer: before its first step.
        out: folder of the run, or of this screening alone.
    """

    def __init__(self, trainer: Trainer, out: Path) -> None:
        o = trainer.options
        self.trainer, self.out, self.keeps = trainer, out, trainer.out is not None
        self.seeds = range(o.seed, o.seed + o.screen_seeds)
        [metric] = build([o.screen_metric], o.seed).values()
        self.sign = 1 if metric.higher_is_better else -1
        images, what = self._images()
        limit = o.val_limit or IMAGES
        to = None if o.screen_to is None else [o.screen_to]
        self.judge = judge(trainer, images, [o.screen_metric], seed=o.seed, limit=limit, to=to)
        trainer.processes.wait_for_everyone()
        self.found: dict[str, Any] = {
            "metric": o.screen_metric, "higher_is_better": metric.higher_is_better, "to": o.screen_to,
            "images": f"{min(len(images), limit)} {what}", "steps": o.screen_steps, "seeds": [], "chosen": None,
        }  # fmt: skip
        if under_way(out):
            self.found = _read(out)["screening"]
        trainer.processes.wait_for_everyone()  # before the first one writes

    def run(self) -> int:
        """Try all seeds; the best of them, of equals the lowest."""
        self._write()
        start, done = self._start(), self.found["seeds"]
        first, last = self.seeds[0], self.seeds[-1]
        self._say(
            f"screening seeds {first} to {last}, {self.found['steps']} steps each, by {self.found['metric']} "
            f"({'higher' if self.sign > 0 else 'lower'} is better) on {self.found['images']} images"
        )
        for result in done:
            self._say(_line(result))
        for seed in self.seeds[len(done) :]:
            done.append(self._try(seed, start))
            self._write()
            self._say(_line(done[-1]))
            self._tidy()
        if (best := self._best()) is None:
            reasons = "; ".join(f"seed {result['seed']}: {result['reason']}" for result in done)
            raise TrainingError(
                f"none of the seeds {first} to {last} can go on ({reasons}); lower the learning rate, or screen by "
                "another metric."
            )
        return best

    def go_on(self, seed: int) -> None:
        """Leave the trainer in the folder of the run, where it has this seed and the steps that it has made."""
        self.found["chosen"] = seed
        self._say(f"going on with seed {seed}")
        tried, trainer = self._folder(seed), self.trainer
        trainer.processes.wait_for_everyone()
        place = checkpoints(tried / "checkpoints")[-1]
        if self.keeps and trainer.main:
            with naming(self.out):
                for path in tried.glob("[!.]*"):
                    if path.is_file():
                        path.replace(self.out / path.name)
                    elif path.name != "checkpoints":
                        replace_folder(path, self.out / path.name)
        trainer.processes.wait_for_everyone()
        self._restart(seed, self.out if self.keeps else None, place)
        trainer.screened = self.found
        if self.keeps and trainer.main:
            trainer.save()
        trainer.processes.wait_for_everyone()

    # ------------------------------------------------------------------------------------------------------ inner

    def _try(self, seed: int, start: Path | None) -> dict[str, Any]:
        """Train a seed and judge it."""
        trainer, folder = self.trainer, self._folder(seed)
        trainer.processes.wait_for_everyone()
        mine = checkpoints(folder / "checkpoints")
        self._restart(seed, folder, mine[-1] if mine else start)
        try:
            trainer.run(until=self.found["steps"], label=f"seed {seed}")
        except NonFiniteLossError as error:
            return {"seed": seed, "value": None, "reason": str(error).partition(";")[0]}
        figures: dict[str, float] = {}
        problems: list[str] = []
        if self.judge is not None:  # the weights: an average of them may still be near their beginning
            figures = self.judge.run(trainer.step, {}, say=lambda _: None, warn=problems.append)
        finite = bool(figures) and all(map(math.isfinite, figures.values())) and not problems
        value = of_first_process(math.fsum(figures.values()) / len(figures) if finite else math.nan)
        if math.isnan(value):
            reason = "; ".join(problem.rstrip(".") for problem in problems) or f"{self.found['metric']} is not finite"
            return {"seed": seed, "value": None, "reason": reason}
        return {"seed": seed, "value": value, "figures": figures}

    def _restart(self, seed: int, out: Path | None, place: Path | None) -> None:
        """Make the trainer what one of this seed is at a checkpoint, or before its first step."""
        trainer = self.trainer
        trainer.loader.close()
        trainer.options, trainer.out = replace(trainer.options, seed=seed), out
        if place is None and trainer.redraw is not None:
            take_over(trainer.method, trainer.redraw(seed).method)
        trainer.begin(place)

    def _start(self) -> Path | None:
        """A checkpoint of the weights that all seeds begin with; None where each draws its own."""
        if self.trainer.redraw is not None:
            return None
        folder = self.out / SCREENING / "start"
        if not checkpoints(folder / "checkpoints") and self.trainer.main:
            self.trainer.out = folder
            self.trainer.save()
        self.trainer.processes.wait_for_everyone()
        return checkpoints(folder / "checkpoints")[-1]

    def _images(self) -> tuple[Dataset, str]:
        """What the seeds are judged on, and what it is: training images, where none are held out."""
        o, (val, data), method = self.trainer.options, self.trainer.given, self.trainer.method
        try:
            return open_held_out(val, data, method, split=o.split, sides=o.sides, rename=o.rename), "held-out"
        except ConfigError:
            if val is not None:
                raise
            return self.trainer.data, "training"

    def _best(self) -> int | None:
        judged = [result for result in self.found["seeds"] if result["value"] is not None]
        return max(judged, key=lambda result: self.sign * result["value"], default={"seed": None})["seed"]

    def _tidy(self) -> None:
        """Remove what is left of the seeds that are done, but the best."""
        best = self._best()
        for result in self.found["seeds"]:
            if self.trainer.main and result["seed"] != best:
                with naming(self.out):
                    shutil.rmtree(self._folder(result["seed"]), ignore_errors=True)

    def _folder(self, seed: int) -> Path:
        return self.out / SCREENING / f"seed-{seed}"

    def _write(self) -> None:
        if self.keeps and self.trainer.main:
            write_run(self.out, self.trainer.run_facts() | {"screening": self.found})

    def _say(self, line: str) -> None:
        if self.trainer.progress and self.trainer.main:
            print(line, file=sys.stderr)


def _line(result: Mapping[str, Any]) -> str:
    """A seed of the table on the console."""
    figures = result.get("figures", {})
    each = "".join(f"  {name} {_number(value)}" for name, value in figures.items()) if len(figures) > 1 else ""
    return f"{result['seed']:>6}  {_number(result['value']):>10}{each}" + (
        f"  {result['reason']}" if result["value"] is None else ""
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _read(out: Path) -> dict[str, Any]:
    """run.json of a run that is being screened."""
    path = out / "run.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        run = parse_json(path.read_text(encoding="utf-8"))
        if set(run["screening"]) >= {"seeds", "metric", "steps"}:
            return dict(run)
    raise StorageError(f"{path} is missing or damaged; remove {str(out / SCREENING)!r} to screen the seeds anew.")
