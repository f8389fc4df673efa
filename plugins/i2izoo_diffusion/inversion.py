"""DDIM inversion: the noise that an image comes from, and ways between two images (Song et al. 2021, section 5).

diffusers' `DDIMInverseScheduler` reads the prediction as one of the less noisy level and cannot be asked twice for one
step; so each step of its `DDIMScheduler` is solved here for what it came from, whatever that step does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.nn.latent import lerp, slerp
from i2izoo.nn.padding import pad_to_valid
from i2izoo_diffusion.diffusion import Diffusion
from i2izoo_diffusion.sampling import Sampling

if TYPE_CHECKING:
    from i2izoo import Translator


def invert_steps(run: Sampling, image: Tensor, iterations: int = 5) -> Tensor:
    """Go through the steps of a deterministic sampling backwards.

    A step of DDIM takes z_t to cos(d) z_t - sin(d) v(z_t, t), d being the angle between the two noise levels (Salimans
    and Ho, arXiv 2202.00512, eq. 12). For a known result z_s, z_t is the fixed point of
    z <- z + (z_s - step(z)) / cos(d). One iteration from z = z_s is the usual DDIM inversion (the network asked about
    the less noisy image); more of them make it exact where steps are small enough for them to converge.

    Args:
        run: a fresh sampling by the scheduler "ddim".
        image: N x C x H x W, the clean image.
        iterations: of each step; the network is asked `run.total * iterations` times.

    Returns:
        The noise, N x C x H x W.

    Raises:
        ConfigError: a single step from pure noise, which keeps nothing of the noise.
    """
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise ConfigError(f"iterations is a whole number from 1; found {iterations!r}.")
    x = image
    for index in reversed(range(run.total)):
        run.index = index
        (alpha, sigma), (next_alpha, next_sigma) = run.level, run.next_level
        cosine = alpha * next_alpha + sigma * next_sigma
        if cosine < 1e-4:
            raise ConfigError("one step from pure noise to an image keeps nothing of the noise; invert with more.")
        noisy = x
        for _ in range(iterations):
            run.noisy = noisy
            run.prediction = run.denoise(noisy, run)
            noisy = noisy + (x - run.stepped(noisy)) / cosine
        x = noisy
    return x


def invert(
    model: Translator,
    images: Any,
    source: Any = None,
    *,
    to: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    iterations: int = 5,
) -> Tensor:
    """The noise from which `model(source, noise=..., steps=steps, scheduler="ddim")` makes the images.

    Args:
        model: a translator of a diffusion method.
        images: of the target domain, one or a list of one size: paths, PIL images, arrays or tensors.
        source: the source image of each, which a conditional model needs; an unconditional one has none.
        to: the target domain; None: the first.
        steps: of sampling; None: the model's own. Twenty or more: the error falls with their number.
        guidance: as of a translation, None: the model's own; above 1 inversion is less exact.
        iterations: of each step, see `invert_steps`; 1 is the usual DDIM inversion.

    Returns:
        N x C x H x W, where H and W are padded to what the network takes.

    Raises:
        ConfigError: the model does not denoise, or sources and images do not belong together.
        ImageError: an image cannot be read.

    >>> import i2izoo
    >>> from i2izoo_diffusion.ddim import DDIM
    >>> model = i2izoo.create("ddim", **DDIM.tiny_options)
    >>> noise = invert(model, torch.zeros(1, 3, 20, 9), source=torch.zeros(1, 3, 20, 9), steps=4)
    >>> noise.shape
    torch.Size([1, 3, 20, 10])
    """
    method = model.method
    if not isinstance(method, Diffusion):
        raise ConfigError(f"{model.name!r} makes its images from no noise that could be found; take a ddim model.")
    target = model.target(to)
    clean, condition = _read(model, images, target), None
    if method.source is not None:
        if source is None:
            raise ConfigError(f"the model translates from {method.source!r}: give source=, the image it starts from.")
        condition = _read(model, source, method.source)
        if condition.shape[2:] != clean.shape[2:] or len(condition) != len(clean):
            raise ConfigError(
                f"each image has a source of its size; found {tuple(clean.shape)} and {tuple(condition.shape)}."
            )
    elif source is not None:
        raise ConfigError("the model is unconditional; leave source out.")
    fit = (method.size_multiple(target), method.min_size(target))
    method.eval()
    with torch.no_grad():
        clean = pad_to_valid(clean, *fit)
        condition = None if condition is None else pad_to_valid(condition, *fit)
        run = method.sampling(
            torch.zeros_like(clean), condition, [0] * len(clean), steps=steps, scheduler="ddim",
            guidance=method.sampling_guidance if guidance is None else guidance,
        )  # fmt: skip
        return invert_steps(run, clean, iterations).float().cpu()


@dataclass(frozen=True)
class Reconstruction:
    """Images inverted and made again.

    Attributes:
        noise: N x C x H x W, for `model(source, noise=...)`.
        images: what the model makes of it, N x C x H x W in [-1, 1].
        mse: mean squared error of each, N, of values in [-1, 1].
        psnr: peak signal-to-noise ratio of each in dB, N.
    """

    noise: Tensor
    images: Tensor
    mse: Tensor
    psnr: Tensor


def reconstruct(
    model: Translator,
    images: Any,
    source: Any = None,
    *,
    to: str | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    iterations: int = 5,
) -> Reconstruction:
    """Invert images, make them again from the noise, and measure how much is lost; arguments as of `invert`."""
    noise = invert(model, images, source, to=to, steps=steps, guidance=guidance, iterations=iterations)
    target = model.target(to)
    truth = _read(model, images, target).float().cpu()
    domain, conditions = model.directions[target], None
    if domain is not None and source is not None:  # of which `invert` has made sure
        conditions = _read(model, source, domain).float().cpu()
    made = _made(model, conditions, noise, target, truth.shape[-2:], steps=steps, guidance=guidance)
    mse = (made - truth).square().mean(dim=(1, 2, 3))
    return Reconstruction(noise, made, mse, 10 * torch.log10(4 / mse))


def interpolate(
    model: Translator,
    first: Any,
    second: Any,
    count: int = 9,
    *,
    noise: tuple[Tensor, Tensor] | None = None,
    to: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Tensor:
    """The way from one translation to another: spherical between the noises, straight between the source images.

    Args:
        model: a translator of a diffusion method.
        first, second: source images of one size; give the same twice to vary only the noise. For an unconditional
            model two images of that size, of which nothing else counts.
        count: images on the way, both ends included.
        noise: where the ends start from, each 1 x C x H x W, such as `invert` finds; None: drawn, two of the seed.
        to: the target domain; None: the first.
        seed: of the noises.
        options: of a translation: steps, guidance.

    Returns:
        count x C x H x W in [-1, 1].

    Raises:
        ConfigError: count is below 2, the sizes differ, or noise is no pair of one each.
    """
    method = model.method
    if not isinstance(method, Diffusion):
        raise ConfigError(f"{model.name!r} makes its images from no noise; interpolation takes a ddim model.")
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise ConfigError(f"count is a whole number, at least 2, the two ends; found {count!r}.")
    if wrong := [name for name in ("scheduler", "samples") if name in options]:
        raise ConfigError(f"the way has one image at each place, by the scheduler 'ddim'; leave {wrong[0]} out.")
    target = model.target(to)
    a, b = (_read(model, end, method.source or target) for end in (first, second))
    if a.shape != b.shape or len(a) != 1:
        raise ConfigError(f"the ends are two images of one size; found {tuple(a.shape)} and {tuple(b.shape)}.")
    if noise is None:
        padded = pad_to_valid(a, method.size_multiple(target), method.min_size(target))
        start, end = method.draw_noise(padded.repeat(2, 1, 1, 1), [2 * seed, 2 * seed + 1]).float().cpu().split(1)
    elif [tuple(row.shape[:1]) for row in noise if row.ndim == 4] == [(1,), (1,)]:
        start, end = noise
    else:
        found = " and ".join(str(tuple(row.shape)) for row in noise)
        raise ConfigError(f"noise is a pair, each 1 x C x H x W, for the two ends; found {found}.")
    share = torch.linspace(0, 1, count)[:, None]
    way = slerp(start.flatten(1), end.flatten(1), share).view(count, *start.shape[1:])
    sources = None if method.source is None else lerp(a.float().cpu(), b.float().cpu(), share[:, :, None, None])
    return _made(model, sources, way, target, a.shape[-2:], seed=seed, **options)


def _made(
    model: Translator, sources: Tensor | None, noise: Tensor, to: str, size: Sequence[int], **options: Any
) -> Tensor:
    """What the model makes of each noise, and its source image where it has one."""
    options |= {"to": to, "noise": noise, "scheduler": "ddim"}
    if sources is None:
        return model.generate(len(noise), size=size, output="tensor", **options)
    return torch.stack(model(list(sources), **options))


def _read(model: Translator, images: Any, domain: str) -> Tensor:
    """N x C x H x W of one image, a list of them or a batch, as the model wants them."""
    many = isinstance(images, Sequence) and not isinstance(images, str)
    many = many or (getattr(images, "ndim", 0) == 4)
    rows = [model.read(image, domain) for image in (images if many else [images])]
    if len({row.shape for row in rows}) > 1:
        raise ConfigError("images of several sizes are inverted one by one; give those of one size together.")
    return torch.stack(rows).to(model.device, model.dtype)
