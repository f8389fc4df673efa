"""Which numbers an option takes: a range beside its type, and ranges that come again under names.

`width: Annotated[int, Range(1, 256)]` is checked where all options are (`contracts.config.check_options`), and shown
where they are listed. The upper ends are far beyond what anybody trains: they are there for what was mistyped, and for
configs that were made to do harm.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`.

    Args:
        low, high: the ends.
        without: which of them do not belong to it.

    >>> 1 in Range(0, 1), 1 in Range(0, 1, without="high"), float("nan") in Range(0, 1)
    (True, False, False)
    >>> print(Range(0, 1, without="high"))
    from 0 to below 1
    """

    low: float
    high: float
    without: Literal["low", "high", "both", "none"] = "none"

    def __contains__(self, number: Any) -> bool:
        if isinstance(number, (list, tuple)):  # of numbers, each of which has to be in it
            return all(one in self for one in number)
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            return True  # None, a name: what has no size
        return (
            self.low <= number <= self.high
            and not (number == self.low and self.without in ("low", "both"))
            and not (number == self.high and self.without in ("high", "both"))
        )

    def __str__(self) -> str:
        least = f"{'above' if self.without in ('low', 'both') else 'from'} {_words(self.low)}"
        return f"{least} to {'below ' if self.without in ('high', 'both') else ''}{_words(self.high)}"


@dataclass(frozen=True)
class Items:
    """How many items a list has.

    >>> [1, 2] in Items(2), print(Items(2), "or", Items(1, 16))
    of 2 or of 1 to 16
    (True, None)
    """

    least: int
    most: int | None = None

    def __contains__(self, items: Any) -> bool:
        return not isinstance(items, Sized) or self.least <= len(items) <= (self.most or self.least)

    def __str__(self) -> str:
        return f"of {self.least}" + (f" to {self.most}" if self.most else "")


def _words(number: float) -> str:
    """As one writes it by hand: 1e9, 2**63 - 1."""
    if isinstance(number, int) and number.bit_length() == 63:
        return "2**63 - 1"
    return f"{number:g}".replace("e+0", "e").replace("e+", "e") if abs(number) >= 1e6 else f"{number:.10g}"


INTEGERS = Range(-(2**63), 2**63 - 1)
"""What an int that declares no range may be: torch holds whole numbers in 64 bits."""

FLOATS = Range(-3.4e38, 3.4e38)
"""What a float that declares no range may be: what float32 holds. Infinity and NaN are none of it."""

# ------------------------------------------------------------------------------------------------------ under names

Channels: TypeAlias = Annotated[int, Range(1, 65536)]
"""Channels of an image or of a layer."""

Blocks: TypeAlias = Annotated[int, Range(0, 256)]
"""How often a block comes, where it may be left out."""

Layers: TypeAlias = Annotated[int, Range(1, 256)]
"""How often a layer comes."""

Length: TypeAlias = Annotated[int, Range(1, 65536)]
"""Length of a vector, such as a latent."""

Count: TypeAlias = Annotated[int, Range(0, 10**9)]
"""How many; 0 is a number of its own: none."""

Number: TypeAlias = Annotated[int, Range(1, 10**9)]
"""How many, at least one."""

Side: TypeAlias = Annotated[int, Range(1, 65536)]
"""Side of an image in pixels."""

Seed: TypeAlias = Annotated[int, Range(0, 2**63 - 1)]
"""What randomness is a function of."""

Share: TypeAlias = Annotated[float, Range(0, 1)]
"""A part of a whole, a probability."""

Weight: TypeAlias = Annotated[float, Range(0, 1e6)]
"""Of a term in a sum of losses; 0 leaves it out."""

Gain: TypeAlias = Annotated[float, Range(0, 1000)]
"""Standard deviation or gain of weights that are drawn."""

Rate: TypeAlias = Annotated[float, Range(0, 1e6)]
"""A learning rate, or a weight decay."""

Betas: TypeAlias = Annotated[list[Annotated[float, Range(0, 1, without="high")]], Items(2)]
"""The two decays of Adam's averages."""

Guidance: TypeAlias = Annotated[float, Range(-1000, 1000)]
"""How strongly a diffusion model is guided; 1 is not at all."""

Timesteps: TypeAlias = Annotated[int, Range(1, 1_000_000)]
"""Noise levels of a diffusion model."""

Palette: TypeAlias = Annotated[list[Annotated[list[Annotated[int, Range(0, 255)]], Items(3)]], Items(2, 4096)]
"""RGB colours in 8 bits, one for each class of a label map."""

Bytes: TypeAlias = Annotated[int, Range(0, 10**15)]
"""Memory."""
