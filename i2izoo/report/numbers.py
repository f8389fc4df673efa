"""Numbers as a reader wants them."""

from __future__ import annotations

import math

MINUS, INFINITY, NONE = "\u2212", "\u221e", "-"


def number(value: float | None, places: int, sign: bool = False) -> str:
    """A number with so many digits after the point.

    >>> number(3.14159, 2), number(float("inf"), 2), number(None, 2), number(2e-7, 6), number(0.5, 1, sign=True)
    ('3.14', '∞', '-', '2.0e-07', '+0.5')
    """
    if value is None or math.isnan(value):
        return NONE
    plus = "+" if sign and value > 0 else ""
    if math.isinf(value):
        return (plus or (MINUS if value < 0 else "")) + INFINITY
    tiny = value != 0 and abs(value) < 0.5 * 10**-places and places >= 6
    return plus + (f"{value:.1e}" if tiny else f"{value:.{places}f}").replace("-", MINUS, int(value < 0))


def significant_places(size: float, digits: int) -> int:
    """Digits after the point, 0 to 6, with which a number of this size has so many that count.

    >>> significant_places(0.0123, 2), significant_places(123.0, 2)
    (3, 0)
    """
    return min(max(digits - 1 - math.floor(math.log10(size)), 0), 6)


def significant(value: float | None, factor: float = 1.0) -> str:
    """Three significant digits, in plain notation.

    >>> significant(0.01234, 1e3), significant(1234567.0), significant(None), significant(0)
    ('12.3', '1234567', '-', '0')
    """
    if value is None:
        return NONE
    value = value * factor
    return f"{value:.{significant_places(value, 3)}f}" if value else "0"


def parameters(count: int) -> str:
    """A number of parameters.

    >>> parameters(54_413_955), parameters(830), parameters(0)
    ('54.4 M', '830', '-')
    """
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return significant(count / size) + letter
    return str(count) if count else NONE


def probability(p: float) -> str:
    """A p value with as many digits as matter.

    >>> probability(0.03456), probability(0.00031), probability(0.7), probability(1.0), probability(2e-9)
    ('p = 0.035', 'p = 0.0003', 'p = 0.70', 'p = 1.00', 'p < 0.0001')
    """
    if p < 1e-4:
        return "p < 0.0001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}" if p >= 0.01 else f"p = {p:.4f}"
