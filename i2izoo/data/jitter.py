"""Random crop and horizontal flip, as in pix2pix (Isola et al. 2017, section 6.2)."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from i2izoo.data.cache import Pixels


@dataclass(frozen=True)
class Jitter:
    """One draw: where to crop, as shares of the room that there is, and whether to flip.

    Shares rather than pixels, so that one draw serves every image of a pair.
    """

    top: float = 0.0
    left: float = 0.0
    flip: bool = False

    @classmethod
    def draw(cls, generator: random.Random, flip: bool) -> Jitter:
        """Draw from `generator`; the number of draws does not depend on `flip`."""
        top, left, coin = generator.random(), generator.random(), generator.random()
        return cls(top, left, flip and coin < 0.5)

    def apply(self, image: Pixels, crop_size: int | None) -> Tensor:
        """Crop to crop_size x crop_size and flip: C x H x W in 8 bits (or [-1, 1]) to C x h x w in [-1, 1].

        >>> image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
        >>> ((Jitter(flip=True).apply(image, 2) + 1) * 127.5).round().int().tolist()
        [[[1, 0], [4, 3]]]
        """
        if crop_size is not None:
            top = int(self.top * (image.shape[1] - crop_size + 1))
            left = int(self.left * (image.shape[2] - crop_size + 1))
            image = image[:, top : top + crop_size, left : left + crop_size]
        if self.flip:
            image = image[:, :, ::-1]
        # numpy, not torch: the loader's thread must not start a second pool of OpenMP threads
        values = np.ascontiguousarray(image).astype(np.float32)
        if image.dtype == np.uint8:
            values /= np.float32(127.5)
            values -= 1
        return torch.from_numpy(values)
