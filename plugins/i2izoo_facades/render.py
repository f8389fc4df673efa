"""Draws a facade's plan twice: as a label map and as an image that resembles a photograph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2izoo_facades.plan import PALETTE, Element, Plan

Canvas = NDArray[np.float32]
"""H x W x 3 in 0 .. 255."""


def box(element: Element, size: int) -> tuple[slice, slice]:
    """Rows and columns of an element, at least one pixel each way: the same for label and image."""

    def span(start: float, stop: float) -> slice:
        first = min(max(round(start * size), 0), size - 1)
        return slice(first, max(first + 1, min(round(stop * size), size)))

    return span(element.y0, element.y1), span(element.x0, element.x1)


def render_label(plan: Plan, size: int) -> NDArray[np.uint8]:
    """The label map, size x size x 3."""
    label = np.empty((size, size, 3), np.uint8)
    label[:] = PALETTE["background"]
    for element in plan.elements:
        label[box(element, size)] = PALETTE[element.name]
    return label


def render_photo(plan: Plan, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image, size x size x 3; `rng` gives the noise."""
    style, unit = plan.style, size / 256
    photo = np.empty((size, size, 3), np.float32)
    _surroundings(photo, plan, rng)
    _wall(photo, plan, rng)
    for element in plan.elements[1:]:
        rows, columns = box(element, size)
        view = photo[rows, columns]
        DRAW[element.name](view, element, style, unit)
        _cast_shadow(photo, element, rows, columns, unit)
    return _camera(photo, style, rng)


# ---------------------------------------------------------------------------------------------------- big surfaces


def _smooth_noise(size: int, cells: int, rng: np.random.Generator) -> Canvas:
    """Noise of unit variance at each of cells x cells points, bilinear in between: size x size."""
    coarse = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    at = np.linspace(0, cells, size, endpoint=False, dtype=np.float32)
    low = at.astype(int)
    part = at - low

    def along_rows(values: Canvas) -> Canvas:
        return values[low] * (1 - part)[:, None] + values[low + 1] * part[:, None]

    return along_rows(np.ascontiguousarray(along_rows(coarse).T))


def _surroundings(photo: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    """Sky, roof, neighbouring houses and street: all that the label map calls background."""
    size, style = len(photo), plan.style
    fall = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    sky = style["sky"]
    clouds = _smooth_noise(size, 6, rng) * (9 if sky[0].mean() < 200 else 3)
    photo[:] = sky[0] * (1 - fall) + sky[1] * fall
    photo += clouds[..., None]
    rows, columns = box(plan.wall, size)
    roof = slice(round(style["roof"] * size), rows.start)
    tiles = np.arange(roof.start, roof.stop, dtype=np.float32)[:, None, None]
    house = style["wall"] * 0.5 + 50
    neighbour = slice(rows.start + round(0.03 * size), None)
    photo[neighbour, : columns.start] = house * 0.9
    photo[neighbour, columns.stop :] = house * 0.8 + np.array([14, 6, 0])
    photo[roof, columns] = style["roof_colour"] * (0.86 + 0.14 * np.cos(tiles * (2 * np.pi * 64 / size)))
    street = slice(rows.stop, None)
    photo[street] = 92


def _wall(photo: Canvas, plan: Plan, rng: np.random.Generator) -> None:
    size, style = len(photo), plan.style
    rows, columns = box(plan.wall, size)
    ground = round(style["ground"] * size)
    photo[rows, columns] = style["wall"]
    photo[ground : rows.stop, columns] = style["base"]
    wall = photo[rows, columns]
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] / size
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None] / size
    shade = 1 + 0.035 * _smooth_noise(size, 24, rng)[rows, columns] + 0.03 * _smooth_noise(size, 5, rng)[rows, columns]
    if style["texture"] == "brick":
        shade -= 0.07 * _joints(x, y, 1 / 26, 1 / 64, size)
    elif style["texture"] == "ashlar":
        shade -= 0.09 * _joints(x, y, 1 / 11, 1 / 22, size)
    below = y[:, 0] > style["ground"]
    shade[below] -= 0.16 * _joints(x, y[below], 1 / 9, 1 / 18, size)
    shade -= 0.10 * np.exp(-(y - plan.wall.y0) / 0.05) + 0.08 * np.exp((y - plan.wall.y1) / 0.03)  # eaves, splashes
    wall *= shade[..., None]


