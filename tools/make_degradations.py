"""Make the sheet of degradations on the page of `colorization`: docs/assets/degradations.webp.

    python tools/make_degradations.py

Each degradation alone at a strength that shows, and the presets, of the middle of examples/images/aerial.jpg (CC0).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from i2izoo_tasks.degradations import PRESETS, compress, degradation, fade, scratch
from i2izoo_tasks.film import ORTHOCHROMATIC, add_grain, blur, contrasted, develop, grey_of, vignette
from PIL import Image, ImageDraw
from stored import DOCS, save_webp

SIDE, COLUMNS, TEXT = 128, 5, 16


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    image = Image.open(DOCS.parent / "examples" / "images" / "aerial.jpg").convert("RGB")
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    colour = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), np.float32).transpose(2, 0, 1) / 255
    save_webp(_sheet(_shown(colour)), DOCS / "assets" / "degradations.webp", quality=68)


def _shown(colour: Any) -> dict[str, Any]:
    grey = grey_of(colour)
    return {
        "colour": colour.transpose(1, 2, 0),
        "none": grey,
        "orthochromatic": grey_of(colour, ORTHOCHROMATIC),
        "blur": blur(grey, 1.5),
        "vignette": vignette(grey, 0.8, 1),
        "contrast": contrasted(grey, 2.0),
        "development": develop(grey, 0.1, 3),
        "grain": add_grain(grey, 0.12, 1.0, 0),
        "fading": fade(grey, 0.6, 0),
        "scratches": scratch(grey, 4.0, 1),
        "gamma": grey ** np.float32(1.8),
        "jpeg": compress(grey, 12),
        **{name: degradation(name)(colour, 3) for name in PRESETS if name != "none"},
    }


def _sheet(shown: dict[str, Any]) -> Image.Image:
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE + 4) - 4, rows * (SIDE + TEXT + 4)), "white")
    for index, (name, pixels) in enumerate(shown.items()):
        x, y = index % COLUMNS * (SIDE + 4), index // COLUMNS * (SIDE + TEXT + 4)
        eight = (pixels.clip(0, 1) * 255).round().astype(np.uint8)
        sheet.paste(Image.fromarray(eight).convert("RGB"), (x, y))
        ImageDraw.Draw(sheet).text((x + 2, y + SIDE + 2), name, "black")
    return sheet


if __name__ == "__main__":
    main()
