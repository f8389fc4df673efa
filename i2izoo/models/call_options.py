"""The arguments of a call or of `generate`, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from i2izoo.contracts.annotations import check_value
from i2izoo.contracts.method import Method
from i2izoo.contracts.roles import role_of
from i2izoo.errors import ConfigError, OptionTypeError, listing, suggest
from i2izoo.models.options import PerImage


def check_numbers(seed: Any, **counts: Any) -> None:
    """Refuse a seed that is no whole number, and counts that are none from 1; None is a count that was left out."""
    for name, value in counts.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionTypeError(f"{name} wants a whole number from 1, found {value!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise OptionTypeError(f"seed wants a whole number, found {seed!r}.")


def check_own_options(
    given: Mapping[str, Any], method: Method, name: str, *, from_nothing: bool
) -> tuple[dict[str, Any], dict[str, PerImage]]:
    """Check the options that are the method's own, and tell plain values from what may be one for each image.

    Args:
        given: option -> value.
        method: whose they are.
        name: what messages call it.
        from_nothing: of generating, not of translating.

    Raises:
        ConfigError: there is no such option.
        OptionTypeError: it has another type.
    """
    allowed = method.generate_options() if from_nothing else method.translate_options()
    plain: dict[str, Any] = {}
    each: dict[str, PerImage] = {}
    for option, value in given.items():
        if option not in allowed:
            known = ["to", *([] if from_nothing else ["samples"]), "size", "seed", "batch_size", "depth", "progress"]
            known = list(dict.fromkeys([*known, *allowed]))  # some have a progress bar of their own
            raise ConfigError(
                f"{'generating' if from_nothing else 'translating'} with {name!r} has no option {option!r}"
                f"{suggest(option, known) or ';'} Allowed: {listing(known)}."
            )
        annotation, default = allowed[option].annotation, allowed[option].default
        if value is not None and (role := role_of(annotation)):
            each[option] = PerImage.of(option, role, value, method.classes)
            continue
        plain[option] = value.item() if isinstance(value, np.generic) else value
        if value is not default:
            check_value(plain[option], annotation, f"option {option!r} of {name!r}")
    return plain, each
