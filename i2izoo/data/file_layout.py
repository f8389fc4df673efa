"""Which images a dataset has, and of which domains, however they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from i2izoo.errors import DataError, listing, suggest

Kind = Literal["paired", "unpaired", "single"]


class ImageFile(NamedTuple):
    """An image, or one half of a side-by-side image."""

    path: Path
    half: Literal["left", "right"] | None = None


@dataclass
class FileLayout:
    """The images of each domain.

    Attributes:
        form: "side-by-side", "folders", "classes" (a folder for each class), "csv" or "metadata".
        kind: "paired" (item i of every domain belongs together), "unpaired" or "single" (one domain).
        images: domain -> its images, in natural order of their names.
        problems: what is mismatched or missing, one sentence each; a dataset with any cannot be opened.
        labels: the class of each item (unpaired: of each image of the first domain) by name; None: there are none.
        texts: the text of each, likewise.
        classes: names of all classes, those of other splits too, in natural order.
    """

    form: Literal["side-by-side", "folders", "classes", "csv", "metadata"]
    kind: Kind
    images: dict[str, list[ImageFile]]
    problems: list[str] = field(default_factory=list)
    labels: list[str] | None = None
    texts: list[str] | None = None
    classes: list[str] = field(default_factory=list)


def choose(wanted: Sequence[str], found: Mapping[str, object], where: str) -> list[str]:
    """The wanted domains, checked."""
    for domain in wanted:
        if domain not in found:
            raise DataError(f"{where} has no domain {domain!r}{suggest(domain, found)}; it has {listing(found)}.")
    if len(wanted) < 2 or len(set(wanted)) < len(wanted):
        raise DataError(f"a dataset wants two or more different domains; found domains={tuple(wanted)!r}.")
    return list(wanted)
