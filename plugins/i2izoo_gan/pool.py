"""The replay pool of CycleGAN (Zhu et al., ICCV 2017, section 4; after Shrivastava et al. 2017, arXiv 1612.07828)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ReplayPool(nn.Module):
    """A history of generated images, so that a discriminator does not forget earlier generators.

    Until it is full, an image is stored and returned. After that, with probability 1/2 a random stored image is
    returned and replaced by the new one, else the new one is returned and not stored. Draws come from torch's global
    random state. It is a module so that checkpoints find its images (`training_state`).

    Args:
        size: number of images; 0 returns every image as it is.

    >>> pool = ReplayPool(50)
    >>> pool(torch.ones(2, 3, 4, 4)).shape, len(pool.images)
    (torch.Size([2, 3, 4, 4]), 2)
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.images: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Exchange N x C x H x W with the pool, image by image; the result carries no gradient."""
        images = images.detach()
        if self.size == 0:
            return images
        chosen = images.clone()  # of one memory format whatever the pool holds: other layouts round differently
        for row, image in enumerate(images):
            if len(self.images) < self.size:
                self.images.append(image.clone())
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                chosen[row] = self.images[place]
                self.images[place] = image.clone()
        return chosen

    def training_state(self) -> dict[str, Tensor]:
        """The stored images, for a checkpoint."""
        return {f"image{i}": image for i, image in enumerate(self.images)}

    def load_training_state(self, state: dict[str, Tensor], device: torch.device) -> None:
        """Take back what `training_state` gave."""
        self.images = [state[f"image{i}"].to(device) for i in range(len(state))]
