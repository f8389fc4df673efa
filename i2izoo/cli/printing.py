"""What commands print: help, tables, lists, warnings."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from i2izoo.report.table import Table


def print_help(args: argparse.Namespace) -> int:
    """For who named no command: its help on stderr, and 2, since nothing was done."""
    args.parser.print_help(sys.stderr)
    return 2


def columns() -> int | None:
    """The width of the terminal; None: what is printed goes elsewhere and is as wide as it needs."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(table: Table) -> None:
    """As wide as the terminal and with bold letters where there is one; into a file as wide as it needs."""
    from i2izoo.report.tables import terminal

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(terminal(table, width=columns(), colour=colour), end="")


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]], indent: int) -> None:
    """A small table of texts, of which the second column is numbers."""
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, head in enumerate(heads):
        grid.add_column(head, justify="right" if index == 1 else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console(width=columns() or 10_000, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(Padding(grid, (0, 0, 0, indent), expand=False))
    print(*map(str.rstrip, captured.get().splitlines()), sep="\n")
