"""A band that is marked as opacity: is it?"""

from __future__ import annotations

import numpy as np

MOST = 0.5
"""Share of the values of opacity that may be neither none nor full, which edges are."""


def is_opacity(values: np.ndarray) -> bool:
    """Is a band marked as opacity really that, by some of its values?

    Some writers mark every fourth band so, as of near infrared in aerial photographs, and nothing else tells.

    Args:
        values: of the band, of any shape.

    >>> is_opacity(np.array([0, 255, 255, 254], np.uint8)), is_opacity(np.array([9, 80, 120, 239], np.uint8))
    (True, False)
    """
    if not values.size:
        return True
    between = (values != 0) & (values != values.max())  # not of the type: 0 and 255 are found in 16 bits, too
    return float(between.mean()) <= MOST
