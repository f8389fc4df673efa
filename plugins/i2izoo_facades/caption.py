"""What a plan of a facade says of itself, in words."""

from __future__ import annotations

import math

from i2izoo_facades.plan import WALLS, Plan

FLOORS = {3: "three floors", 4: "four floors", 5: "five floors"}
MATERIALS = {"plaster": "plaster", "brick": "brick", "ashlar": "stone"}
COLOURS = dict(
    zip(
        WALLS,
        ("cream", "yellow", "red", "red", "grey", "green", "white", "brown", "pink", "grey", "brown", "cream"),
        strict=True,
    )
)
"""Colours of walls before their tint -> what one calls them."""


def caption(plan: Plan) -> str:
    """Floors, walls, windows and shops of a plan, always in this order.

    >>> plan = Plan(style={"wall": (160, 75, 60), "texture": "brick"}, floors=4, shutters=True)
    >>> caption(plan)
    'four floors, red brick, single windows with shutters, no shops'
    """
    windows = ("double" if plan.double else "single") + " windows" + " with shutters" * plan.shutters
    walls = f"{colour(plan.style['wall'])} {MATERIALS[plan.style['texture']]}"
    return ", ".join([FLOORS[plan.floors], walls, windows, "shops" if plan.shops else "no shops"])


def colour(wall: tuple[float, float, float]) -> str:
    """The name of a wall's colour, RGB in 0 .. 255: of the nearest one that has a name.

    >>> colour((188, 112, 90)), colour((235, 225, 215))
    ('red', 'white')
    """
    return COLOURS[min(WALLS, key=lambda named: math.dist(named, wall))]
