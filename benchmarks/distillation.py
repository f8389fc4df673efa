r"""Quality against steps of sampling: a diffusion model, and the students that were distilled from it.

    python benchmarks/distillation.py runs/ddim/model runs/students/stage-*/model \
        --data facades --sides photo,label --size 64

The teacher is measured at every number of steps, a student by halving or guidance at its own, which is the only one
that it was taught, and a consistency student at all up to its `--lcm`. "to teacher" is the PSNR between a translation
and the teacher's at the most steps, from the same noise: what distillation has lost, whatever the truth is.
Writes quality.md, quality.json and quality.webp into the folder of --out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import i2izoo


def measure(model: Any, steps: int, args: argparse.Namespace, best: Path) -> dict[str, Any]:
    """One row of the table; `best` is the folder of the teacher's translations at the most steps."""
    with tempfile.TemporaryDirectory() as folder:
        place = evaluate(model, steps, args, Path(folder))
        row = {"steps": steps, **{name: score.value for name, score in place.scores.items()}}
        row["to teacher"] = agreement(Path(folder) / "images", best)
    return row


def evaluate(model: Any, steps: int, args: argparse.Namespace, folder: Path) -> Any:
    """All held-out images with seed 0: the same noise for every model."""
    # one noise, one image: students learn the way without noise, and a teacher is held to it
    options: dict[str, Any] = {"eta": 0.0} if model.config["options"].get("sampling_eta") else {}
    return i2izoo.evaluate(
        model, args.data, metrics=args.metrics.split(","), sides=args.sides.split(",") if args.sides else None,
        size=args.size, limit=args.limit, batch_size=args.batch_size, out=folder, keep_images=True, steps=steps,
        **options,
    )  # fmt: skip


def agreement(found: Path, best: Path) -> float | None:
    """PSNR in dB of all images of one folder against those of another; None: they are the same."""
    errors = [
        np.square((np.asarray(Image.open(path), float) - np.asarray(Image.open(found / path.name), float)) / 255).mean()
        for path in sorted(best.iterdir())
    ]
    return None if max(errors) == 0 else float(-10 * np.log10(np.mean(errors)))


def plot(rows: list[dict[str, Any]], columns: list[str], path: Path) -> None:
    """One panel for each measure: steps on a logarithmic axis, a line for each kind of model."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(columns), figsize=(4 * len(columns), 3.4), squeeze=False)
    for panel, column in zip(panels[0], columns, strict=True):
        for kind in dict.fromkeys(row["model"] for row in rows):
            points = sorted((r["steps"], r[column]) for r in rows if r["model"] == kind and r.get(column) is not None)
            if points:
                panel.plot(*zip(*points, strict=True), marker="o", label=kind)
        panel.set_xscale("log", base=2)
        ticks = sorted({row["steps"] for row in rows})
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.set(xlabel="steps", title=column)
        panel.grid(alpha=0.3)
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """The rows as Markdown."""
    lines = [f"| model | steps | {' | '.join(columns)} |", "|---|---:|" + "---:|" * len(columns)]
    for row in rows:
        values = ["" if row.get(c) is None else f"{row[c]:.4g}" for c in columns]
        lines.append(f"| {row['model']} | {row['steps']} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("students", nargs="*")
    parser.add_argument("--data", required=True)
    parser.add_argument("--sides")
    parser.add_argument("--size", type=int)
    parser.add_argument("--steps", default="1,2,4,8,20,50")
    parser.add_argument("--lcm", type=int, default=8, help="most steps of a consistency student")
    parser.add_argument("--metrics", default="psnr,ssim,kid[segmenter]")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()
    steps = [int(n) for n in args.steps.split(",")]

    teacher = i2izoo.load(args.teacher)
    with tempfile.TemporaryDirectory() as folder:
        evaluate(teacher, max(steps), args, Path(folder))
        best = Path(folder) / "images"
        rows = [{"model": "teacher", **measure(teacher, n, args, best)} for n in steps]
        for path in args.students:
            student = i2izoo.load(path)
            kind = str(student.config.get("provenance", {}).get("distillation", "student"))
            own = (
                [n for n in steps if n <= args.lcm]
                if kind == "consistency"
                else [int(student.config["options"]["sampling_steps"])]
            )
            rows += [{"model": kind, **measure(student, n, args, best)} for n in own]
    columns = [c for c in rows[0] if c not in ("model", "steps")]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "quality.md").write_text(table(rows, columns))
    (args.out / "quality.json").write_text(json.dumps(rows, indent=1) + "\n")
    plot(rows, columns, args.out / "quality.webp")
    print(table(rows, columns))


if __name__ == "__main__":
    main()
