"""`i2izoo project`: the styles of an image."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from i2izoo.contracts.command import Command


class Project(Command):
    """Find an image in the latent space of a model with styles."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """The model, the image, and how to look for it."""
        add = parser.add_argument
        add("model", help="a pretrained entry, a folder, or user/repo on the Hub")
        add("image", help="what to look for; scaled to cover the model's size, and cropped")
        add("-o", "--out", required=True, metavar="FILE", help="file of styles, .safetensors")
        add("--image", dest="shown", metavar="FILE", help="what the styles give, as an image")
        add("--space", choices=("w", "w+"), default="w", help="one style for all layers, or one for each (default: w)")
        add("--steps", type=int, metavar="N", help="default: 1000 in w, 5000 in w+")
        about = "any loss between images (default: lpips, perceptual or l2, the first whose weights are here)"
        add("--distance", metavar="NAME", help=about)
        add("--rate", type=float, metavar="R", help="highest learning rate (default: 0.1 in w, 0.01 in w+)")
        add("--fixed-noise", action="store_true", help="leave the noise as it is, which w+ always does")
        add("--label", type=int, metavar="N", help="number of the class whose mean is the start")
        add("--seed", type=int, default=0, metavar="N", help="of the noise (default: %(default)s)")
        add("--device", help="cpu, cuda, cuda:1, mps or auto (default: cpu)")

    def run(self, args: argparse.Namespace) -> int:
        """Look for it, and say how near it came."""
        import i2izoo
        from i2izoo.images.writing import save
        from i2izoo_generation.editing.projection import project

        model = i2izoo.load(args.model, device=args.device)
        found = project(
            model, args.image, space=args.space, steps=args.steps, distance=args.distance, learning_rate=args.rate,
            optimise_noise=False if args.fixed_noise else None, label=args.label, seed=args.seed,
            progress=sys.stderr.isatty(),
        )  # fmt: skip
        found.styles.save(Path(args.out).expanduser())
        if args.shown:
            save(found.image[0], args.shown)
        first, last = found.distances[0], found.distances[-1]
        print(f"{args.out}: PSNR {found.psnr:.1f} dB, distance ({found.by}) {first:.4g} to {last:.4g}")
        return 0
