"""Segmentation as a translation, photo to label map: the network behind the FCN score of pix2pix.

Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation" (CVPR 2015, arXiv 1411.4038),
learn it with a cross-entropy for each pixel; Isola et al. (CVPR 2017, arXiv 1611.07004, section 4) let such a network
read generated photos: where it finds the classes that the label map asked for, the photo shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2izoo.contracts.label_maps import check_palette
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Palette, Range, Rate
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Generator, Part, Update
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.label_maps import colours_of
from i2izoo.nn.optim import adam
from i2izoo.nn.padding import pad_to_valid
from i2izoo_metrics.palette import CMP, IGNORED, to_classes


class Segmenter(OneWayMethod):
    """Per-pixel classification with any generator as its backbone; label maps are images in the palette's colours.

    The generator gives `features` channels, and a 1 x 1 convolution turns them into one logit for each class, so that
    generators that end in tanh serve.

    Args:
        domains: source (photo) and target (label map), by the names that the data gives them.
        in_channels: channels of the source.
        palette: RGB colour of each class, 8 bits.
        tolerance: pixels of a label map further than this from every colour, in 8-bit units, are left out of the loss.
        generator: any generator, the backbone.
        features: channels that it gives to the classifier.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam.
        betas: of Adam.

    >>> method = Segmenter(generator={"name": "unet_256", "width": 4, "depth": 3})
    >>> method(torch.zeros(1, 3, 20, 9), to="label").shape
    torch.Size([1, 3, 20, 9])
    >>> method.classify(torch.zeros(1, 3, 20, 9)).shape
    torch.Size([1, 20, 9])
    """

    data = "paired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 10, "decay_epochs": 10, "batch_size": 1, "load_size": 286, "crop_size": 256,
    }  # fmt: skip
    inference_parts = ("generator", "head")
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "unet_256", "width": 4, "depth": 3},
        "features": 4,
        "palette": [[0, 0, 0], [255, 255, 255], [255, 0, 0]],
        "tolerance": 500.0,
    }

    resampling = "nearest"

    def __init__(
        self,
        *,
        domains: list[str] = ["photo", "label"],
        in_channels: Channels = 3,
        palette: Palette = CMP,
        tolerance: Annotated[float, Range(0, 1000)] = 32.0,
        generator: Part[Generator] = "unet_256",
        features: Channels = 32,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 5e-4,
        betas: Betas = [0.9, 0.999],
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        check_palette(palette)
        if tolerance < 0:
            raise ConfigError(f"tolerance is a distance of at least 0; found {tolerance}.")
        if features < 1:
            raise ConfigError(f"features is at least 1; found {features}.")
        self.palette, self.tolerance = palette, tolerance
        self.learning_rate, self.betas = learning_rate, betas
        self.generator = self.part("generator", in_channels=in_channels, out_channels=features)
        self.head = nn.Conv2d(features, len(palette), 1)
        init_weights(self, init, init_gain)

    def configure(self) -> None:  # type: ignore[override]
        """Take no label maps: the target is one, in the segmenter's own palette."""

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: self.config["in_channels"], self.target: 3}

    def logits(self, image: Tensor) -> Tensor:
        """N x in x H x W, of a valid size, to N x classes x H x W."""
        return self.head(self.generator(image))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        classes = to_classes(batch[self.target], self.palette, self.tolerance)
        if not (classes != IGNORED).any():  # the mean over no pixels would be NaN
            raise ConfigError(
                f"no pixel of {self.target!r} is within {self.tolerance:g} of a colour of the palette; give the label "
                f"maps' own colours with palette=[[R,G,B],...], or turn the direction round: it is {self.source} -> "
                f"{self.target}."
            )
        logits = self.logits(batch[self.source]).float()
        yield Update("segmenter", {"cross_entropy": F.cross_entropy(logits, classes, ignore_index=IGNORED)})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"segmenter": adam(self.parameters(), self.learning_rate, self.betas)}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """N x in x H x W to label maps N x 3 x H x W: every pixel has exactly one of the palette's colours."""
        painted = colours_of(self.logits(image).argmax(dim=1), self.palette)
        return painted.expand(-1, 3, -1, -1).to(image.dtype)

    def classify(self, photo: Tensor) -> Tensor:
        """N x in x H x W in [-1, 1], of any size, to classes N x H x W, int64."""
        height, width = photo.shape[-2:]
        padded = pad_to_valid(photo, self.size_multiple(self.target), self.min_size(self.target))
        return self.logits(padded).argmax(dim=1)[..., :height, :width]
