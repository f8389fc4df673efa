"""The captions of data, for a model that makes images of texts."""

from __future__ import annotations

from collections.abc import Iterable

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.roles import Role, role_of
from i2izoo.models.model import Model

TEXT = "text"
"""The option of `Method.generate` that is the caption of an image."""


def captions(model: Model, data: Dataset, places: Iterable[int]) -> dict[str, list[str]]:
    """`{"text": [...]}`, the texts of these items, where the model makes images of texts and all of them have one.

    What is generated to be looked at, or measured beside the data's own images, is of their captions; {}: of none.
    """
    option = model.method.generate_options().get(TEXT)
    if option is None or role_of(option.annotation) is not Role.TEXT:
        return {}
    found = [data.text(place) for place in places]
    return {TEXT: [text for text in found if text is not None]} if None not in found else {}
