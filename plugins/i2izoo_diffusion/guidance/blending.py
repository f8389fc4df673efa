"""Known pixels kept while the others are found: blended diffusion and RePaint.

Avrahami, Lischinski and Fried, CVPR 2022, arXiv 2111.14818, algorithm 1; Lugmayr et al., CVPR 2022, arXiv 2201.09865,
algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo_diffusion.guidance.reference import Reference, as_batch, check_fits
from i2izoo_diffusion.sampling import Sampling


class Blending(Reference):
    """x(t-1) <- m x' + (1 - m) y(t-1) after each step, y(t-1) being the known image with the noise of the same
    level. Where m is 0, the result is the known image, bit for bit.

    Args:
        image: the known image y, C x H x W or N x C x H x W in [-1, 1].
        mask: m, any channels (their mean counts) x H x W or N x any x H x W: 1 (white) where a pixel is to be found, 0
            or less (mid-grey to black) where it is known, between them blended.
        repeats: RePaint's number of times that each step is done, the noise of the step being put back in between,
            so that what is found fits what is known; the paper has 10. For the schedulers "ddpm" and "ddim".

    Raises:
        ConfigError: repeats is out of range.
    """

    def __init__(self, image: Tensor, mask: Tensor, *, repeats: int = 1) -> None:
        super().__init__(image)
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise ConfigError(f"repeats is a whole number from 1; found {repeats!r}.")
        self.repeats = repeats
        self.mask = as_batch(mask, "the mask of a hook").mean(dim=1, keepdim=True).clamp(0, 1)
        self._padded_mask = self.mask

    def pad(self, pad: Callable[[Tensor], Tensor]) -> None:
        super().pad(pad)
        self._padded_mask = pad(self.mask)

    def check(self, image: Tensor, channels: int) -> None:
        super().check(image, channels)
        check_fits(self.mask, self._padded_mask, image, "the mask")

    def after(self, run: Sampling, x: Tensor) -> Tensor:
        known = run.with_noise(self.shown(run), run.next_level, "known", run.index, run.again)
        return torch.lerp(known, x, self._padded_mask.to(x).expand_as(x))  # exact where the mask is 0, and where 1
