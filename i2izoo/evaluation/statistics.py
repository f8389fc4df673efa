"""How sure the numbers are: bootstrap confidence intervals, paired permutation tests, correction for many tests.

Everything is a function of its arguments and `seed`; the global random state is neither read nor changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 9999
DRAWS = 20_000_000  # bootstrap draws at most: beyond 2,000 values there are fewer resamples, never below 2,000
EXACT = 13  # so many pairs have 2^13 = 8,192 sign flips, all of which are tried
CHUNK = 2_000_000  # numbers in memory at a time


def mean_interval(
    values: ArrayLike, *, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
    """Bootstrap confidence interval of the mean: bias-corrected and accelerated (BCa; Efron 1987, section 3).

    BCa and not the plain percentile method, because the values of single images are often skewed (LPIPS near 0,
    an accuracy near 1) and BCa's coverage error shrinks with 1/n instead of 1/sqrt(n). Where BCa is not defined (an
    infinite value, such as PSNR's for a perfect image), the percentile method takes its place: its upper end is
    then inf, and its lower end finite if at least 2.5 % of the resamples miss the infinite values.

    Args:
        values: one for each image.
        seed: of the resampling.
        confidence: nominal coverage, in (0, 1).

    Returns:
        The ends; both None for fewer than two values or where one is nan; both the value itself where all are equal.

    >>> low, high = mean_interval([1.0, 2.0, 3.0, 4.0])
    >>> 1.0 < low < 2.5 < high < 4.0
    True
    >>> mean_interval([1.0]), mean_interval([2.0, 2.0])
    ((None, None), (2.0, 2.0))
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64).ravel()
    if len(x) < 2 or np.isnan(x).any():
        return None, None
    if (x == x[0]).all():
        return float(x[0]), float(x[0])
    finite = bool(np.isfinite(x).all())
    with np.errstate(invalid="ignore"):  # inf - inf
        found = stats.bootstrap(
            (x,),
            np.mean,
            vectorized=True,
            n_resamples=min(RESAMPLES, max(2000, DRAWS // len(x))),
            batch=max(1, CHUNK // len(x)),
            confidence_level=confidence,
            method="BCa" if finite and _varies(x) else "percentile",
            rng=np.random.default_rng(seed),
        )
    if finite:
        return float(found.confidence_interval.low), float(found.confidence_interval.high)
    # order statistics: interpolation between infinite resamples would be nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(found.bootstrap_distribution, [tail, 1 - tail], method="inverted_cdf")
    return (None, None) if np.isnan([low, high]).any() else (float(low), float(high))


def _varies(x: NDArray[np.float64]) -> bool:
    """Do the values differ by more than their rounding? BCa divides by the spread of their jackknife."""
    return bool(np.ptp(x) > 1e-9 * np.abs(x).max())


def student_interval(values: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float] | tuple[None, None]:
    """Student's confidence interval of the mean: for a few independent values, such as one of each seed.

    Too few for a bootstrap, which is too narrow by half at three values; exact where they are normal.

    Args:
        values: one for each run.
        confidence: nominal coverage, in (0, 1).

    Returns:
        The ends; both None for fewer than two values or where one is not finite.

    >>> [round(end, 3) for end in student_interval([1.0, 2.0, 3.0])]  # 2 ± 4.303 / sqrt(3)
    [-0.484, 4.484]
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64).ravel()
    if len(x) < 2 or not np.isfinite(x).all():
        return None, None
    half = float(stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x)))
    return float(x.mean()) - half, float(x.mean()) + half


def paired_difference(a: ArrayLike, b: ArrayLike, seed: int = 0) -> tuple[float, float, float, float]:
    """Is the mean of `a` minus `b` real? Paired: row i of both is the same image.

    Args:
        a: values of one model for each image.
        b: those of the other.
        seed: of the resampling.

    Returns:
        Mean difference, the ends of its 95 % bootstrap interval (nan where `mean_interval` has none), and the
        two-sided p value of `sign_flip_test`. Two infinite values of one sign do not differ.

    Raises:
        ValueError: the lengths differ, or there are no values.

    >>> mean, low, high, p = paired_difference([3.0, 5.0, 4.0], [2.0, 3.0, 1.0])
    >>> mean, p  # 2 of the 8 ways to set the signs are as far from zero
    (2.0, 0.25)
    """
    first, second = (np.asarray(v, dtype=np.float64).ravel() for v in (a, b))
    if len(first) != len(second) or not len(first):
        raise ValueError(f"a paired test needs a value of both models for each image: {len(first)}, {len(second)}.")
    with np.errstate(invalid="ignore"):
        difference = np.where(first == second, 0.0, first - second)
        mean = float(difference.mean())
    low, high = mean_interval(difference, seed=seed)
    ends = (math.nan, math.nan) if low is None or high is None else (low, high)
    return mean, *ends, sign_flip_test(difference, seed=seed)


def sign_flip_test(differences: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided permutation test of "the differences are symmetric about zero", with their sum as the statistic.

    Exact over all 2^n signs up to n = 13. Beyond, p = (1 + hits) / (1 + 9999) over random signs, which cannot be
    below 1e-4; where Hoeffding's bound on the exact p, 2 exp(-(sum d)^2 / (2 sum d^2)), is smaller, the bound is
    returned, so that a correction for hundreds of tests leaves strong differences visible. With infinite
    differences, signed ranks take the place of the differences (Wilcoxon's statistic).

    Returns:
        p in (0, 1]; nan where a difference is nan.

    >>> sign_flip_test([1.0, 1.0, 1.0, 1.0, 1.0])  # 2 / 2^5
    0.0625
    """
    from scipy import stats

    d = np.asarray(differences, dtype=np.float64).ravel()
    if np.isnan(d).any():
        return math.nan
    if np.isinf(d).any():
        d = np.sign(d) * stats.rankdata(np.abs(d))
    d = d[d != 0]  # a sign of zero changes nothing
    if len(d) < 2:
        return 1.0  # both signs are as far from zero
    d = d / np.abs(d).max()  # so that no square overflows or vanishes
    total, rng = np.abs(d).sum(), np.random.default_rng(seed)

    def distance(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.round(np.abs(x.sum(axis)) / total, 9)  # sums that are equal but for rounding count as equal

    if len(d) <= EXACT:
        exact = stats.permutation_test(
            (d,), distance, permutation_type="samples", n_resamples=math.inf, vectorized=True, alternative="greater"
        )
        return float(exact.pvalue)
    drawn = stats.monte_carlo_test(
        d,
        lambda size: d * (2.0 * rng.integers(0, 2, size=size, dtype=np.int8) - 1),
        distance,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, CHUNK // len(d)),
        alternative="greater",
    )
    bound = 2 * math.exp(-(d.sum() ** 2) / (2 * (d @ d)))
    return max(min(float(drawn.pvalue), bound), 5e-324)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of even one false finding stays below the level (Holm 1979).

    Args:
        p_values: of all tests that were made; nan stays nan and is not counted.

    Returns:
        The adjusted values, in the order given, each at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = list(p_values), 0.0
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
