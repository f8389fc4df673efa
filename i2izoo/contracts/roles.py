"""What the options of a translation are: an image, a latent, a text, a class label, or a plain value."""

from __future__ import annotations

import enum
import types
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from torch import Tensor


class Role(enum.Enum):
    """What an option is that may differ from image to image; the value says it in words."""

    IMAGE = "an image"
    LATENT = "a latent"
    TEXT = "a text"
    LABEL = "a class label"


Image: TypeAlias = Annotated[Tensor, Role.IMAGE]
"""In the signature of `Method.translate` or `generate`: an image or mask for each row, N x C x H x W in [-1, 1]."""

Latent: TypeAlias = Annotated[Tensor, Role.LATENT]
"""The same: a latent for each row, N x L or N x C x H x W."""

Text: TypeAlias = Annotated[str | list[str], Role.TEXT]
"""The same: a text for each row, a list of N; a user may give one for all images."""

Label: TypeAlias = Annotated[Tensor, Role.LABEL]
"""The same: a class for each row, int64 N; a user gives numbers, or the names that `Method.classes` has."""


def role_of(annotation: Any) -> Role | None:
    """What an option is by its resolved annotation, `Image` or `Image | None`; None: a plain value.

    >>> role_of(Latent | None), role_of(float)
    (<Role.LATENT: 'a latent'>, None)
    """
    if get_origin(annotation) is Annotated:
        return next((about for about in annotation.__metadata__ if isinstance(about, Role)), None)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    return next((role for member in members if (role := role_of(member))), None)
