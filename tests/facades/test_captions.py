"""Captions of synthetic facades: each word is what can be seen in the label map and the image, and reaches a method."""

from __future__ import annotations

import colorsys
from itertools import groupby, pairwise

import numpy as np
import pytest
from i2izoo_facades.caption import COLOURS, caption
from i2izoo_facades.plan import PALETTE, WALLS, Plan, draw_plan
from i2izoo_facades.synthetic import SyntheticFacades

from i2izoo.data.loader import Loader

NUMBERS = {"three": 3, "four": 4, "five": 5}
COUNT = 60


def plans() -> list[Plan]:
    """The first facades of the data set."""
    return [draw_plan(np.random.default_rng([0, number])) for number in range(COUNT)]


@pytest.fixture(scope="module")
def facades() -> SyntheticFacades:
    return SyntheticFacades(count=COUNT, size=256)


def classes(facades: SyntheticFacades, index: int) -> np.ndarray:
    """Names of the classes of each pixel of a label map."""
    label = ((facades.sample(index, None)["label"] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    names = np.full(label.shape[:2], "", dtype="U10")
    for name, colour in PALETTE.items():
        names[(label == colour).all(axis=-1)] = name
    return names


def test_floors_are_those_of_the_plan(facades: SyntheticFacades) -> None:
    """Rows of windows of the plan, at distinct heights, and the ground floor."""
    for index, plan in enumerate(plans()):
        ground = plan.style["ground"]
        rows = {round(e.y0, 6) for e in plan.elements if e.name == "window" and e.y1 < ground}
        number, floors = facades.text(index).partition(",")[0].split()
        assert (NUMBERS[number], floors) == (len(rows) + 1, "floors")


def test_shops_and_shutters_are_in_the_label_map(facades: SyntheticFacades) -> None:
    for index, plan in enumerate(plans()):
        names, (*_, windows, shops) = classes(facades, index), facades.text(index).split(", ")
        assert (shops == "shops") == ("shop" in names)
        assert shops in ("shops", "no shops")
        beside = [e for e in plan.elements if e.name == "blind" and e.y1 - e.y0 > 1.5 * (e.x1 - e.x0)]
        assert not windows.endswith("with shutters") or beside


def test_double_windows_are_two_in_a_bay(facades: SyntheticFacades) -> None:
    for index, plan in enumerate(plans()):
        above = [e for e in plan.elements if e.name == "window" and e.y1 < plan.style["ground"]]
        top = sorted((e for e in above if e.y0 == min(w.y0 for w in above)), key=lambda e: e.x0)
        gaps = {round(second.x0 - first.x1, 6) for first, second in pairwise(top)}
        assert facades.text(index).split(", ")[2].startswith("double" if len(gaps) > 1 else "single")


def test_the_colour_is_that_of_the_wall_in_the_image(facades: SyntheticFacades) -> None:
    """The named colour nearest to the median of the wall's pixels, the camera's exposure and white balance undone."""
    right = 0
    for index, plan in enumerate(plans()):
        warmth, exposure = plan.style["warmth"], plan.style["exposure"]
        photo = (facades.sample(index, None)["photo"].permute(1, 2, 0).numpy() + 1) * 127.5
        above = int(256 * plan.style["ground"])
        wall = (
            np.median(photo[:above][classes(facades, index)[:above] == "wall"], axis=0)
            / [1 + warmth, 1, 1 - warmth]
            / exposure
        )
        nearest = min(WALLS, key=lambda colour: float(np.abs(wall - colour).sum()))
        right += COLOURS[nearest] == facades.text(index).split(", ")[1].split()[0]
    assert right > 0.7 * COUNT  # some lie between two names, and light falls off; the commonest name has 0.2


def test_names_of_colours_are_what_one_calls_them() -> None:
    hues = {
        "red": (0, 20),
        "yellow": (30, 60),
        "green": (60, 150),
        "pink": (10, 30),
        "brown": (25, 45),
        "cream": (30, 60),
    }
    for colour, name in COLOURS.items():
        hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
        if name in hues:
            low, high = hues[name]
            assert low <= 360 * hue <= high, (colour, name)
        else:  # grey and white
            assert saturation < 0.12, (colour, name)
            assert (value > 0.85) == (name == "white")


def test_a_caption_is_a_function_of_the_facade_alone() -> None:
    one, again = SyntheticFacades(count=8, size=16), SyntheticFacades(count=8, size=32, flip=False)
    assert [one.text(i) for i in range(8)] == [again.text(i) for i in reversed(range(8))][::-1]
    assert [one.text(i) for i in range(8)] == [caption(plan) for plan in plans()[:8]]
    assert [one.text(i) for i in range(8)] != [
        SyntheticFacades(count=8, size=16, split="val").text(i) for i in range(8)
    ]
    assert len(list(groupby(one.text(i) for i in range(8)))) > 4


def test_captions_reach_the_batch() -> None:
    data = SyntheticFacades(count=4, size=16, domains=["photo"], kind="single")
    with Loader(data, 4, seed=0) as loader:
        batch = next(loader)
    assert sorted(batch.texts or []) == sorted(data.text(i) for i in range(4))
