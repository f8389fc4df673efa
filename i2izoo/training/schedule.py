"""Length of a run and its learning rate: counted in steps, or a budget of wall time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from i2izoo.training.config import TrainingOptions
from i2izoo.training.step import of_first_process


def linear_decay(unit: int, constant: int, decay: int) -> float:
    """Factor on the learning rate in unit `unit` (an epoch or a step), from 0.

    1 for `constant` units, then a straight line that would reach 0 one unit after the last, so that no unit is
    trained at rate 0.

    >>> [linear_decay(e, 2, 3) for e in range(5)]
    [1.0, 1.0, 0.75, 0.5, 0.25]
    """
    return 1.0 - max(0, unit + 1 - constant) / (decay + 1)


class Schedule:
    """How many steps a run has, and where in it each step is.

    Args:
        constant: units at the full learning rate.
        decay: units over which it then falls.
        unit: steps in a unit of `constant` and `decay`: an epoch's, or 1.
        warmup: steps of linear rise before anything else.
        ahead: the fall begins and ends one unit earlier; see `TrainingOptions.decay_ahead`.

    Attributes:
        total: steps of the run; None: not known before it has ended.

    >>> schedule = Schedule(4, 0, warmup=2)
    >>> schedule.total, [schedule.factor(step) for step in range(4)], schedule.progress(1)
    (4, [0.5, 1.0, 1.0, 1.0], 0.25)
    """

    total: int | None

    def __init__(self, constant: int, decay: int, unit: int = 1, warmup: int = 0, ahead: bool = False) -> None:
        self.total = (constant + decay) * unit
        self.constant, self.decay, self.unit, self.warmup = constant, decay, unit, warmup
        self.ahead = int(ahead and decay > 0)

    @staticmethod
    def of(options: TrainingOptions, steps_per_epoch: int) -> Schedule:
        """The schedule that the options of a training ask for."""
        if options.minutes is not None:
            return TimedSchedule(options.minutes * 60, options.decay_share or 0.0, options.warmup_steps)
        if options.steps is not None:
            return Schedule(options.steps, options.decay_steps, 1, options.warmup_steps)
        lengths = options.epochs, options.decay_epochs, steps_per_epoch, options.warmup_steps
        return Schedule(*lengths, ahead=options.decay_ahead)

    def done(self, step: int) -> bool:
        """Is all done after `step` steps? Asked once before the first and after each of them."""
        return step == self.total

    def progress(self, step: int) -> float:
        """Share of the run that is done before step `step`, from 0, in [0, 1)."""
        return step / self.total if self.total else 0.0

    def factor(self, step: int) -> float:
        """Factor on the learning rate of step `step`, from 0, in [0, 1]."""
        return self._rise(step) * linear_decay(step // self.unit + self.ahead, self.constant, self.decay)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint must know to go on with it, beside the step."""
        return {}

    def go_on(self, facts: Mapping[str, Any], length: int | None) -> None:
        """Go on from a checkpoint.

        Args:
            facts: what the checkpoint knows.
            length: steps of the same run as a later checkpoint of it knows them; None: it has not ended.
        """

    def _rise(self, step: int) -> float:
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0


class TimedSchedule(Schedule):
    """A run that ends with the first step after which a budget of wall time is used up.

    The share of the budget that is used when a step begins is its progress, and the learning rate follows it. The
    clock runs from the beginning of the training, through samples, evaluations and checkpoints; a resumed run adds to
    what its checkpoint had used. Of several processes the first one's clock counts. When the run has ended, its length
    in steps is known, and from then on step k is at k / length whatever the clock says, so that going on from any of
    its checkpoints gives the same steps again.

    Args:
        seconds: the budget.
        decay_share: the part of it, at its end, over which the learning rate falls to zero.
        warmup: steps of linear rise before anything else.
        now: a clock, in seconds.

    >>> clock = iter([0, 20, 40, 60])
    >>> schedule = TimedSchedule(60, decay_share=0.5, now=lambda: next(clock))
    >>> [(schedule.done(step), round(schedule.progress(step), 2), round(schedule.factor(step), 2)) for step in range(3)]
    [(False, 0.0, 1.0), (False, 0.33, 1.0), (False, 0.67, 0.67)]
    >>> schedule.done(3), schedule.total
    (True, 3)
    """

    def __init__(
        self, seconds: float, decay_share: float, warmup: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = None
        self.seconds, self.decay_share, self.warmup, self.now = seconds, decay_share, warmup, now
        self.used = 0.0
        self._began: float | None = None

    def done(self, step: int) -> bool:
        if self.total is None:
            self._measure()
            self.total = step if self.used >= self.seconds else None
        return step == self.total

    def progress(self, step: int) -> float:
        return self.used / self.seconds if self.total is None else step / self.total

    def factor(self, step: int) -> float:
        left = 1.0 - self.progress(step)
        return self._rise(step) * (min(1.0, left / self.decay_share) if self.decay_share else 1.0)

    def facts(self) -> dict[str, Any]:
        return {"seconds": round(self.used, 3), **({} if self.total is None else {"length": self.total})}

    def go_on(self, facts: Mapping[str, Any], length: int | None) -> None:
        self.used, self.total = facts.get("seconds", 0.0), length

    def _measure(self) -> None:
        now = of_first_process(self.now())
        self.used += now - (now if self._began is None else self._began)
        self._began = now
