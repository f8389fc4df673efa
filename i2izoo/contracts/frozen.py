"""A feature extractor that a network looks through in training: frozen, shared, and none of that network's weights."""

from __future__ import annotations

import json
import weakref
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.parts import FeatureExtractor
from i2izoo.contracts.registry import complete_spec, registry
from i2izoo.errors import ConfigError, MetricError
from i2izoo.nn.random import seeded


class FrozenExtractor:
    """An extractor that is loaded on the device of the first images, and then on that of later ones.

    It is no module: nothing trains, draws, saves, averages or compiles its weights; a copy of its owner shares it.
    `frozen` makes one.

    Args:
        name: what the user calls it, for messages.
        extractor: it, not prepared.
    """

    def __init__(self, name: str, extractor: FeatureExtractor) -> None:
        self.name, self.extractor = name, extractor
        self.device: torch.device | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenExtractor:
        return self

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def maps(self, image: Tensor) -> list[Tensor]:
        """Feature maps of N x 3 x H x W in [-1, 1], fine to coarse, each N x C x h x w, with a gradient for the image.

        Of an extractor without maps its features are the one map, N x D x 1 x 1. One channel counts as grey.

        Raises:
            ConfigError: its weights cannot be had.
        """
        if self.device != image.device:
            self._prepare(image.device)
        image = image.expand(-1, 3, -1, -1)
        try:
            return self.extractor.maps(image)
        except MetricError:  # it has none
            return [self.extractor(image)[:, :, None, None]]

    def map_channels(self) -> list[int]:
        """Channels of each map; the extractor is loaded for it, and an image goes through it there and back.

        Raises:
            ConfigError: its weights cannot be had, or images get no gradient from it.
        """
        with torch.device("cpu"), torch.inference_mode(False), torch.enable_grad():  # wherever the owner is made
            with seeded(0):
                image = (torch.rand(1, 3, 32, 32) * 2 - 1).requires_grad_()
            maps = self.maps(image)
            total = torch.stack([each.float().square().sum() for each in maps]).sum()
            slope = torch.autograd.grad(total, image, allow_unused=True)[0] if total.requires_grad else None
        if slope is None or not slope.any():
            raise ConfigError(
                f"an image gets no gradient from the extractor {self.name!r} (it rounds, or computes without one), so "
                "no generator can learn from it; take another, such as 'efficientnet_lite0'."
            )
        return [each.shape[1] for each in maps]

    def _prepare(self, device: torch.device) -> None:
        try:
            with torch.inference_mode(False):  # whose tensors would never take part in training
                if self.device is None:
                    self.extractor.prepare(device)
                else:
                    self.extractor.to(device)
        except MetricError as error:
            raise ConfigError(f"the extractor {self.name!r} {error}.") from error
        self.device = device


_made: weakref.WeakValueDictionary[tuple[type, str], FrozenExtractor] = weakref.WeakValueDictionary()


def frozen(spec: PartSpec) -> tuple[FrozenExtractor, dict[str, Any]]:
    """The extractor of a spec, the same object for all that ask while one still holds it; and the spec in full.

    Raises:
        UnknownNameError: there is no such extractor.
        ConfigError: it does not have these options.

    >>> one, spec = frozen("pixels")
    >>> one is frozen("pixels")[0], spec
    (True, {'name': 'pixels', 'size': 32, 'resize': 'clean'})
    >>> one.map_channels()
    [3072]
    """
    extractor = registry("extractors").build(spec, FeatureExtractor)
    whole = complete_spec(spec, extractor)
    key = (type(extractor), json.dumps(extractor.config, sort_keys=True))
    made = _made.get(key)
    if made is None:
        made = _made[key] = FrozenExtractor(whole["name"], extractor)
    return made, whole
