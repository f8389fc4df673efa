"""How fast a training step and a translation are, against a plain eager float32 NCHW step of the same networks.

    python benchmarks/train_step.py --method pix2pix --precision bf16 --channels-last --threads 4

Ours is `Trainer.train_step` of `i2izoo.create(...)`, with its options; the plain side is `reference_nets.py`, and has
no options. Both get the same images from memory, and take turns, so that a busy machine is unfair to neither; a
figure is the median. Prints a Markdown table, and with --json writes everything that was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reference_more import cut, ddim
from reference_nets import cyclegan, pix2pix
from torch import Tensor

Call = Callable[[], object]
DOMAINS = ["label", "photo"]


def images(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Two batches of noise, N x 3 x size x size in [-1, 1]."""
    shape = (args.batch, 3, args.size, args.size)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(shape, generator=generator) * 2 - 1 for _ in range(2))
    return first.to(args.device), second.to(args.device)


def plain_calls(args: argparse.Namespace) -> dict[str, Call]:
    """Step and inference of the plain side."""
    source, target = images(args)
    if args.method == "pix2pix":
        generator, step = pix2pix(args.width, args.depth, args.device)
    elif args.method == "ddim":
        generator, step = ddim(args.width, args.device)
    else:
        generator, step = (cut if args.method == "cut" else cyclegan)(args.width, args.blocks, args.device)
    return {"step": lambda: step(source, target), "inference": _translating(generator.eval, lambda: generator(source))}


def our_calls(args: argparse.Namespace, what: str) -> dict[str, Call]:
    """Step (mixed precision) or inference (weights of that precision) of i2izoo."""
    import i2izoo
    from i2izoo.interfaces import Batch, Generator

    levels = [args.width, 2 * args.width, 2 * args.width]
    denoiser = {"name": "unet2d", "channels": levels, "attention": [], "norm_groups": 8}
    unet = {"name": "unet_256", "width": args.width, "depth": args.depth}
    resnet = {"name": "resnet_9blocks", "width": args.width, "blocks": args.blocks}
    norm = "batch" if args.method == "pix2pix" else "instance"
    parts: dict[str, Any] = {"generator": {"pix2pix": unet, "ddim": denoiser}.get(args.method, resnet)}
    if args.method != "ddim":
        parts["discriminator"] = {"name": "patchgan", "width": args.width, "norm": norm}
    if args.method == "cut":
        parts["layers"] = ["pad_in", "down1", "down2", "block1", "block5"][: 4 + (args.blocks > 4)]
    model = i2izoo.create(args.method, domains=DOMAINS, **parts)
    batch = images(args)
    layout = torch.channels_last if args.channels_last else torch.contiguous_format
    if what == "step":
        trainer = i2izoo.Trainer(
            model, {"name": "synthetic-facades", "count": args.batch, "size": args.size}, steps=1_000_000,
            batch_size=args.batch, load_size=args.size, crop_size=args.size, precision=args.precision,
            channels_last=args.channels_last, compile=args.compile, device=args.device, progress=False,
        )  # fmt: skip
        trainer.loader.close()
        named = Batch(images=dict(zip(DOMAINS, batch, strict=True)))
        trainer.loader = itertools.repeat(named)  # type: ignore[assignment]
        return {"step": trainer.train_step}
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[args.precision]
    method = model.to(args.device, dtype).method.to(memory_format=layout)  # type: ignore[call-overload]
    if args.compile:
        for part in method.modules():
            if isinstance(part, Generator):
                part.compile()
    source = batch[0].to(dtype).contiguous(memory_format=layout)
    if args.method == "ddim":
        time, shown = torch.full((len(source),), 500.0), torch.ones(len(source), dtype=torch.bool)
        predict: Any = method.predict
        return {"inference": _translating(method.eval, lambda: predict(source, time, source, shown))}
    return {"inference": _translating(method.eval, lambda: method(source, to=DOMAINS[1]))}


def _translating(prepare: Call, forward: Call) -> Call:
    def call() -> None:
        prepare()
        with torch.inference_mode():
            forward()

    return call


