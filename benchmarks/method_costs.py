"""What each method costs: time and memory of a training step, and parameters, of every method in the registry.

    python benchmarks/method_costs.py --threads 4

Each method has its default networks, which are its paper's, and a process of its own, which takes `Trainer.train_step`
on one image (or pair) of noise, float32: the median of a few steps after one that warms up. One that makes images of
one size gets two of that size. Memory is the most that the process holds: resident on a CPU, Python and PyTorch
included, which the row of the empty process states; allocated on a GPU. Prints a Markdown table, and with --json writes
everything that was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from train_step import machine, seconds

import i2izoo
from i2izoo.contracts.config import missing_options
from i2izoo.contracts.registry import registry
from i2izoo.report.numbers import parameters
from i2izoo.testing.images import RandomImages

EMPTY = "(empty process)"


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One row of the table, of the process that this is called in."""
    torch.set_num_threads(args.threads)
    found = {} if name == EMPTY else steps(name, args)
    if args.device.startswith("cuda"):
        memory = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory = peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux
    return {"method": name, **found, "memory_bytes": memory}


def steps(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train for a few steps."""
    model = i2izoo.create(name)
    channels = {domain: model.method.channels[domain] for domain in model.domains}
    kind: Any = "unpaired" if model.method.data == "unpaired" else "paired"  # one domain is as good as a pair
    size, rows = args.size, 1
    if model.method.training_size:  # the batch norm of such a network has no statistics of one latent
        size, rows = model.method.training_size[0], 2
    trainer = i2izoo.Trainer(
        model, RandomImages(channels=channels, size=size, kind=kind, count=rows),
        steps=1_000_000, batch_size=rows, device=args.device, progress=False,
    )  # fmt: skip
    batch = next(trainer.loader)
    trainer.loader.close()
    trainer.loader = itertools.repeat(batch)  # type: ignore[assignment]
    first = seconds(trainer.train_step, args.device)
    times = [seconds(trainer.train_step, args.device) for _ in range(args.runs)]
    return {
        "first_s": first,
        "times_s": times,
        "median_s": statistics.median(times),
        "parameters": model.num_parameters,
        "parameters_in_training": sum(p.numel() for p in model.method.parameters()),
    }


def trained() -> list[str]:
    """The methods that train from nothing; those that need files (a pipeline of diffusers) only translate."""
    methods = registry("methods")
    return [name for name in methods.names() if not missing_options(methods.get(name), {})]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| Method | step, ms | range | peak memory, GB | parameters | in training |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        cells = ["-"] * 5
        if "times_s" in r:
            cells[0] = f"{1e3 * r['median_s']:.0f}"
            cells[1] = f"{1e3 * min(r['times_s']):.0f} to {1e3 * max(r['times_s']):.0f}"
            cells[3:] = parameters(r["parameters"]), parameters(r["parameters_in_training"])
        cells[2] = f"{r['memory_bytes'] / 1e9:.1f}"
        lines.append(f"| {r['method']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help="default: all in the registry")
    parser.add_argument("--size", type=int, default=256, help="side of the images, in pixels")
    parser.add_argument("--runs", type=int, default=3, help="timed steps")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    rows = []
    for name in [EMPTY, *(args.methods or trained())]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # a peak is that of a whole process
            rows.append(pool.apply(measure, (name, args)))
        print(table(rows[-1:]).splitlines()[-1], file=sys.stderr)
    how = f"{args.size} x {args.size}, batch 1, float32, median of {args.runs} steps"
    print(f"{how}; {machine(args)}\n\n{table(rows)}")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        args.json.write_text(
            json.dumps({"machine": machine(args), "settings": settings, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
