"""Colourisation by any paired method: L* to a*b*, as the pix2pix code does it (Isola et al., CVPR 2017, figure 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.contracts.registry import registry
from i2izoo.contracts.task import DECIDED, BaseInTask
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Method, Part, Update
from i2izoo.nn.colour import AB_SCALE, into_gamut, lab_to_srgb, normalise_lab, srgb_to_lab


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
            "light", "strong" or strengths, see `i2izoo_tasks.degradations.Degradation`.

    >>> tiny = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 4, "depth": 3}}
    >>> Colorization(base=tiny)(torch.zeros(1, 3, 20, 9), to="colour").shape
    torch.Size([1, 3, 20, 9])
    """

    dataset: dict[str, Any] | None = {"name": "colorization"}  # noqa: RUF012  (an instance has its own)
    tiny_options: ClassVar[dict[str, Any]] = {
        "base": {
            "name": "pix2pix",
            "generator": {"name": "unet_256", "width": 4, "depth": 3},
            "discriminator": {"name": "patchgan", "width": 4, "layers": 2, "norm": "batch"},
        },
    }

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["grey", "colour"],  # noqa: B006  (recorded as a copy, never written)
        colour: Literal["lab", "rgb"] = "lab",
        gamut: Literal["chroma", "clip"] = "chroma",
        degrade: Literal["none", "light", "strong"] | dict[str, Any] = "none",
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
        values = normalise_lab(_lab(image))
        return (values[:, :1] if domain == self.grey else values[:, 1:]).to(image.dtype)

    def decode(self, grey: Tensor, output: Tensor) -> Tensor:
        """The colour image, N x 3 x H x W in [-1, 1], of an input and of what the base method made of it."""
        if self.space == "rgb":
            return output
        lab = torch.cat([_lab(grey)[:, :1], output.float() * AB_SCALE], dim=1)
        lab = into_gamut(lab) if self.gamut == "chroma" else lab
        return lab_to_srgb(lab).clamp(0, 1) * 2 - 1

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
    def import_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], **options: Any) -> Colorization:
        """Build from checkpoints of the base method, such as the authors' `colorization_pix2pix`."""
        spec = options.pop("base", "pix2pix")
        given = {"name": spec} if isinstance(spec, str) else dict(spec)
        name = given.pop("name")
        found = registry("methods").get(name).import_checkpoints(files, **given)
        channels = found.config.get("in_channels"), found.config.get("out_channels")
        if channels not in ((1, 2), (1, 3)):
            raise ConfigError(
                f"colourisation makes 2 channels (a*b*) or 3 (RGB) of 1; the checkpoint makes {channels[1]} of "
                f"{channels[0]}: import it as {name!r}."
            )
        inside = {k: v for k, v in found.config.items() if k not in DECIDED}
        method = cls(base={"name": name, **inside}, **{"colour": "lab" if channels[1] == 2 else "rgb", **options})
        method.base.load_state_dict(found.state_dict())
        return method


def _lab(image: Tensor) -> Tensor:
    """N x 3 (or 1) x H x W in [-1, 1] to L*a*b*, in float32: half precision has too few steps for images."""
    return srgb_to_lab((image.float().expand(-1, 3, -1, -1) + 1) / 2)
