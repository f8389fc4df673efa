"""Colourisation by any paired method: L* to a*b*, as the pix2pix code does it (Isola et al., CVPR 2017, figure 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.checkpoints import Checkpoints
from i2izoo.contracts.ranges import Channels
from i2izoo.contracts.registry import registry
from i2izoo.contracts.task import DECIDED, BaseInTask
from i2izoo.data.derived import DerivedDataset
from i2izoo.errors import ConfigError, DataError
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo.nn.colour import normalise_lab, recolour, signed_to_lab
from i2izoo.nn.random import derive_seed
from i2izoo_tasks.common import DRAWN, TINY
from i2izoo_tasks.degradations import Preset, degradation
from i2izoo_tasks.film import grey_of


class Colorization(BaseInTask):
    """Grey to colour: a paired method learns a*b* (2 channels) from L* (1 channel), and L* is the image's own.

    The base method never knows: it gets L* / 50 - 1 and a* / 110, b* / 110 for images, and its a*b* together with
    the input's L* become the colour image. The input may be grey or colour, of which only the L* counts.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the grey and the colour images; in data with domains, the second is the one that is coloured.
        colour: "lab" as above; "rgb" learns red, green and blue (3 channels) from L*, for comparison, and the output
            has whatever lightness it has.
        gamut: what becomes of a*b* that sRGB cannot show at the given L*: "chroma" makes it paler until it can, which
            keeps L* and the hue; "clip" cuts red, green and blue at 0 and 1, as the public code does, and changes L*.
        degrade: what is done to the grey images in training, so that real old photographs look familiar: "none",
            "light", "strong", "film" or strengths, see `i2izoo_tasks.degradations.Degradation`.

    >>> tiny = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 4, "depth": 3}}
    >>> Colorization(base=tiny)(torch.zeros(1, 3, 20, 9), to="colour").shape
    torch.Size([1, 3, 20, 9])
    """

    dataset: dict[str, Any] | None = {"name": "colorization"}  # noqa: RUF012  (an instance has its own)
    tiny_options: ClassVar[dict[str, Any]] = TINY

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["grey", "colour"],
        colour: Literal["lab", "rgb"] = "lab",
        gamut: Literal["chroma", "clip"] = "chroma",
        degrade: Preset | dict[str, Any] = "none",
    ) -> None:
        super().__init__()
        self.build(base, domains, in_channels=1, out_channels=2 if colour == "lab" else 3)
        self.grey, self.colour = domains
        self.space, self.gamut = colour, gamut
        self.dataset = {"name": "colorization", "domains": domains, "degrade": degrade}

    @property
    def channels(self) -> dict[str, int]:
        # grey is read as three channels, so that a colour or sepia image keeps the lightness of its colours
        return {self.grey: 3, self.colour: 3}

    def encode(self, image: Tensor, domain: str) -> Tensor:
        """An image, N x 3 (or N x 1) x H x W in [-1, 1], as the base method sees it: L*, a*b* or RGB."""
        if domain == self.colour and self.space == "rgb":
            return image
        values = normalise_lab(signed_to_lab(image))
        return (values[:, :1] if domain == self.grey else values[:, 1:]).to(image.dtype)

    def decode(self, grey: Tensor, output: Tensor) -> Tensor:
        """The colour image, N x 3 x H x W in [-1, 1], of an input and of what the base method made of it."""
        if self.space == "rgb":
            return output
        return recolour(grey, output, self.gamut)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], **options: Any) -> Tensor:
        """Colour N x 3 (or N x 1) x H x W; `options` are those of the base method.

        Options that are colour images (`style=`) are encoded as its colour images are; a mask is none.
        """
        options = {
            k: self.encode(v, self.colour)
            if k != "mask" and isinstance(v, Tensor) and v.ndim == 4 and v.shape[1] == 3
            else v
            for k, v in options.items()
        }
        return self.decode(image, self.base.translate(self.encode(image, self.grey), to=to, seeds=seeds, **options))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        images = {domain: self.encode(batch[domain], domain) for domain in self.domains}
        yield from self.base.training_step(replace(batch, images=images))

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        base = _base(options)
        return _kind(base).checkpoint_roles(base)

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What checkpoints of the base method say, such as the authors' `colorization_pix2pix`."""
        base = _base(options)
        found = _kind(base).read_checkpoints(files, {k: v for k, v in base.items() if k != "name"})
        channels = found.options.get("in_channels"), found.options.get("out_channels")
        if channels not in ((1, 2), (1, 3)):
            raise ConfigError(
                f"colourisation makes 2 channels (a*b*) or 3 (RGB) of 1; the checkpoint makes {channels[1]} of "
                f"{channels[0]}: import it as {base['name']!r}."
            )
        own = {"name": base["name"], **{k: v for k, v in found.options.items() if k not in DECIDED}}
        return Checkpoints(
            {"base": own, "colour": "lab" if channels[1] == 2 else "rgb"},
            {f"base.{place}": tensors for place, tensors in found.weights.items()},
            {f"base.{option}": value for option, value in found.assumed.items()},
        )


