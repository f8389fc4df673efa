"""Progressive distillation (Salimans and Ho, ICLR 2022, arXiv 2202.00512, algorithm 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Items, Number, Range, Rate
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.distillation.base import DiffusionDistillation, Drawn, Steps, first_steps
from i2izoo_diffusion.prediction import clean_of


class ProgressiveDistillation(DiffusionDistillation):
    """One step of the student for two of its teacher: it predicts the clean image that takes it there.

    With z'' where two teacher steps from z_t land, x~ = (z'' - r z_t) / (alpha'' - r alpha_t), r = sigma'' / sigma_t
    (algorithm 2), and the loss is w |x~ - x^(z_t)|^2. Epsilon says nothing of the image where there is only noise,
    which the first of few steps starts from, so the teacher predicts v or the sample (section 4).

    Args:
        teacher: a ddim or ddpm that predicts "v_prediction" or "sample"; `i2izoo.distill` gives it its weights.
        student_steps: of the student; its teacher does twice as many.
        weight: "truncated_snr", max(alpha^2 / sigma^2, 1), or "snr_plus_one", which is the error of v (section 4).
        guidance: least and greatest weight of guidance that the student learns to obey in one call; None: those that
            the teacher obeys, if it does.
        learning_rate: of AdamW.
    """

    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 0, "decay_epochs": 100, "batch_size": 16, "load_size": 72, "crop_size": 64, "max_grad_norm": 1.0,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "teacher": {"name": "ddim", "prediction": "v_prediction", **DDIM.tiny_options},
        "student_steps": 2,
    }

    def __init__(
        self,
        *,
        teacher: Part[Method] = {"name": "ddim", "prediction": "v_prediction"},
        student_steps: Number = 4,
        weight: Literal["truncated_snr", "snr_plus_one"] = "truncated_snr",
        guidance: Annotated[list[Annotated[float, Range(1, 1000)]], Items(2)] | None = None,
        learning_rate: Rate = 1e-4,
    ) -> None:
        super().__init__()
        self.build(teacher, student_steps, guidance, learning_rate)
        self._check(self.teacher)
        if 2 * student_steps > (most := self.teacher.scheduler.config.num_train_timesteps):
            raise ConfigError(f"the teacher does twice student_steps, at most {most}; found {student_steps}.")
        self.weight = weight
        self.student_steps = student_steps
        self.steps = Steps(self.teacher.scheduler, 2 * student_steps)

    @staticmethod
    def _check(teacher: DDIM) -> None:
        if teacher.kind == "epsilon":
            raise ConfigError(
                "progressive distillation needs a teacher that predicts v or the sample, for epsilon says nothing of "
                "the image where there is only noise; train it with prediction='v_prediction', or take "
                "consistency_distillation."
            )

    @classmethod
    def stages(cls, teacher: Method, student_steps: int, start: int | None = None) -> list[tuple[str, int]]:
        if not isinstance(teacher, DDIM):
            raise ConfigError("a diffusion model teaches, ddim or ddpm, and this is none.")
        cls._check(teacher)
        steps, found = first_steps(teacher, student_steps, start), []
        while steps > student_steps:
            steps //= 2
            found.append(("progressive_distillation", steps))
        if not found:
            raise ConfigError(f"from {steps} to {student_steps} steps there is nothing to halve; ask for fewer.")
        return found

    def training_step(self, batch: Batch) -> Iterator[Update]:
        drawn = self.draw(batch)
        index = 2 * torch.randint(self.student_steps, (len(drawn.clean),), device=drawn.clean.device)
        here = self.steps.level(index, drawn.clean)
        noisy = here.noisy(drawn.clean, drawn.noise)
        target = self.target(noisy, index, drawn)
        prediction = self.learned(noisy, self.steps.time(index, noisy), drawn)
        errors = (clean_of(self.student.kind, prediction, noisy, *here) - target).square().mean(dim=(1, 2, 3))
        ratio = (here.alpha / here.sigma).square().flatten()
        weights = ratio.clamp_min(1) if self.weight == "truncated_snr" else ratio + 1
        yield Update("student", {"distillation": (weights * errors).mean()})

    def target(self, noisy: Tensor, index: Tensor, drawn: Drawn) -> Tensor:
        """x~, N x C x H x W.

        Args:
            noisy: z_t.
            index: N, the teacher's step at which each row is, even.
            drawn: source and weight of each row.
        """
        here, middle, there = (self.steps.level(index + ahead, noisy) for ahead in range(3))
        z = self.taught_step(noisy, self.steps.time(index, noisy), here, middle, drawn)
        z = self.taught_step(z, self.steps.time(index + 1, noisy), middle, there, drawn)
        ratio = there.sigma / here.sigma
        return (z - ratio * noisy) / (there.alpha - ratio * here.alpha)
