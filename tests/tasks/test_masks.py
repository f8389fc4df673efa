"""Masks: the numbers of Palette (arXiv 2111.05826) and of DeepFill v2 (arXiv 1806.03589), over many seeds."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from i2izoo_tasks.masks import border, center, draw_mask, free_form, rectangles
from scipy.ndimage import label
from scipy.stats import binomtest, chisquare

SIZES = [(256, 256), (63, 41), (40, 97)]


def capsules(height, width, draw):
    """DeepFill's strokes by the distance of every pixel to every line: another raster, and another order of draws."""
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    mean = math.sqrt(height**2 + width**2) / 8
    for _ in range(draw.randrange(1, 4)):
        turn = 2 * math.pi / 15
        low, high = 2 * math.pi / 5 - draw.uniform(0, turn), 2 * math.pi / 5 + draw.uniform(0, turn)
        radius = draw.uniform(12, 40) / 256 * min(height, width) / 2
        x, y = draw.uniform(0, width), draw.uniform(0, height)
        for line in range(draw.randrange(4, 12)):
            angle = draw.uniform(low, high)
            angle = 2 * math.pi - angle if line % 2 == 0 else angle
            length = min(max(draw.gauss(mean, mean / 2), 0), 2 * mean)
            to_x = min(max(x + length * math.cos(angle), 0), width)
            to_y = min(max(y + length * math.sin(angle), 0), height)
            dx, dy = to_x - x, to_y - y
            along = ((columns - x) * dx + (rows - y) * dy) / max(dx * dx + dy * dy, 1e-9)
            along = along.clip(0, 1)
            mask |= (columns - x - along * dx) ** 2 + (rows - y - along * dy) ** 2 <= radius**2
            x, y = to_x, to_y
    return mask


def test_strokes_cover_what_an_independent_drawing_of_them_covers():
    found = np.array([free_form(128, 128, seed).mean() for seed in range(400)])
    draw = random.Random(0)
    wanted = np.array([capsules(128, 128, draw).mean() for _ in range(400)])
    error = math.sqrt(found.var() / 400 + wanted.var() / 400)
    assert abs(found.mean() - wanted.mean()) < 3 * error + 0.01  # lines of whole pixels are a little wider
    assert found.std() == pytest.approx(wanted.std(), rel=0.2)


def test_strokes_lean_to_both_sides_and_lie_everywhere():
    mean = np.mean([free_form(32, 32, seed) for seed in range(2000)], axis=0)
    assert np.abs(mean - mean[:, ::-1]).max() < 0.06
    assert np.abs(mean - mean[::-1]).max() < 0.06
    assert mean.min() > 0.03


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_one_to_five_rectangles_cover_10_to_40_percent(height, width):
    masks = [draw_mask("rectangles", height, width, seed) for seed in range(300)]
    shares = [mask.mean() for mask in masks]
    assert min(shares) >= 0.1
    assert max(shares) <= 0.4
    assert min(shares) < 0.13
    assert max(shares) > 0.35
    assert {label(mask)[1] for mask in masks} == {1, 2, 3, 4, 5}


def test_a_single_rectangle_is_one():
    alone = [mask for mask in (rectangles(64, 64, seed) for seed in range(100)) if len(np.unique(mask, axis=0)) == 2]
    assert len(alone) > 10
    for mask in alone:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.09 < mask.mean() < 0.41


def test_60_percent_of_the_mixture_are_strokes():
    # five rectangles have at most ten edges, so eleven kinds of rows; round ends have more
    masks = (draw_mask("mixture", 256, 256, seed) for seed in range(2000))
    strokes = sum(len({row.tobytes() for row in mask}) > 11 for mask in masks)
    assert binomtest(strokes, 2000, 0.6).pvalue > 0.01


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_half_of_the_area_is_uncropped_at_one_side_or_all_around(height, width):
    counts = dict.fromkeys(["all", "top", "bottom", "left", "right"], 0)
    for seed in range(800):
        known = ~border(height, width, seed)
        edges = {"top": known[0], "bottom": known[-1], "left": known[:, 0], "right": known[:, -1]}
        hidden = [name for name, edge in edges.items() if not edge.any()]
        counts["all" if len(hidden) == 4 else hidden[0]] += 1
        assert len(hidden) in (1, 4)
        assert abs(known.mean() - 0.5) <= 0.5 * (1 / height + 1 / width)
        rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
        assert known.sum() == len(rows) * len(columns)
    assert chisquare(list(counts.values()), [400, 100, 100, 100, 100]).pvalue > 0.01


def test_all_around_leaves_the_middle():
    known = next(k for k in (~border(100, 60, seed) for seed in range(50)) if not k[0].any() and not k[-1].any())
    rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
    assert (len(rows), len(columns)) == (round(100 * 0.5**0.5), round(60 * 0.5**0.5))
    assert abs((rows[0] + rows[-1]) / 2 - 49.5) <= 0.5
    assert abs((columns[0] + columns[-1]) / 2 - 29.5) <= 0.5


def test_the_center_is_half_the_sides():
    mask = center(256, 256)
    assert mask[64:192, 64:192].all()
    assert mask.sum() == 128 * 128
    assert draw_mask("center", 9, 6, 3).sum() == 4 * 3


@pytest.mark.parametrize("kind", ["free_form", "rectangles", "mixture"])
def test_coverage_can_be_asked_for(kind):
    shares = [draw_mask(kind, 128, 128, seed, coverage=(0.2, 0.3)).mean() for seed in range(40)]
    assert min(shares) >= 0.2
    assert max(shares) <= 0.3


@pytest.mark.parametrize("kind", ["free_form", "rectangles", "mixture", "center"])
def test_a_mask_is_a_function_of_its_seed_at_any_size(kind):
    for height, width in [(1, 1), (2, 3), (17, 1), *SIZES]:
        for seed in (0, 2**63 - 1):
            mask = draw_mask(kind, height, width, seed)
            assert mask.shape == (height, width)
            assert mask.dtype == bool
            assert mask.any()
            assert np.array_equal(mask, draw_mask(kind, height, width, seed))
    if kind != "center":
        assert len({draw_mask(kind, 64, 64, seed).tobytes() for seed in range(20)}) == 20