def _joints(x: NDArray[Any], y: NDArray[Any], width: float, height: float, size: int) -> Canvas:
    """1 in the mortar between blocks that are laid in courses, 0 on the blocks."""
    course = np.floor(y / height)
    thick = 1.2 / size
    return (((y % height) < thick) | (((x + course % 2 * width / 2) % width) < thick)).astype(np.float32)


# ------------------------------------------------------------------------------------------------------- elements


def _ramp(view: Canvas, start: float, stop: float, axis: int = 0) -> Canvas:
    steps = max(view.shape[axis] - 1, 1)
    ramp = np.arange(view.shape[axis], dtype=np.float32) * ((stop - start) / steps) + start
    return ramp[:, None, None] if axis == 0 else ramp[None, :, None]


def _window(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    thick = max(1, round(1.3 * unit))
    y, x = np.ogrid[0:height, 0:width]
    slope = y / height + x / width
    shine = np.clip(1 - np.abs(slope - 0.5 - element.style) * 3.5, 0, 1)[..., None]  # the sky, in a slanting strip
    view[:] = np.array([44, 52, 60]) + 22 * element.style + shine * (style["sky"][0] * 0.36 + _ramp(view, 24, -12))
    if element.style > 0.55:  # curtains, drawn back to the sides
        folds = 178 + 26 * np.cos(x * (2.4 / max(unit, 0.5)))
        curtain = (np.minimum(x, width - 1 - x) < width * (0.1 + 0.22 * element.style)) & (y >= 0)
        view[curtain] = 0.35 * view[curtain] + 0.6 * np.broadcast_to(folds, (height, width))[curtain][:, None]
    frame = style["frame"]
    if width >= 5 * thick and height >= 5 * thick:
        middle, transom = (width - thick) // 2, round(height * 0.32)
        view[:, middle : middle + thick] = frame * 0.92
        view[transom : transom + thick] = frame * 0.95
        view[:thick], view[-thick:] = frame * 0.72, frame
        view[:, :thick], view[:, -thick:] = frame * 0.8, frame * 0.94
        view[thick : 2 * thick + 1, thick:-thick] *= 0.6  # the reveal shades the pane


def _stone(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    """Cornices and sills: light above, dark below."""
    view[:] = style["stone"] * _ramp(view, 1.1, 0.8)


def _moulding(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    profile = np.array([1.1, 1.06, 0.9, 1.0, 1.02, 0.94, 0.74], np.float32)
    at = np.linspace(0, len(profile) - 1, height)
    view[:] = style["stone"] * np.interp(at, np.arange(len(profile)), profile)[:, None, None]
    if height > 6 * unit:  # dentils
        tooth = (np.arange(width) % max(2, round(5 * unit))) < max(1, round(2 * unit))
        view[round(height * 0.45) : round(height * 0.72), tooth] *= 0.8


def _balcony(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    slab = max(1, round(height * 0.24))
    rail, bar = max(1, round(1.2 * unit)), max(2, round(4 * unit))
    bars = (np.arange(width) % bar) < max(1, bar // 3)
    view[:-slab] *= 0.78  # what is behind the railing shows through it
    view[:-slab, bars] = 52
    view[:rail] = 60
    view[-slab:] = style["stone"] * _ramp(view[-slab:], 1.06, 0.7)


def _blind(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    slats = np.arange(len(view), dtype=np.float32)[:, None, None]
    view[:] = style["shutter"] * (0.86 + 0.12 * np.cos(slats * (2 * np.pi / max(2.5, 3 * unit)))) + 8 * element.style
    edge = max(1, round(0.8 * unit))
    view[:, :edge] *= 1.12
    view[:, -edge:] *= 0.75


def _decoration(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    y, x = np.ogrid[0:height, 0:width]
    turns = max(1, round(width / max(height, 1) * 0.8))
    relief = np.sin(2 * np.pi * turns * x / width + 4 * element.style) * np.sin(np.pi * (y + 0.5) / height)
    view[:] = style["stone"] * (0.93 + 0.14 * relief)[..., None]


def _pillar(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    across = np.sin(np.linspace(0.35, np.pi - 0.1, view.shape[1], dtype=np.float32))[None, :, None]
    view[:] = style["stone"] * (0.72 + 0.34 * across)
    cap = max(1, round(4 * unit))
    view[:cap] *= 1.08
    view[cap : cap + max(1, cap // 3)] *= 0.78
    view[-cap:] *= 0.95


def _door(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    thick = max(1, round(1.5 * unit))
    view[:] = style["stone"] * 0.9
    leaf = view[thick:, thick : max(width - thick, thick + 1)]
    leaf[:] = style["door"] * _ramp(leaf, 0.8, 1.12)
    light = leaf[: max(1, round(height * 0.2))]
    light[:] = np.array([58, 66, 74]) + style["sky"][0] * 0.15 * element.style
    leaf[:, leaf.shape[1] // 2 : leaf.shape[1] // 2 + max(1, thick // 2)] *= 0.5
    top, bottom = round(height * 0.3), round(height * 0.88)
    inset = max(1, leaf.shape[1] // 8)
    for part in (leaf[top : (top + bottom) // 2 - thick, :], leaf[(top + bottom) // 2 : bottom, :]):
        part[:, inset : leaf.shape[1] // 2 - inset + 1] *= 0.82
        part[:, leaf.shape[1] // 2 + inset : -inset] *= 0.82


def _shop(view: Canvas, element: Element, style: dict[str, Any], unit: float) -> None:
    height, width = view.shape[:2]
    sign = max(1, round(height * 0.22))
    y, x = np.ogrid[0:height, 0:width]
    glow = np.clip(1 - np.abs(y / height - 0.55) * 2.2, 0, 1) * (0.35 + 0.65 * element.style)
    goods = 14 * np.sin(x * (0.55 / unit) + 9 * element.style) * np.sin(y * (0.4 / unit))
    view[:] = np.array([40, 40, 42]) + (glow * 62 + goods * (y > height * 0.5))[..., None] * np.array([1, 0.9, 0.7])
    view[:sign] = style["sign"] * (0.75 + 0.3 * element.style)
    letters = (np.sin(x * (1.3 / unit) + 20 * element.style) > 0.1) & (np.abs(x / width - 0.5) < 0.32)
    view[round(sign * 0.3) : max(round(sign * 0.7), round(sign * 0.3) + 1), letters[0]] = 226
    thick = max(1, round(1.3 * unit))
    for column in (0, width // 2, width - thick):
        view[sign:, column : column + thick] = style["frame"] * 0.6
    view[-max(1, round(height * 0.14)) :] = style["base"] * 0.62


DRAW: dict[str, Callable[[Canvas, Element, dict[str, Any], float], None]] = {
    "window": _window,
    "cornice": _stone,
    "sill": _stone,
    "moulding": _moulding,
    "balcony": _balcony,
    "blind": _blind,
    "decoration": _decoration,
    "pillar": _pillar,
    "door": _door,
    "shop": _shop,
}

DEPTH = {"moulding": 4.0, "balcony": 6.0, "cornice": 3.0, "sill": 2.5}
"""How far an element stands out and so how long its shadow is, in pixels of an image of 256."""


def _cast_shadow(photo: Canvas, element: Element, rows: slice, columns: slice, unit: float) -> None:
    length = round(DEPTH.get(element.name, 0) * unit)
    if length:
        below = photo[rows.stop : rows.stop + length, columns]
        below *= _ramp(below, 0.62, 0.95)


def _camera(photo: Canvas, style: dict[str, Any], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light that falls off across the image, a lens that blurs a little, and sensor noise."""
    size = len(photo)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    light = (
        1
        + 0.07 * np.float32(style["sun"]) * axis[None]
        - 0.05 * axis[:, None]
        - 0.06 * (axis[None] ** 2 + axis[:, None] ** 2)
    )
    white = np.array([1 + style["warmth"], 1, 1 - style["warmth"]]) * style["exposure"]
    photo *= light[..., None] * white.astype(np.float32)
    for lines in (photo, photo.transpose(1, 0, 2)):
        beside = lines[:-2] + lines[2:]
        beside *= 0.16
        lines[1:-1] *= 0.68
        lines[1:-1] += beside
    photo += rng.standard_normal((size, size, 1), dtype=np.float32) * 3.2
    return np.clip(photo, 0, 255, out=photo).astype(np.uint8)
