"""Degradations of old photographs: functions of the seed, as strong as they say."""

import numpy as np
import pytest
from i2izoo_tasks.degradations import (
    PRESETS,
    Degradation,
    add_noise,
    blur,
    compress,
    degradation,
    fade,
    scratch,
)

from i2izoo.errors import ConfigError

SEEDED = {
    "fade": lambda grey, seed: fade(grey, 0.5, seed),
    "noise": lambda grey, seed: add_noise(grey, 0.1, seed),
    "scratch": lambda grey, seed: scratch(grey, 5.0, seed),
    "light": lambda grey, seed: degradation("light")(grey, seed),
    "strong": lambda grey, seed: degradation("strong")(grey, seed),
    "blur": lambda grey, seed: Degradation(blur=2.0)(grey, seed),
    "jpeg": lambda grey, seed: Degradation(jpeg=5)(grey, seed),
}


@pytest.fixture
def image():
    return np.random.default_rng(0).random((48, 64), dtype=np.float32)


@pytest.mark.parametrize("name", SEEDED)
def test_a_pure_function_of_the_seed(name, image):
    before = image.copy()
    first, again, other = (SEEDED[name](image, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(image, before)
    assert first.shape == image.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1


def test_blur_spreads_a_point_by_its_variance():
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    spread = blur(point, 2.0)
    rows = spread.sum(1)
    assert rows.sum() == pytest.approx(1, abs=1e-5)
    assert (rows * (np.arange(41) - 20) ** 2).sum() == pytest.approx(4.0, rel=0.02)


def test_fading_takes_half_to_all_of_the_strength_from_the_contrast():
    black, white = np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)
    lost = 1 - (fade(white, 0.4, 3) - fade(black, 0.4, 3))
    assert 0.2 - 1e-6 <= lost.min() < 0.3 < lost.max() <= 0.4 + 1e-6
    assert lost.mean() == pytest.approx(0.3, abs=1e-3)
    assert fade(black, 0.4, 3).mean() > 0.1  # blacks get lighter


def test_noise_has_the_standard_deviation_asked_for():
    grey = np.full((128, 128), 0.5, np.float32)
    for seed in range(3):
        noise = add_noise(grey, 0.07, seed) - grey
        assert noise.std() == pytest.approx(0.07, rel=1e-3)
        assert abs(noise.mean()) < 0.01


def test_scratches_are_few_and_light_and_dark():
    grey = np.full((256, 256), 0.5, np.float32)
    assert np.array_equal(scratch(grey, 0.0, 0), grey)
    scratched = [scratch(grey, 4.0, seed) for seed in range(20)]
    share = np.mean([(s != grey).mean() for s in scratched])
    assert 0.002 < share < 0.1
    assert min(s.min() for s in scratched) < 0.1
    assert max(s.max() for s in scratched) > 0.9


def test_jpeg_loses_more_at_lower_quality(image):
    assert np.abs(compress(image, 100) - image).mean() < 0.01
    assert np.abs(compress(image, 10) - image).mean() > 0.1
    assert np.allclose(compress(image, 50) * 255, (compress(image, 50) * 255).round(), atol=1e-4)  # of 8 bits


def test_strengths_of_each_call_lie_between_none_and_the_greatest():
    grey = np.full((64, 64), 0.5, np.float32)
    found = [float(Degradation(noise=0.1)(grey, seed).std()) for seed in range(40)]
    assert max(found) <= 0.1001
    assert max(found) > 0.08
    assert min(found) < 0.02


def test_one_strength_does_not_change_what_the_others_draw():
    grey = np.full((64, 64), 0.5, np.float32)
    scratched = scratched_only = 0
    for seed in range(10):
        with_blur = Degradation(blur=1.0, scratches=40.0)(grey, seed)  # of a constant, blur changes nothing
        without = Degradation(scratches=40.0)(grey, seed)
        assert np.allclose(with_blur, without, atol=1e-6)
        scratched += (with_blur != 0.5).sum()
        scratched_only += (without != 0.5).sum()
    assert scratched_only > 0


def test_presets_and_strengths():
    assert degradation("none").config == Degradation().config
    for name, value in PRESETS["light"].items():
        strong = PRESETS["strong"][name]
        assert (strong < value) if name == "jpeg" else (strong > value), name
    assert degradation({"noise": 0.2}).config == Degradation(noise=0.2).config
    mixed = degradation({"name": "strong", "scratches": 0.0})
    assert (mixed.scratches, mixed.noise) == (0.0, PRESETS["strong"]["noise"])


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("lihgt", "did you mean 'light'"),
        ({"name": "old"}, "none, light, strong"),
        ({"nois": 0.1}, "did you mean 'noise'"),
        ({"noise": -0.1}, "from 0 to 1000, found -0.1"),
        ({"fading": 1.5}, "from 0 to 1, found 1.5"),
        ({"jpeg": 0}, "1 to 100"),
    ],
)
def test_mistakes(choice, words):
    with pytest.raises(ConfigError, match=words):
        degradation(choice)
