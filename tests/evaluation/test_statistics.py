"""Intervals and tests against closed forms, hand counts and scipy's independent implementations."""

import math
import random

import numpy as np
import pytest
import torch
from scipy import stats

from i2izoo.evaluation.statistics import holm, mean_interval, paired_difference, sign_flip_test

NORMAL = np.random.default_rng(1).normal(10.0, 2.0, size=400)


def test_interval_agrees_with_the_normal_approximation():
    low, high = mean_interval(NORMAL)
    half = stats.norm.ppf(0.975) * NORMAL.std(ddof=0) / math.sqrt(len(NORMAL))
    assert low == pytest.approx(NORMAL.mean() - half, abs=0.06 * half)
    assert high == pytest.approx(NORMAL.mean() + half, abs=0.06 * half)


def test_interval_narrows_with_the_confidence():
    low, high = mean_interval(NORMAL, confidence=0.5)
    half = stats.norm.ppf(0.75) * NORMAL.std() / math.sqrt(len(NORMAL))
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_interval_covers_the_true_mean_as_often_as_it_says(draw):
    rng, covered, rounds = np.random.default_rng(2), 0, 200
    truth = {"normal": 0.0, "exponential": 1.0}[draw]
    for _ in range(rounds):
        low, high = mean_interval(getattr(rng, draw)(size=60))
        covered += low <= truth <= high
    # 95 % of 200 is 190, give or take three standard errors (9), less what small skewed samples cost
    assert 178 <= covered <= 199


def test_interval_of_skewed_values_leans_to_their_long_tail():
    values = np.random.default_rng(3).exponential(size=50)
    low, high = mean_interval(values)
    assert high - values.mean() > 1.1 * (values.mean() - low)


def test_interval_of_degenerate_values():
    assert mean_interval([]) == (None, None)
    assert mean_interval([3.0]) == (None, None)
    assert mean_interval([1.0, math.nan, 2.0]) == (None, None)
    assert mean_interval([0.1] * 7) == (0.1, 0.1)
    assert mean_interval([math.inf, math.inf]) == (math.inf, math.inf)
    low, high = mean_interval([1.0, 1.0 + 1e-15, 1.0])
    assert low == pytest.approx(1.0)
    assert high == pytest.approx(1.0)


def test_interval_with_an_infinite_value_has_a_finite_lower_end():
    # 36 % of the resamples of 50 miss the one infinite value, so the lower 2.5 % point is finite
    low, high = mean_interval([*np.linspace(20, 30, 49), math.inf])
    assert 20 < low < 30
    assert high == math.inf
    # with 25 of 50 infinite practically every resample has one
    assert mean_interval([*np.linspace(20, 30, 25), *[math.inf] * 25]) == (math.inf, math.inf)


def test_interval_is_a_function_of_its_seed_only():
    first = mean_interval(NORMAL, seed=5), paired_difference(NORMAL, NORMAL[::-1] + 0.1, 5)
    random.seed(9), np.random.seed(9), torch.manual_seed(9)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert (mean_interval(NORMAL, seed=5), paired_difference(NORMAL, NORMAL[::-1] + 0.1, 5)) == first
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert mean_interval(NORMAL, seed=6) != first[0]


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # only +++ and --- reach |6|
        ([1, 2, -3], 1.0),  # the sum is 0
        ([3, 2, -1], 4 / 8),  # |4| or more: +6, +4, -4, -6
        ([1, 1, 1, 1], 2 / 16),
        ([4, 3, 2, -1], 4 / 16),  # |8| or more: +10, +8 and their mirrors
        ([5, 4, 3, 2, 1], 2 / 32),
        ([5, 4, -3, 2, 1], 10 / 32),  # sum 9 = 15 - 2 * 3; flipped subsets of sum <= 3: {}, 1, 2, 3, 1+2; both sides
        ([5, 0, 0, 5], 2 / 4),  # zeros have no sign
        ([0, 0, 0], 1.0),
        ([2], 1.0),
        ([1, 2, math.inf], 2 / 8),  # as ranks 1, 2, 3
        ([1, -math.inf, 2, 3], 14 / 16),  # ranks 1, -4, 2, 3: |2| or more; only the flips of sum 0 are nearer
    ],
)
def test_exact_p_values_by_hand(differences, p):
    assert sign_flip_test(differences) == pytest.approx(p)


def test_equal_sums_that_differ_in_rounding_are_equal():
    assert sign_flip_test([0.1, 0.2, -0.3]) == 1.0  # 0.1 + 0.2 - 0.3 is 5.6e-17


def test_large_samples_agree_with_the_t_test_and_with_scipys_permutations():
    a, b = NORMAL[:200], NORMAL[200:] + 0.35
    mean, low, high, p = paired_difference(a, b)
    t = stats.ttest_rel(a, b)
    assert mean == pytest.approx((a - b).mean())
    assert p == pytest.approx(t.pvalue, rel=0.15, abs=0.005)
    assert (low, high) == pytest.approx(tuple(t.confidence_interval(0.95)), abs=0.04)
    scipys = stats.permutation_test((a - b,), np.mean, permutation_type="samples", rng=np.random.default_rng(0))
    assert p == pytest.approx(scipys.pvalue, rel=0.15, abs=0.005)


def test_exact_agrees_with_scipy():
    d = np.random.default_rng(4).normal(0.5, 1, size=11)
    scipys = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(d) == pytest.approx(scipys.pvalue)


def test_p_of_a_strong_difference_is_below_what_sampling_can_show():
    # 100 equal differences: the exact p is 2 / 2^100, Hoeffding's bound on it 2 exp(-50)
    assert sign_flip_test([0.5] * 100) == pytest.approx(2 * math.exp(-50))
    assert 0 < sign_flip_test(np.ones(10_000)) < 1e-300
    # d and the sum do not depend on the unit
    assert sign_flip_test(np.full(100, 1e-300)) == pytest.approx(2 * math.exp(-50))


def test_p_is_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(5)
    p = [sign_flip_test(rng.normal(size=12)) for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_ten_thousand_images_fit_in_memory_and_agree_with_the_normal_approximation():
    d = np.random.default_rng(6).normal(0.02, 1, size=10_000)
    mean, low, high, p = paired_difference(d, np.zeros(10_000))
    assert (low, high) == pytest.approx((mean - 0.0196, mean + 0.0196), abs=0.0025)
    assert p == pytest.approx(2 * stats.norm.sf(abs(mean) * 100 / d.std()), rel=0.15, abs=0.005)


def test_infinite_values_of_both_models_do_not_differ():
    mean, low, high, p = paired_difference([math.inf, 3, 2], [math.inf, 2, 0])
    assert (mean, p) == (1.0, 0.5)
    assert (low, high) == (0.0, pytest.approx(2.0)) or 0 <= low < high <= 2


def test_paired_difference_with_one_pair_or_nan():
    mean, low, high, p = paired_difference([2.0], [1.0])
    assert (mean, p) == (1.0, 1.0)
    assert math.isnan(low)
    assert math.isnan(high)
    assert all(math.isnan(v) for v in paired_difference([math.nan, 1.0], [0.0, 0.0]))


def test_pairs_must_match():
    with pytest.raises(ValueError, match="2, 3"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="0, 0"):
        paired_difference([], [])


def test_holm_by_hand():
    # Wikipedia, "Holm-Bonferroni method", worked example: 0.01, 0.04, 0.03, 0.005 at level 0.05; the steps are
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, 1 * 0.04, and the last may not be below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    found = holm([0.01, math.nan, 0.02])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.02)
