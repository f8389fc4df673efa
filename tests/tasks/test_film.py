"""What film does to a scene: closed forms of tones, of clouds and of grain."""

import numpy as np
import pytest
from i2izoo_tasks.colorization import ColorizationDataset
from i2izoo_tasks.degradations import Degradation, degradation
from i2izoo_tasks.film import add_grain, contrasted, develop, emulsion, to_linear, vignette

from i2izoo.errors import ConfigError

GREY = np.full((128, 128), 0.5, np.float32)
RAMP = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (48, 64))
SEEDED = {
    "vignette": lambda grey, seed: vignette(grey, 0.5, seed),
    "development": lambda grey, seed: develop(grey, 0.1, seed),
    "grain": lambda grey, seed: add_grain(grey, 0.1, 0.8, seed),
    "contrast": lambda grey, seed: Degradation(contrast=3.0)(grey, seed),
    "gamma": lambda grey, seed: Degradation(gamma=2.0)(grey, seed),
    "film": lambda grey, seed: degradation("film")(grey, seed),
}


@pytest.mark.parametrize("name", SEEDED)
@pytest.mark.parametrize("shape", [(48, 64), (1, 1), (3, 200)])
def test_a_pure_function_of_the_seed_at_any_size(name, shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    before = image.copy()
    first, again, other = (SEEDED[name](image, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.array_equal(image, before)
    assert first.shape == image.shape
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert 0 <= first.min() <= first.max() <= 1
    if image.size > 1:
        assert not np.array_equal(first, other)


def test_film_blind_to_red_makes_red_black_and_blue_light():
    red, blue, white = (np.array(c, np.float32).reshape(3, 1, 1) for c in ((1, 0, 0), (0, 0, 1), (1, 1, 1)))
    assert emulsion(red, 1.0).item() == 0
    assert emulsion(red, 0.0).item() == pytest.approx(0.4985, abs=1e-3)  # sRGB of luminance 0.2127
    assert emulsion(blue, 1.0) > emulsion(blue, 0.5) > emulsion(blue, 0.0)
    for blind in (0.0, 0.3, 1.0):
        assert emulsion(white, blind).item() == pytest.approx(1, abs=1e-5)


def test_the_farthest_corner_keeps_what_it_is_told_of_the_light():
    for seed in range(10):
        left = to_linear(vignette(GREY, 0.6, seed)) / to_linear(GREY)
        corners = left[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.min() == pytest.approx(0.4, rel=1e-3)
        assert left.min() == corners.min()
        assert left.max() <= 1 + 1e-5


@pytest.mark.parametrize("slope", [1.0, 1.3, 3.0])
def test_contrast_has_its_slope_in_the_middle_and_keeps_black_and_white(slope):
    x = np.array([0, 0.499, 0.5, 0.501, 1])
    y = contrasted(x, slope)
    assert y[[0, 2, 4]] == pytest.approx([0, 0.5, 1])
    assert (y[3] - y[1]) / 0.002 == pytest.approx(slope, rel=1e-3)
    assert (np.diff(contrasted(RAMP[0], slope)) >= 0).all()


def test_clouds_have_their_strength_and_are_large():
    stds, steps = [], []
    for seed in range(30):
        clouds = develop(GREY, 0.05, seed) - GREY
        stds.append(np.sqrt((clouds**2).mean()))
        steps.append(np.abs(np.diff(clouds, axis=0)).max())
    assert np.mean(stds) == pytest.approx(0.05, rel=0.3)
    assert max(steps) < 0.02  # a twelfth of 128 pixels is the smallest


def test_grains_are_as_strong_and_as_large_as_they_say():
    for size in (0.6, 1.0, 2.0):
        grain = add_grain(GREY, 0.05, size, 3) - GREY
        assert grain.std() == pytest.approx(0.05, rel=0.02)
        beside = (grain[:, 1:] * grain[:, :-1]).mean() / grain.var()
        if size >= 1:  # below, the sampled Gaussian is not the continuous one
            assert beside == pytest.approx(np.exp(-1 / (4 * size**2)), abs=0.03)
    assert np.array_equal(add_grain(np.zeros_like(GREY), 0.1, 1.0, 0), np.zeros_like(GREY))
    quarter = add_grain(GREY / 2, 0.05, 1.0, 3) - GREY / 2
    assert quarter.std() == pytest.approx(0.05 * np.sqrt(0.25 * 0.75) * 2, rel=0.02)  # sqrt(p (1 - p))


def test_one_does_not_change_what_the_others_draw():
    grain = Degradation(grain=0.1)(GREY, 5)
    assert np.array_equal(
        Degradation(grain=0.1, orthochromatic=1.0, blur=1.0)(GREY, 5), grain
    )  # nothing to see in grey
    with_gamma = Degradation(grain=0.1, gamma=2.0)(GREY, 5)
    assert np.array_equal(with_gamma.argsort(axis=None), grain.argsort(axis=None))


def test_what_earlier_releases_drew_is_drawn_still():
    recorded = [[0.1050, 0.3963, 0.6842, 0.9716], [0.1180, 0.3995, 0.6946, 0.9164]]  # by the release before film
    found = Degradation(blur=0.7, fading=0.2, noise=0.03)(np.asarray(RAMP), 7)[5::36, 3::20]
    assert np.abs(found - recorded).max() < 1e-3


def test_data_gives_colours_to_the_film():
    red = {"root": {"name": "synthetic-facades", "count": 2, "size": 32}, "domains": ["grey", "photo"]}
    plain, film = (ColorizationDataset(**red, degrade={"orthochromatic": o}) for o in (0.0, 1.0))
    before, after = (data.sample(0, 1)["grey"] for data in (plain, film))
    assert not before.equal(after)
    assert plain.sample(0, None)["grey"].equal(film.sample(0, None)["grey"])  # nothing in validation


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"contrast": 0.5}, "from 1 to 10, found 0.5"),
        ({"vignette": 1.0}, "from 0 to below 1, found 1"),
        ({"orthochromatic": 2.0}, "from 0 to 1, found 2"),
    ],
)
def test_mistakes(choice, words):
    with pytest.raises(ConfigError, match=words):
        degradation(choice)
