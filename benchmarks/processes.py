"""What averaging gradients costs: a training in several processes on one machine, and the model of a cluster.

    python benchmarks/processes.py --method pix2pix --processes 1 2 4 --size 128 width=32
    python benchmarks/processes.py --paper

Processes of one machine that has fewer cores than they are share these, so their images a second say nothing of a
cluster. What is measured is the share of a step that a process waits for the others and sends, and the share of its
CPU time that this costs over a process alone; both with averaging while the backward pass runs and after it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import i2izoo
from i2izoo.training import averaging

LINKS = {"NVLink in one machine, 8 GPUs": (150e9, 5e-6), "InfiniBand, 200 Gbit/s for each GPU": (25e9, 20e-6),
         "Ethernet, 25 Gbit/s for each machine of 8": (3.1e9, 50e-6)}  # fmt: skip
"""Bytes a second that each GPU sends and receives, and seconds until the first one arrives: assumed, not measured."""
SUSTAINED = 40e12
"""Operations a second of a GPU in bf16, about an eighth of an A100's peak: assumed."""


def trainer(method: str, size: int, batch: int, options: dict[str, Any]) -> i2izoo.Trainer:
    width = options.pop("width", 64)
    generator = {"pix2pix": {"name": "unet_256"}, "cyclegan": {"name": "resnet_9blocks"}}[method] | {"width": width}
    depth = {"depth": min(8, size.bit_length() - 1)} if method == "pix2pix" else {}
    model = i2izoo.create(
        method,
        domains=["label", "photo"],
        generator=generator | depth,
        discriminator={"name": "patchgan", "width": width},
    )
    data = {"name": "synthetic-facades", "count": 64, "size": size}
    return i2izoo.Trainer(
        model, data, steps=1000, batch_size=batch, load_size=size, crop_size=size, device="cpu", progress=False,
        tensorboard=False, **options,
    )  # fmt: skip


class Timed(averaging.Averaging):
    """Counts the seconds in which the process sends or waits, and the bytes."""

    seconds, bytes = 0.0, 0
    overlapped = True

    def __init__(self, parameters: Any, *, watch: bool = False) -> None:
        super().__init__(parameters, watch=watch and Timed.overlapped)

    def _send(self) -> None:
        start = time.perf_counter()
        super()._send()
        Timed.seconds += time.perf_counter() - start
        Timed.bytes += self.sent[-1][0].nbytes

    def finish(self) -> None:
        before, start = Timed.seconds, time.perf_counter()
        super().finish()
        Timed.seconds = before + time.perf_counter() - start


def worker(args: argparse.Namespace) -> None:
    """One of the processes; the first one prints what it has measured."""
    from i2izoo.training import step

    step.Averaging = Timed  # type: ignore[misc, attr-defined]
    run = trainer(args.method, args.size, args.batch, dict(args.options))
    found = []
    for overlapped in (False, True):
        Timed.overlapped = overlapped
        rows = []
        for _ in range(args.steps + 2):
            Timed.seconds, Timed.bytes = 0.0, 0
            wall, cpu = time.perf_counter(), time.process_time()
            run.train_step()
            rows.append((time.perf_counter() - wall, time.process_time() - cpu, Timed.seconds, Timed.bytes))
        wall, cpu, waited, sent = (statistics.median(column) for column in zip(*rows[2:], strict=True))
        found.append({"overlapped": overlapped, "wall": wall, "cpu": cpu, "waited": waited, "bytes": sent})
    if run.rank == 0:
        args.found.write_text(json.dumps(found))
    if run.world > 1:
        torch.distributed.barrier()
    os._exit(0)  # gloo's threads now and then abort the interpreter's own shutdown


def measured(args: argparse.Namespace, processes: int) -> list[dict[str, Any]]:
    """What the first of so many processes says."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        words = ["--worker", str(found), "--method", args.method, "--size", str(args.size), "--batch", str(args.batch)]
        words += ["--steps", str(args.steps), *(f"{name}={json.dumps(value)}" for name, value in args.options)]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        done = subprocess.run([*launcher, __file__, *words], env=environment, capture_output=True, text=True)
        if not found.exists():
            raise SystemExit(done.stderr)
        return list(json.loads(found.read_text()))


def paper() -> None:
    """Seconds of a ring all-reduce of n GPUs, 2 (n - 1) (bytes / n / bandwidth + latency), over those of a step.

    Source: Thakur et al. 2005, "Optimization of Collective Communication Operations in MPICH", section 4.5. Averaging
    that runs beside the backward pass, two thirds of a step, costs what is longer than that.
    """
    print("| method | link | GPUs | step (ms) | all-reduce (ms) | share after | share overlapped |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for method in ("pix2pix", "cyclegan"):
        run = trainer(method, 256, 1, {})
        with FlopCounterMode(display=False) as counter:
            run.train_step()
        step = 16 * counter.get_total_flops() / SUSTAINED  # 16 images on each GPU
        size = 4 * sum(p.numel() for parameters in run.stepper.parameters.values() for p in parameters)
        for link, (bandwidth, latency) in LINKS.items():
            for n in (8,) if "one machine," in link else (8, 16, 32, 64) if "InfiniBand" in link else (16, 32, 64):
                reduced = 2 * (n - 1) * (size / n / bandwidth + latency)
                shown = max(reduced - step * 2 / 3, 0)
                print(
                    f"| {method}, {size / 1e6:.0f} MB | {link} | {n} | {step * 1e3:.0f} | {reduced * 1e3:.1f} "
                    f"| {reduced / (step + reduced):.0%} | {shown / (step + shown):.0%} |"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=("pix2pix", "cyclegan"), default="pix2pix")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--paper", action="store_true", help="only the model of a cluster")
    parser.add_argument("--worker", type=Path, dest="found", help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="*", help="width=32, precision=bf16 and other options of the training")
    args = parser.parse_args()
    split = (word.partition("=") for word in args.options)
    args.options = [(name, int(value) if value.isdigit() else value.strip('"')) for name, _, value in split]
    if args.found:
        worker(args)
    elif args.paper:
        paper()
    else:
        print(
            "| processes | averaging | wall a step (s) | waits and sends | CPU a step (s) | CPU over one alone | MB |"
        )
        print("|--:|---|--:|--:|--:|--:|--:|")
        alone = 0.0
        for processes in args.processes:
            for one in measured(args, processes):
                alone = alone or one["cpu"]
                kind = "none" if processes == 1 else "beside the backward pass" if one["overlapped"] else "after it"
                if processes == 1 and one["overlapped"]:
                    continue
                share, more = one["waited"] / one["wall"], one["cpu"] / alone - 1
                times = f"{one['wall']:.2f} | {share:.0%} | {one['cpu']:.2f} | {more:+.0%}"
                print(f"| {processes} | {kind} | {times} | {one['bytes'] / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
