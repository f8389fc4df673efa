"""The one loop by which all diffusion methods sample, with hooks before and after each step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.nn.random import derive_seed, randn
from i2izoo_diffusion.prediction import clean_of, noise_of, prediction_of
from i2izoo_diffusion.schedulers import clip_range, plan, sampling_levels, sound_eta

Denoise: TypeAlias = Callable[[Tensor, "Sampling"], Tensor]
"""(noisy image N x C x H x W of variance one, the state of the sampling) -> the network's prediction."""


class Hook:
    """What may change the sampling at three places; each method does nothing unless it is overridden."""

    repeats: int = 1
    """How often each step is done, noise being put back in between (RePaint, Lugmayr et al. 2022, section 4.2)."""

    def pad(self, pad: Callable[[Tensor], Tensor]) -> None:
        """Before all: may pad images of its own, as `pad` does, to the size that sampling has."""

    def check(self, image: Tensor, channels: int) -> None:
        """Then: may refuse a source image N x C x H x W, or a target of so many channels, by a ConfigError."""

    def begin(self, run: Sampling) -> None:
        """Before the first step: may set `run.x` and `run.first`."""

    def guide(self, run: Sampling, prediction: Tensor) -> Tensor:
        """Before a step: may change what the network predicted for `run.noisy`."""
        return prediction

    def after(self, run: Sampling, x: Tensor) -> Tensor:
        """After a step: may change the less noisy image, which is at `run.next_level`."""
        return x


