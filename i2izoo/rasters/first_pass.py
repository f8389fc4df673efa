"""The first pass over a large image: the statistics that the normalisation layers take in all tiles of the second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.models.running import device_of
from i2izoo.nn.statistics import Frozen, Joint, Moments, Policy, SelfNormalising, normalising, pooled
from i2izoo.rasters.grid import Span
from i2izoo.rasters.windows import Windows

Statistics: TypeAlias = Literal["joint", "exact", "dense", "tile"]
"""Of several tiles as one image; of all of them, layer by layer; interpolated between tiles; each tile's own."""


@dataclass(frozen=True)
class Window:
    """A window of the image.

    Attributes:
        place: top, bottom, left and right in pixels of the image.
        core: the same of the part that no other window has, relative to the window.
        image: C x H x W in [-1, 1].
        own: are its top, bottom, left and right those of the image? See `i2izoo.nn.edges`.
    """

    place: tuple[int, int, int, int]
    core: tuple[int, int, int, int]
    image: Tensor
    own: tuple[bool, bool, bool, bool] = (True, True, True, True)


def joint(run: Windows, windows: Sequence[Window]) -> list[Moments]:
    """The statistics of windows of one size as one image, in one pass of all of them together."""
    policy = Joint()
    with normalising(run.method, policy) as anew:
        run(torch.stack([w.image for w in windows]), anew, [w.own for w in windows])
    return policy.found


@dataclass(frozen=True)
class Share:
    """What some windows say of a layer.

    Attributes:
        rows: moments of the core of each of them.
        sizes: values in each of these.
    """

    rows: list[Moments]
    sizes: list[int]


def layer(run: Windows, windows: Iterable[Window], known: Sequence[Moments]) -> Share | None:
    """The moments of windows at the first layer after those that are known; None: there is no further layer.

    Of every window the core counts, so that each pixel does once.
    """
    device = device_of(run.method)
    policy = _NextLayer([Moments(*(m.to(device) for m in one)) for one in known], run.fits)
    with normalising(run.method, policy) as anew:
        for window in windows:
            policy.window = window
            try:
                run(window.image[None], anew, [window.own])
            except _Enough:
                continue
            return None  # it ran to the end
    return Share([Moments(*(m.cpu() for m in one)) for one in policy.rows], policy.sizes)


def exact(shares: Callable[[Sequence[Moments]], Iterable[Share | None]]) -> list[Moments]:
    """The statistics of the whole image, layer by layer: as many passes as there are layers, in the memory of a tile.

    Args:
        shares: the `layer` of all windows, in order, where so many layers are known.
    """
    found: list[Moments] = []
    while True:
        parts = list(shares(found))
        rows = [row for part in parts if part is not None for row in part.rows]
        if None in parts or not rows:
            return found
        both = Moments(*(torch.cat(moments) for moments in zip(*rows, strict=True)))
        sizes = [size for part in parts if part is not None for size in part.sizes]
        found.append(pooled(both, torch.tensor(sizes, dtype=torch.float32)))


class _Enough(Exception):
    """The layer whose statistics are wanted has been reached."""


class _NextLayer:
    """Frozen up to a layer, whose moments over the cores of windows are added up."""

    def __init__(self, known: Sequence[Moments], fits: Callable[[int], int]) -> None:
        self.known, self.fits = known, fits
        self.window: Window | None = None
        self.rows: list[Moments] = []
        self.sizes: list[int] = []

    def __call__(self, call: int, norm: SelfNormalising, x: Tensor) -> Moments:
        if call < len(self.known):
            return self.known[call]
        assert self.window is not None
        top, bottom, left, right = self.window.core
        height, width = self.window.image.shape[-2:]
        rows = _scaled(top, bottom, height, self.fits(height), x.shape[-2])
        columns = _scaled(left, right, width, self.fits(width), x.shape[-1])
        self.rows.append(Moments(*norm.moments(x[..., rows, columns])))
        self.sizes.append((rows.stop - rows.start) * (columns.stop - columns.start))
        raise _Enough


def _scaled(start: int, stop: int, side: int, padded: int, length: int) -> slice:
    """Pixels of a side in a feature map of its padded one, at least one; padding goes with the last."""
    stop = padded if stop == side else stop
    first = min(round(start * length / padded), length - 1)
    return slice(first, max(round(stop * length / padded), first + 1))


