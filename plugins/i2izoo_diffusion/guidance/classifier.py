"""Classifier guidance (Dhariwal and Nichol, NeurIPS 2021, arXiv 2105.05233, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_diffusion.guidance.gradients import gradient
from i2izoo_diffusion.guidance.ilvr import check_shares
from i2izoo_diffusion.guidance.noisy_classifier import NoisyClassifier
from i2izoo_diffusion.sampling import Hook, Sampling

SMALL, LARGE = ("fixed_small", "fixed_small_log"), ("fixed_large", "fixed_large_log")
"""diffusers' names of the two variances of Ho et al., section 3.2."""


class ClassifierGuidance(Hook):
    """Steps towards what a classifier of noisy images takes for a label.

    Args:
        classifier: a trained `noisy_classifier`, as `i2izoo.load` returns it; or any function (noisy images N x C x
            H x W of variance one, alpha, sigma) -> log p(label | image), N, differentiable by torch.
        label: of a `noisy_classifier`: the domain that the image should be taken for.
        scale: s of the paper, which has 1 for its 256 x 256 pixels and 10 without classes in the network.
        form: "noise": e - sigma s grad log p, for every scheduler (algorithm 2); "mean": the mean of the step moves by
            s times its variance times grad log p, for the scheduler "ddpm" (algorithm 1).
        start, end: shares of the steps between which it is done.

    Raises:
        ConfigError: the label is not one of the classifier's, or an option is out of range.
    """

    def __init__(
        self,
        classifier: Any,
        label: str | None = None,
        scale: float = 1.0,
        *,
        form: Literal["noise", "mean"] = "noise",
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        method = getattr(classifier, "method", classifier)
        if isinstance(method, NoisyClassifier):
            self.method: NoisyClassifier | None = method
            self.log_probability: Callable[[Tensor, float, float], Tensor] = partial(
                method.log_probability, label=method.known(label)
            )
        elif callable(classifier) and not hasattr(classifier, "method") and label is None:
            self.method, self.log_probability = None, classifier
        else:
            raise ConfigError(
                "classifier is a trained 'noisy_classifier' with one of its domains as label=, or a function of noisy "
                f"images, alpha and sigma without label; found {classifier!r} and label={label!r}."
            )
        if form not in ("noise", "mean"):
            raise ConfigError(f"form is 'noise' or 'mean'; found {form!r}.")
        check_shares(start, end, scale)
        self.scale, self.form, self.start, self.end = scale, form, start, end

    def check(self, image: Tensor, channels: int) -> None:
        if self.method is not None and (known := self.method.config["in_channels"]) != channels:
            raise ConfigError(f"the classifier looks at images of {known} channels, the model makes {channels}.")

    def begin(self, run: Sampling) -> None:
        if self.form == "mean":
            variance(run)  # refuses other schedulers before the first step
        if self.method is not None:
            self.method.to(run.x.device)

    def guide(self, run: Sampling, prediction: Tensor) -> Tensor:
        self._shift: Tensor | None = None
        if not run.within(self.start, self.end):
            return prediction
        found = self.scale * gradient(lambda x: self.log_probability(x, *run.level), run.noisy, "the classifier")
        if self.form == "noise":
            return run.with_score(prediction, found)
        self._shift = variance(run) * found
        return prediction

    def after(self, run: Sampling, x: Tensor) -> Tensor:
        return x if self._shift is None else x + self._shift


def variance(run: Sampling) -> float:
    """Of the step that DDPM is at: beta, or beta (1 - kept at the next level) / (1 - kept) (Ho et al. 2020, eq. 7).

    Raises:
        ConfigError: the scheduler is another one, or learns its variance.
    """
    (alpha, sigma), (next_alpha, next_sigma) = run.level, run.next_level
    kind = getattr(run.scheduler.config, "variance_type", None)
    if type(run.scheduler).__name__ != "DDPMScheduler" or kind not in SMALL + LARGE:
        raise ConfigError(
            f"form='mean' moves a step of the scheduler 'ddpm' of fixed variance; found {type(run.scheduler).__name__}"
            + (f" with variance_type={kind!r}" if kind else "")
            + ". Take form='noise', or scheduler='ddpm'."
        )
    beta = 1 - (alpha / next_alpha) ** 2
    return beta if kind in LARGE else beta * (next_sigma / sigma) ** 2
