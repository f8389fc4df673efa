"""Distillation of classifier-free guidance into one network (Meng et al., CVPR 2023, arXiv 2210.03142, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import torch

from i2izoo.contracts.ranges import Items, Number, Range, Rate
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.distillation.base import DiffusionDistillation, first_steps
from i2izoo_diffusion.distillation.progressive import ProgressiveDistillation
from i2izoo_diffusion.schedulers import training_levels


class GuidanceDistillation(DiffusionDistillation):
    """The student is told the weight w, and predicts what its teacher does under guidance: half the calls a step.

    |e_student(z_t, x, w) - (e(z_t, 0) + w (e(z_t, x) - e(z_t, 0)))|^2 for w drawn evenly from a range, in whatever the
    teacher predicts (of v that is the paper's loss weighted by SNR + 1).

    Args:
        teacher: a conditional ddim or ddpm, trained with condition_dropout; `i2izoo.distill` gives it its weights.
        student_steps: of the student's sampling: this stage changes nothing in them.
        guidance: least and greatest w, 1 being no guidance; the paper's [0, 4] is [1, 5] as diffusers counts.
        learning_rate: of AdamW.
    """

    recipe = ProgressiveDistillation.recipe
    tiny_options: ClassVar[dict[str, Any]] = {
        "teacher": {"name": "ddim", **DDIM.tiny_options},
        "student_steps": 2,
    }

    def __init__(
        self,
        *,
        teacher: Part[Method] = "ddim",
        student_steps: Number = 50,
        guidance: Annotated[list[Annotated[float, Range(1, 1000)]], Items(2)] = [1.0, 5.0],
        learning_rate: Rate = 1e-4,
    ) -> None:
        super().__init__()
        self.build(teacher, student_steps, guidance, learning_rate)
        self._check(self.teacher)

    @staticmethod
    def _check(teacher: DDIM) -> None:
        if teacher.guided:
            raise ConfigError("the teacher obeys a weight of guidance already; go on with progressive_distillation.")

    @classmethod
    def stages(cls, teacher: Method, student_steps: int, start: int | None = None) -> list[tuple[str, int]]:
        if not isinstance(teacher, DDIM):
            raise ConfigError("a diffusion model teaches, ddim or ddpm, and this is none.")
        cls._check(teacher)
        if start == student_steps or (start is None and student_steps >= teacher.sampling_steps):
            return [("guidance_distillation", student_steps)]
        first = first_steps(teacher, student_steps, start)
        return [("guidance_distillation", first), *ProgressiveDistillation.stages(teacher, student_steps, first)]

    def training_step(self, batch: Batch) -> Iterator[Update]:
        drawn = self.draw(batch)
        scheduler = self.teacher.scheduler
        timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(drawn.clean),), device=drawn.clean.device)
        alpha, sigma = (level.to(drawn.clean.dtype) for level in training_levels(scheduler, timesteps))
        noisy, time = alpha * drawn.clean + sigma * drawn.noise, timesteps.to(drawn.clean.dtype)
        error = self.learned(noisy, time, drawn) - self.taught(noisy, time, drawn)
        yield Update("student", {"distillation": error.square().mean()})
