"""The split by area: parts keep a distance, and every tile of the area is in one part or in the gap."""

from __future__ import annotations

import itertools

import pytest
from i2izoo_geo.tiles.grid import MercatorGrid
from i2izoo_geo.tiles.split import AreaSplit

from i2izoo.errors import ConfigError

PLACES = list(itertools.product(range(40), range(24)))


@pytest.mark.parametrize("gap", [0, 1, 3, 9])
@pytest.mark.parametrize("seed", range(4))
def test_tiles_of_two_parts_are_further_apart_than_the_gap(gap: int, seed: int) -> None:
    split = AreaSplit(PLACES, block=8, gap=gap, val=0.1, test=0.1, seed=seed)
    parts = {place: split.part(place) for place in PLACES}
    inside = {part: [p for p, q in parts.items() if q == part] for part in ("train", "val", "test")}
    for one, other in itertools.combinations(inside.values(), 2):
        for (x, y), (u, v) in itertools.product(one, other):
            assert max(abs(x - u), abs(y - v)) > gap
    # 15 blocks of 8 x 8: a tenth of them are two, whole ones for the part that goes before all others
    assert len(inside["test"]) == 2 * 64
    assert len(inside["val"]) <= 2 * 64
    assert inside["train"]


def test_a_gap_takes_no_more_than_it_must() -> None:
    split = AreaSplit(PLACES, block=8, gap=1, val=0.1, test=0, seed=0)
    held_out = {p for p in PLACES if split.part(p) == "val"}
    for x, y in (p for p in PLACES if split.part(p) is None):
        assert any((x + i, y + j) in held_out for i in (-1, 0, 1) for j in (-1, 0, 1))


def test_tiles_of_all_zooms_go_with_the_area() -> None:
    grid = MercatorGrid((8.0, 47.0, 8.9, 47.6), [11, 13])
    tiles = list(grid.tiles())
    split = AreaSplit([t.place for t in tiles], block=2, gap=0, val=0.2, test=0, seed=1)
    coarse = {(t.x, t.y): split.part(t.place) for t in tiles if t.z == 11}
    fine = [t for t in tiles if t.z == 13]
    assert {t.z for t in tiles} == {11, 13}
    assert all(split.part(t.place) == coarse[t.x // 4, t.y // 4] for t in fine)
    assert set(coarse.values()) == {"train", "val"}


def test_the_draw_is_of_the_seed() -> None:
    one, same, other = (AreaSplit(PLACES, block=4, gap=1, val=0.2, test=0.1, seed=s).described for s in (1, 1, 2))
    assert one == same
    assert one["val"] != other["val"]


def test_what_cannot_be_divided_is_said() -> None:
    with pytest.raises(ConfigError, match="1 block of 8 x 8 tiles"):
        AreaSplit([(0, 0), (1, 0)], block=8, gap=1, val=0.1, test=0, seed=0)
    with pytest.raises(ConfigError, match="nothing for training"):
        AreaSplit(PLACES, block=8, gap=40, val=0.1, test=0, seed=0)
    assert AreaSplit([(0, 0)], block=8, gap=1, val=0, test=0, seed=0).part((0, 0)) == "train"
