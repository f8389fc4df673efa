"""What the site keeps of a comparison: its figures in `NAME.json`, the images of twelve cases in `NAME-cases.webp`.

The sheet has a row for each case and a column for input, truth and each model, as far as their images were kept, as
large as fits into the bytes that a sheet may have. The site makes its small reports of both; the full report is what
`i2izoo compare` writes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from i2izoo.evaluation.comparison import from_dict, to_dict
from i2izoo.evaluation.result import Comparison
from i2izoo.files.writing import write_text

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "assets" / "results"
CASES = 12
SIDES = (256, 192, 160, 128, 96, 64)
"""Sides in pixels that the images of a sheet may be reduced to."""
SHEET_BYTES = 300_000


def webp(image: Image.Image, quality: int = 75, **options: Any) -> bytes:
    """The image as WebP."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=6, **options)
    return buffer.getvalue()


def save_webp(image: Image.Image, path: Path, quality: int = 75) -> None:
    """Write an image as WebP, exact where that takes no more bytes, as it does for drawings. The folder is made."""
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(min(webp(image, quality), webp(image, lossless=True), key=len))


def store(
    comparison: Comparison,
    name: str,
    cases: Sequence[str] = (),
    results: Path = RESULTS,
    sheet_bytes: int = SHEET_BYTES,
    count: int = CASES,
) -> None:
    """Write both files of a comparison whose images were kept.

    Args:
        comparison: what `i2izoo.compare` gave.
        name: of the two files.
        cases: names of the images to show; none: `count` that are spread evenly.
        results: folder of the files.
        sheet_bytes: that the sheet may have; images are as large as fits, and none smaller than the least side.
        count: of the images to show, where they are not named.
    """
    names = comparison.results[0].names
    count = min(count, len(names))
    cases = list(cases) or [names[(2 * i + 1) * len(names) // (2 * count)] for i in range(count)]
    columns = [
        [Image.open(folder / f"{case}.png") for case in cases]
        for folder in (comparison.inputs, comparison.truths, *(r.images for r in comparison.results))
        if folder is not None
    ]
    content = to_dict(comparison)
    for row in content["results"]:
        row["values"] = {label: [_rounded(v) for v in values] for label, values in row["values"].items()}
    content["sheet"] = {
        "cases": cases,
        "inputs": comparison.inputs is not None,
        "truths": comparison.truths is not None,
        "models": [r.model for r in comparison.results if r.images is not None],
    }
    for side in SIDES:
        widths, sheet = _sheet(columns, side)
        data = webp(sheet, quality=75)
        if len(data) <= sheet_bytes:
            break
    content["sheet"]["widths"] = widths
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}-cases.webp").write_bytes(data)
    write_text(results / f"{name}.json", json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")


def _rounded(value: float | str) -> float | str:
    """Six digits, which is more than any table or chart shows."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _sheet(columns: list[list[Image.Image]], side: int) -> tuple[list[int], Image.Image]:
    """The width of each column, and all images in their rows."""
    widths = [min(side, max(image.width for image in column)) for column in columns]
    height = max(widths)
    sheet = Image.new("RGB", (sum(widths), height * len(columns[0])))
    for k, column in enumerate(columns):
        for row, image in enumerate(column):
            cell = image.convert("RGBA")
            cell = Image.alpha_composite(Image.new("RGBA", cell.size, "white"), cell).convert("RGB")
            if cell.width > widths[k]:
                cell = cell.resize((widths[k], widths[k]), Image.Resampling.LANCZOS)
            sheet.paste(cell, (sum(widths[:k]), row * height))
    return widths, sheet


def figures(name: str, results: Path = RESULTS) -> Comparison:
    """The comparison without its images."""
    return from_dict(_content(name, results))


def with_images(name: str, folder: Path, results: Path = RESULTS) -> Comparison:
    """The comparison, with the images of its cases cut out of the sheet into `folder`."""
    content = _content(name, results)
    sheet, comparison = content["sheet"], from_dict(content)
    places = {"inputs": sheet["inputs"], "truths": sheet["truths"]}
    columns = [folder / place for place, kept in places.items() if kept]
    comparison.inputs, comparison.truths = (folder / place if kept else None for place, kept in places.items())
    for i, result in enumerate(comparison.results):
        if result.model in sheet["models"]:
            result.images = folder / f"model-{i}"
            columns.append(result.images)
    height, left = max(sheet["widths"]), 0
    with Image.open(results / f"{name}-cases.webp") as image:
        for place, width in zip(columns, sheet["widths"], strict=True):
            place.mkdir(parents=True)
            for row, case in enumerate(sheet["cases"]):
                top = row * height
                cell = image.crop((left, top, left + width, top + width))
                small = webp(cell, quality=80 if width <= 64 else 62)  # which a report takes over as it is
                (place / f"{case}.webp").write_bytes(small)
            left += width
    return comparison


def _content(name: str, results: Path) -> dict[str, Any]:
    return json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
