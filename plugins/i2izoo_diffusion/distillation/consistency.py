"""Consistency distillation (Song et al., ICML 2023), in the way of latent consistency models (arXiv 2310.04378)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Items, Number, Range, Rate
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.distillation.base import DiffusionDistillation, Drawn, Level, Steps
from i2izoo_diffusion.distillation.progressive import ProgressiveDistillation
from i2izoo_diffusion.prediction import clean_of


class ConsistencyDistillation(DiffusionDistillation):
    """All points of one way from noise to image have one answer: that image.

    f(z_t, t) = c_skip(t) z_t + c_out(t) x^(z_t, t), which is z where t is 0, agrees with the answer one step of the
    teacher's DDIM nearer to the image: |f(z_t, t) - f(z_s, s)| in the pseudo-Huber measure of the LCM code, the
    second without a gradient (it needs no average of the weights: Song and Dhariwal, arXiv 2310.14189, section 3.2).
    The student samples by diffusers' `LCMScheduler`, in pixels: predict, add noise of the next level, predict again.

    Args:
        teacher: a ddim or ddpm; `i2izoo.distill` gives it its weights.
        student_steps: of the student's sampling.
        solver_steps: of the teacher's DDIM; divides the steps of training. LCM takes 50.
        huber: where the loss turns from squares to absolute values.
        guidance: least and greatest weight of guidance that the student learns to obey in one call; None: those that
            the teacher obeys, if it does.
        learning_rate: of AdamW.
    """

    recipe: ClassVar[dict[str, Any]] = {**ProgressiveDistillation.recipe, "ema": 0.999}
    tiny_options: ClassVar[dict[str, Any]] = {
        "teacher": {"name": "ddim", **DDIM.tiny_options},
        "student_steps": 2,
    }

    def __init__(
        self,
        *,
        teacher: Part[Method] = "ddim",
        student_steps: Number = 4,
        solver_steps: Number = 50,
        huber: Annotated[float, Range(0, 1e6, without="low")] = 1e-3,
        guidance: Annotated[list[Annotated[float, Range(1, 1000)]], Items(2)] | None = None,
        learning_rate: Rate = 1e-4,
    ) -> None:
        super().__init__()
        self.build(teacher, student_steps, guidance, learning_rate, "lcm", original_inference_steps=solver_steps)
        trained = self.teacher.scheduler.config.num_train_timesteps
        if trained % solver_steps or student_steps > solver_steps:
            raise ConfigError(
                f"solver_steps divides the {trained} steps of training and is at least student_steps "
                f"({student_steps}); found {solver_steps}."
            )
        self.huber = huber  # at 0 the loss would have no gradient where two answers are the same
        self.steps = Steps(self.teacher.scheduler, solver_steps)

    @classmethod
    def stages(cls, teacher: Method, student_steps: int, start: int | None = None) -> list[tuple[str, int]]:
        if start is not None:
            raise ConfigError("consistency distillation goes to the student's steps at once; leave start out.")
        return [("consistency_distillation", student_steps)]

    def training_step(self, batch: Batch) -> Iterator[Update]:
        drawn = self.draw(batch)
        index = torch.randint(len(self.steps.times) - 1, (len(drawn.clean),), device=drawn.clean.device)
        here, there = self.steps.level(index, drawn.clean), self.steps.level(index + 1, drawn.clean)
        noisy = here.noisy(drawn.clean, drawn.noise)
        nearer = self.taught_step(noisy, self.steps.time(index, noisy), here, there, drawn)
        with torch.no_grad():
            target = self.answer(nearer, index + 1, there, drawn)
        error = self.answer(noisy, index, here, drawn) - target
        yield Update("student", {"consistency": ((error.square() + self.huber**2).sqrt() - self.huber).mean()})

    def answer(self, noisy: Tensor, index: Tensor, level: Level, drawn: Drawn) -> Tensor:
        """f: the student's image, N x C x H x W; at the clean image (index `solver_steps`) that itself."""
        time = self.steps.time(index, noisy)
        clean = clean_of(self.student.kind, self.learned(noisy, time, drawn), noisy, *level)
        skip, out = self.student.scheduler.get_scalings_for_boundary_condition_discrete(time.view(-1, 1, 1, 1))
        return skip * noisy + out * clean
