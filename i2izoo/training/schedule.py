"""Length of a run and its learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from i2izoo.training.config import TrainingOptions


def linear_decay(unit: int, constant: int, decay: int) -> float:
    """Factor on the learning rate in unit `unit` (an epoch or a step), from 0.

    1 for `constant` units, then a straight line that would reach 0 one unit after the last, so that no unit is
    trained at rate 0 (pix2pix and CycleGAN, section "training details": half the epochs constant, half falling).

    >>> [linear_decay(e, 2, 3) for e in range(5)]
    [1.0, 1.0, 0.75, 0.5, 0.25]
    """
    return 1.0 - max(0, unit + 1 - constant) / (decay + 1)


@dataclass(frozen=True)
class Schedule:
    """How many steps a run has, and the learning-rate factor of each."""

    total: int
    constant: int
    decay: int
    unit: int
    """Steps in a unit of `constant` and `decay`: an epoch's, or 1."""
    warmup: int = 0
    """Steps of linear rise before anything else."""

    @classmethod
    def of(cls, options: TrainingOptions, steps_per_epoch: int) -> Schedule:
        if options.steps is not None:
            constant, decay, unit = options.steps, options.decay_steps, 1
        else:
            constant, decay, unit = options.epochs, options.decay_epochs, steps_per_epoch
        return cls((constant + decay) * unit, constant, decay, unit, options.warmup_steps)

    def factor(self, step: int) -> float:
        """The factor of step `step`, from 0.

        >>> [Schedule(4, 4, 0, 1, warmup=2).factor(step) for step in range(4)]
        [0.5, 1.0, 1.0, 1.0]
        """
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return rise * linear_decay(step // self.unit, self.constant, self.decay)
