"""From an image to its styles: projection into W (Karras et al. 2020) and W+ (Abdal, Qin and Wonka 2019)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.errors import ConfigError
from i2izoo.images.reading import read
from i2izoo.nn.random import derive_seed, randn
from i2izoo_generation.editing.distances import open_distance
from i2izoo_generation.editing.noise_maps import autocorrelation, normalise
from i2izoo_generation.editing.schedule import rate, wandering
from i2izoo_generation.editing.styles import Styles, editing, on_device, style_method
from i2izoo_generation.sizes import covering

if TYPE_CHECKING:
    from i2izoo import Translator

SAMPLES = 10_000
"""Latents from which mean and deviation of w are found."""

WANDERING = 0.05
"""Deviation of the noise on w at the start, in parts of w's own."""


@dataclass(frozen=True)
class Recipe:
    """What the two papers do: steps, the highest learning rate, whether it is ramped and w disturbed, the weight of
    squared differences of pixels beside the distance, and whether the noise is optimised, too."""

    steps: int
    learning_rate: float
    ramped: bool
    pixel_weight: float
    optimise_noise: bool


RECIPES = {"w": Recipe(1000, 0.1, True, 0.0, True), "w+": Recipe(5000, 0.01, False, 1.0, False)}


@dataclass(frozen=True)
class Projection:
    """What was found of an image.

    Attributes:
        styles: of one image.
        image: what they give, 1 x C x H x W in [-1, 1].
        target: what was looked for, of the same size.
        distances: of each step.
        by: name of the distance.
    """

    styles: Styles
    image: Tensor
    target: Tensor
    distances: tuple[float, ...]
    by: str

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of the two images in dB."""
        return float(10 * torch.log10(4 / (self.image - self.target).square().mean()))


class Projector:
    """A projection step by step; `project` goes through all of it, and explains the arguments.

    Attributes:
        steps: how many there are.
        done: steps that are done.
        distances: of each of them.
    """

    def __init__(
        self,
        model: Translator,
        image: Any,
        *,
        space: Literal["w", "w+"] = "w",
        steps: int | None = None,
        distance: PartSpec | None = None,
        learning_rate: float | None = None,
        pixel_weight: float | None = None,
        noise_weight: float = 1e5,
        optimise_noise: bool | None = None,
        start: Styles | None = None,
        label: int | None = None,
        seed: int = 0,
    ) -> None:
        method = style_method(model)
        if space not in RECIPES:
            raise ConfigError(f"space is 'w', one style for all layers, or 'w+', one for each; found {space!r}.")
        recipe = RECIPES[space]
        self.model, self.synthesis, self.seed, self.done = model, method.generator.synthesis, seed, 0
        self.steps = _positive("steps", steps, recipe.steps)
        self.rate = _positive("learning_rate", learning_rate, recipe.learning_rate)
        self.pixel_weight = recipe.pixel_weight if pixel_weight is None else pixel_weight
        self.noise_weight, self.ramped = noise_weight, recipe.ramped
        self.target = self._read(image)
        self.by, self.distance = open_distance(distance, self.target)
        self.distances: list[float] = []
        mean, self.deviation = statistics(model, label)
        with torch.no_grad():
            w = mean.expand(1, self.synthesis.layers, -1) if start is None else on_device(model, start)[0].float()
            w = w[:, :1] if space == "w" else w
            self.w = w.clone().requires_grad_()
            self.noise = self._noise(recipe.optimise_noise if optimise_noise is None else optimise_noise)
        self.optimiser = torch.optim.Adam([self.w, *self.noise], lr=self.rate)

    def _read(self, image: Any) -> Tensor:
        domain = next(iter(self.model.directions))
        pixels = read(image, self.model.method.image_channels[domain])[0][None].float()
        height, width = self.model.native_size or pixels.shape[-2:]
        return covering(pixels, (height, width)).clamp(-1, 1).to(self.model.device)

    def _noise(self, optimise: bool) -> list[Tensor]:
        """Fresh noise for each layer to be optimised; none where the constant one is to stay."""
        if not optimise:
            return []
        fresh = [
            randn((1, side, side), [derive_seed(self.seed, "noise", place)], self.model.device)
            for place, side in enumerate(self.synthesis.sides)
        ]
        normalise(fresh)
        return [each.requires_grad_() for each in fresh]

    def step(self) -> float:
        """One step of Adam; the distance before it."""
        share = self.done / self.steps
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * (rate(share) if self.ramped else 1.0)
        w = self.w
        if self.ramped:
            scale = WANDERING * self.deviation * wandering(share)
            wandered = randn(self.w.shape[1:], [derive_seed(self.seed, "w", self.done)], w.device)
            w = w + scale * wandered.to(w)
        with editing(self.model):
            made = self._image(w)
            far = self.distance(made, self.target)
            loss = far + self.pixel_weight * F.mse_loss(made, self.target)
            if self.noise:
                loss = loss + self.noise_weight * autocorrelation(self.noise)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
        self.optimiser.step()
        normalise(self.noise)
        self.done += 1
        self.distances.append(float(far.detach()))
        return self.distances[-1]

    def _image(self, w: Tensor) -> Tensor:
        noise = [each.to(self.model.dtype) for each in self.noise] or "constant"
        w = w.expand(-1, self.synthesis.layers, -1).to(self.model.dtype)
        return self.synthesis(w, noise).float()

    def result(self) -> Projection:
        """What has been found so far."""
        with editing(self.model), torch.no_grad():
            image = self._image(self.w).clamp(-1, 1).cpu()
        w = self.w.detach().expand(-1, self.synthesis.layers, -1).float().cpu().clone()
        noise = tuple(each.detach().cpu().clone() for each in self.noise) or None
        return Projection(Styles(w, noise), image, self.target.cpu(), tuple(self.distances), self.by)


def project(model: Translator, image: Any, *, progress: bool = False, **options: Any) -> Projection:
    """Find the styles by which a model makes an image that is as near to a given one as it can.

    In W, one style for all layers, as StyleGAN2's appendix D has it (Karras et al. 2020, arXiv 1912.04958): Adam from
    the mean of w on, w disturbed less and less, the noise of each layer optimised with it and held to be noise. In W+,
    one style for each layer, as Image2StyleGAN (Abdal et al. 2019, arXiv 1904.03189): Adam at a rate of 0.01, pixels
    beside the distance, the noise as it is. W+ comes nearer to images that the model did not make; what is found in W
    is more like an image of the model, and better to edit.

    Args:
        model: one whose images come of styles.
        image: a path, PIL image, array or tensor; of another size than the model's it is scaled to cover it, and
            cropped.
        progress: show a bar on stderr.
        options: of the projection:

            - space: "w" or "w+".
            - steps: None: 1000 in W, 5000 in W+, as the papers.
            - distance: any loss between images; None: LPIPS where its weights are on this machine, otherwise the
              features of `efficientnet_lite0` (extra `perceptual`), otherwise pixels.
            - learning_rate: the highest; None: 0.1 in W, 0.01 in W+.
            - pixel_weight: of the mean squared error beside the distance; None: 0 in W, 1 in W+.
            - noise_weight: of the autocorrelation of the noise.
            - optimise_noise: the noise, too; None: in W yes, in W+ no.
            - start: styles to start from; None: the mean.
            - label: the class whose mean it is; a model without classes has none.
            - seed: of the noise.

    Raises:
        ConfigError: the model has no styles, or an option does not fit.
        ImageError: the image cannot be read.

    >>> import i2izoo
    >>> from i2izoo_generation.stylegan2 import StyleGAN2
    >>> model = i2izoo.create("stylegan2", **StyleGAN2.tiny_options)
    >>> found = project(model, torch.zeros(3, 16, 16), steps=2, distance="l2")
    >>> found.styles.w.shape, found.image.shape
    (torch.Size([1, 6, 8]), torch.Size([1, 3, 16, 16]))
    """
    projector = Projector(model, image, **options)
    steps: Iterable[int] = range(projector.steps)
    if progress:
        from rich.console import Console
        from rich.progress import track

        steps = track(steps, "projecting", console=Console(stderr=True))
    for _ in steps:
        projector.step()
    return projector.result()


@torch.no_grad()
def statistics(model: Translator, label: int | None = None) -> tuple[Tensor, Tensor]:
    """The mean of w, of the length of a style, and its deviation, the root of E ||w - mean||^2, of 10 000 latents."""
    method = style_method(model)
    z = torch.randn(SAMPLES, method.latents([0]).shape[1], generator=torch.Generator().manual_seed(0))
    labels = None if label is None else torch.full((SAMPLES,), label)
    with editing(model):
        w = method.mapped(list(range(SAMPLES)), z, labels).float()
    mean = w.mean(dim=0)
    return mean, (w - mean).square().sum(dim=1).mean().sqrt()


def _positive(name: str, value: Any, default: Any) -> Any:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, type(default) if isinstance(default, int) else (int, float)):
        raise ConfigError(f"{name} is a number such as {default}; found {value!r}.")
    if not value > 0:
        raise ConfigError(f"{name} is above 0; found {value!r}.")
    return value