class Sampling:
    """One run of the loop, and its state as hooks and previews see it.

    Attributes:
        scheduler: any diffusers scheduler, fresh.
        seeds: one for each row; all noise of a row is a function of its seed.
        x: the images at this step, N x C x H x W, in the scheduler's own scale.
        noisy: the same with alpha^2 + sigma^2 = 1, as the network sees them.
        first: the first step that is done.
        index: this step, from 0.
        again: how often this step was done before, see `Hook.repeats`.
        total: number of steps that the scheduler planned.
        prediction: what the network said, after the hooks.
    """

    def __init__(self, denoise: Denoise, scheduler: Any, noise: Tensor, *, steps: int, seeds: Sequence[int]) -> None:
        last = scheduler.config.num_train_timesteps
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= last:
            raise ConfigError(f"steps is a whole number from 1 to {last}, the steps of training; found {steps!r}.")
        try:
            plan(scheduler, steps, noise.device)
        except ValueError as error:
            raise ConfigError(f"{type(scheduler).__name__} cannot do {steps} steps: {error}") from error
        self.denoise, self.scheduler, self.seeds = denoise, scheduler, seeds
        self.kind: str = scheduler.config.prediction_type
        self.levels = sampling_levels(scheduler)
        # diffusers puts a level of no image at sigma / alpha = 4096, and levels after it may lie above; those who
        # work with the ratio itself pass it, but an ancestral step takes the root of what is then negative
        rises = self.levels[1] < self.levels[0]
        if type(scheduler).__name__ == "EulerAncestralDiscreteScheduler" and rises:
            raise ConfigError(
                f"EulerAncestralDiscreteScheduler cannot do {steps} steps of these noise levels: the second has more "
                "noise than diffusers gives the first. Take fewer steps, or another scheduler, such as 'ddim'."
            )
        self.total = len(scheduler.timesteps)
        self.first = self.index = self.again = 0
        self._shifted = False  # did guidance move the prediction of this step?
        # schedulers after Karras et al. keep y + (sigma / alpha) e, and scale it when the network is asked
        self._exploding = float(scheduler.init_noise_sigma) != 1
        # what they start from is the noise of the greatest level, which then is not the first
        self.x = noise * (scheduler.sigmas[0] if self._exploding and rises else scheduler.init_noise_sigma)
        self.noisy = self.prediction = noise
        self._generators = [torch.Generator().manual_seed(derive_seed(seed, "steps")) for seed in seeds]

    @property
    def timestep(self) -> Tensor:
        """Of this step, a scalar in the scheduler's count."""
        return self.scheduler.timesteps[self.index]

    @property
    def level(self) -> tuple[float, float]:
        """(alpha, sigma) of the noisy image."""
        return self.levels[self.index]

    @property
    def next_level(self) -> tuple[float, float]:
        """(alpha, sigma) of what the step leads to; (1, 0) after the last."""
        return self.levels[self.index + 1]

    @property
    def clean(self) -> Tensor:
        """The clean image as the network sees it now: a preview, N x C x H x W."""
        return clean_of(self.kind, self.prediction, self.noisy, *self.level)

    def clean_of(self, prediction: Tensor, noisy: Tensor | None = None) -> Tensor:
        """The clean image that a prediction means."""
        return clean_of(self.kind, prediction, self.noisy if noisy is None else noisy, *self.level)

    def noise_of(self, prediction: Tensor) -> Tensor:
        """The noise that a prediction means."""
        return noise_of(self.kind, prediction, self.noisy, *self.level)

    def prediction_of(self, clean: Tensor) -> Tensor:
        """The prediction that means this clean image."""
        return prediction_of(self.kind, clean, self.noisy, *self.level)

    def with_score(self, prediction: Tensor, gradient: Tensor) -> Tensor:
        """The prediction when `gradient` is added to the score -e / sigma (Dhariwal and Nichol 2021, eq. 14).

        Of pure noise (alpha = 0), which is all the same for every image, nothing follows. A scheduler that clips the
        clean image does so before it is moved, and in this step not after, as the authors' code.
        """
        alpha, sigma = self.level
        if not alpha and self.kind != "epsilon":
            return prediction
        if not self._shifted:
            prediction, self._shifted = self._clipped(prediction), True
        if self.kind == "epsilon":
            return prediction - sigma * gradient
        clean = sigma**2 / alpha * gradient  # what the clean image moves by, e by -sigma * gradient
        return prediction + (clean if self.kind == "sample" else -clean / sigma)

    def _clipped(self, prediction: Tensor) -> Tensor:
        """The prediction that means the clean image as the scheduler clips it."""
        bound = clip_range(self.scheduler)
        if bound is None:
            return prediction
        clean = self.clean_of(prediction)
        within = clean.clamp(-bound, bound)
        return torch.where(clean == within, prediction, self.prediction_of(within))

    def stepped(self, x: Tensor, **options: Any) -> Tensor:
        """Where the scheduler's step leads from `x`, in its own scale, by `prediction`.

        Where DDIM clips the clean image, the noise follows from what is left of it: guided-diffusion and GLIDE do so,
        and diffusers where it is asked to.
        """
        scheduler, bound = self.scheduler, clip_range(self.scheduler)
        if "use_clipped_model_output" in inspect.signature(scheduler.step).parameters:
            options["use_clipped_model_output"] = bound is not None or bool(scheduler.config.thresholding)
        lifted = self._shifted and bound is not None
        if lifted:
            scheduler.register_to_config(clip_sample=False)
        try:
            return scheduler.step(self.prediction, self.timestep, x, **options, return_dict=False)[0]  # type: ignore[no-any-return]
        finally:
            if lifted:
                scheduler.register_to_config(clip_sample=True)

    def within(self, start: float, end: float) -> bool:
        """Does this step lie between two shares of all steps? Counted as diffusers counts `control_guidance_start`."""
        return start <= self.index / self.total and (self.index + 1) / self.total <= end

    def with_noise(self, clean: Tensor, level: tuple[float, float], *keys: int | str) -> Tensor:
        """`clean` with noise of a level, in the scale of `x`; `keys` name the draw: other keys, other noise."""
        alpha, sigma = level
        return self.scaled(alpha * clean + sigma * self.draw(*keys), level)

    def scaled(self, noisy: Tensor, level: tuple[float, float]) -> Tensor:
        """What the network is to see at a level, in the scale of `x`."""
        return noisy / level[0] if self._exploding else noisy

    def draw(self, *keys: int | str) -> Tensor:
        """Standard normal noise of the shape of `x`; each row a function of its seed and the keys."""
        seeds = [derive_seed(seed, *keys) for seed in self.seeds]
        return randn(self.x.shape[1:], seeds, self.x.device).to(self.x.dtype)

    def run(
        self,
        *,
        eta: float = 0.0,
        hooks: Sequence[Hook] = (),
        preview: Callable[[Sampling], None] | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Go through all steps, and return the images.

        Args:
            eta: noise of each DDIM step: 0 deterministic, 1 as DDPM (Song et al. 2021, eq. 16).
            hooks: in order.
            preview: called after each step; `run.clean` is the image so far.
            progress: a progress bar on stderr.
        """
        takes = inspect.signature(self.scheduler.step).parameters
        if not 0 <= eta <= 1:
            raise ConfigError(f"eta is in [0, 1]; found {eta}.")
        if eta and "eta" not in takes:
            raise ConfigError(f"eta is an option of the scheduler 'ddim'; {type(self.scheduler).__name__} has none.")
        options = {k: v for k, v in (("eta", eta), ("generator", self._generators)) if k in takes}
        for hook in hooks:
            hook.begin(self)
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(self.first)
        repeats = max([1, *(hook.repeats for hook in hooks)])
        if repeats > 1 and hasattr(self.scheduler, "step_index"):
            raise ConfigError("steps are repeated with the schedulers 'ddim' and 'ddpm' only, which look at no other.")
        for index in _tracked(range(self.first, self.total), progress):
            self.index = index
            last = index + 1 == self.total  # after which the image is clean: repeating it would change nothing
            for self.again in range(1 if last else repeats):
                if self.again:
                    self._noise_again()
                self._step(options, hooks)
            if preview is not None:
                preview(self)
        return self.x

    def _step(self, options: dict[str, Any], hooks: Sequence[Hook]) -> None:
        self.noisy = self.scheduler.scale_model_input(self.x, self.timestep)
        self.prediction = self.denoise(self.noisy, self).to(self.noisy.dtype)  # of lower precision under autocast
        self._shifted = False
        for hook in hooks:
            self.prediction = hook.guide(self, self.prediction)
        if options.get("eta"):
            options = {**options, "eta": sound_eta(self.scheduler, self.timestep.cpu(), options["eta"])}
        try:
            self.x = self.stepped(self.x, **options)
        except NotImplementedError as error:
            raise ConfigError(
                f"{type(self.scheduler).__name__} cannot sample a model that predicts {self.kind!r}; take another "
                "scheduler, such as 'ddim'."
            ) from error
        for hook in hooks:
            self.x = hook.after(self, self.x)

    def _noise_again(self) -> None:
        """From the next level back to this one, by the forward process."""
        (alpha, sigma), (next_alpha, next_sigma) = self.level, self.next_level
        ratio = alpha / next_alpha
        added = max(0.0, sigma**2 - (ratio * next_sigma) ** 2) ** 0.5
        self.x = ratio * self.x + added * self.draw("again", self.index, self.again)


def _tracked(indices: range, progress: bool) -> Any:
    if not progress:
        return indices
    from rich.console import Console
    from rich.progress import track

    return track(indices, "denoising", console=Console(stderr=True), transient=True)
