"""DragGAN: points of an image are dragged to where they are wanted (Pan et al., SIGGRAPH 2023, arXiv 2305.10973)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.images.reading import read
from i2izoo_generation.editing.motion import Point, Reduction, at, far, kept_loss, motion_loss, radii, track
from i2izoo_generation.editing.projection import project
from i2izoo_generation.editing.styles import Styles, drawn, editing, on_device, render, style_method

if TYPE_CHECKING:
    from i2izoo import Translator

BLOCK = 128
"""Side of the features of StyleGAN2's sixth block, which the paper takes."""


@dataclass(frozen=True)
class Dragged:
    """What a drag has come to.

    Attributes:
        image: 1 x C x H x W in [-1, 1].
        styles: of it.
        paths: of each handle, the places (x, y) where it was found, the first one included.
        steps: how many were taken.
        arrived: is each of them where it should be?
    """

    image: Tensor
    styles: Styles
    paths: tuple[tuple[Point, ...], ...]
    steps: int
    arrived: bool


class Drag:
    """A drag step by step, for programs that show it as it goes; `drag` goes through all of it.

    A loop over it takes a step at a time, until all handles have arrived, the steps are used up, or `cancel` is called,
    from another thread or from within.

    Args:
        model: one whose images come of styles.
        start: the image: a seed, for the first image of `model.generate(seed=...)` without noise of its own; styles;
            or any image, which is projected first.
        points: handles, (x, y) in pixels of the image.
        targets: where each of them is to go.
        mask: white, or above 0, where the image may change, as the paper has it; a path, PIL image, array or tensor of
            the image's size. None: everywhere.
        steps: at most.
        learning_rate: of Adam; 0.002 in the paper, 0.001 in its code.
        mask_weight: lambda, of what shall stay; 20 in the paper, 10 in its code.
        reduction: "mean" of differences, as in the authors' code, or "sum", as in the paper, where the mask, which
            covers far more pixels than a patch, weighs far more.
        layers: w of so many of the first layers are optimised; the others, colours and texture, stay.
        patch_radius: r_1 in pixels; None: 3 / 512 of the side, 2 at least.
        search_radius: r_2 in pixels; None: 12 / 512 of the side, 3 at least.
        tolerance: a handle has arrived within so many pixels; None: 1 for up to five handles and 2 for more, as in the
            paper.
        features: side of the features that are looked at, one of the resolutions; None: 128, the paper's, or half the
            image's side where that is less.
        projection: options of `project`, where the start is an image.

    Attributes:
        points: where the handles are now.
        targets: where they go.
        paths: where each has been.
        done: steps that were taken.
        cancelled: has somebody called `cancel`?

    Raises:
        ConfigError: the model has no styles, or points, targets, mask or options do not fit.
        ImageError: an image cannot be read.
    """

    def __init__(
        self,
        model: Translator,
        start: Any,
        *,
        points: Sequence[Point],
        targets: Sequence[Point],
        mask: Any = None,
        steps: int = 300,
        learning_rate: float = 2e-3,
        mask_weight: float = 20.0,
        reduction: Reduction = "mean",
        layers: int = 6,
        patch_radius: float | None = None,
        search_radius: int | None = None,
        tolerance: float | None = None,
        features: int | None = None,
        projection: Mapping[str, Any] = {},
    ) -> None:
        self.model, self.synthesis = model, style_method(model).generator.synthesis
        self.steps, self.mask_weight, self.reduction = steps, mask_weight, reduction
        if reduction not in ("mean", "sum"):
            raise ConfigError(f"reduction is 'mean' or 'sum'; found {reduction!r}.")
        self._start = _styles(model, start, projection)
        w, self._noise = on_device(model, self._start)
        self.size = tuple(render(model, self._start).shape[-2:])
        self.points, self.targets = _checked(points, self.size), _checked(targets, self.size)
        if len(self.points) != len(self.targets) or not self.points:
            raise ConfigError(f"each point has a target; found {len(self.points)} and {len(self.targets)}.")
        self.paths: list[list[Point]] = [[point] for point in self.points]
        self.fixed = None if mask is None else _fixed(mask, self.size).to(model.device)
        usual = radii(max(self.size))
        self.patch_radius = usual[0] if patch_radius is None else patch_radius
        self.search_radius = usual[1] if search_radius is None else search_radius
        self.tolerance = (1.0 if len(self.points) <= 5 else 2.0) if tolerance is None else tolerance
        self.side = min(BLOCK, max(self.size) // 2) if features is None else features
        self.w = w[:, :layers].detach().clone().requires_grad_()
        self._rest = w[:, layers:].detach()
        self.optimiser = torch.optim.Adam([self.w], lr=learning_rate)
        self.done, self.cancelled = 0, False
        self._now = self._features()
        self._first = self._now.detach()
        self._handles = at(self._first, torch.tensor(self.points))

    # ------------------------------------------------------------------------------------------------------- progress

    @property
    def distances(self) -> list[float]:
        """How far each handle is from its target, in pixels."""
        return [far(point, target) for point, target in zip(self.points, self.targets, strict=True)]

    @property
    def arrived(self) -> bool:
        """Are all of them within the tolerance?"""
        return max(self.distances) <= self.tolerance

    @property
    def finished(self) -> bool:
        """Is there nothing left to do?"""
        return self.arrived or self.cancelled or self.done >= self.steps

    def cancel(self) -> None:
        """Let the loop end before its next step; what there is stays."""
        self.cancelled = True

    def __iter__(self) -> Iterator[Drag]:
        """Itself, after each step."""
        while not self.finished:
            self.step()
            yield self

    # ---------------------------------------------------------------------------------------------------------- a step

    def step(self) -> list[float]:
        """Move the image by one step of Adam, and look where the handles are; returns their distances."""
        terms = [
            motion_loss(self._now, point, target, self.patch_radius, self.reduction)
            for point, target in zip(self.points, self.targets, strict=True)
        ]
        loss = torch.stack([term for term in terms if term is not None] or [0 * self._now.sum()]).sum()
        if self.fixed is not None:
            loss = loss + self.mask_weight * kept_loss(self._now, self._first, self.fixed, self.reduction)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self._now = self._features()
        for place, handle in enumerate(self._handles):
            self.points[place] = track(self._now, handle, self.points[place], self.search_radius)
            self.paths[place].append(self.points[place])
        self.done += 1
        return self.distances

    def _features(self) -> Tensor:
        """Those of the chosen resolution, bilinear at the size of the image, in float32."""
        with editing(self.model):
            for side, features, _ in self.synthesis.stages(torch.cat([self.w, self._rest], dim=1), self._noise):
                if side == self.side:
                    return F.interpolate(features.float(), self.size, mode="bilinear", align_corners=False)
        raise ConfigError(f"the model has no features of {self.side} x {self.side}; its sides are powers of two.")

    # ------------------------------------------------------------------------------------------------------- its result

    @property
    def styles(self) -> Styles:
        """Those of the image as it is now."""
        return Styles(torch.cat([self.w.detach(), self._rest], dim=1).float().cpu(), self._start.noise)

    def image(self) -> Tensor:
        """The image as it is now, 1 x C x H x W in [-1, 1]."""
        return render(self.model, self.styles)

    def result(self) -> Dragged:
        """All that there is now."""
        return Dragged(self.image(), self.styles, tuple(map(tuple, self.paths)), self.done, self.arrived)


def drag(
    model: Translator,
    start: Any,
    *,
    points: Sequence[Point],
    targets: Sequence[Point],
    mask: Any = None,
    on_step: Callable[[Drag], None] | None = None,
    **options: Any,
) -> Dragged:
    """Drag points of an image to where they are wanted.

    In each step w of the first layers is moved so that the features around each handle appear a pixel nearer to its
    target (motion supervision), and each handle is looked for where its features are now (point tracking).

    Args:
        model, start, points, targets, mask: see `Drag`.
        on_step: is called after each step with the `Drag`, to show it, or to call its `cancel`.
        options: further ones of `Drag`.

    >>> import i2izoo
    >>> from i2izoo_generation.stylegan2 import StyleGAN2
    >>> model = i2izoo.create("stylegan2", **StyleGAN2.tiny_options)
    >>> result = drag(model, 3, points=[(4, 5)], targets=[(9, 5)], steps=2)
    >>> result.image.shape, result.steps, result.paths[0][0]
    (torch.Size([1, 3, 16, 16]), 2, (4, 5))
    """
    state = Drag(model, start, points=points, targets=targets, mask=mask, **options)
    for _ in state:
        if on_step is not None:
            on_step(state)
    return state.result()


def _styles(model: Translator, start: Any, projection: Mapping[str, Any]) -> Styles:
    if isinstance(start, Styles):
        if len(start) != 1:
            raise ConfigError(f"one image is dragged; these are the styles of {len(start)}.")
        return start
    if isinstance(start, int) and not isinstance(start, bool):
        return drawn(model, seed=start)
    return project(model, start, **projection).styles


def _checked(points: Sequence[Point], size: tuple[int, ...]) -> list[Point]:
    height, width = size
    for point in points:
        if len(point) != 2 or not (0 <= point[0] <= width - 1 and 0 <= point[1] <= height - 1):
            raise ConfigError(f"points are (x, y) within {width} x {height} pixels, from 0; found {tuple(point)}.")
    return [(point[0], point[1]) for point in points]


def _fixed(mask: Any, size: tuple[int, ...]) -> Tensor:
    """1 where the image shall stay, 1 x 1 x H x W."""
    white = read(mask, 1, name="the mask")[0][None] > 0
    if white.shape[-2:] != size:
        found = " x ".join(map(str, white.shape[:1:-1]))
        raise ConfigError(f"the mask has the size of the image, {size[1]} x {size[0]}; found {found}.")
    return (~white).float()
