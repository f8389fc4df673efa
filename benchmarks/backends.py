"""How fast the engines are that compute a trained network: `load(..., backend=)`, memory formats and bfloat16.

    python benchmarks/backends.py --threads 1 --json benchmarks/results/backends_1.json

Each variant takes turns with PyTorch's eager mode in float32, so that a busy machine is unfair to neither; a
figure is the median over turns of the ratio of the two, with its range. What is timed is one call of the network of a
bundled entry, without reading and writing images; of `ddim` one step of one image.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from train_step import machine

import i2izoo
from i2izoo.models.backends.engines import build

ENTRIES = {"pix2pix-facades": 256, "cyclegan-facades": 256, "ddim-facades": 64}
VARIANTS = ("channels-last", "bf16", "onnxruntime", "openvino", "compile", "compile, frozen")
Call = Callable[[], Any]


def network(name: str, size: int) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The network of an entry's first direction, and one input of this size."""
    found: Any = i2izoo.load(name).method.networks()[0].eval()
    return found, found.example_inputs(1, size)


def variant(kind: str, name: str, size: int) -> Call:
    """One call of the network, as `kind` computes it."""
    net, inputs = network(name, size)
    if kind == "bf16":
        net = net.to(torch.bfloat16)
        inputs = tuple(tensor.to(torch.bfloat16) if tensor.ndim > 1 else tensor for tensor in inputs)
    if kind in ("channels-last", "bf16"):
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        inputs = tuple(
            tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor for tensor in inputs
        )
    if kind == "compile":
        compiled = torch.compile(net)
        return lambda: compiled(*inputs)
    if kind in ("eager", "channels-last", "bf16"):
        return lambda: net(*inputs)
    engine = build("compile" if kind == "compile, frozen" else kind, net, inputs)
    return lambda: engine(*inputs)


def seconds(call: Call) -> tuple[float, float]:
    """Of the clock and of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        call()
    return time.perf_counter() - start, time.process_time() - busy


def measure(name: str, size: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each variant."""
    rows = []
    eager = variant("eager", name, size)
    for kind in args.variants:
        call = variant(kind, name, size)
        first = seconds(call)[0]
        for both in (eager, call):
            seconds(both)
        turns = [(seconds(eager), seconds(call)) for _ in range(args.runs)]
        row: dict[str, Any] = {"entry": name, "size": size, "variant": kind, "first_call_s": first, "turns": turns}
        for place, clock in ((0, "wall"), (1, "cpu")):
            ratios = [plain[place] / ours[place] for plain, ours in turns]
            row[clock] = {"speed_up": statistics.median(ratios), "range": [min(ratios), max(ratios)]}
            row[clock] |= {"eager_s": statistics.median(plain[place] for plain, _ in turns)}
        rows.append(row)
        print(name, kind, {k: row[k] for k in ("wall", "cpu")}, file=sys.stderr)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, an entry a column."""
    entries = list(dict.fromkeys(row["entry"] for row in rows))
    lines = ["| | " + " | ".join(entries) + " |", "|---|" + "---:|" * len(entries)]
    eager = {row["entry"]: row["cpu"]["eager_s"] for row in rows}
    lines.append("| eager, processor ms | " + " | ".join(f"{1000 * eager[entry]:.0f}" for entry in entries) + " |")
    found = {(row["entry"], row["variant"]): row["cpu"] for row in rows}
    for kind in dict.fromkeys(row["variant"] for row in rows):
        cells = []
        for entry in entries:
            cell = found.get((entry, kind))
            low, high = cell["range"] if cell else (0, 0)
            cells.append(f"{cell['speed_up']:.2f} ({low:.2f} to {high:.2f})" if cell else "-")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", nargs="+", default=list(ENTRIES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--runs", type=int, default=15, help="turns")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here, beside what is there of other variants")
    args = parser.parse_args()
    args.device = "cpu"
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    torch.set_num_threads(args.threads)
    rows: list[dict[str, Any]] = json.loads(args.json.read_text())["rows"] if args.json and args.json.exists() else []
    for name in args.entries:
        new = measure(name, ENTRIES[name], args)
        done = {(row["entry"], row["variant"]) for row in new}
        rows = [row for row in rows if (row["entry"], row["variant"]) not in done] + new
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps({"machine": machine(args), "rows": rows}, indent=1) + "\n")
    print(f"{machine(args)}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
