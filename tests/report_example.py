"""A comparison as `i2izoo.compare` gives it, with small drawn facades: for the tests of the report and for looking.

python tests/report_example.py FOLDER writes FOLDER/report.html.
"""

from __future__ import annotations

import random
import sys
from itertools import combinations
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Comparison, Costs, Difference, Result
from i2izoo.interfaces import Score
from i2izoo.report.page import write_report

MODELS = ("pix2pix-facades", "cyclegan-facades", "runs/unet-128 (mine)", "runs/resnet9-l1", "runs/broken")
"""The last one fails after ten images."""
BLUR = (0.8, 2.0, 1.2, 3.0, 1.5)
QUALITY = (1.0, -1.2, 0.9, 0.1, 0.0)
FID_NOTE = "40 images: FID below 2048 images is biased upwards; compare it only at the same number."
REASON = "needs alexnet-owt-7be5be79.pth from its publisher in the folder of weights"


def protocol(n: int, **changes) -> Protocol:
    options = {
        "data": "facades",
        "data_sha256": "5f0c" * 16,
        "split": "val",
        "sides": ["photo", "label"],
        "source": "label",
        "to": "photo",
        "size": [96, 96],
        "metrics": {name: {"name": name} for name in ("psnr", "ssim", "fid", "fcn_score", "lpips")},
        "n": n,
        "versions": {"i2izoo": "0.1.0", "python": "3.11.2", "torch": "2.6.0"},
    }
    return Protocol(**options | changes)


def facade(seed: int, size: int = 96) -> tuple[Image.Image, Image.Image]:
    """A label map and the photo that it stands for."""
    dice = random.Random(seed)
    label, photo = Image.new("RGB", (size, size), (0, 0, 200)), Image.new("RGB", (size, size), (196, 168, 140))
    wall = tuple(dice.randrange(120, 220) for _ in range(3))
    a, b = ImageDraw.Draw(label), ImageDraw.Draw(photo)
    b.rectangle((0, 0, size, size), wall)
    columns, rows = dice.randrange(2, 6), dice.randrange(2, 5)
    for i in range(columns):
        for j in range(rows):
            x, y = size * (i + 0.25) / columns, size * (j + 0.2) / rows
            box = (x, y, x + size / columns / 2, y + size / rows / 2)
            a.rectangle(box, (0, 90, 255))
            b.rectangle(box, (40, 48, 66), outline=(230, 230, 225))
    grain = bytes(max(0, min(255, value + dice.randrange(-14, 15))) for value in photo.tobytes())
    return label, Image.frombytes("RGB", photo.size, grain)


def comparison(folder: Path, *, models: tuple[str, ...] = MODELS, n: int = 40, images: bool = True) -> Comparison:
    """Models with a score for each image (psnr, ssim), one for the set (fid, fcn_score) and one not computed."""
    dice = random.Random(1)
    names = [f"{100 + i}" for i in range(n)]
    hard = [dice.gauss(0, 1) for _ in names]
    results = []
    for m, model in enumerate(models):
        failed = m == 4
        own = names[:10] if failed else names
        psnr = [13 + QUALITY[m % 5] + 1.1 * h + dice.gauss(0, 0.6) for h in hard[: len(own)]]
        ssim = [0.25 + 0.05 * QUALITY[m % 5] + 0.05 * h + dice.gauss(0, 0.03) for h in hard[: len(own)]]
        results.append(
            Result(
                model,
                protocol(n),
                scores={
                    "psnr": _mean(psnr, unit="dB"),
                    "ssim": _mean(ssim),
                    "fid": Score(None, reason="not over all images", higher_is_better=False)
                    if failed
                    else Score(120.5 - 20 * QUALITY[m % 5], n=n, notes=(FID_NOTE,), higher_is_better=False),
                    "fcn_score.pixel_accuracy": Score(0.55 + 0.08 * QUALITY[m % 5], n=len(own), reference=0.7431),
                    "lpips": Score(None, reason=REASON, higher_is_better=False),
                },
                names=own,
                values={"psnr": psnr, "ssim": ssim},
                costs=Costs(54_414_531 - 9_000_000 * m, 0.0312 + 0.02 * m, (400 + 20 * m) << 20, "cpu (4 threads)"),
                problem="The output for image 110 holds NaN; scores are of the 10 images before it."
                if failed
                else None,
                images=folder / "models" / str(m) if images else None,
            )
        )
    if images:
        _draw(folder, names, results)
    return Comparison(
        protocol=protocol(n),
        results=results,
        differences=_tests(results[:4]),
        inputs=folder / "inputs" if images else None,
        truths=folder / "truths" if images else None,
    )


def _mean(values: list[float], unit: str = "") -> Score:
    mean = sum(values) / len(values)
    half = 1.96 * (sum((v - mean) ** 2 for v in values) / len(values) ** 2) ** 0.5
    return Score(mean, mean - half, mean + half, n=len(values), unit=unit)


def _tests(results: list[Result]) -> list[Difference]:
    """Shaped like real ones: the p values are made up from the mean and its interval."""
    found = []
    for metric in ("psnr", "ssim"):
        for a, b in combinations(results, 2):
            own = _mean([x - y for x, y in zip(a.values[metric], b.values[metric], strict=True)])
            mean, low, high = own.value or 0.0, own.low or 0.0, own.high or 0.0
            real = low > 0 or high < 0
            better = (a.model if mean > 0 else b.model) if real else None
            p = 0.0001 if real else 0.31
            found.append(Difference(metric, a.model, b.model, mean, low, high, p, min(1.0, 6 * p), better))
    return found


def _draw(folder: Path, names: list[str], results: list[Result]) -> None:
    for place in ("inputs", "truths", *(f"models/{m}" for m in range(len(results)))):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        label, photo = facade(i)
        label.save(folder / "inputs" / f"{name}.png")
        photo.save(folder / "truths" / f"{name}.png")
        for m, result in enumerate(results):
            if name in result.names:
                fake = photo.filter(ImageFilter.GaussianBlur(BLUR[m % 5]))
                fake.save(folder / "models" / str(m) / f"{name}.png")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    print(write_report(comparison(place), place / "report.html"))
