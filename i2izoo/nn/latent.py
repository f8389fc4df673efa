"""Latent vectors: how they enter a network, how they are drawn from an encoder, and the ways between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from i2izoo.errors import ConfigError
from i2izoo.nn.random import derive_seed, noise_like, randn

LatentAt: TypeAlias = Literal["input", "all", "bottleneck"]
"""Where a latent enters a generator: at its input, at every level on the way down, or at its innermost level only."""


def the_latent(conditions: Sequence[Tensor], length: int) -> Tensor:
    """The latent among the conditions of a generator that wants one of N x `length`.

    Raises:
        ConfigError: there is none, or it has another shape.

    >>> the_latent((torch.zeros(4, 8),), 8).shape
    torch.Size([4, 8])
    """
    if len(conditions) != 1 or conditions[0].ndim != 2 or conditions[0].shape[1] != length:
        found = " and ".join(str(tuple(c.shape)) for c in conditions) or "none"
        raise ConfigError(f"this generator wants a latent of shape (N, {length}) after the image; found {found}.")
    return conditions[0]


def tile(image: Tensor, latent: Tensor) -> Tensor:
    """Concatenate N x L, repeated over all pixels, to N x C x H x W: N x (C + L) x H x W (BicycleGAN, section 3.4).

    >>> tile(torch.zeros(2, 3, 4, 5), torch.ones(2, 8)).shape
    torch.Size([2, 11, 4, 5])
    """
    repeated = latent.to(image.dtype)[:, :, None, None].expand(-1, -1, *image.shape[-2:])
    return torch.cat([image, repeated], dim=1)


def draw_latent(length: int, seeds: Sequence[int], image: Tensor) -> Tensor:
    """z from N(0, I), N x `length`, of the type and device of `image`: row i is a function of seeds[i] alone.

    >>> draw_latent(8, [0, 1], torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 8])
    """
    return randn((length,), [derive_seed(seed, "latent") for seed in seeds], image.device).to(image.dtype)


def check_choice(mode: str, latent: Tensor | None, style: Tensor | None) -> None:
    """Refuse what does not say one way to choose the latent of a translation.

    Raises:
        ConfigError: an unknown mode, or latent and style together.
    """
    if mode not in ("sample", "zero"):
        raise ConfigError(f"mode is 'sample' or 'zero'; found {mode!r}.")
    if latent is not None and style is not None:
        raise ConfigError("latent and style both decide the translation; give one of them.")


def style_image(image: Tensor, channels: int, domain: str) -> Tensor:
    """A reference image N x C x H x W with the channels of its domain; one channel counts as grey.

    Raises:
        ConfigError: it has another number of channels.
    """
    found = image.shape[1]
    if found not in (1, channels):
        raise ConfigError(f"style is an image of the domain {domain!r}, {channels} channels; found {found}.")
    return image.expand(-1, channels, -1, -1)


def reparameterise(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw from N(mean, exp(log_variance)) that gradients pass through (Kingma and Welling 2014, section 2.4).

    The noise comes from torch's global random state, which the trainer seeds.
    """
    mean, log_variance = _full(mean), _full(log_variance)
    return mean + noise_like(mean) * (0.5 * log_variance).exp()


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)): *summed* over all dimensions of a latent, *mean* over the batch.

    -1/2 sum(1 + log_variance - mean^2 - exp(log_variance)) (Kingma and Welling 2014, appendix B), a scalar.

    >>> kl_divergence(torch.ones(2, 8), torch.zeros(2, 8))
    tensor(4.)
    """
    mean, log_variance = _full(mean), _full(log_variance)
    terms = 1 + log_variance - mean.square() - log_variance.exp()
    return -0.5 * terms.flatten(1).sum(dim=1).mean()


def _full(x: Tensor) -> Tensor:
    """In float32 at least: an exponential in half precision overflows."""
    return x if x.dtype == torch.float64 else x.float()


def lerp(start: Tensor, end: Tensor, t: float | Tensor) -> Tensor:
    """The straight line from `start` (t = 0) to `end` (t = 1), both ... x L; t is a number or broadcasts.

    Halfway it passes nearer to the origin than normal latents lie, and so tends to the average.

    >>> lerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    tensor([1., 1.])
    """
    return start + (end - start) * t


def slerp(start: Tensor, end: Tensor, t: float | Tensor) -> Tensor:
    """The great circle from `start` to `end`, both ... x L (Shoemake 1985); t is a number or broadcasts.

    Latents of many dimensions lie near a sphere of radius sqrt(L), and this way keeps to it. Where start and end point
    in the same or opposite directions, the straight line is taken.

    >>> slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    tensor([1.4142, 1.4142])
    """
    lengths = start.norm(dim=-1, keepdim=True) * end.norm(dim=-1, keepdim=True)
    cosine = (start * end).sum(dim=-1, keepdim=True) / lengths.clamp_min(torch.finfo(start.dtype).tiny)
    angle = cosine.clamp(-1, 1).acos()
    sine = angle.sin()
    degenerate = sine < 1e-6
    sine = sine.masked_fill(degenerate, 1)
    arc = torch.sin((1 - t) * angle) / sine * start + torch.sin(t * angle) / sine * end
    return torch.where(degenerate | (lengths == 0), lerp(start, end, t), arc)
