"""Generators of styles: a latent becomes w, and w, one for each layer, an image. Between the two, images are edited."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from i2izoo.contracts.parts import LatentGenerator
from i2izoo.errors import ConfigError

Noise: TypeAlias = Literal["random", "constant", "none"] | Sequence[Tensor]
"""Of each layer: drawn anew; the one image of noise that the layer has; none; or given, N x 1 x H x W each."""


class StyleMapping(nn.Module, ABC):
    """f: Z -> W, from a latent to a style, in which what an image shows is less entangled.

    Attributes:
        average: the style, of its length, that truncation goes towards: the mean over many latents.
    """

    average: Tensor

    @abstractmethod
    def forward(self, latent: Tensor | None, condition: Tensor | None = None) -> Tensor:
        """Map z, N x latent, and what to make, N x condition, to w, N x style."""

    def truncated(self, w: Tensor, psi: float, layers: int | None = None) -> Tensor:
        """w' = average + psi (w - average) (Karras et al. 2019, appendix B), of the first layers or of all.

        Less than 1 trades variety for quality, 0 gives the average image.

        Args:
            w: N x layers x style.
            psi: the share of the way from the average that is kept.
            layers: of how many layers; None: of all.
        """
        if psi == 1:
            return w
        kept = torch.lerp(self.average.to(w.dtype), w[:, :layers], psi)
        return kept if layers is None else torch.cat([kept, w[:, layers:]], dim=1)


class StyleSynthesis(nn.Module, ABC):
    """g: W -> image, resolution by resolution, with a w for each layer, and noise.

    Attributes:
        layers: how many w it takes.
        sides: resolutions of the layers that take noise, in order.
    """

    layers: int
    sides: Sequence[int]

    @abstractmethod
    def stages(self, w: Tensor, noise: Noise = "random") -> Iterator[tuple[int, Tensor, Tensor | None]]:
        """Resolution, features N x C x side x side and the image so far, if there is one yet, of each block, in order.

        Who wants features alone stops there; nothing behind them is computed.
        """

    def forward(self, w: Tensor, noise: Noise = "random") -> Tensor:
        """Map w, N x layers x style, to N x channels x size x size, about [-1, 1]."""
        *_, (_, _, image) = self.stages(w, noise)
        assert image is not None  # for the type checker
        return image

    def constant_noise(self) -> list[Tensor]:
        """The noise that each layer has of its own, side x side; of a network that takes none, nothing."""
        return []

    def affine(self, layer: int) -> Tensor:
        """The matrix, channels x style, by which w of a layer first becomes what that layer does.

        Raises:
            ConfigError: it has none.
        """
        raise ConfigError(f"{type(self).__name__} does not say by which matrix a layer takes w; learn from labels.")


class StyleGenerator(LatentGenerator):
    """A generator in two halves; a method that owns one and is a `StyleMethod` can be edited by all that edits styles.

    Attributes:
        mapping: from z to w.
        synthesis: from w to the image.
    """

    mapping: StyleMapping
    synthesis: StyleSynthesis


@runtime_checkable
class StyleMethod(Protocol):
    """A method whose images come of styles.

    Attributes:
        generator: it.
    """

    generator: StyleGenerator

    def latents(self, seeds: list[int], latent: Tensor | None = None) -> Tensor:
        """z of seeds, N x latent, standard normal; or those that are given."""
        ...

    def mapped(self, seeds: list[int], latent: Tensor | None = None, label: Tensor | None = None) -> Tensor:
        """w of seeds, or of latents, N x style; the label says of which class, and each seed draws one without it."""
        ...
