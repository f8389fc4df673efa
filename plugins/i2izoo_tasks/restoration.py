"""Palette's tasks by any paired method (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826): fill, extend, undo JPEG.

The image to be filled says by its alpha what is unknown: RGBA, alpha -1 (transparent) where a pixel is to be found.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo.contracts.task import BaseInTask, base_class
from i2izoo.errors import ConfigError, ImageError
from i2izoo.interfaces import Batch, Method, Part, PartSpec, Update
from i2izoo.nn.random import derive_seed, randn

Task: TypeAlias = Literal["colorization", "inpainting", "uncropping", "jpeg_restoration"]

TINY: dict[str, Any] = {
    "base": {
        "name": "pix2pix",
        "generator": {"name": "unet_256", "width": 4, "depth": 3},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2, "norm": "batch"},
    },
}


class JPEGRestoration(BaseInTask):
    """An image before JPEG from one after it: the base learns from pairs that are made of the images.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the compressed and the original images; in data with domains, the second is the one that is taken.
        quality: of JPEG, 1 to 100, in training; None: drawn from 5 to 30, the stronger the compression the more often
            (probability proportional to exp(-quality / 10)).

    >>> JPEGRestoration(**JPEGRestoration.tiny_options)(torch.zeros(1, 3, 20, 9), to="image").shape
    torch.Size([1, 3, 20, 9])
    """

    dataset: dict[str, Any] | None = {"name": "jpeg_restoration"}  # noqa: RUF012  (an instance has its own)
    tiny_options: ClassVar[dict[str, Any]] = TINY

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["compressed", "image"],  # noqa: B006  (recorded as a copy, never written)
        quality: int | None = None,
    ) -> None:
        super().__init__()
        if quality is not None and not 1 <= quality <= 100:
            raise ConfigError(f"quality is that of JPEG, from 1 to 100, or None; found {quality}.")
        self.build(base, domains, in_channels=3)
        self.dataset = {"name": "jpeg_restoration", "domains": domains, "quality": quality}

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: 3, self.target: 3}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield from self.base.training_step(batch)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """N x 3 x H x W to the same; `options` are those of the base method."""
        return self.base.translate(image, to=to, seeds=seeds, **options)


class _Filling(BaseInTask):
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
        colours, hole = _holes(batch[self.source])
        images = {**batch.images, self.source: self.seen(colours, hole, torch.randn_like(colours))}
        extras = {**batch.extras, "mask": self.unknown(hole).to(colours.dtype)}
        yield from self.base.training_step(replace(batch, images=images, extras=extras))

    # ------------------------------------------------------------------------------------------------- translating

    def forward(
        self, image: Tensor, *, to: str, seeds: list[int] | None = None, mask: Tensor | None = None, **options: Any
    ) -> Tensor:
        """As `translate`, at any size; `mask` has the size of the image."""
        _check_size(image, mask)
        return super().forward(image, to=to, seeds=seeds, **options | ({} if mask is None else {"mask": mask}))

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mask: Tensor | None = None, **options: Any
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
        colours, hole = _holes(image)
        if mask is not None:
            hole = hole | (mask.mean(dim=1, keepdim=True) > 0)
        else:
            self.check_marked(image[:, 3:])
        unknown = self.unknown(hole)
        if "mask" in inspect.signature(self.base.translation).parameters:
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


class Inpainting(_Filling):
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
        domains: list[str] = ["masked", "image"],  # noqa: B006
        masks: Literal["mixture", "free_form", "rectangles", "center"] = "mixture",
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
    ) -> None:
        super().__init__()
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "inpainting", "domains": domains, "masks": masks}


class Uncropping(_Filling):
    """An image to a larger one that it is a part of, or to one whose missing parts are filled in.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the parts and the whole images; in data with domains, the second is the one that is taken.
        fill: what the base sees in place of unknown pixels: "noise" from N(0, 1), as the paper does, or "grey".
        mask_channel: a fourth channel marks the unknown pixels; None: yes unless the base knows masks.

    >>> method = Uncropping(**Uncropping.tiny_options)
    >>> method(torch.ones(1, 4, 20, 9), to="image", left=7, bottom=4).shape
    torch.Size([1, 3, 24, 16])
    """

    dataset: dict[str, Any] | None = {"name": "uncropping"}  # noqa: RUF012
    required_options: ClassVar[str] = "extend=0.5"
    tiny_options: ClassVar[dict[str, Any]] = TINY
    wanted = (
        "say how far it goes on, in pixels by left=, right=, top= and bottom=, or by extend=0.5, in shares of its "
        "sides at every side; or give mask= or alpha for what it has already"
    )

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["cropped", "image"],  # noqa: B006
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
    ) -> None:
        super().__init__()
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "uncropping", "domains": domains}

    def forward(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int] | None = None,
        mask: Tensor | None = None,
        left: int = 0,
        right: int = 0,
        top: int = 0,
        bottom: int = 0,
        extend: float = 0.0,
        **options: Any,
    ) -> Tensor:
        """As `translate`, at any size, with unknown pixels added at the sides: N x 3 x larger H x larger W.

        Args:
            image, to, seeds, mask, options: see `translate`.
            left, right, top, bottom: pixels to add.
            extend: instead, shares of width and height to add at every side: 0.5 doubles both.

        Raises:
            ConfigError: a negative number, or both pixels and shares.
        """
        margins = _margins(image, [left, right, top, bottom], extend)
        _check_size(image, mask)
        if any(margins):
            image = nn.functional.pad(image, margins, value=-1.0)
            mask = None if mask is None else nn.functional.pad(mask, margins, value=1.0)
        return super().forward(image, to=to, seeds=seeds, mask=mask, **options)


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
        domains: list[str] = ["damaged", "image"],  # noqa: B006
        tasks: list[Task] = ["colorization", "inpainting", "uncropping", "jpeg_restoration"],  # noqa: B006
        fill: Literal["noise", "grey"] = "noise",
        mask_channel: bool | None = None,
    ) -> None:
        super(Uncropping, self).__init__()
        if not tasks:
            raise ConfigError("tasks names at least one task to learn.")
        self.build_filling(base, domains, fill, mask_channel)
        self.dataset = {"name": "restoration", "domains": domains, "tasks": tasks}

    def unknown(self, hole: Tensor) -> Tensor:
        """The holes, or the whole image where there are none."""
        return hole | ~hole.flatten(1).any(dim=1).view(-1, 1, 1, 1)

    def check_marked(self, alpha: Tensor) -> None:
        """Every image will do."""


def _holes(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours, N x 3 x H x W, and where they are unknown, N x 1 x H x W bool, of RGBA in [-1, 1]."""
    return image[:, :3], image[:, 3:] < 0


def _check_size(image: Tensor, mask: Tensor | None) -> None:
    if mask is not None and mask.shape[-2:] != image.shape[-2:]:
        found, wanted = (f"{p.shape[-1]} x {p.shape[-2]}" for p in (mask, image))
        raise ImageError(f"the mask is {found} and the image {wanted} pixels (width x height); they must agree.")


def _margins(image: Tensor, pixels: list[int], extend: float) -> list[int]:
    """Pixels to add at the left, right, top and bottom."""
    if not math.isfinite(extend):
        raise ConfigError(f"extend is a share of width and height, such as 0.5; found {extend}.")
    if min(*pixels, extend) < 0:
        raise ConfigError(f"an image can only become larger; found {pixels} pixels and extend={extend}.")
    if extend and any(pixels):
        raise ConfigError("left, right, top and bottom are pixels, extend is shares of the sides; give one of both.")
    if not all(isinstance(p, int) for p in pixels):
        raise ConfigError(f"left, right, top and bottom are whole pixels; found {pixels}.")
    height, width = image.shape[-2:]
    return [round(extend * width)] * 2 + [round(extend * height)] * 2 if extend else pixels
