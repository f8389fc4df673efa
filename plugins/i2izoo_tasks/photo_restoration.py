"""Damaged grey photographs made whole and coloured by one model, which finds the damage itself or is shown it.

As in "Bringing old photos back to life" (Wan et al., CVPR 2020, arXiv 2004.09484), a small network that has learned
drawn damage says where it is; here the one that fills it gives the colours, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2izoo.contracts.ranges import Range, Rate, Share
from i2izoo.data.derived import making_seed
from i2izoo.interfaces import Batch, Generator, Image, Method, Part, PartSpec, Update
from i2izoo.nn.colour import AB_SCALE, into_gamut, lab_to_srgb, normalise_lab, recolour, signed_to_lab
from i2izoo.nn.optim import adam
from i2izoo.nn.random import derive_seed, noise_like, randn
from i2izoo_tasks.common import DRAWN, TINY, DamagedDataset
from i2izoo_tasks.damage import damage
from i2izoo_tasks.degradations import Preset, degradation
from i2izoo_tasks.filling import Filling, hide, holes
from i2izoo_tasks.film import grey_of

SMALL: PartSpec = {"name": "resnet_6blocks", "width": 16}
FEATURES = 8
"""Channels of the detector before its last layer: generators end in tanh, logits have no bounds."""
Amount = Annotated[float, Range(0, 100)]


class PhotoRestoration(Filling):
    """A damaged grey photograph to a whole one in colour: scratches, holes and missing corners are filled on the way.

    The base sees L*, with noise (or grey) where nothing is left and a plane that says where, and gives L*, a* and b*.
    Of the result, the lightness is the input's own wherever something is left, and the base's where not. Where that is,
    an image or its alpha says; otherwise a second, small network that has learned it from the same drawn damage.

    Args:
        base: the method that learns, with options of its own: any paired one that has the options `domains`,
            `in_channels` and `out_channels`.
        domains: the damaged and the whole images; in data with domains, the second is the one that is taken.
        detector: the network that finds damage, any generator; the logit of each pixel is a sum of its channels.
        detector_learning_rate: of its Adam; it is trained beside the base.
        fill: what the base sees where nothing is left: "noise" from N(0, 1) or "grey".
        degrade: what is done to the images in training beside damage, see `i2izoo_tasks.degradations.Degradation`.
        damage: how much is damaged, 1 as `i2izoo_tasks.damage` has it.

    >>> method = PhotoRestoration(**PhotoRestoration.tiny_options)
    >>> method(torch.ones(1, 4, 20, 9), to="image").shape
    torch.Size([1, 3, 20, 9])
    """

    inference_parts = ("base", "detector", "head")
    dataset: dict[str, Any] | None = {"name": "photo_restoration"}  # noqa: RUF012
    tiny_options: ClassVar[dict[str, Any]] = {
        **TINY, "detector": {"name": "resnet_6blocks", "width": 4, "blocks": 1},
    }  # fmt: skip

    def __init__(
        self,
        *,
        base: Part[Method] = "pix2pix",
        domains: list[str] = ["damaged", "image"],
        detector: Part[Generator] = SMALL,
        detector_learning_rate: Rate = 2e-4,
        fill: Literal["noise", "grey"] = "noise",
        degrade: Preset | dict[str, Any] = "none",
        damage: Amount = 1.0,
    ) -> None:
        super().__init__()
        self.fill, self.mask_channel = fill, True
        self.build(base, domains, in_channels=2, out_channels=3)
        self.detector = self.part("detector", in_channels=1, out_channels=FEATURES)
        self.head = nn.Conv2d(FEATURES, 1, 1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]  # at first, little is damaged
        self.detector_learning_rate = detector_learning_rate
        self.dataset = {"name": "photo_restoration", "domains": domains, "degrade": degrade, "damage": damage}

    def size_multiple(self, to: str) -> int:
        return math.lcm(super().size_multiple(to), self.detector.size_multiple)

    def min_size(self, to: str) -> int:
        return max(super().min_size(to), self.detector.min_size)

    def unknown(self, hole: Tensor) -> Tensor:
        """Everything: colours are nowhere known."""
        return torch.ones_like(hole)

    def logits(self, grey: Tensor) -> Tensor:
        """How likely a pixel is damage, N x 1 x H x W, of L* / 50 - 1."""
        return self.head(self.detector(grey))

    # ------------------------------------------------------------------------------------------------------ training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        colours, hole = holes(batch[self.source])  # whose colours show the damage, and whose alpha says where
        grey = _lightness(colours)
        found = F.binary_cross_entropy_with_logits(self.logits(grey).float(), hole.float())
        yield Update("detector", {"detector": found})
        target = normalise_lab(signed_to_lab(batch[self.target])).to(grey.dtype)
        seen = self.seen(grey, hole, noise_like(grey))
        extras = {**batch.extras, "mask": self.unknown(hole).to(grey.dtype)}
        images = {self.source: seen, self.target: target}
        yield from self.base.training_step(replace(batch, images=images, extras=extras))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        network = [*self.detector.parameters(), *self.head.parameters()]
        return {"detector": adam(network, self.detector_learning_rate, (0.9, 0.999)), **super().optimizers()}

    def inference_state(self) -> dict[str, Tensor]:
        own = {"detector": self.detector, "head": self.head}
        found = {f"{part}.{name}": value for part, net in own.items() for name, value in net.state_dict().items()}
        return {**super().inference_state(), **found}

    # ------------------------------------------------------------------------------------------------- translating

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mask: Image | None = None, detect: bool | None = None,
        threshold: Share = 0.5, **options: Any,
    ) -> Tensor:  # fmt: skip
        """Restore N x 4 x H x W: N x 3 x H x W.

        Args:
            image: RGBA, of which the lightness counts; where alpha is below 0, nothing is left.
            to: the target domain.
            seeds: one for each row; the noise where nothing is left is a function of it.
            mask: an image, N x C x H x W in [-1, 1], laid over the alpha: nothing is left where it is brighter than
                mid-grey.
            detect: look for damage; None: in images of which neither `mask` nor alpha marks any. What is found is added
                to what is marked.
            threshold: probability from which on a pixel is damage.
            options: those of the base method.
        """
        colours, hole = holes(image)
        grey = _lightness(colours)
        if mask is not None:
            hole = hole | (mask.mean(dim=1, keepdim=True) > 0)
        searched = torch.full_like(hole[:, :1, :1, :1], bool(detect))
        if detect is None and mask is None:
            searched = ~hole.flatten(1).any(dim=1).view(-1, 1, 1, 1)
        if searched.any():
            hole = hole | (searched & (self.logits(grey).sigmoid() >= threshold))
        if "mask" in self.base.translate_options():
            options["mask"] = self.unknown(hole).to(grey.dtype)
        noise = randn(grey.shape[1:], [derive_seed(seed, "fill") for seed in seeds], grey.device).to(grey.dtype)
        output = self.base.translate(self.seen(grey, hole, noise), to=to, seeds=seeds, **options).float()
        lightness = torch.where(hole, output[:, :1].clamp(-1, 1) * 50 + 50, signed_to_lab(colours)[:, :1])
        lab = into_gamut(torch.cat([lightness, output[:, 1:] * AB_SCALE], dim=1))
        return lab_to_srgb(lab).clamp(0, 1).to(image.dtype) * 2 - 1


def _lightness(colours: Tensor) -> Tensor:
    """L* / 50 - 1, N x 1 x H x W, of N x 3 x H x W in [-1, 1]."""
    return normalise_lab(signed_to_lab(colours))[:, :1].to(colours.dtype)


class PhotoRestorationDataset(DamagedDataset):
    """Pairs of a damaged grey photograph (RGBA) and the whole one in colour, of which only the latter have to be there.

    Of the damaged image, alpha marks what is missing and the colours under it show the damage as it looks. In training
    film and age may degrade it too; the colours then lie on the degraded lightness, so that what is filled in is as old
    as what is around it. In validation nothing is degraded, and the damage is a function of the item's index.

    Args:
        root: the whole images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the damaged and of the whole images; the second is taken of data that has domains.
        degrade: what film and age do in training, see `i2izoo_tasks.degradations.Degradation`.
        damage: how much is damaged, 1 as `i2izoo_tasks.damage` has it.
        marked: does alpha mark the damage? False, for an evaluation: a model has to find it.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.
        ConfigError: a degradation that does not exist.

    >>> data = PhotoRestorationDataset(root=DRAWN, domains=["damaged", "photo"], damage=3.0)
    >>> source = data.sample(0, seed=1)["damaged"]
    >>> source.shape, source[3].unique().tolist()
    (torch.Size([4, 32, 32]), [-1.0, 1.0])
    """

    making = "grey and damaged"
    tiny_options: ClassVar[dict[str, Any]] = {"root": DRAWN, "domains": ["damaged", "photo"], "degrade": "film"}

    def __init__(
        self,
        *,
        root: str | dict[str, Any],
        domains: list[str] = ["damaged", "image"],
        degrade: Preset | dict[str, Any] = "none",
        damage: Amount = 1.0,
        marked: bool = True,
    ) -> None:
        self.open_images(root, domains)
        self.degradation = degradation(degrade)

    @property
    def recipe(self) -> dict[str, Any]:
        return {name: self.config[name] for name in ("damage", "marked")}

    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        image = found[self.target]
        scene = (image.numpy() + 1) / 2
        grey = grey_of(scene)
        if seed is not None and self.degradation.config != degradation("none").config:
            grey = self.degradation(scene, derive_seed(seed, "degrade"))
            colours = normalise_lab(signed_to_lab(image[None]))[:, 1:]
            image = recolour(torch.from_numpy(np.ascontiguousarray(grey))[None, None] * 2 - 1, colours)[0]
        damaged, mask = damage(grey, self.config["damage"], making_seed(index, seed, "damage"))
        source = hide(torch.from_numpy(damaged * 2 - 1).clamp(-1, 1).repeat(3, 1, 1), None)
        if self.config["marked"]:
            source[3, torch.from_numpy(mask)] = -1
        return {self.source: source, self.target: image}

    def damage(self, image: Tensor, index: int, seed: int | None) -> Tensor:
        return self.made_of({self.target: image}, index, seed)[self.source]
