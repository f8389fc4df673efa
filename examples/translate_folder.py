"""Translate every image of a folder in flat memory, and go on past those that cannot be read.

python examples/translate_folder.py [FOLDER [OUT]]
"""

import sys
from pathlib import Path

import i2izoo

folder = sys.argv[1] if len(sys.argv) > 1 else "examples/images"
out = sys.argv[2] if len(sys.argv) > 2 else "translated"
Path(out).mkdir(parents=True, exist_ok=True)
model = i2izoo.load("pix2pix-facades")
for path, result in model.stream(folder, on_error="give"):
    if isinstance(result, Exception):
        print(result, file=sys.stderr)
    else:
        result.save(Path(out) / f"{path.stem}.png")
        print(Path(out) / f"{path.stem}.png")
