"""Make the images of README and home page from examples/images; run it when the bundled weights changed.

    python tools/make_images.py

Written are, below docs/assets: `home/ENTRY/*` (inputs and their translations, unchosen) and `home.webp`, the strip of
the README. The grids of the gallery are made by tools/make_results.py. A model that
learned small images gets them small.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image
from stored import DOCS, save_webp

import i2izoo
from i2izoo.contracts.registry import registry

EXAMPLES = DOCS.parent / "examples" / "images"
LEAST = 128  # side in pixels of crops in training, from which on a model does well at twice the scale
STRIP = ("cyclegan-facades", "pix2pix-facades")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    entries = [name for name in i2izoo.list_models("*", pretrained=True) if registry("pretrained").get(name).bundled]
    models = {name: i2izoo.load(name) for name in entries}
    strip: list[Image.Image] = []
    for name, model in models.items():
        home = _emptied(DOCS / "assets" / "home" / name)
        for to, source in model.directions.items():
            for path in sorted(EXAMPLES.glob(f"{'photo' if source == 'grey' else source}*.*")):
                number = len(list(home.glob("*-in.webp"))) + 1
                image = Image.open(path)
                if source != "damaged":  # whose alpha says what is missing
                    image = image.convert("L" if source == "grey" else "RGB").convert("RGB")
                if (side := model.config["provenance"]["crop_size"]) < LEAST:
                    image = image.resize((side, side), Image.Resampling.BOX)
                result = model(image, to=to)
                save_webp(image, home / f"{number}-{source}-in.webp", quality=82)
                save_webp(result, home / f"{number}-{to}-out.webp", quality=82)
                if path.stem in ("label", "photo") and name in STRIP:
                    strip += [image, result]
    save_webp(_row(strip), DOCS / "assets" / "home.webp", quality=85)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _row(images: list[Image.Image], gap: int = 6, between: int = 22) -> Image.Image:
    """Pairs of input and output in a row, on transparent ground."""
    width = len(images) * 256 + len(images) // 2 * gap + (len(images) // 2 - 1) * between
    sheet = Image.new("RGBA", (width, 256))
    x = 0
    for index, image in enumerate(images):
        sheet.paste(image, (x, 0))
        x += 256 + (between if index % 2 else gap)
    return sheet


if __name__ == "__main__":
    main()
