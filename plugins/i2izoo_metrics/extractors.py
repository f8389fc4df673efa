"""Feature extractors by name, shared: the metrics of one evaluation look at each batch of images once."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import weakref
from typing import Any

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, MetricError, UnknownNameError, listing, suggest
from i2izoo.interfaces import FeatureExtractor, PartSpec, Weights
from i2izoo_metrics.networks import Timm

KEPT = 4
"""Batches whose features are remembered: predictions and references alternate."""


class SharedExtractor:
    """An extractor that is loaded once, and remembers the features of the batches that it saw last.

    A batch is known by being the same tensor, not changed since; its features are forgotten when it is freed.

    Args:
        name: what the user calls it, for messages.
        extractor: it, not prepared.
    """

    def __init__(self, name: str, extractor: FeatureExtractor) -> None:
        self.name, self.extractor = name, extractor
        self.device: torch.device | None = None
        self._seen: dict[int, tuple[weakref.ref[Tensor], int, Tensor]] = {}

    def weights(self) -> tuple[Weights, ...]:
        """The files of weights that it needs."""
        return self.extractor.weights()

    def prepare(self, device: torch.device) -> None:
        """Load it, if nobody has yet, and compute on `device` from now on; MetricError if its weights cannot be had."""
        if self.device is None:
            self.extractor.prepare(device)
        elif self.device != device:
            self.extractor.to(device)
        self.device = device

    @property
    def preprocessing(self) -> str:
        """What it does to an image first, for the notes of a score."""
        return self.extractor.preprocessing

    def __call__(self, images: Tensor) -> Tensor:
        """Map N x C x H x W in [-1, 1] to features N x D, float32, on its device. One channel counts as grey.

        Raises:
            MetricError: the images are neither grey nor RGB, or a feature is not finite.
        """
        key, version = id(images), 0 if images.is_inference() else images._version
        if known := self._seen.get(key):
            reference, then, features = known
            if reference() is images and then == version and features.device == self.device:
                return features
        features = self._features(images)
        seen = self._seen
        seen.pop(key, None)
        seen[key] = (weakref.ref(images, lambda _: seen.pop(key, None)), version, features)
        while len(seen) > KEPT:
            del seen[next(iter(seen))]
        return features

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of N x C x H x W in [-1, 1], differentiable; the network goes to where the images are.

        Raises:
            MetricError: the images are neither grey nor RGB, or the extractor has no maps.
        """
        if self.device != images.device:
            self.prepare(images.device)
        return self.extractor.maps(self._rgb(images))

    def _rgb(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise MetricError(
                f"features of {self.name!r} are of grey or RGB images, N x 1 or 3 x H x W; "
                f"found {' x '.join(map(str, images.shape))}."
            )
        return images.to(self.device, torch.float32).expand(-1, 3, -1, -1)

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        if self.device is None:
            self.prepare(images.device)
        features = self.extractor(self._rgb(images))
        if features.ndim != 2 or len(features) != len(images):
            raise MetricError(
                f"extractor {self.name!r} is to give N x D features; found {tuple(features.shape)} "
                f"for {len(images)} images."
            )
        if not torch.isfinite(features).all():
            raise MetricError(f"features of {self.name!r} hold NaN or infinite values: look at the images.")
        return features.float()

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Class logits N x classes of its features; MetricError if it has none."""
        return self.extractor.logits(features)

    def fingerprint(self) -> Tensor:
        """32 bytes that change with its class, its options and its weights: kept features go by them."""
        if self.device is None:
            self.prepare(torch.device("cpu"))
        digest = hashlib.sha256(json.dumps(self.extractor.config, sort_keys=True).encode())
        digest.update(type(self.extractor).__qualname__.encode())
        with contextlib.suppress(OSError, TypeError):  # a class that was typed into an interpreter has no source
            digest.update(inspect.getsource(type(self.extractor)).encode())
        files = self.weights()
        if files and all(w.sha256 for w in files):  # checked as they were read
            digest.update("".join(w.sha256 for w in files).encode())
        else:
            for name, tensor in self.extractor.state_dict().items():
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)


_open: weakref.WeakValueDictionary[tuple[type, str], SharedExtractor] = weakref.WeakValueDictionary()


def open_extractor(name: str, **options: Any) -> SharedExtractor:
    """The extractor called `name`: the same object for all that ask while one still holds it. `prepare` loads it.

    Args:
        name: of a registered extractor, or of a network of timm.
        options: of the extractor, such as `resize`; those that it does not have are left out.

    Raises:
        UnknownNameError: nobody has that name.

    >>> extractor = open_extractor("pixels")
    >>> extractor is open_extractor("pixels"), extractor(torch.zeros(2, 1, 8, 8)).shape
    (True, torch.Size([2, 3072]))
    """
    part, options = _find(name, options)
    key = (part, json.dumps(options, sort_keys=True))
    shared = _open.get(key)
    if shared is None:
        shared = _open[key] = SharedExtractor(name, part(**options))
    return shared


def own_extractor(spec: PartSpec) -> SharedExtractor:
    """An extractor that nobody else holds, with options: for a loss, or for what looks at maps.

    Args:
        spec: the name of a registered extractor or of a network of timm, or `{"name": ..., option: value}`.

    Raises:
        ConfigError: there is no name, or an option does not fit.
        UnknownNameError: nobody has that name.
    """
    options = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"an extractor needs a 'name'; found {spec!r}.")
    part, found = _find(name, {})
    return SharedExtractor(name, part(**found, **options))


def _find(name: str, options: dict[str, Any]) -> tuple[type[FeatureExtractor], dict[str, Any]]:
    """The class of the extractor called `name`, and those of the options that it has, for its constructor."""
    extractors = registry("extractors")
    if name in extractors:
        part = extractors.get(name)
        return part, {k: v for k, v in options.items() if k in schema(part)}
    import timm

    if timm.is_model(name):
        return Timm, {"model": name, **{k: v for k, v in options.items() if k == "resize"}}
    names = extractors.names()
    close = suggest(name, [*names, *timm.list_models()]) or "."
    raise UnknownNameError(
        f"there is no extractor named {name!r}{close} Known: {listing(names)}, any network of timm, and what "
        '@i2izoo.register("extractors", NAME) adds.'
    )