def sides(args: argparse.Namespace, what: str) -> dict[str, Callable[[], dict[str, Call]]]:
    """Name of each side -> what builds it."""
    return {"plain fp32": lambda: plain_calls(args), f"i2izoo {args.precision}": lambda: our_calls(args, what)}


def seconds(call: Call, device: str, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call, all of whose work has ended, by the clock or of the processor (`time.process_time`)."""
    start = clock()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return clock() - start


def measure(args: argparse.Namespace, what: str) -> list[dict[str, Any]]:
    """One row for each side: seconds of the first call and of each timed one."""
    rows: list[dict[str, Any]] = []
    for name, build in sides(args, what).items():
        call = build()[what]
        first = seconds(call, args.device)
        for _ in range(args.warm_up - 1):
            seconds(call, args.device)
        rows.append({"what": what, "side": name, "call": call, "first_s": first, "times_s": []})
        print(f"{what}, {name}: first call {first:.1f} s", file=sys.stderr)
    for _ in range(args.runs):
        for row in rows:
            clock = time.process_time if args.processor_time else time.perf_counter
            row["times_s"].append(seconds(row["call"], args.device, clock))
    for row in rows:
        del row["call"]
        row["median_s"] = statistics.median(row["times_s"])
        row["speed_up"] = rows[0]["median_s"] / row["median_s"]
        turns = [p / t for p, t in zip(rows[0]["times_s"], row["times_s"], strict=True)]
        row["speed_up_of_turns"] = [min(turns), max(turns)]
        row["peak_memory_bytes"] = peak_memory(args, what, row["side"]) if args.memory else None
    return rows


def peak_memory(args: argparse.Namespace, what: str, side: str) -> int:
    """Bytes that a fresh process with this side alone holds at most: resident on a CPU, allocated on a GPU."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_memory, (args, what, side))


def _peak_memory(args: argparse.Namespace, what: str, side: str) -> int:
    import resource

    torch.set_num_threads(args.threads)
    call = sides(args, what)[side]()[what]
    call()
    call()
    if args.device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux


def machine(args: argparse.Namespace) -> str:
    """What it ran on, in one line."""
    if args.device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, {args.threads} threads, torch {torch.__version__}"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; the range of the speed-up is over single turns."""
    lines = [
        "| what | side | ms (median) | speed-up (range) | first call, s | peak memory, GB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for r in rows:
        low, high = r["speed_up_of_turns"]
        memory = f"{r['peak_memory_bytes'] / 1e9:.1f}" if r["peak_memory_bytes"] else "-"
        lines.append(
            f"| {r['what']} | {r['side']} | {1e3 * r['median_s']:.0f} | {r['speed_up']:.2f} ({low:.2f} to {high:.2f}) "
            f"| {r['first_s']:.1f} | {memory} |"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=["pix2pix", "cyclegan", "cut", "ddim"], default="pix2pix")
    parser.add_argument("--what", choices=["step", "inference"], nargs="+", default=["step", "inference"])
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="of ours")
    parser.add_argument("--channels-last", action="store_true", help="ours in channels-last")
    parser.add_argument("--compile", action="store_true", help="ours through torch.compile")
    parser.add_argument("--width", type=int, default=64, help="of all networks")
    parser.add_argument("--depth", type=int, default=8, help="levels of the U-Net")
    parser.add_argument("--blocks", type=int, default=9, help="residual blocks of the ResNet")
    parser.add_argument("--size", type=int, default=256, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=10, help="timed turns")
    parser.add_argument("--warm-up", type=int, default=2, help="calls before them, the first of which compiles")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processor-time", action="store_true", help="not the clock's: for one thread, beside others")
    parser.add_argument("--memory", action="store_true", help="measure peak memory, each side in a process of its own")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    rows = [row for what in args.what for row in measure(args, what)]
    how = [f"{args.size} x {args.size}, batch {args.batch}, width {args.width}, median of {args.runs}"]
    how += ["channels-last"] * args.channels_last + ["compiled"] * args.compile
    print(f"{args.method}, {', '.join(how)}; {machine(args)}\n\n{table(rows)}")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        args.json.write_text(
            json.dumps({"machine": machine(args), "settings": settings, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
