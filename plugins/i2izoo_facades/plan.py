"""The plan of a procedural facade: which element is where, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

PALETTE: dict[str, tuple[int, int, int]] = {
    "background": (0, 0, 222),
    "wall": (0, 48, 255),
    "window": (0, 127, 255),
    "door": (0, 206, 255),
    "cornice": (35, 254, 226),
    "sill": (113, 253, 148),
    "balcony": (192, 254, 63),
    "blind": (255, 240, 0),
    "decoration": (255, 159, 0),
    "moulding": (255, 80, 0),
    "pillar": (246, 0, 0),
    "shop": (174, 0, 0),
}
"""Element -> colour in label maps: the twelve classes of the CMP Facade Database (Tylecek and Sara, GCPR 2013), in the
colours of the pix2pix data."""

PALETTES = {"label": [list(colour) for colour in PALETTE.values()]}
"""Palettes of the domains of facades that are label maps."""


class Element(NamedTuple):
    """A rectangle of one class; coordinates are shares of the image's side, y downwards."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float
    style: float = 0.0
    """What differs from one element to the next of its class (a curtain, an open shutter), in [0, 1)."""


@dataclass
class Plan:
    """One facade.

    Attributes:
        elements: in the order in which they are drawn.
        style: materials, colours and light, by name.
        floors: how many, with the ground floor.
        double, shutters: have the windows two casements each, and shutters?
        shops: are there shops on the ground floor?
    """

    elements: list[Element] = field(default_factory=list)
    style: dict[str, Any] = field(default_factory=dict)
    floors: int = 0
    double: bool = False
    shutters: bool = False
    shops: bool = False

    @property
    def wall(self) -> Element:
        return self.elements[0]


WALLS = [
    (226, 211, 178), (214, 178, 110), (186, 108, 84), (150, 70, 56), (168, 164, 156), (188, 196, 168),
    (232, 228, 218), (142, 120, 98), (208, 160, 136), (196, 190, 176), (164, 138, 104), (222, 196, 150),
]  # fmt: skip
SHUTTERS = [(60, 84, 66), (92, 64, 48), (214, 210, 200), (70, 84, 100), (120, 54, 46), (168, 160, 146)]
SKIES = [((132, 168, 212), (206, 220, 234)), ((226, 230, 234), (242, 242, 240)), ((96, 140, 200), (190, 210, 230))]


def draw_plan(rng: np.random.Generator) -> Plan:
    """Draw a facade: floors and columns on a grid, with one set of habits for all its windows."""
    plan = Plan(style=_style(rng))
    add = plan.elements.append
    left, right = (0.0 if rng.random() < 0.35 else rng.uniform(0.02, 0.11) for _ in range(2))
    top = rng.uniform(0.06, 0.24)
    wall = Element("wall", left, top, 1 - right, rng.uniform(0.95, 0.99))
    add(wall)
    floors = plan.floors = int(rng.integers(3, 6))
    columns = floors + int(rng.integers(0, 3))
    ground = wall.y1 - (wall.y1 - top) * rng.uniform(1.0, 1.35) / (floors + 0.25)
    head = top + rng.uniform(0.025, 0.05)
    plan.style["ground"], plan.style["roof"] = ground, top * rng.uniform(0.35, 0.85)
    add(Element("moulding", left, top, 1 - right, head))
    lines = np.linspace(head, ground, floors)  # floors above the ground floor
    edges = np.linspace(left, 1 - right, columns + 1)
    pitch, storey = edges[1] - edges[0], lines[1] - lines[0]

    banded, pilasters = rng.random() < 0.6, rng.random() < 0.3
    for i, y in enumerate(lines[1:]):
        if i == floors - 2 or (banded and rng.random() < 0.6):
            add(Element("moulding", left, y - storey * 0.05, 1 - right, y + storey * rng.uniform(0.02, 0.07)))
    if pilasters:
        thick = pitch * rng.uniform(0.08, 0.14)
        for x in edges:
            x = min(max(x, left + thick / 2), 1 - right - thick / 2)
            add(Element("pillar", x - thick / 2, head, x + thick / 2, ground - storey * 0.05))

    habits = _habits(rng, columns)
    plan.double, plan.shutters = habits["double"], habits["shutters"]
    for floor in range(floors - 1):
        y0 = lines[floor] + storey * habits["above"]
        y1 = y0 + storey * habits["height"] * (0.82 if floor == 0 and habits["low_attic"] else 1)
        for column in range(columns):
            _window_bay(plan, rng, habits, floor, column, (edges[column], edges[column + 1]), (y0, y1), storey)
    _ground_floor(plan, rng, edges, ground, wall)
    return plan


