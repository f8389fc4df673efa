"""Perceptual path length: how evenly a translation changes along a path through the latent space."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Number, Seed
from i2izoo.errors import MetricError, listing, suggest
from i2izoo.interfaces import ImageMetric, Score, Weights
from i2izoo.nn.latent import slerp
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.random import derive_seed, randn
from i2izoo_metrics.extractors import open_extractor
from i2izoo_metrics.map_distances import cosine_distance
from i2izoo_metrics.perceptual_nets import LEAST_SIDE, TRUNKS, open_lpips
from i2izoo_metrics.rgb import at_least, rgb

EPSILON = 1e-4


class PerceptualPathLength(ImageMetric):
    """E LPIPS(G(x, z(t)), G(x, z(t + eps))) / eps^2 for eps 1e-4 (Karras et al. 2019, section 4.1), for each source x.

    z(t) leads from one standard normal latent to another. It serves methods that have an attribute `latent_size: int`
    and whose `translate`, or `generate` where they make images from nothing, has an option `latent: Tensor | None` of
    shape N x latent_size; what else is random in them is the same at both ends of a step. Predictions are compared as
    they are: 8 bits would swallow the step, so it needs a model in float32, and no image is resized. No step is left
    out as an outlier, which StyleGAN's code does.

    Args:
        latent_space: "z"; or "w", the straight line between what two latents are mapped to, of methods that have
            `mapped(seeds, latent)`, which gives w, and an option `w` of `generate`.
        space: "full" draws t uniformly from [0, 1]; "end" has t = 0, the only way that torchmetrics knows.
        interpolation: in z: "slerp" keeps to the sphere that normal latents lie near; "lerp" is a straight line.
        net: of LPIPS; the paper has "vgg". "efficientnet_lite0" is no LPIPS: it is the cosine distance of feature maps,
            for which the extra `perceptual` has the weights, and compares with itself only.
        pairs: paths for each source, one step on each.
        seed: of latents and t.
        to: target domain of the model; None: the first of its directions.
    """

    higher_is_better = False
    bounds = (0.0, math.inf)
    inputs = ("source", "model")
    from_nothing = True
    qualifier = "space"

    def __init__(
        self,
        *,
        latent_space: Literal["z", "w"] = "z",
        space: Literal["full", "end"] = "full",
        interpolation: Literal["slerp", "lerp"] = "slerp",
        net: Literal["alex", "vgg", "efficientnet_lite0"] = "vgg",
        pairs: Number = 4,
        seed: Seed = 0,
        to: str | None = None,
    ) -> None:
        self.latent_space, self.space, self.interpolation, self.net = latent_space, space, interpolation, net
        self.pairs, self.seed, self.to = pairs, seed, to
        self.extractor = None if net in TRUNKS else open_extractor(net)

    def weights(self) -> tuple[Weights, ...]:
        return self.extractor.weights() if self.extractor else (TRUNKS[self.net],)

    def prepare(self, device: torch.device) -> None:
        self.device = device
        if self.net != "efficientnet_lite0":
            self.distance: Any = open_lpips(self.net, device)
        elif extractor := self.extractor:
            extractor.prepare(device)
            self.distance = lambda here, there: cosine_distance(extractor.maps(here), extractor.maps(there))

    def compute(self) -> Score:
        score = super().compute()
        notes = (f"the distance is of {self.net}, not LPIPS",) if self.extractor else ()
        return replace(score, notes=(*score.notes, *notes))

    @torch.no_grad()
    def score(self, *, source: Tensor, model: Any) -> Tensor:
        to = self._checked(model)
        first = self._seen()
        steps = []
        for pair in range(self.pairs):
            seeds = [derive_seed(self.seed, "ppl", first + row, pair) for row in range(len(source))]
            here, there = (
                rgb(self._made(source, model, to, seeds, latent).to(self.device), "ppl")
                for latent in self._step(model, seeds)
            )
            at_least(here, LEAST_SIDE.get(self.net, 1), "ppl")
            steps.append(self.distance(here, there).view(-1).double() / EPSILON**2)
        return torch.stack(steps).mean(dim=0)

    def _step(self, model: Any, seeds: list[int]) -> tuple[Tensor, Tensor]:
        """Both ends of a step of length epsilon on each row's path."""
        size = (model.method.latent_size,)
        start, end = (randn(size, [derive_seed(s, name) for s in seeds]) for name in ("start", "end"))
        if self.latent_space == "w":
            with modes_kept(model.method):
                start, end = (model.method.eval().mapped(seeds, z.to(model.device)).cpu() for z in (start, end))
        start, end = start.double(), end.double()
        if self.space == "end":
            t = torch.zeros(len(seeds), 1, dtype=torch.float64)
        else:
            draws = [torch.Generator().manual_seed(derive_seed(s, "t")) for s in seeds]
            t = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in draws])
        path = slerp if self.interpolation == "slerp" and self.latent_space == "z" else torch.lerp
        return path(start, end, t), path(start, end, t + EPSILON)

    def _made(self, source: Tensor, model: Any, to: str, seeds: list[int], latent: Tensor) -> Tensor:
        method = model.method
        with modes_kept(method):
            image, latent = (x.to(model.dtype).to(model.device) for x in (source, latent))
            if method.directions[to] is None:
                height, width = image.shape[-2:]
                option = {"w" if self.latent_space == "w" else "latent": latent}
                return method.eval().generate_at((height, width), to=to, seeds=seeds, **option)
            return method.eval()(image, to=to, seeds=seeds, latent=latent)

    def _checked(self, model: Any) -> str:
        """The target domain, if `model` can be measured."""
        method: Any = getattr(model, "method", None)
        options = {**method.translate_options(), **method.generate_options()} if method is not None else {}
        if not hasattr(method, "latent_size") or "latent" not in options:
            raise MetricError(
                "ppl measures methods with a latent (an attribute latent_size, and an option latent of translate or "
                f"generate), which {getattr(model, 'name', type(model).__name__)!r} has not; leave ppl out."
            )
        if self.latent_space == "w" and not (hasattr(method, "mapped") and "w" in options):
            raise MetricError(f"ppl: {model.name!r} maps its latents to no w; leave latent_space='w' out.")
        if model.dtype not in (torch.float32, torch.float64):
            raise MetricError(f"ppl takes steps that {model.dtype} cannot tell apart; load the model in float32.")
        to = self.to or next(iter(method.directions))
        if to not in method.directions:
            close = suggest(to, method.directions) or ";"
            raise MetricError(f"ppl: the model has no target {to!r}{close} Allowed: {listing(method.directions)}.")
        return to
