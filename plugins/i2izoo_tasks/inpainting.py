"""Fill the holes of an image, as Palette does (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor

from i2izoo.contracts.ranges import Items, Share
from i2izoo.data.derived import making_seed
from i2izoo.errors import DataError
from i2izoo.interfaces import Method, Part
from i2izoo_tasks.common import DRAWN, TINY, DamagedDataset
from i2izoo_tasks.filling import Filling, hide
from i2izoo_tasks.masks import Kind, draw_mask


class Inpainting(Filling):
    """An image with holes to a whole one; known pixels come out bit for bit as they went in.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the images with holes and the whole ones; in data with domains, the second is the one that is taken.
        masks: of training: "mixture" (the paper's 60 % strokes of a brush and 40 % rectangles), "free_form",
            "rectangles" or "center".
        fill: what the base sees in place of unknown pixels: "noise" from N(0, 1), as the paper does, or "grey".
        mask_channel: a fourth channel marks the unknown pixels. The paper has none; a base that knows no masks and
            does not denoise, such as pix2pix, needs it. None: yes unless the base knows masks.

    >>> import torch
    >>> method = Inpainting(**Inpainting.tiny_options)
    >>> image = torch.zeros(1, 4, 20, 9)
    >>> image[:, 3] = 1
    >>> image[:, 3, :5] = -1  # unknown
    >>> whole = method(image, to="image")
    >>> whole.shape, bool((whole[:, :, 5:] == 0).all())
    (torch.Size([1, 3, 20, 9]), True)
    """

    dataset: dict[str, Any] | None = {"name": "inpainting"}  # noqa: RUF012
    required_options: ClassVar[str] = 'mask="mask.png"'
    tiny_options: ClassVar[dict[str, Any]] = TINY

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["masked", "image"],
        masks: Kind = "mixture",
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
    ) -> None:
        super().__init__()
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "inpainting", "domains": domains, "masks": masks}


class InpaintingDataset(DamagedDataset):
    """Pairs of an image with holes (RGBA) and the whole image (RGB), of which only the whole ones have to be there.

    In training the holes are others each time; in validation they are a function of the item's index.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the images with holes and of the whole ones. Where the data has domains (`photo` and
            `label`), the second is the one whose images are taken.
        masks: "mixture" (Palette's: 60 % strokes of a brush, 40 % rectangles), "free_form", "rectangles", or "center",
            see `i2izoo_tasks.masks`.
        coverage: least and greatest share of the image that a hole covers; None: as it comes.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.

    >>> drawn = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> data = InpaintingDataset(root=drawn, domains=["masked", "photo"])
    >>> source = data.sample(0, seed=1)["masked"]
    >>> source.shape, source[3].unique().tolist()
    (torch.Size([4, 32, 32]), [-1.0, 1.0])
    """

    making = "with holes"
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["masked", "photo"]}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["masked", "image"],
        masks: Kind = "mixture",
        coverage: Annotated[list[Share], Items(2)] | None = None,
    ) -> None:
        if coverage is not None and not 0 < coverage[0] < coverage[1] < 1:
            raise DataError(f"coverage is a least and a greatest share between 0 and 1; found {coverage}.")
        self.open_images(root, domains)

    @property
    def recipe(self) -> dict[str, Any]:
        return {name: self.config[name] for name in ("masks", "coverage")}

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        height, width = image.shape[-2:]
        chosen = making_seed(index, seed, "mask")
        return hide(image, draw_mask(self.config["masks"], height, width, chosen, self.config["coverage"]))