def _style(rng: np.random.Generator) -> dict[str, Any]:
    tint = rng.normal(0, 7, 3)
    wall = np.array(WALLS[rng.integers(len(WALLS))]) + tint
    light = wall.mean() > 190
    style = {
        "wall": wall,
        "stone": np.clip(wall * 0.45 + np.array([222, 214, 198]) * (0.42 if light else 0.55), 0, 244),
        "base": wall * 0.35 + np.array([150, 142, 130]) * 0.6 + rng.normal(0, 6, 3),
        "shutter": np.array(SHUTTERS[rng.integers(len(SHUTTERS))]) + tint,
        "frame": np.array([(228, 226, 218), (96, 70, 52), (66, 74, 78)][rng.choice(3, p=[0.65, 0.2, 0.15])]),
        "door": np.array([(88, 56, 38), (50, 66, 58), (70, 40, 36), (96, 82, 66)][rng.integers(4)]),
        "sign": rng.uniform(40, 190, 3),
        "sky": np.array(SKIES[rng.integers(len(SKIES))], float),
        "roof_colour": np.array([(104, 74, 66), (84, 88, 96), (132, 84, 66)][rng.integers(3)]),
        "texture": str(rng.choice(["plaster", "brick", "ashlar"], p=[0.6, 0.2, 0.2])),
        "sun": rng.uniform(-1, 1),
        "warmth": rng.normal(0, 0.025),
        "exposure": rng.uniform(0.86, 1.06),
    }
    return {k: v.astype(np.float32) if isinstance(v, np.ndarray) else v for k, v in style.items()}


def _habits(rng: np.random.Generator, columns: int) -> dict[str, Any]:
    shutters = rng.random() < 0.25
    return {
        "width": rng.uniform(0.26, 0.4) if shutters else rng.uniform(0.36, 0.6),
        "height": rng.uniform(0.52, 0.64),
        "aspect": rng.uniform(0.58, 0.95),
        "above": rng.uniform(0.2, 0.28),
        "low_attic": rng.random() < 0.4,
        "double": rng.random() < 0.3,
        "cornice": {f for f in range(5) if rng.random() < 0.55},
        "sill": rng.random() < 0.85,
        "shutters": shutters,
        "rollers": rng.random() < 0.3,
        "decoration": {f for f in range(5) if rng.random() < 0.25},
        "balconies": {
            (int(f), int(c))
            for f, c in zip(rng.integers(0, 4, 4), rng.integers(0, columns, 4), strict=True)
            if rng.random() < 0.5
        },
        "gallery": int(rng.integers(0, 10)),  # the floor, if there is one, whose windows all have a balcony
    }


def _window_bay(
    plan: Plan,
    rng: np.random.Generator,
    habits: dict[str, Any],
    floor: int,
    column: int,
    xs: tuple[float, float],
    ys: tuple[float, float],
    storey: float,
) -> None:
    """A window and all that belongs to it."""
    add = plan.elements.append
    pitch, middle = xs[1] - xs[0], (xs[0] + xs[1]) / 2
    y0, y1 = ys
    half = min(pitch * habits["width"], (y1 - y0) * habits["aspect"] * (1.5 if habits["double"] else 1)) / 2
    x0, x1 = middle - half, middle + half
    styles = rng.random(4)
    if habits["double"]:
        add(Element("window", x0, y0, middle - half * 0.1, y1, styles[0]))
        add(Element("window", middle + half * 0.1, y0, x1, y1, styles[1]))
    else:
        add(Element("window", x0, y0, x1, y1, styles[0]))
    over = half * 0.22
    if floor in habits["cornice"]:
        add(Element("cornice", x0 - over, y0 - storey * 0.13, x1 + over, y0 - storey * 0.03))
    balcony = (floor, column) in habits["balconies"] or habits["gallery"] == floor
    if habits["sill"] and not balcony:
        add(Element("sill", x0 - over * 0.7, y1, x1 + over * 0.7, y1 + storey * 0.065))
    if habits["shutters"]:
        wide = half * 0.85
        add(Element("blind", x0 - wide, y0, x0, y1, styles[2]))
        add(Element("blind", x1, y0, x1 + wide, y1, styles[2]))
    elif habits["rollers"] and styles[2] < 0.5:
        add(Element("blind", x0, y0, x1, y0 + (y1 - y0) * (0.25 + 1.1 * styles[2]), styles[2]))
    if balcony:
        wide = pitch * 0.5 if habits["gallery"] == floor else half * 1.45
        add(Element("balcony", middle - wide, y1 - (y1 - y0) * 0.42, middle + wide, y1 + storey * 0.1))
    elif floor in habits["decoration"]:
        add(Element("decoration", x0, y1 + storey * 0.09, x1, y1 + storey * 0.17, styles[3]))


def _ground_floor(plan: Plan, rng: np.random.Generator, edges: np.ndarray, ground: float, wall: Element) -> None:
    """Shops or windows, and one door."""
    add = plan.elements.append
    height = wall.y1 - ground
    columns = len(edges) - 1
    door = int(rng.integers(0, columns))
    shops = plan.shops = rng.random() < 0.45
    for column in range(columns):
        x0, x1 = edges[column], edges[column + 1]
        pitch = x1 - x0
        style = float(rng.random())
        if column == door:
            wide = min(pitch * 0.46, height * 0.42)
            middle = (x0 + x1) / 2
            add(Element("door", middle - wide / 2, ground + height * 0.24, middle + wide / 2, wall.y1, style))
        elif shops:
            add(Element("shop", x0 + pitch * 0.07, ground + height * 0.14, x1 - pitch * 0.07, wall.y1, style))
        else:
            margin = pitch * 0.25
            y0, y1 = ground + height * 0.26, ground + height * 0.72
            add(Element("window", x0 + margin, y0, x1 - margin, y1, style))
            add(Element("sill", x0 + margin * 0.8, y1, x1 - margin * 0.8, y1 + height * 0.06))
