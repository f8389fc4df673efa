"""Windows of an image through a method: in batches, all by one seed, and not yet painted or rounded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.method import Method
from i2izoo.errors import ConfigError
from i2izoo.models.call_options import check_own_options
from i2izoo.models.options import stacked
from i2izoo.models.running import device_of, dtype_of
from i2izoo.models.translator import Translator
from i2izoo.nn.edges import Edges, continued
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.random import derive_seed

PIXELS = 1 << 18
"""Of the windows that run together."""


class Windows:
    """Translates windows of one image.

    All windows have the seed of the image, so a latent vector that is drawn is the same for all of them.

    Args:
        model: what translates.
        to: target domain.
        seed: of the image.
        options: the method's own; those that are images of the whole size (a mask) are refused.

    Raises:
        ConfigError: an unknown option, or one that is an image.
    """

    def __init__(self, model: Translator, to: str | None, seed: int, options: Mapping[str, Any]) -> None:
        self.method: Method = model.method
        self.to = model._target(to, from_nothing=False)
        self.source = str(self.method.directions[self.to])
        self.channels = self.method.image_channels[self.source]
        self.edges = Edges()
        self.seed = derive_seed(seed, 0, 0)  # as a call has it
        self.plain, each = check_own_options(options, self.method, model.name, from_nothing=False)
        self.each = {name: option.at(0) for name, option in each.items()}
        images = [n for n, v in self.each.items() if isinstance(v, Tensor) and v.ndim == 3 and v.shape[-1] > 1]
        if images:
            raise ConfigError(f"option {images[0]!r} is an image, which tiles do not take; translate without tiles.")

    def fits(self, side: int) -> int:
        """The least side from `side` pixels that the method takes unpadded."""
        from i2izoo.nn.padding import valid_side

        return valid_side(side, self.method.size_multiple(self.to), self.method.min_size(self.to))

    def __call__(
        self, images: Tensor, anew: Callable[[], None] = lambda: None, own: Sequence[Sequence[bool]] | None = None
    ) -> Tensor:
        """N x C x H x W in [-1, 1] of the source to what the method makes of it: label maps are scores.

        Args:
            images: of the windows.
            anew: to be called before each pass, see `normalising`.
            own: which edges of each window are the image's own, see `i2izoo.nn.edges`; None: all.
        """
        inner = own is not None and not all(map(all, own))
        self.edges.own, self.edges.side = torch.tensor(own) if inner else None, max(images.shape[-2:])
        with modes_kept(self.method), torch.inference_mode():
            self.method.eval()
            with continued(self.method, self.edges) if inner else contextlib.nullcontext():
                planes = self.method.inside(images.to(device_of(self.method)), self.source)
                return self.inner(planes, anew).float().cpu()

    def inner(self, planes: Tensor, anew: Callable[[], None] = lambda: None, seed: int | None = None) -> Tensor:
        """The same of what the method has inside, in the mode that it is in."""
        device, dtype, count = device_of(self.method), dtype_of(self.method), len(planes)
        own = {name: stacked([value] * count, device, dtype) for name, value in self.each.items()}
        anew()
        seeds = [self.seed if seed is None else seed] * count
        return self.method(planes.to(dtype), to=self.to, seeds=seeds, **self.plain, **own)

    def finished(self, output: Tensor) -> Tensor:
        """What the method made, C x H x W, as users have it."""
        return self.method.outside(output[None], self.to)[0]
