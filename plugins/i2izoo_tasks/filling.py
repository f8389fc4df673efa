"""Images of which a part is unknown, and methods that find it.

Alpha says what is unknown: RGBA, whose alpha is 1 where a pixel is known and -1 (transparent) where it is not; the
colours of unknown pixels are 0 and carry nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.task import BaseInTask, base_class
from i2izoo.errors import ImageError
from i2izoo.interfaces import Batch, Image, PartSpec, Update
from i2izoo.nn.random import derive_seed, noise_like, randn
from i2izoo_tasks.masks import Mask


def hide(image: Tensor, mask: Mask | None) -> Tensor:
    """3 x H x W with an alpha: 4 x H x W, of which the pixels in the mask are unknown: (0, 0, 0, -1).

    >>> import numpy as np
    >>> hide(torch.ones(3, 1, 2), np.array([[True, False]])).tolist()
    [[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]], [[-1.0, 1.0]]]
    """
    rgba = torch.cat([image, torch.ones_like(image[:1])])
    if mask is not None:
        unknown = torch.from_numpy(mask)
        rgba[:3, unknown] = 0
        rgba[3, unknown] = -1
    return rgba


class Filling(BaseInTask):
    """An image with unknown pixels to a whole one, whose known pixels come out as they went in.

    The base gets three channels whose unknown pixels are noise (or grey), and a plane that marks them where it cannot
    know otherwise; a base that knows masks gets them, too: `Batch.extras["mask"]` in training and `mask=` in
    translation, N x 1 x H x W, 1 where a pixel is unknown and 0 elsewhere.
    """

    def build_filling(self, base: PartSpec, domains: list[str], fill: str, mask_channel: bool | None) -> None:
        kind = base_class(base)
        if mask_channel is None:  # the choice is recorded, so that a later base that knows masks changes no model
            mask_channel = self.config["mask_channel"] = "mask" not in inspect.signature(kind.translate).parameters
        self.fill, self.mask_channel = fill, mask_channel
        self.build(base, domains, in_channels=3 + mask_channel)

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: 4, self.target: 3}

    # ------------------------------------------------------------------------------------------- what the base sees

    def unknown(self, hole: Tensor) -> Tensor:
        """What the base is to find, N x 1 x H x W bool, of the holes of the images."""
        return hole

    def seen(self, colours: Tensor, hole: Tensor, noise: Tensor) -> Tensor:
        """N x 3 (or, with the plane, 4) x H x W: the image as the base sees it; the plane is 1 at holes, else -1."""
        filled = torch.where(hole, noise if self.fill == "noise" else torch.zeros_like(noise), colours)
        return torch.cat([filled, hole.to(filled.dtype) * 2 - 1], dim=1) if self.mask_channel else filled

    def training_step(self, batch: Batch) -> Iterator[Update]:
        colours, hole = holes(batch[self.source])
        images = {**batch.images, self.source: self.seen(colours, hole, noise_like(colours))}
        extras = {**batch.extras, "mask": self.unknown(hole).to(colours.dtype)}
        yield from self.base.training_step(replace(batch, images=images, extras=extras))

    # ------------------------------------------------------------------------------------------------- translating

    def forward(
        self, image: Tensor, *, to: str, seeds: list[int] | None = None, mask: Image | None = None, **options: Any
    ) -> Tensor:
        """As `translate`, at any size; `mask` has the size of the image."""
        check_mask(image, mask)
        return super().forward(image, to=to, seeds=seeds, **options | ({} if mask is None else {"mask": mask}))

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mask: Image | None = None, **options: Any
    ) -> Tensor:
        """Fill N x 4 x H x W where its alpha, or `mask`, says that it is unknown: N x 3 x H x W.

        Args:
            image: RGBA; a pixel is unknown where alpha is below 0, and its colours then do not count.
            to: the target domain.
            seeds: one for each row; the noise in the holes is a function of it.
            mask: an image, N x C x H x W in [-1, 1], laid over the alpha: what is brighter than mid-grey is unknown.
            options: those of the base method.

        Raises:
            ImageError: nothing says what is unknown.
        """
        colours, hole = holes(image)
        if mask is not None:
            hole = hole | (mask.mean(dim=1, keepdim=True) > 0)
        else:
            self.check_marked(image[:, 3:])
        unknown = self.unknown(hole)
        if "mask" in self.base.translate_options():
            options["mask"] = unknown.to(colours.dtype)
        noise = randn(colours.shape[1:], [derive_seed(seed, "fill") for seed in seeds], colours.device)
        shown = self.seen(colours, hole, noise.to(colours.dtype))
        output = self.base.translate(shown, to=to, seeds=seeds, **options)
        return torch.where(unknown, output.to(colours.dtype), colours)

    def check_marked(self, alpha: Tensor) -> None:
        """Refuse images without a mask that are opaque all over."""
        if (alpha == 1).flatten(1).all(dim=1).any():
            raise ImageError(f"nothing says what of the image is unknown: {self.wanted}.")

    wanted: ClassVar[str] = (
        "give mask=, an image of its size that is white where it is to be filled, or an image whose alpha is 0 there"
    )


def holes(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours, N x 3 x H x W, and where they are unknown, N x 1 x H x W bool, of RGBA in [-1, 1]."""
    return image[:, :3], image[:, 3:] < 0


def check_mask(image: Tensor, mask: Tensor | None) -> None:
    if mask is not None and mask.shape[-2:] != image.shape[-2:]:
        found, wanted = (f"{p.shape[-1]} x {p.shape[-2]}" for p in (mask, image))
        raise ImageError(f"the mask is {found} and the image {wanted} pixels (width x height); they must agree.")
