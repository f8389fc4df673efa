"""`i2izoo direction`: a direction in the latent space, from labels or from the generator alone."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from i2izoo.contracts.command import Command
from i2izoo.errors import ConfigError, DataError


class FindDirection(Command):
    """Find a direction in the latent space of a model with styles, for `i2izoo edit`."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """The model, and where the direction comes from."""
        add = parser.add_argument
        add("model", help="a pretrained entry, a folder, or user/repo on the Hub")
        about = "table of two columns: images of `generate` (0000.png or 0), and a label or score of each"
        add("--labels", metavar="CSV", help=about)
        add("--seed", type=int, default=0, metavar="N", help="with which they were generated (default: %(default)s)")
        add("--share", type=float, default=0.5, metavar="S", help="of them at each end of the scores (default: 0.5)")
        add("--strongest", type=int, metavar="N", help="no labels: the Nth of those that change most, from 1")
        add("--layers", metavar="A-B", help="in which --strongest looks: from layer A to before B (default: all)")
        add("-o", "--out", required=True, metavar="FILE", help="the direction, .safetensors")
        add("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")

    def run(self, args: argparse.Namespace) -> int:
        """Find it, and say how well it separates."""
        import i2izoo
        from i2izoo_generation.commands.starts import layers
        from i2izoo_generation.editing.directions import closed_form_directions, label_direction
        from i2izoo_generation.editing.styles import Styles, drawn

        if (args.labels is None) == (args.strongest is None):
            args.parser.error("give --labels CSV, or --strongest N")
        table = None if args.labels is None else read_labels(Path(args.labels).expanduser())
        model = i2izoo.load(args.model, device=args.device)
        if table is None:
            if args.strongest < 1:
                raise ConfigError(f"--strongest counts from 1; found {args.strongest}.")
            found, about = closed_form_directions(model, args.strongest, layers=layers(args.layers))[-1], ""
        else:
            w = drawn(model, max(table) + 1, seed=args.seed).w
            found = label_direction(Styles(w[list(table)]), list(table.values()), share=args.share)
            about = f": {found.accuracy:.0%} of what it has not learned from on the right side"
        found.save(Path(args.out).expanduser())
        print(f"{args.out}{about}")
        return 0


def read_labels(path: Path) -> dict[int, float]:
    """Number of the image -> its label, of a table; a first row of names is passed over.

    Raises:
        DataError: there is no such table, or a row is not an image and a number.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from error
    found: dict[int, float] = {}
    for number, row in enumerate(filter(None, rows)):
        try:
            image, label = row
            found[int(Path(image).stem)] = float(label)
        except ValueError:
            if number:
                raise DataError(
                    f"{path}: a row is the number of an image, or its file, and a label, such as 0007.png,1; found "
                    f"{','.join(row)!r}."
                ) from None
    if not found:
        raise DataError(f"{path} has no labels.")
    return found
