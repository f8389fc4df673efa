"""`i2izoo edit`: an image of a model truncated, mixed, moved, on its way to another one."""

from __future__ import annotations

import argparse
from pathlib import Path

from i2izoo.contracts.command import Command
from i2izoo_generation.commands.starts import START


class Edit(Command):
    """Edit an image in the latent space of a model with styles: truncation, mixing, directions, ways."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """The image, and what to do with it, in the order in which it is done."""
        add = parser.add_argument
        add("model", help="a pretrained entry, a folder, or user/repo on the Hub")
        add("start", help=START)
        add("--truncation", type=float, default=1.0, metavar="PSI", help="nearer to the average: 0 to 1, the default")
        add("--mix", metavar="START", help="another image, of which the styles of --layers are taken")
        add("--direction", metavar="FILE", help="what `i2izoo direction` has written")
        add("--strength", type=float, default=1.0, metavar="X", help="how far along it (default: %(default)s)")
        add("--layers", metavar="A-B", help="for --mix and --direction: from layer A to before B (default: all)")
        add("--towards", metavar="START", help="another image, to which a row of images leads")
        add("--count", type=int, default=9, metavar="N", help="images of that row (default: %(default)s)")
        add("-o", "--out", metavar="FILE", help="the image, or the row")
        add("--save", metavar="FILE", help="the styles, .safetensors")
        add("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")

    def run(self, args: argparse.Namespace) -> int:
        """Edit, and write what is asked for."""
        import i2izoo
        from i2izoo.images.writing import grid, save, to_pil
        from i2izoo_generation.commands.starts import layers, start
        from i2izoo_generation.editing.directions import Direction, move
        from i2izoo_generation.editing.paths import interpolate, mix, truncate
        from i2izoo_generation.editing.styles import render

        if not (args.out or args.save):
            args.parser.error("name an image with -o, or a file of styles with --save")
        model = i2izoo.load(args.model, device=args.device)
        some = layers(args.layers)
        styles = truncate(model, start(model, args.start), args.truncation)
        if args.mix:
            styles = mix(styles, start(model, args.mix), some or (0, styles.w.shape[1]))
        if args.direction:
            styles = move(styles, Direction.load(Path(args.direction).expanduser()), args.strength, some)
        if args.towards:
            styles = interpolate(styles, start(model, args.towards), args.count)
        if args.save:
            styles.save(Path(args.save).expanduser())
        if args.out:
            images = [to_pil(image) for image in render(model, styles)]
            save(images[0] if len(images) == 1 else grid([images]), args.out)
        print(f"{' and '.join(filter(None, (args.out, args.save)))}: {len(styles)} image{'s' * (len(styles) > 1)}")
        return 0
