"""A command of the command line that a plugin adds: `i2izoo NAME`."""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod


class Command(ABC):
    """A command; the first line of the class's docstring is what `i2izoo --help` says about it.

    Its module is imported when the command or its help is asked for, so a heavy library is imported where it is
    needed. A mistake of the user's is raised as an `I2IZooError`: the command line shows it as one sentence.

    >>> class Greet(Command):
    ...     "Say hello."
    ...     def arguments(self, parser):
    ...         parser.add_argument("name", help="whom")
    ...     def run(self, args):
    ...         print(f"hello, {args.name}")
    ...         return 0
    >>> Greet().run(argparse.Namespace(name="you"))
    hello, you
    0
    """

    @abstractmethod
    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments, each with a help."""

    @abstractmethod
    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code, 0 where all went well."""
