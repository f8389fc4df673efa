"""How a side is cut into windows, and how much each counts where they overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from i2izoo.errors import ConfigError


@dataclass(frozen=True)
class Span:
    """One window along a side.

    Attributes:
        start, stop: its pixels.
        weights: how much each of them counts, float32; those of all windows add up to 1 everywhere.
        own: do layers pad at its first and its last edge as they do in the whole image? See `i2izoo.nn.edges`.
    """

    start: int
    stop: int
    weights: np.ndarray
    own: tuple[bool, bool] = (True, True)

    @property
    def counts(self) -> tuple[int, int]:
        """The first and the last but one pixel of the side that it has a say in."""
        inside = np.flatnonzero(self.weights)
        return self.start + int(inside[0]), self.start + int(inside[-1]) + 1


def spans(
    length: int, size: int, *, overlap: int, margin: int = 0, multiple: int = 1, continued: bool = False
) -> list[Span]:
    """Cut a side into windows, evenly spread and flush with both ends.

    Neighbours share `overlap` pixels or more. In the middle of what they share, one fades into the other along a
    straight line; the outermost `margin` pixels of a window never count, but at the ends of the side.

    Args:
        length: of the side, in pixels.
        size: of a window.
        overlap: pixels that two neighbours share at least, with both margins.
        margin: pixels at the edge of a window that see too little of what is around them.
        multiple: windows begin at multiples of this.
        continued: edges that are none of the side's are not the windows' own.

    Raises:
        ConfigError: the windows are too small for what they share.

    >>> [(s.start, s.stop, s.counts) for s in spans(10, 6, overlap=2)]
    [(0, 6, (0, 6)), (4, 10, (4, 10))]
    >>> spans(10, 6, overlap=2)[0].weights.tolist()
    [1.0, 1.0, 1.0, 1.0, 0.75, 0.25]
    """
    if length <= size:
        return [Span(0, length, np.ones(length, np.float32))]
    stride = (size - max(overlap, 2 * margin)) // multiple * multiple
    if stride < 1:
        raise ConfigError(
            f"tiles of {size} pixels are too small to share {max(overlap, 2 * margin)} with each neighbour; take "
            f"larger tiles, such as tile={2 * (max(overlap, 2 * margin) + multiple)}, or a smaller overlap."
        )
    last = -(-(length - size) // multiple) * multiple
    count = -(-last // stride) + 1
    starts = [i * last // (count - 1) // multiple * multiple for i in range(count)]
    stops = [min(start + size, length) for start in starts]
    pixels = np.arange(length) + 0.5
    rises = [np.ones(length)]
    for i in range(1, count):
        low, high = starts[i] + margin, stops[i - 1] - margin
        width = min(max(high - low, 0), starts[i] - starts[i - 1], overlap - 2 * margin)
        middle = (low + high) // 2  # between two pixels, so that no pixel is half one's and half the other's
        rises.append(np.clip((pixels - middle) / width + 0.5, 0, 1) if width > 0 else (pixels > middle).astype(float))
    rises.append(np.zeros(length))
    return [
        Span(
            start,
            stop,
            (rises[i] * (1 - rises[i + 1]))[start:stop].astype(np.float32),
            (not continued or start == 0, not continued or stop == length),
        )
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]
