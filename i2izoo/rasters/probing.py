"""How a model may be run in tiles, found out by running it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from i2izoo.errors import ConfigError
from i2izoo.models.translator import Translator
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.statistics import Frozen, Joint, normalising
from i2izoo.rasters.windows import Windows

STRIP = 1024
"""Width of what is probed with, in pixels; half of it is the farthest that can be seen."""
SEEN = 1e-5
"""What changes by less than this, of a range of 2, is not influenced."""
OF_LARGEST = 1e-4
"""Nor is what changes by less than this share of the largest change, where all changes are small."""
CHEAP = 5e10
"""Operations that a probe may take where nobody waits for it: about two seconds of one core."""


@dataclass(frozen=True)
class Tiling:
    """How one direction of a model may be run in tiles.

    Attributes:
        mode: "exact": what a pixel becomes depends on its surroundings up to `reach` and on nothing else, so tiles
            that overlap by that give the whole. "frozen": and on statistics of the whole image, which are frozen in a
            first pass. "blended": on more of the image than can be seen, as with attention: tiles overlap and are
            blended. "refused": there is no way; `reason` says why.
        reach: pixels; None: farther than can be seen.
        norms: calls of normalisation layers that take statistics of their own input.
        reason: of a refusal.
    """

    mode: Literal["exact", "frozen", "blended", "refused"]
    reach: int | None = None
    norms: int = 0
    reason: str = ""


def tiling(model: Translator, to: str | None = None, **options: Any) -> Tiling:
    """How a model may be run in tiles: what its config says, or what a probe finds, which the config says from then on.

    Args:
        model: the model; its `config["tiling"]` is written, and `save_pretrained` stores it.
        to: target domain; None: the first.
        options: of the translation; with some, what its config says is not asked.

    >>> import i2izoo
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "none"})
    >>> tiling(model).mode, tiling(model).reach
    ('exact', 20)
    """
    to = model.target(to)
    known: dict[str, Any] = model.config.setdefault("tiling", {})
    if to in known and not options:
        return Tiling(**known[to])
    found = probe(model, to, options)
    if not options:
        known[to] = {key: value for key, value in asdict(found).items() if value not in ("", None)}
    return found


def declare(model: Translator, operations: float = CHEAP) -> None:
    """Have a model's config say of each direction how it may be run in tiles, where that is cheap to find out.

    What it said before is forgotten: the weights may be others now. A direction that is left out is probed at its first
    use, by `tiling`.

    Args:
        model: the model.
        operations: multiplications and additions, at most, for each direction.
    """
    model.config.pop("tiling", None)
    for to in model.directions:
        # a method of a plugin may fail of such sides in any way: a training that is done must not, and `tiling` says it
        with contextlib.suppress(Exception), _AtMost(operations):
            tiling(model, to)


class _Dear(Exception):
    """There would be more operations than were allowed."""


class _AtMost(TorchDispatchMode):
    """Ends what runs inside as soon as its convolutions and products of matrices are more than so many operations."""

    def __init__(self, operations: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = operations

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.left -= count(*args, **(kwargs or {}), out_val=found)
            if self.left < 0:
                raise _Dear
        return found


def probe(model: Translator, to: str, options: Mapping[str, Any]) -> Tiling:
    """Run the model a few times on noise, and see what depends on what."""
    method = model.method
    if method.directions[to] is None:
        return Tiling("refused", reason=f"{to!r} is made from nothing, and no image is cut into tiles")
    if method.required_options and not options:
        return Tiling("refused", reason=f"it wants {method.required_options} beside the image, which tiles do not take")
    try:
        run = Windows(model, to, 0, options)
    except ConfigError as error:
        return Tiling("refused", reason=str(error).rstrip("."))
    with modes_kept(method), torch.no_grad():
        method.eval()
        return _probed(run)


def _probed(run: Windows) -> Tiling:
    height, step = run.fits(1), run.method.size_multiple(run.to)
    shape = (1, run.method.channels[run.source], height)
    noise = torch.Generator().manual_seed(0)
    small, width = torch.rand(*shape, run.fits(2 * height), generator=noise) * 2 - 1, run.fits(STRIP)
    policy = Joint()
    with normalising(run.method, policy) as anew:
        first = run.inner(small, anew)
    if first.shape[-2:] != small.shape[-2:]:
        size = " x ".join(map(str, first.shape[-2:]))
        return Tiling("refused", reason=f"its result for {height} x {small.shape[-1]} pixels has {size}")
    first = run.inner(small)
    draws = not torch.equal(first, run.inner(small, seed=1))
    norms = len(policy.found)
    if draws and _noise_of_its_size(run, small[..., :1]):
        return Tiling("refused", reason="it draws noise of the image's size, so every tile would be another answer")
    reach = _reach(run, torch.rand(*shape, width, generator=noise) * 2 - 1, step, norms)
    if reach is None:
        return Tiling("blended", norms=norms) if not norms else Tiling("frozen", norms=norms)
    return Tiling("frozen" if norms else "exact", reach, norms)


def _noise_of_its_size(run: Windows, like: Tensor) -> bool:
    """Does what is drawn from the seed differ with the size? A vector is the same in all tiles, noise is another."""
    width = run.fits(max(4 * like.shape[-2], 128))
    grey, half = like.new_zeros(*like.shape[:-1], width), width // 2
    policy = Joint()
    with normalising(run.method, policy) as anew:
        whole = run.inner(grey, anew)
    frozen = policy.found
    with normalising(run.method, Frozen(frozen)) as anew:
        part, other = run.inner(grey[..., :half], anew), run.inner(grey, anew, seed=1)
    far = half // 2  # from where the part ends
    likeness = (whole[..., :far] - part[..., :far]).abs().mean()
    return bool(likeness > (whole - other)[..., :far].abs().mean() / 2)


def _reach(run: Windows, strip: Tensor, step: int, norms: int) -> int | None:
    """How far from a change its effect is seen, to either side; a multiple of `step`, where windows begin."""
    middle = strip.shape[-1] // 2 // step * step
    policy = Joint()
    with normalising(run.method, policy) as anew:
        before = run.inner(strip, anew)
    farthest = 0
    for changed in (slice(0, middle), slice(middle, None)):
        other = strip.clone()
        other[..., changed] = other[..., changed].flip(-1)
        with normalising(run.method, Frozen(policy.found)) if norms else contextlib.nullcontext(lambda: None) as anew:
            after = run.inner(other, anew)
        change = (after - before).abs().amax(dim=(0, 1, 2))
        changed_at = (change > min(SEEN, OF_LARGEST * float(change.max()))).nonzero().flatten().tolist()
        left = changed.start == 0
        beyond = [c - middle + 1 if left else middle - c for c in changed_at if (c >= middle) == left]
        farthest = max([farthest, *beyond])
        if farthest > (strip.shape[-1] - middle if left else middle) - step:
            return None
    return -(-farthest // step) * step