class Dense:
    """The statistics of each pixel, interpolated linearly between those of the tiles around it.

    Source: Ho et al. 2024, "Every Pixel Has its Moments" (arXiv 2407.04245), dense normalisation; two passes.

    Args:
        table: call -> mean and variance, 1 x C x rows x columns of the tiles.
        rows, columns: where in the image the middles of the tiles are, in pixels.
    """

    def __init__(self, table: Sequence[Moments], rows: Sequence[float], columns: Sequence[float]) -> None:
        self.table, self.rows, self.columns = table, torch.tensor(rows), torch.tensor(columns)
        self.place = (0, 1, 0, 1)

    def __call__(self, call: int, norm: SelfNormalising, x: Tensor) -> Moments:
        top, bottom, left, right = self.place
        y, x_ = _among(self.rows, top, bottom, x.shape[-2]), _among(self.columns, left, right, x.shape[-1])
        grid = torch.stack(torch.meshgrid(y, x_, indexing="ij")[::-1], dim=-1)[None].to(x)
        mean, variance = (
            F.grid_sample(m.to(x), grid, padding_mode="border", align_corners=True) for m in self.table[call]
        )
        return Moments(mean, variance)


def own(run: Windows, windows: Iterable[Window | None]) -> list[list[Moments]]:
    """The moments of each window by itself, call by call; of one without pixels, none."""
    found: list[list[Moments]] = []

    def own(call: int, norm: SelfNormalising, x: Tensor) -> Moments:
        moments = Moments(*norm.moments(x))
        found[-1].append(Moments(*(m.cpu() for m in moments)))
        return moments

    with normalising(run.method, own) as anew:
        for window in windows:
            found.append([])
            if window is not None:
                run(window.image[None], anew, [window.own])
    return found


def dense(found: Sequence[list[Moments]], rows: Sequence[Span], columns: Sequence[Span]) -> Dense | None:
    """The statistics of every tile by itself, where it has pixels, and otherwise the mean of those of all others.

    Args:
        found: what `own` gives of all tiles, row by row.
        rows, columns: the tiles.
    """
    if not (some := [moments for moments in found if moments]):
        return None
    mean = [
        Moments(*(torch.cat(m).mean(0, keepdim=True) for m in zip(*call, strict=True)))
        for call in zip(*some, strict=True)
    ]
    table = [
        Moments(*(torch.cat(m).view(len(rows), len(columns), -1).permute(2, 0, 1)[None] for m in zip(*c, strict=True)))
        for c in zip(*(moments or mean for moments in found), strict=True)
    ]
    middles = [[(span.start + span.stop) / 2 for span in side] for side in (rows, columns)]
    return Dense(table, *middles)


def _among(middles: Tensor, start: int, stop: int, count: int) -> Tensor:
    """Where the pixels of a feature map of start..stop lie among the middles, in [-1, 1] from first to last."""
    pixels = start + (torch.arange(count) + 0.5) * (stop - start) / count
    if len(middles) == 1:
        return torch.zeros(count)
    after = torch.bucketize(pixels, middles).clamp(1, len(middles) - 1)
    low, high = middles[after - 1], middles[after]
    return 2 * (after - 1 + (pixels - low) / (high - low)) / (len(middles) - 1) - 1


@contextmanager
def applied(run: Windows, policy: Policy | None) -> Iterator[Callable[[], None]]:
    """Windows that run inside take the statistics of the first pass; None: each its own."""
    with nullcontext(lambda: None) if policy is None else normalising(run.method, policy) as anew:
        yield anew


def frozen(moments: Sequence[Moments]) -> Policy | None:
    """The policy of statistics that were found; None where no layer takes any."""
    return Frozen(moments) if moments else None


def as_tensors(policy: Policy) -> dict[str, Tensor]:
    """The statistics of the first pass, to be stored; `of_tensors` makes a policy of them again."""
    assert isinstance(policy, (Frozen, Dense))
    moments = policy.table if isinstance(policy, Dense) else policy.moments
    found = {
        f"{kind}/{call}": value.cpu() for call, both in enumerate(moments) for kind, value in both._asdict().items()
    }
    return found | ({"rows": policy.rows, "columns": policy.columns} if isinstance(policy, Dense) else {})


def of_tensors(tensors: Mapping[str, Tensor], device: torch.device) -> Policy:
    """The policy whose statistics `as_tensors` gave.

    >>> kept = as_tensors(Frozen([Moments(torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1, 1))]))
    >>> of_tensors(kept, torch.device("cpu")).moments[0].variance.flatten()
    tensor([1., 1.])
    """
    calls = range(sum(name.startswith("mean/") for name in tensors))
    moments = [Moments(*(tensors[f"{kind}/{call}"].to(device) for kind in Moments._fields)) for call in calls]
    if "rows" not in tensors:
        return Frozen(moments)
    return Dense(moments, tensors["rows"].tolist(), tensors["columns"].tolist())
