"""examples/screen_seeds_study.py: the truth that it holds figures against."""

from __future__ import annotations

import pytest
import torch
from scripts import script

STUDY = script("examples/screen_seeds_study.py")


@pytest.mark.parametrize("name", STUDY.PAIRS)
def test_the_truth_is_that_of_the_brightness_of_classes(name: str) -> None:
    """Each class a grey of its own, the dark one -0.6 and the light one 0.6; then the negative of that."""
    pair = STUDY.PAIRS[name]
    greys = torch.linspace(-0.3, 0.3, len(pair.palette))
    greys[pair.dark], greys[pair.light] = -0.6, 0.6
    classes = torch.arange(len(pair.palette)).repeat(2, 4, 1)
    colours = torch.tensor(pair.palette, dtype=torch.float) / 127.5 - 1
    real = {
        pair.label: colours[classes].permute(0, 3, 1, 2),
        pair.photo: greys[classes][:, None].repeat(1, 3, 1, 1),
    }
    right = STUDY.truth({**real, pair.photo: real[pair.photo] / 2}, real, classes, pair)
    assert right["dark_less_light"] == pytest.approx(-0.6)
    assert right["right_sign_share"] == pytest.approx(1)
    assert right["contrast_correlation"] == pytest.approx(1)
    assert right["label_accuracy"] == 1
    inverted = STUDY.truth({**real, pair.photo: -real[pair.photo]}, real, classes, pair)
    assert inverted["dark_less_light"] == pytest.approx(1.2)
    assert inverted["right_sign_share"] == pytest.approx(0, abs=1e-6)
    assert inverted["contrast_correlation"] == pytest.approx(-1)


def test_dark_and_light_of_the_maps_are_water_and_land() -> None:
    """In the order of the README of the data: land, water, building, vegetation, road."""
    pair = STUDY.PAIRS["maps"]
    assert pair.palette[pair.dark] == [226, 169, 41]
    assert pair.palette[pair.light] == [132, 41, 246]
