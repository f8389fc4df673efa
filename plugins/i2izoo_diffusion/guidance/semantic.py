"""Semantic guidance: steps led by a score of the image (Liu et al., WACV 2023, arXiv 2112.05744)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_diffusion.guidance.gradients import gradient
from i2izoo_diffusion.guidance.ilvr import check_shares
from i2izoo_diffusion.sampling import Hook, Sampling


class SemanticGuidance(Hook):
    """e <- e - sigma s grad F, F being a score of what the image shows (algorithm 1, as a change of the noise).

    The paper's F looks at the noisy image, and its encoders learn that. Here F looks at the clean image x0 that the
    prediction means, as blended diffusion does (Avrahami et al., arXiv 2111.14818), so that any network serves: a
    colour, a classifier, the cosine of CLIP embeddings.

    Args:
        score: clean images N x C x H x W, about in [-1, 1], to N numbers, larger where it is better; differentiable
            by torch, and on the device of the translation.
        scale: s, the strength.
        through_network: differentiate F(x0(x)) by the noisy x, through the network: one more call of it and its
            gradient for each step. False moves x0 itself by sigma^2 s grad F(x0), what the former amounts to for
            images of unit variance (the network's Jacobian taken to be alpha; Song et al., ICLR 2023).
        start, end: shares of the steps between which it is done.

    Raises:
        ConfigError: an option is out of range; or, in a step, the score gives no number for each image.

    >>> redder = SemanticGuidance(lambda x0: x0[:, 0].mean(dim=(1, 2)), scale=100)
    """

    def __init__(
        self,
        score: Callable[[Tensor], Tensor],
        scale: float = 1.0,
        *,
        through_network: bool = False,
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        if not callable(score):
            raise ConfigError(f"score is a function of images N x C x H x W; found {score!r}.")
        check_shares(start, end, scale)
        self.score, self.scale, self.through_network = score, scale, through_network
        self.start, self.end = start, end

    def guide(self, run: Sampling, prediction: Tensor) -> Tensor:
        if not run.within(self.start, self.end):
            return prediction
        if self.through_network:
            found = gradient(lambda x: self.score(run.clean_of(run.denoise(x, run), x)), run.noisy, "the user's score")
            return run.with_score(prediction, self.scale * found)
        found = gradient(self.score, run.clean_of(prediction), "the user's score")
        alpha, _ = run.level
        return run.with_score(prediction, self.scale * alpha * found)
