"""`i2izoo app`: a web page for models, on this machine, or as a Space of the Hub."""

from __future__ import annotations

import argparse
import ipaddress
import webbrowser
from pathlib import Path
from typing import Any

from i2izoo.cli.completion import offers
from i2izoo.errors import ConfigError

EXAMPLES = """
  i2izoo app
  i2izoo app ./my-model user/their-model --only
  i2izoo app ./my-model --space my-space/
"""


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "app",
        help="try models in a browser",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    about = "models that come first: entries, folders, or user/repo on the Hub"
    offers(parser.add_argument("words", nargs="*", metavar="NAME", help=about), "pretrained")
    parser.add_argument("--only", action="store_true", help="offer these alone, not every pretrained entry")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="0: any (default: %(default)s)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="a further name by which it may be asked for"
    )
    parser.add_argument("--title", default="i2izoo", help="of the page (default: %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")
    parser.add_argument("--max-file", type=int, default=200, metavar="MB", help="of an upload (default: %(default)s)")
    parser.add_argument("--max-seconds", type=int, metavar="N", help="that one question may take (default: any)")
    parser.add_argument("--queue", type=int, default=20, metavar="N", help="questions that may wait (default: 20)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--space", metavar="DIR", help="write a Space of the Hub that shows these models, and end")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Serve, or write a Space."""
    if args.space is not None:
        from i2izoo.app.space import write_space

        print(f"wrote {write_space(args.words, Path(args.space).expanduser(), title=args.title)}")
        return 0
    check_host(args.host, args.allow_host)

    from i2izoo.app.jobs import Limits
    from i2izoo.app.serving import application, need_gradio, serve

    need_gradio()
    limits = Limits(file_bytes=args.max_file * 1_000_000, seconds=args.max_seconds, waiting=args.queue)

    def ready(address: str) -> None:
        print(f"the app is at {address} (Ctrl-C ends it)", flush=True)
        if args.open:
            webbrowser.open(address)

    with application(
        args.words, all_entries=not args.only, device=args.device, hosts=args.allow_host, limits=limits,
        title=args.title,
    ) as app:  # fmt: skip
        serve(app, args.host, args.port, ready)
    return 0


def check_host(host: str, allowed: list[str]) -> None:
    """Refuse to be reached from elsewhere without saying by which name.

    Raises:
        ConfigError: no name was given.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not allowed:
        raise ConfigError(
            f"--host {host} can be reached from other machines, and has no password: say with --allow-host NAME by "
            "which name or address it may be asked for."
        )
