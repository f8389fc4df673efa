"""The command line: `i2izoo list | info | translate | generate | train | sweep | evaluate | compare | ...`.

argparse and not a heavier library, because `i2izoo list` should be instant: see benchmarks/import_time.py.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from i2izoo.cli import (
    app,
    compare,
    completion,
    data,
    distill,
    evaluate,
    export,
    generate,
    imports,
    info,
    listing,
    plugins,
    push,
    sweep,
    train,
    translate,
)
from i2izoo.cli.added import add_commands
from i2izoo.cli.printing import print_help
from i2izoo.errors import I2IZooError, I2IZooWarning, suggest
from i2izoo.training.interrupt import ending

COMMANDS = (
    listing, info, translate, generate, app, train, distill, sweep, evaluate, compare, imports, export, data, plugins,
    push, completion,
)  # fmt: skip


class UsageError(I2IZooError):
    """The command line was called in a way that it does not understand."""


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are errors like any other."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if found := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            hint = suggest(found[1], re.findall(r"[\w-]+", found[2])).rstrip("?")
        if len(message) > 240:  # it repeats a word of the command line, be it ever so long
            message = f"{message[:200]}...{message[-40:]}"
        raise UsageError(f"{message}{hint}; see `{self.prog} --help`.")


class Version(argparse.Action):
    """Look the version up only when it is asked for: that takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import i2izoo

        print(f"i2izoo {i2izoo.__version__}")
        parser.exit()


def build_parser(words: Sequence[str] | None = None) -> Parser:
    """The parser of all commands; of plugins' commands only the one that `words` begin with is imported, or all."""
    parser = Parser(prog="i2izoo", description="A plugin-based model zoo for image-to-image translation in PyTorch.")
    parser.add_argument("-V", "--version", action=Version, nargs=0, help="print the version")
    parser.set_defaults(run=print_help, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add_to(commands)
    add_commands(commands, words)
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; what follows its flags belongs to the command's last positional, too."""
    parser = build_parser(None if completion.asked() else sys.argv[1:] if argv is None else argv)
    completion.complete(parser)
    args, rest = parser.parse_known_args(argv)
    flags = [word for word in rest if word.startswith("-") and word != "-"]
    if flags or (rest and not hasattr(args, "words")):
        known = [s for action in args.parser._actions for s in action.option_strings]
        args.parser.error(f"unknown argument {(flags or rest)[0]!r}{suggest((flags or rest)[0], known).rstrip('?')}")
    if rest:
        args.words = [*args.words, *rest]
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after a mistake of the user's, which is one sentence on stderr (I2IZOO_DEBUG=1 adds the traceback); 130
        after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # as on stderr: a name may hold bytes that are no text
    try:
        with ending(), warnings.catch_warnings():
            args = parse(argv)
            warnings.showwarning = show_warning
            code = int(args.run(args) or 0)
            sys.stdout.flush()  # here, where a closed pipe is caught
            return code
    except SystemExit as stop:  # --help and --version, and signals
        code = int(stop.code or 0)
        if code > 128:
            print(f"i2izoo: stopped by {signal.Signals(code - 128).name}.", file=sys.stderr)
        return code
    except KeyboardInterrupt:
        print("i2izoo: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `i2izoo list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (I2IZooError, OSError) as error:
        if os.environ.get("I2IZOO_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        print(f"i2izoo: {sentence(error)}", file=sys.stderr)
        return 2


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """One of ours is a sentence on stderr; others are shown as Python does."""
    if issubclass(category, I2IZooWarning):
        print(f"i2izoo: {' '.join(str(message).split())}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=sys.stderr)


def sentence(error: Exception) -> str:
    """An error's message on one line.

    >>> sentence(FileNotFoundError(2, "No such file or directory", "x"))
    "no such file or directory: 'x'."
    """
    if isinstance(error, OSError) and error.strerror and not isinstance(error, I2IZooError):
        return f"{error.strerror.lower()}{'' if error.filename is None else f': {error.filename!r}'}."
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
