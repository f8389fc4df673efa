"""Editing in the latent space of generators of styles: what is known of images as w is found, changed and rendered."""

from i2izoo_generation.editing.directions import Direction, closed_form_directions, label_direction, move
from i2izoo_generation.editing.drag import Drag, Dragged, drag
from i2izoo_generation.editing.paths import interpolate, interpolate_latents, mix, truncate
from i2izoo_generation.editing.projection import Projection, Projector, project
from i2izoo_generation.editing.styles import Styles, drawn, render

__all__ = [
    "Direction",
    "Drag",
    "Dragged",
    "Projection",
    "Projector",
    "Styles",
    "closed_form_directions",
    "drag",
    "drawn",
    "interpolate",
    "interpolate_latents",
    "label_direction",
    "mix",
    "move",
    "project",
    "render",
    "truncate",
]
