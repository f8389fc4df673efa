"""Windows along a side: where they lie, and that what they count adds up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from i2izoo.errors import ConfigError
from i2izoo.rasters.grid import spans

CASES = [
    (2048, 256, 0, 0, 1), (2048, 256, 32, 0, 1), (2000, 256, 64, 0, 1), (257, 256, 64, 0, 1), (1000, 256, 128, 0, 128),
    (999, 192, 112, 56, 4), (1001, 512, 160, 56, 8), (30, 64, 8, 0, 1), (64, 64, 8, 0, 1), (777, 128, 96, 40, 4),
]  # fmt: skip


@pytest.mark.parametrize(("length", "size", "overlap", "margin", "multiple"), CASES)
def test_every_pixel_counts_once(length: int, size: int, overlap: int, margin: int, multiple: int) -> None:
    found = spans(length, size, overlap=overlap, margin=margin, multiple=multiple)
    total = np.zeros(length)
    for span in found:
        assert 0 <= span.start < span.stop <= length
        assert span.stop - span.start <= size
        assert span.start % multiple == 0
        assert len(span.weights) == span.stop - span.start
        total[span.start : span.stop] += span.weights
    assert np.allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize(("length", "size", "overlap", "margin", "multiple"), CASES)
def test_margins_do_not_count_but_at_the_ends(length: int, size: int, overlap: int, margin: int, multiple: int) -> None:
    found = spans(length, size, overlap=overlap, margin=margin, multiple=multiple)
    for first, second in pairwise(found):
        assert first.stop - second.start >= max(overlap, 2 * margin)
        assert first.counts[1] <= first.stop - margin
        assert second.counts[0] >= second.start + margin
    assert found[0].counts[0] == 0
    assert found[-1].counts[1] == length


def test_as_few_windows_as_possible() -> None:
    """ceil((2048 - 32) / (256 - 32)) = 9."""
    assert len(spans(2048, 256, overlap=32)) == 9
    assert len(spans(2048, 256, overlap=0)) == 8


def test_too_small_windows_are_refused() -> None:
    with pytest.raises(ConfigError, match="tiles of 64 pixels are too small to share 80"):
        spans(1000, 64, overlap=0, margin=40)
