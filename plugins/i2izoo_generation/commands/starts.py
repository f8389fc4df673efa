"""How the command line names an image of a model: by a seed, or by a file of styles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from i2izoo.errors import ConfigError

if TYPE_CHECKING:
    from i2izoo import Translator
    from i2izoo_generation.editing.styles import Styles

START = "SEED, SEED/N for image N of `generate --seed SEED`, or a file of styles"


def start(model: Translator, text: str) -> Styles:
    """The styles of one image.

    Raises:
        ConfigError: it is neither a seed nor a file of one image.
        StorageError: the file is damaged, or holds something else.
    """
    from i2izoo_generation.editing.styles import Styles, drawn

    if seed := re.fullmatch(r"(\d+)(?:/(\d+))?", text):
        place = int(seed[2] or 0)
        return drawn(model, place + 1, seed=int(seed[1]))[place]
    if not Path(text).expanduser().is_file():
        raise ConfigError(f"an image of a model is {START}; found {text!r}.")
    styles = Styles.load(Path(text).expanduser())
    if len(styles) != 1:
        raise ConfigError(f"{text} holds the styles of {len(styles)} images, and one is wanted.")
    return styles


def layers(text: str | None) -> tuple[int, int] | None:
    """First and behind the last of some layers.

    >>> layers("3-8"), layers(None)
    ((3, 8), None)
    """
    if text is None:
        return None
    if found := re.fullmatch(r"(\d+)-(\d+)", text):
        return int(found[1]), int(found[2])
    raise ConfigError(f"layers are the first and the one behind the last, from 0, such as 3-8; found {text!r}.")
