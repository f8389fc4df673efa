"""Adaptive discriminator augmentation, ADA (Karras et al. 2020, arXiv 2006.06676)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from i2izoo.contracts.ranges import Number, Range, Share
from i2izoo.interfaces import Augmentation
from i2izoo_gan.ada_colour import draw_colours, recoloured
from i2izoo_gan.ada_geometry import draw_blits, draw_geometry, moved


class ADA(Augmentation):
    """Augments with a probability p that rises while the discriminator over-fits, and falls when it does not.

    What tells over-fitting is r_t = E[sign(D(real))] (eq. 1): how surely augmented training images are taken for real,
    0 for not at all, 1 for always. Every `interval` batches p goes up where r_t is above `target`, down where it is
    below, so fast that it would take `kimg` thousand real images from 0 to 1 (section 3). The sign is that of
    D - `boundary` of the loss: 0 of logits, 1/2 of least squares. A discriminator of patches has as many signs as
    patches; each scale counts the same. What the discriminator has learnt by heart is not seen at p = 0, where every
    image is left exactly as it is.

    The transformations are those that the paper finds best ("bgc", section 2.3 and appendix B), each with the
    probability p, in the order blit, geometry, colour:

    - blit: mirroring, turns by 90 degrees, shifts by whole pixels up to 1/8 of the side;
    - geometry: scaling by 2^N(0, 0.2^2), rotation by any angle before and after stretching by 2^N(0, 0.2^2), shifts
      by N(0, 0.125^2) of the side; the image goes on beyond its edges as its own reflection;
    - colour: brightness + N(0, 0.2^2), contrast x 2^N(0, 0.5^2), lightness turned round, hue by any angle, saturation
      x 2^N(0, 1).

    Of a conditional discriminator the condition moves as the image does, and keeps its colours; see `DiffAugment`,
    which says why, and of which channels colours are those of an image. A grey image has brightness and contrast.

    Args:
        target: r_t that p aims for.
        interval: batches between two adjustments.
        kimg: thousands of real images in which p can go from 0 to 1; the paper's 500. Short runs want less.
        p: probability to begin with.
        transforms: which of "blit", "geometry" and "colour".

    >>> augment = ADA(kimg=0.016)
    >>> for _ in range(4):
    ...     augment.observe([torch.ones(2, 1, 3, 3)])
    >>> augment.p
    0.5
    """

    adaptive = True
    tiny_options: ClassVar[dict[str, Any]] = {"p": 0.9, "kimg": 0.1}

    def __init__(
        self,
        *,
        target: Annotated[float, Range(-1, 1)] = 0.6,
        interval: Number = 4,
        kimg: Annotated[float, Range(0, 1e6, without="low")] = 500.0,
        p: Share = 0.0,
        transforms: list[Literal["blit", "geometry", "colour"]] = ["blit", "geometry", "colour"],
    ) -> None:
        super().__init__()
        self.target, self.interval, self.kimg, self.transforms = target, interval, kimg, transforms
        self.p = float(p)
        self.r_t: Tensor | None = None
        self._batches = 0
        self._seen: Tensor | None = None  # since the last adjustment: sum of signs, and images

    def forward(self, image: Tensor, condition_channels: int = 0) -> Tensor:
        if not self.p:
            return image
        placements = draw_blits(image, self.p) if "blit" in self.transforms else []
        placements += draw_geometry(image, self.p) if "geometry" in self.transforms else []
        if placements:
            image = moved(image, placements)
        if "colour" in self.transforms and image.shape[1] - condition_channels in (1, 3):
            condition, judged = image[:, :condition_channels], image[:, condition_channels:]
            image = torch.cat([condition, recoloured(judged, draw_colours(judged, self.p))], dim=1)
        return image

    def observe(self, real: Sequence[Tensor]) -> None:
        signs = torch.stack([logits.sign().flatten(1).mean(1) for logits in real]).mean(0)  # of each image
        self.r_t = signs.mean()
        seen = torch.stack([signs.sum(), signs.new_tensor(len(signs))]).double()
        self._seen = seen if self._seen is None else self._seen + seen
        self._batches += 1
        if self._batches == self.interval:
            self._adjust(self._seen)
            self._batches, self._seen = 0, None

    def _adjust(self, seen: Tensor) -> None:
        if dist.is_available() and dist.is_initialized():  # the processes share one p
            dist.all_reduce(seen)
        total, images = seen.tolist()
        above = total / images - self.target
        step = images / (1000 * self.kimg) * ((above > 0) - (above < 0))
        self.p = min(max(self.p + step, 0.0), 1.0)

    def training_log(self) -> dict[str, Tensor]:
        """`p`, and `r_t` of the last batch."""
        return {} if self.r_t is None else {"p": torch.tensor(self.p), "r_t": self.r_t}

    def training_state(self) -> dict[str, Tensor]:
        """p, and what has been seen since it was last adjusted."""
        seen = [0.0, 0.0] if self._seen is None else self._seen.tolist()
        return {"state": torch.tensor([self.p, self._batches, *seen], dtype=torch.float64)}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        p, batches, *seen = state["state"].tolist()
        self.p, self._batches = p, int(batches)
        self._seen = torch.tensor(seen, dtype=torch.float64, device=device) if self._batches else None
