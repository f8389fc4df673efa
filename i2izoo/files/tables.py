"""Tables for others: CSV for people who open it in a spreadsheet, and data frames of pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from i2izoo.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""How a cell begins that a spreadsheet computes (OWASP, CSV Injection); the last four are full-width letters."""


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV: floats with all digits, None as an empty cell, and no text that is taken for a formula.

    A text that would be has an apostrophe before it; so has one that begins with apostrophes and goes on as a formula,
    so that who takes one apostrophe away before a formula has the text again.

    >>> csv_text([["name", "psnr"], ["=1+1", 21.5]])
    "name,psnr\\n'=1+1,21.5\\n"
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return repr(float(value))
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(FORMULA) else value


def frame(rows: Sequence[Mapping[str, Any]], numbers: Collection[str] = ()) -> DataFrame:
    """Rows as a data frame of pandas, which is imported now.

    Args:
        rows: column -> value.
        numbers: columns of floats, in which None is NaN.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ConfigError("a data frame needs pandas: pip install 'i2izoo[pandas]'.") from error
    made = DataFrame(list(rows))
    return made.astype({name: float for name in numbers if name in made})
