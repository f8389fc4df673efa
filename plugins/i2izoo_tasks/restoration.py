"""One model for several tasks (Palette, Saharia et al., SIGGRAPH 2022, arXiv 2111.05826)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from i2izoo.data.derived import making_seed
from i2izoo.errors import ConfigError, DataError
from i2izoo.interfaces import Image, Method, Part
from i2izoo.nn.colour import normalise_lab, recolour, signed_to_lab
from i2izoo_tasks.common import DRAWN, DamagedDataset
from i2izoo_tasks.filling import hide, holes
from i2izoo_tasks.film import grey_of
from i2izoo_tasks.jpeg_restoration import compressed, draw_quality
from i2izoo_tasks.masks import border, draw_mask
from i2izoo_tasks.uncropping import Uncropping

GREY = 2.5 / 255
"""How far the channels of a grey pixel may be apart in [-1, 1]: JPEG moves them by one level of 255."""
Task: TypeAlias = Literal["colorization", "inpainting", "uncropping", "jpeg_restoration"]


class Restoration(Uncropping):
    """One model for several tasks: colours for grey images, holes and missing sides filled, JPEG undone.

    What is unknown tells the tasks apart: an image with alpha, a mask or sides to add is filled, and its known pixels
    come out as they went in; of any other image every pixel is to be found anew, and the base sees it as it is.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the damaged and the whole images; in data with domains, the second is the one that is taken.
        tasks: what it learns, with equal shares.
        fill: what the base sees in place of unknown pixels: "noise" from N(0, 1), as the paper does, or "grey".
        mask_channel: a fourth channel marks the unknown pixels; None: yes unless the base knows masks.
        keep_lightness: a grey image of which nothing is unknown gets its colours and keeps its own L*, as in
            `Colorization`; the base's L* is left out.

    >>> method = Restoration(**Restoration.tiny_options)
    >>> method(torch.ones(1, 4, 20, 9), to="image").shape, method(torch.ones(1, 4, 20, 9), to="image", top=4).shape
    (torch.Size([1, 3, 20, 9]), torch.Size([1, 3, 24, 9]))
    """

    dataset: dict[str, Any] | None = {"name": "restoration"}  # noqa: RUF012
    required_options: ClassVar[str] = ""

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["damaged", "image"],
        tasks: list[Task] = ["colorization", "inpainting", "uncropping", "jpeg_restoration"],
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
        keep_lightness: bool = False,
    ) -> None:
        super(Uncropping, self).__init__()
        self.keep_lightness = keep_lightness
        if not tasks:
            raise ConfigError("tasks names at least one task to learn.")
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "restoration", "domains": domains, "tasks": tasks}

    def unknown(self, hole: Tensor) -> Tensor:
        """The holes, or the whole image where there are none."""
        return hole | ~hole.flatten(1).any(dim=1).view(-1, 1, 1, 1)

    def check_marked(self, alpha: Tensor) -> None:
        """Every image will do."""

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mask: Image | None = None, **options: Any
    ) -> Tensor:
        """Restore N x 4 x H x W, as `Filling.translate` does: N x 3 x H x W."""
        output = super().translate(image, to=to, seeds=seeds, mask=mask, **options)
        if not self.keep_lightness:
            return output
        colours, hole = holes(image)
        unknown = hole if mask is None else hole | (mask.mean(dim=1, keepdim=True) > 0)
        coloured = colours.amax(dim=1, keepdim=True) - colours.amin(dim=1, keepdim=True) > GREY
        coloured = (coloured | unknown).flatten(1).any(dim=1).view(-1, 1, 1, 1)
        kept = recolour(colours, normalise_lab(signed_to_lab(output))[:, 1:]).to(output.dtype)
        return torch.where(coloured, output, kept)


class RestorationDataset(DamagedDataset):
    """Several tasks mixed, for one model that does them all: a damaged image (RGBA) and the whole one (RGB).

    Alpha tells the tasks apart as far as they are: only inpainting and uncropping have unknown pixels. The grey
    images of colourisation have three equal channels.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the damaged and of the whole images; the second is taken of data that has domains.
        tasks: what is mixed, with equal probability; in validation they take turns.

    Raises:
        DataError: no task; the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = RestorationDataset(root=drawn, domains=["damaged", "photo"])
    >>> data.task(0, None), data.task(1, None), data.sample(1, None)["damaged"].shape
    ('colorization', 'inpainting', torch.Size([4, 32, 32]))
    """

    making = "damaged in several ways"
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["damaged", "photo"]}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["damaged", "image"],
        tasks: list[Task] = ["colorization", "inpainting", "uncropping", "jpeg_restoration"],
    ) -> None:
        if not tasks:
            raise DataError("tasks names at least one task to learn.")
        self.tasks = tasks
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {"tasks": self.tasks}

    def task(self, index: int, seed: int | None) -> str:
        """The task of an item."""
        drawn = index if seed is None else int(np.random.default_rng(making_seed(index, seed, "task")).integers(2**62))
        return self.tasks[drawn % len(self.tasks)]

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        task, (height, width) = self.task(index, seed), image.shape[-2:]
        if task == "colorization":
            grey = torch.from_numpy(grey_of((image.numpy() + 1) / 2)) * 2 - 1
            return hide(grey.clamp(-1, 1).repeat(3, 1, 1), None)
        if task == "jpeg_restoration":
            return hide(compressed(image, draw_quality(making_seed(index, seed, "quality"))), None)
        if task == "uncropping":
            return hide(image, border(height, width, making_seed(index, seed, "border")))
        return hide(image, draw_mask("mixture", height, width, making_seed(index, seed, "mask")))
