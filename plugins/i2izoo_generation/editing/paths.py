"""Ways between images and mixtures of them, in the space of styles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.nn.latent import lerp, slerp
from i2izoo_generation.editing.styles import Styles, editing, on_device, spread, style_method

if TYPE_CHECKING:
    from i2izoo import Translator


def interpolate(first: Styles, second: Styles, count: int = 9) -> Styles:
    """The straight way from one image to another in W, or W+: `count` images, both ends included.

    Noise of their own goes along, on the sphere that noise lies on; where one alone has it, all have that.

    Raises:
        ConfigError: these are not two images of one generator, or count is below 2.

    >>> interpolate(Styles(torch.zeros(1, 6, 8)), Styles(torch.ones(1, 6, 8)), 3).w[1, 0, 0]
    tensor(0.5000)
    """
    _check_pair(first, second)
    share = _shares(count)
    w = lerp(first.w, second.w, share[:, None, None])
    start, end = first.noise or second.noise, second.noise or first.noise
    if start is None or end is None:
        return Styles(w)
    noise = [
        slerp(a.flatten(1), b.flatten(1), share[:, None]).view(count, *a.shape[1:])
        for a, b in zip(start, end, strict=True)
    ]
    return Styles(w, tuple(noise))


def interpolate_latents(
    model: Translator, first: Tensor, second: Tensor, count: int = 9, *, label: int | None = None
) -> Styles:
    """The way from one latent z, 1 x latent, to another along the great circle between them, mapped to w.

    Args:
        model: one whose images come of styles.
        first, second: such as `model.method.latents([seed])` draws.
        count: images on the way, both ends included.
        label: the class of all of them; a model without classes has none.

    Raises:
        ConfigError: the model has no styles, a latent does not fit, or count is below 2.
    """
    method = style_method(model)
    z = slerp(first, second, _shares(count)[:, None])
    labels = None if label is None else torch.full((count,), label)
    with editing(model), torch.no_grad():
        return Styles(spread(method, method.mapped([0] * count, z, labels)).float().cpu())


def mix(coarse: Styles, fine: Styles, layers: tuple[int, int]) -> Styles:
    """One image with the styles of another in some of its layers (Karras et al. 2019, arXiv 1812.04948, section 3.1).

    The first layers decide pose and shape, the last ones colours and texture.

    Args:
        coarse: the image; its noise stays.
        fine: of which the styles are taken, one image, or as many as `coarse`.
        layers: first and behind the last of these layers, from 0.

    Raises:
        ConfigError: there are no such layers, or the two are of different generators.

    >>> mix(Styles(torch.zeros(1, 4, 1)), Styles(torch.ones(1, 4, 1)), (2, 4)).w.flatten()
    tensor([0., 0., 1., 1.])
    """
    if coarse.w.shape[1:] != fine.w.shape[1:] or len(fine) not in (1, len(coarse)):
        raise ConfigError(f"these are of different models: {tuple(coarse.w.shape)} and {tuple(fine.w.shape)}.")
    rows = chosen(layers, coarse.w.shape[1])
    w = coarse.w.clone()
    w[:, rows] = fine.w[:, rows]
    return replace(coarse, w=w)


def truncate(model: Translator, styles: Styles, psi: float, layers: int | None = None) -> Styles:
    """The styles nearer to their average: w' = average + psi (w - average), of the first layers or of all."""
    w, _ = on_device(model, styles)
    return replace(styles, w=style_method(model).generator.mapping.truncated(w, psi, layers).float().cpu())


def chosen(layers: tuple[int, int] | None, count: int) -> slice:
    """Some of a number of layers; None: all.

    Raises:
        ConfigError: there are no such layers.
    """
    first, behind = layers or (0, count)
    if not 0 <= first < behind <= count:
        raise ConfigError(f"layers are from 0 to {count}, first and behind the last; found {first} and {behind}.")
    return slice(first, behind)


def _shares(count: int) -> Tensor:
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise ConfigError(f"count is a whole number, at least 2, the two ends; found {count!r}.")
    return torch.linspace(0, 1, count)


def _check_pair(first: Styles, second: Styles) -> None:
    if first.w.shape != second.w.shape or len(first) != 1:
        raise ConfigError(
            f"the ends are two images of one model; found styles of {tuple(first.w.shape)} and {tuple(second.w.shape)}."
        )
