"""What the distillations have in common: a frozen teacher, its student, and levels of noise by steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.distillation import Distillation
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Method, PartSpec
from i2izoo.nn.random import noise_like
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.guidance.classifier_free import classifier_free
from i2izoo_diffusion.prediction import clean_of, noise_of
from i2izoo_diffusion.schedulers import plan, sampler, sampling_levels


class Level(NamedTuple):
    """alpha and sigma, each N x 1 x 1 x 1."""

    alpha: Tensor
    sigma: Tensor

    def noisy(self, clean: Tensor, noise: Tensor) -> Tensor:
        return self.alpha * clean + self.sigma * noise


class Steps:
    """The steps of a sampling by DDIM, for batches in which every row is at another one.

    Args:
        scheduler: of the model.
        count: number of steps, as for sampling.

    Attributes:
        times: the timestep of each step; the last entry stands for the clean image.
    """

    def __init__(self, scheduler: Any, count: int) -> None:
        planned = sampler(scheduler, "ddim")
        plan(planned, count)
        self.times = torch.cat([planned.timesteps.cpu(), torch.tensor([-1])])
        self.levels = torch.tensor(sampling_levels(planned))

    def time(self, index: Tensor, like: Tensor) -> Tensor:
        """The timestep of each row, N, in the type of the image `like`; of the clean image it is 0."""
        return self.times[index.cpu()].clamp_min(0).to(like.device, like.dtype)

    def level(self, index: Tensor, like: Tensor) -> Level:
        """The noise of each row; index is N, from 0 (noisiest) to the number of steps (clean)."""
        alpha, sigma = self.levels[index.cpu()].to(like.device, like.dtype).unbind(dim=1)
        return Level(alpha.view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1))


class Drawn(NamedTuple):
    """What a step of training draws."""

    clean: Tensor
    noise: Tensor
    source: Tensor | None
    present: Tensor
    weight: Tensor | None


class DiffusionDistillation(Distillation):
    """Base of the distillations of `ddim` and `ddpm` models; a subclass calls `build` in its constructor."""

    teacher: DDIM
    student: DDIM
    student_name = "ddim"
    guidance: tuple[float, float] | None
    taught_guidance: float
    learning_rate: float

    def build(
        self,
        teacher: PartSpec,
        student_steps: int,
        guidance: Sequence[float] | None,
        learning_rate: float,
        scheduler: str = "ddim",
        **scheduler_options: Any,
    ) -> None:
        """Set teacher and student.

        Args:
            teacher: the spec of a ddim or ddpm.
            student_steps: of the student's sampling.
            guidance: least and greatest weight that the student is to obey; None: those that the teacher obeys, and of
                one that obeys none the student learns what it says at its own `sampling_guidance`, whatever that is.
            learning_rate: of AdamW.
            scheduler: the student's sampler, with the teacher's levels of noise.
            scheduler_options: of that sampler.
        """
        self.teacher = self.part("teacher")
        if not isinstance(self.teacher, DDIM):
            raise ConfigError(f"a diffusion model teaches, ddim or ddpm; found {self.config['teacher']['name']!r}.")
        self.teacher.requires_grad_(False)
        if guidance is None and self.teacher.guided:
            guidance = (1.0, 5.0)
        if guidance is not None:
            if guidance[0] > guidance[1]:
                raise ConfigError(f"guidance is two weights, the least and the greatest; found {list(guidance)}.")
            if not self.teacher.guided and not self.teacher.dropout:
                raise ConfigError(
                    "guidance exaggerates what the source image says, and the teacher never learned to do without; "
                    "take one that was trained with condition_dropout above 0."
                )
        self.guidance = None if guidance is None else (float(guidance[0]), float(guidance[1]))
        self.taught_guidance = self.teacher.sampling_guidance if guidance is None else 1.0
        self.learning_rate = learning_rate
        options = {k: v for k, v in self.teacher.config.items() if k in schema(DDIM)}
        sampling = dict(sampler(self.teacher.scheduler, scheduler).config) | scheduler_options
        known = schema(registry("schedulers").get(scheduler)).keys() - {"prediction_type"}
        options |= {
            "generator": dict(self.teacher.config["generator"]),
            "scheduler": {"name": scheduler, **{k: v for k, v in sampling.items() if k in known}},
            "sampling_steps": student_steps,
            "sampling_eta": 0.0,  # a student learns to follow its teacher without noise on the way
        }
        if self.guidance is not None:
            options["generator"]["guidance_embedding"] = True
        elif self.taught_guidance != 1:
            options["sampling_guidance"] = 1.0  # what the student says is under guidance already
        self.student = registry("methods").build({"name": self.student_name, **options})
        self.data = self.student.data  # type: ignore[misc]
        self.dataset = self.teacher.dataset
        self._start()

    def learn_from(self, teacher: Method) -> None:
        self.teacher.load_state_dict(teacher.state_dict())
        self._start()

    def _start(self) -> None:
        """The student begins as a copy of its teacher; a new embedding of the guidance begins at no effect."""
        lacking = self.student.load_state_dict(self.teacher.state_dict(), strict=False)
        if wrong := [*lacking.unexpected_keys, *(k for k in lacking.missing_keys if "class_embedding" not in k)]:
            raise ConfigError(f"the student is another network than its teacher: {wrong[0]}.")

    # --------------------------------------------------------------------------------------------------- training

    def draw(self, batch: Batch) -> Drawn:
        """Images, noise, whether the source is shown, and the weight of guidance, all for each row."""
        method = self.student
        clean = batch[method.target]
        count, device = len(clean), clean.device
        noise = noise_like(clean)
        # with a weight of guidance the source is always there: the weight says how much it counts
        hidden = 0.0 if self.guidance else method.dropout
        present = torch.rand(count, device=device) >= hidden
        weight = None
        if self.guidance is not None:
            low, high = self.guidance
            weight = low + (high - low) * torch.rand(count, device=device, dtype=clean.dtype)
        return Drawn(clean, noise, None if method.source is None else batch[method.source], present, weight)

    @torch.no_grad()
    def taught(self, noisy: Tensor, time: Tensor, drawn: Drawn) -> Tensor:
        """The teacher's prediction, under guidance of each row's weight w: e(0) + w (e(x) - e(0))."""
        weight = drawn.weight
        if weight is None and self.taught_guidance != 1:
            weight = self.taught_guidance * drawn.present  # what is hidden is not exaggerated
        if weight is None or self.teacher.guided:
            return self.teacher.predict(noisy, time, drawn.source, drawn.present, weight)
        assert drawn.source is not None  # for the type checker: build has made sure
        shown = torch.arange(2 * len(noisy), device=noisy.device) < len(noisy)
        both = self.teacher.predict(noisy.repeat(2, 1, 1, 1), time.repeat(2), drawn.source.repeat(2, 1, 1, 1), shown)
        conditional, unconditional = both.chunk(2)
        return classifier_free(conditional, unconditional, weight.view(-1, 1, 1, 1))

    def taught_step(self, noisy: Tensor, time: Tensor, here: Level, there: Level, drawn: Drawn) -> Tensor:
        """Where the teacher's step of DDIM lands (Song et al. 2021, eq. 12, eta 0).

        As `DDIMScheduler.step`, which takes one time for a whole batch. The clean image is not clipped, whatever the
        teacher's sampling does, as in the code of Salimans and Ho and in that of LCM.
        """
        kind, prediction = self.teacher.kind, self.taught(noisy, time, drawn)
        clean = clean_of(kind, prediction, noisy, *here)
        noise = noise_of(kind, prediction, noisy, *here)
        return there.noisy(clean, noise)

    def learned(self, noisy: Tensor, time: Tensor, drawn: Drawn) -> Tensor:
        """The student's prediction."""
        return self.student.predict(noisy, time, drawn.source, drawn.present, drawn.weight)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"student": torch.optim.AdamW(self.student.parameters(), self.learning_rate, weight_decay=0, fused=True)}


def first_steps(teacher: DDIM, student_steps: int, start: int | None) -> int:
    """Steps of the first teacher: student_steps times a power of two, the first at or above the teacher's own.

    >>> from types import SimpleNamespace
    >>> teacher = SimpleNamespace(sampling_steps=50, scheduler=SimpleNamespace(config={"num_train_timesteps": 1000}))
    >>> first_steps(teacher, 4, None)
    64

    Raises:
        ConfigError: `start` is no such number.
    """
    most = int(teacher.scheduler.config["num_train_timesteps"])
    if student_steps < 1:
        raise ConfigError(f"steps of the student are at least 1; found {student_steps}.")
    if start is None:
        steps = student_steps
        while (steps < teacher.sampling_steps or steps == student_steps) and 2 * steps <= most:
            steps *= 2
        return steps
    halvings = (start // student_steps).bit_length() - 1
    if start > most or start < student_steps or start != student_steps << halvings:
        raise ConfigError(
            f"steps are halved from start to {student_steps}: start is {student_steps} times a power of two, at most "
            f"{most}; found {start}."
        )
    return start
