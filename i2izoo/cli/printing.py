"""Tables of scores on the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i2izoo.report.table import Table


def print_table(table: Table) -> None:
    """As wide as the terminal and with bold letters where there is one; into a file as wide as it needs."""
    from i2izoo.report.tables import terminal

    aloud = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if aloud else None
    print(terminal(table, width=width, colour=aloud and "NO_COLOR" not in os.environ), end="")
