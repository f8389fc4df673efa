"""SDEdit: translation by an image that is made noisy and denoised (Meng et al., ICLR 2022, arXiv 2108.01073)."""

from __future__ import annotations

from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_diffusion.guidance.reference import Reference
from i2izoo_diffusion.sampling import Sampling


class SDEdit(Reference):
    """Start from an image with the noise of a step on the way, not from noise alone.

    Args:
        image: C x H x W or N x C x H x W in [-1, 1], of the target's channels: a stroke painting, a photo of another
            domain.
        strength: share of the steps that are done, above 0 and at most 1. Small keeps the image, 1 forgets it.

    Raises:
        ConfigError: the strength is out of range.
    """

    def __init__(self, image: Tensor, strength: float) -> None:
        super().__init__(image)
        if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 < strength <= 1:
            raise ConfigError(f"strength is above 0 and at most 1; found {strength!r}.")
        self.strength = strength

    def begin(self, run: Sampling) -> None:
        # as diffusers counts: of 20 steps, strength 0.6 does the last 12, and a small one at least the last
        run.first = run.total - max(1, int(run.total * self.strength))
        run.x = run.with_noise(self.shown(run), run.levels[run.first], "noise")
