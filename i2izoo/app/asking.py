"""What is asked for a direction of a model that is offered."""

from __future__ import annotations

from i2izoo.app.controls import Control, controls
from i2izoo.app.offers import Offers
from i2izoo.app.painting import paints
from i2izoo.models.translator import Translator


def model_of(offers: Offers, label: str, target: str | None) -> Translator | None:
    """The model, where it is here and has this direction."""
    if target is None or not offers[label].here:
        return None
    model = offers.load(label)
    return model if target in model.directions else None


def asked(offers: Offers, label: str, target: str | None, *, images: bool = True) -> list[Control]:
    """The controls of a direction; of what is painted, none.

    Args:
        offers: of the app.
        label: of the model.
        target: domain.
        images: also of options that are images, which belong to one image and not to many files.
    """
    if target is None or (model := model_of(offers, label, target)) is None:
        return []
    found = controls(model.method, from_nothing=model.directions[target] is None)
    if not images:
        return [one for one in found if one.kind not in ("image", "mask")]
    return [one for one in found if not (one.kind == "mask" and paints(model, target))]
