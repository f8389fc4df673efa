"""`i2izoo push`: a pretrained folder, or a Space, to the Hub."""

from __future__ import annotations

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("push", help="push a pretrained folder or a Space to the Hub")
    parser.add_argument("folder", metavar="DIR", help="what save_pretrained, train, import or app --space wrote")
    parser.add_argument("repo", metavar="REPO", help="user/repo, created if missing")
    parser.add_argument("--space", action="store_true", help="DIR is a Space, which `i2izoo app --space` wrote")
    parser.add_argument("--private", action="store_true", default=None, help="if the repository is created")
    parser.add_argument("--revision", help="branch (default: the repository's own)")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request instead of committing")
    parser.add_argument("--message", metavar="TEXT", help="of the commit")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Push, and print the address of the commit."""
    from i2izoo.files.hub import push_folder, push_space
    from i2izoo.models.config_file import read_config

    how: dict[str, Any] = {
        "private": args.private, "revision": args.revision, "create_pr": args.create_pr, "commit_message": args.message,
    }  # fmt: skip
    if args.space:
        print(push_space(args.folder, args.repo, **how))
    else:
        print(push_folder(args.folder, args.repo, method=read_config(args.folder)["method"], **how))
    return 0