def _base(options: Mapping[str, Any]) -> dict[str, Any]:
    """The base method that the options name, and its own options."""
    spec = options.get("base", "pix2pix")
    return {"name": "pix2pix"} | ({"name": spec} if isinstance(spec, str) else spec)


def _kind(base: Mapping[str, Any]) -> type[Method]:
    kind: type[Method] = registry("methods").get(base["name"])
    return kind


class ColorizationDataset(DerivedDataset):
    """Pairs of a grey and a colour image, of which only the colour images have to be there.

    The grey image is the one of equal CIE lightness L*: a black-and-white photograph by the luminance of the colours.
    It is made of the colour image, unless the data has grey images of its own (a folder `grey` beside `colour`). In
    training it can be degraded, as age and scanning degrade old photographs; the colour image stays as it is, and so
    does everything in validation.

    Args:
        root: the colour images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the grey and of the colour images. Where the data has domains (`photo` and `label`), the
            second is the one whose images are taken.
        degrade: what happens to the grey images in training: "none", "light", "strong", "film", or strengths such as
            `{"noise": 0.05, "blur": 1.0}`, see `i2izoo_tasks.degradations.Degradation`.
        channels: of the grey images, 1 or 3 equal ones; alone or by domain. Those of colour are 3.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.
        ConfigError: a degradation that does not exist.

    >>> data = ColorizationDataset(
    ...     root={"name": "synthetic-facades", "count": 4, "size": 32}, domains=["grey", "photo"])
    >>> {domain: tuple(image.shape) for domain, image in data.sample(0, seed=1).items()}
    {'grey': (1, 32, 32), 'photo': (3, 32, 32)}
    """

    making = "grey made of the colours"
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["grey", "photo"], "degrade": "strong"}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["grey", "colour"],
        degrade: Preset | dict[str, Any] = "none",
        channels: Channels | dict[str, Channels] | None = None,
    ) -> None:
        self.open_images(root, domains, beside=True)
        wanted = channels if isinstance(channels, dict) else {self.source: channels}
        self._grey_channels = wanted.get(self.source) or 1
        if self._grey_channels not in (1, 3) or wanted.get(self.target, 3) != 3:
            raise DataError(f"grey images have 1 or 3 channels, colour images 3; found channels={channels}.")
        self.degradation = degradation(degrade)

    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        image = (found.get(self.source, found[self.target]).numpy() + 1) / 2
        grey = grey_of(image) if seed is None else self.degradation(image, derive_seed(seed, "degrade"))
        planes = torch.from_numpy(np.ascontiguousarray(grey * 2 - 1)).clamp_(-1, 1)
        return {self.source: planes.repeat(self._grey_channels, 1, 1), self.target: found[self.target]}
