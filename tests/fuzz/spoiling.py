"""Values that nobody means, and JSON with one of them in it."""

from __future__ import annotations

import copy
import random
from typing import Any

INTEGERS = (-1, 0, 1, 2, 3, 7, 8, 255, 65536, 65537, 10**6, 10**9, -(2**63), 2**63, 10**30, -(10**30))
FLOATS = (0.0, -1.0, 0.5, 1.0, 1e-300, 1e30, -1e30, 1e308, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "x", "l1", "unet_256", "../x", "/etc/passwd", "a.b:C", "\ud800", "\x00", "\x1b[31m", "x" * 5000, "é")
CONTAINERS = ([], {}, [[]], [None], [1, 2, 3], ["a", "a"], {"name": None}, {"name": "x"}, {"": 1}, {"name": {}})


def nested(draw: random.Random, depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if draw.random() < 0.5 else {"name": value}
    return value


def odd_value(draw: random.Random) -> Any:
    """A value of any kind and size."""
    kinds = [
        lambda: draw.choice(INTEGERS),
        lambda: draw.choice(FLOATS),
        lambda: draw.choice(TEXTS),
        lambda: draw.choice([None, True, False]),
        lambda: copy.deepcopy(draw.choice(CONTAINERS)),
        lambda: nested(draw, draw.choice([2, 40, 70, 900])),
        lambda: [draw.choice([*INTEGERS, *FLOATS, *TEXTS, None])] * draw.choice([1, 2, 3, 100]),
    ]
    return draw.choices(kinds, [5, 5, 3, 2, 3, 1, 1])[0]()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value inside of JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, one in inner for path in [(*at, key), *places(one, (*at, key))]]


def spoiled(draw: random.Random, content: Any) -> Any:
    """JSON in which one value is another one, is gone, has another name, or is where another one was."""
    content = copy.deepcopy(content)
    paths = places(content)
    *path, key = draw.choice(paths)
    holder = content
    for step in path:
        holder = holder[step]
    how = draw.choice(["value", "value", "value", "value", "gone", "name", "more", "other"])
    if how == "value":
        holder[key] = odd_value(draw)
    elif how == "gone":
        del holder[key]
    elif how == "name" and isinstance(holder, dict):
        holder[draw.choice([str(key)[:-1], f"{key}s", "", "name", "\ud800", "auto_map"])] = holder.pop(key)
    elif how == "other":
        found = content
        for step in draw.choice(paths):
            found = found[step]
        holder[key] = copy.deepcopy(found)
    elif isinstance(holder, dict):
        holder[draw.choice(["x", "width", "name", "blocks", "generator", "latent"])] = odd_value(draw)
    return content
