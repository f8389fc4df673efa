"""`i2izoo drag`: points of an image dragged to where they are wanted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from i2izoo.contracts.command import Command
from i2izoo_generation.commands.starts import START

if TYPE_CHECKING:
    from i2izoo_generation.editing.drag import Drag


class DragPoints(Command):
    """Drag points of an image of a model with styles to where they are wanted (DragGAN)."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """The image, its points, and how they are dragged."""
        add = parser.add_argument
        add("model", help="a pretrained entry, a folder, or user/repo on the Hub")
        add("start", help=f"{START}, such as `i2izoo project` writes")
        about = "a point of the image in pixels from its upper left corner; give it once for each point"
        add("--handle", type=_point, action="append", required=True, metavar="X,Y", help=about)
        about = "where the point before goes; as many as handles, in their order"
        add("--target", type=_point, action="append", required=True, metavar="X,Y", help=about)
        add("--mask", metavar="IMAGE", help="white where the image may change (default: everywhere)")
        add("-o", "--out", metavar="FILE", help="the image after it")
        add("--save", metavar="FILE", help="its styles, .safetensors")
        add("--steps", type=int, default=300, metavar="N", help="at most (default: %(default)s)")
        add("--rate", type=float, default=2e-3, metavar="R", help="learning rate (default: %(default)s)")
        add("--mask-weight", type=float, default=20.0, metavar="X", help="of what shall stay (default: %(default)s)")
        add("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")

    def run(self, args: argparse.Namespace) -> int:
        """Drag, and say how far each point is from its target."""
        import i2izoo
        from i2izoo.images.writing import save, to_pil
        from i2izoo_generation.commands.starts import start
        from i2izoo_generation.editing.drag import Drag

        if not (args.out or args.save):
            args.parser.error("name an image with -o, or a file of styles with --save")
        model = i2izoo.load(args.model, device=args.device)
        state = Drag(
            model, start(model, args.start), points=args.handle, targets=args.target, mask=args.mask,
            steps=args.steps, learning_rate=args.rate, mask_weight=args.mask_weight,
        )  # fmt: skip
        _run(state)
        if args.out:
            save(to_pil(state.image()[0]), args.out)
        if args.save:
            state.styles.save(Path(args.save).expanduser())
        where = " and ".join(filter(None, (args.out, args.save)))
        print(f"{where}: {state.done} steps, pixels from the target: {', '.join(f'{d:.1f}' for d in state.distances)}")
        return 0


def _run(state: Drag) -> None:
    """All steps, with a bar where somebody looks at it; Ctrl-C ends the drag and keeps what there is."""
    from rich.console import Console
    from rich.progress import track

    steps = track(state, "dragging", total=state.steps, console=Console(stderr=True), disable=not sys.stderr.isatty())
    try:
        for _ in steps:
            pass
    except KeyboardInterrupt:
        state.cancel()


def _point(text: str) -> tuple[float, float]:
    """A place in an image.

    >>> _point("12,30.5")
    (12.0, 30.5)
    """
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wants x,y in pixels, such as 120,64; found {text!r}") from None
    return x, y
