"""How fast sampling of `ddim` is: time outside the network, and beside a loop as a user of diffusers writes it.

    python benchmarks/sampling_speed.py --threads 4
    python benchmarks/sampling_speed.py --precision bf16 --channels-last     # with AVX-512 bf16, or --device cuda

Ours is `i2izoo.create("ddim")` called as a translator with `samples=`: one batch, and one pass for guidance. The plain
loop uses the same weights in `UNet2DModel` and the same `DDIMScheduler`, float32, NCHW, one sample after another and,
with guidance, two passes a step. Both take turns, so that a busy machine is unfair to neither; a figure is the median.
Time outside the network is that of a whole call less what its calls of the generator took.
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
from torch import Tensor
from train_step import machine

import i2izoo

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Clock:
    """Seconds of a call, and of what is inside the network."""

    def __init__(self, device: str) -> None:
        self.device, self.network, self._start = device, 0.0, 0.0

    def now(self) -> float:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()

    def watch(self, network: torch.nn.Module) -> None:
        network.register_forward_pre_hook(lambda *_: setattr(self, "_start", self.now()))
        network.register_forward_hook(lambda *_: setattr(self, "network", self.network + self.now() - self._start))

    def __call__(self, call: Callable[[], object]) -> tuple[float, float]:
        """Seconds in all and in the network."""
        self.network, start = 0.0, self.now()
        call()
        return self.now() - start, self.network


def translator(args: argparse.Namespace) -> Any:
    """An untrained `ddim`; its weights are the same in every call."""
    torch.manual_seed(0)
    levels = len(args.channels)
    generator = {"name": "unet2d", "channels": args.channels, "attention": [levels - 1], "layers": args.layers}
    return i2izoo.create("ddim", generator=generator)


def ours(args: argparse.Namespace, clock: Clock) -> Callable[[], object]:
    """A call of the translator: image in, images out."""
    model = translator(args).to(args.device, DTYPES[args.precision])
    if args.channels_last:
        model.method.to(memory_format=torch.channels_last)
    clock.watch(model.method.generator)
    image = torch.zeros(3, args.size, args.size)
    options = {"samples": args.samples, "steps": args.steps, "guidance": args.guidance}
    return lambda: model(image, batch_size=args.samples, **options)


def plain(args: argparse.Namespace, clock: Clock) -> Callable[[], object]:
    """What a user of diffusers alone writes."""
    from diffusers import DDIMScheduler

    net: Any = translator(args).method.generator.net.eval().to(args.device)
    scheduler: Any = DDIMScheduler(timestep_spacing="trailing")
    clock.watch(net)
    image = torch.zeros(1, 3, args.size, args.size, device=args.device)

    @torch.inference_mode()
    def one(seed: int) -> Tensor:
        x = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(args.device)
        scheduler.set_timesteps(args.steps)
        flag = torch.ones_like(image[:, :1])
        for step in scheduler.timesteps:
            said = net(torch.cat([x, image, flag], dim=1), step).sample
            if args.guidance != 1:
                without = net(torch.cat([x, torch.zeros_like(image), torch.zeros_like(flag)], dim=1), step).sample
                said = without + args.guidance * (said - without)
            x = scheduler.step(said, step, x).prev_sample
        return x.clamp(-1, 1).cpu()

    return lambda: [one(seed) for seed in range(args.samples)]


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each side: seconds of each timed call, in all and in the network."""
    layout = " channels-last" * args.channels_last
    rows: list[dict[str, Any]] = []
    for name, build in (("plain diffusers, fp32", plain), (f"i2izoo, {args.precision}{layout}", ours)):
        clock = Clock(args.device)
        call = build(args, clock)
        for _ in range(args.warm_up):
            clock(call)
        rows.append({"side": name, "clock": clock, "call": call, "times": []})
    for turn in range(args.runs):
        for row in rows:
            row["times"].append(row["clock"](row["call"]))
        print(f"turn {turn + 1} of {args.runs}", file=sys.stderr)
    for row in rows:
        del row["clock"], row["call"]
        row["seconds"] = statistics.median(total for total, _ in row["times"])
        row["outside"] = statistics.median(1 - network / total for total, network in row["times"])
        turns = [p[0] / t[0] for p, t in zip(rows[0]["times"], row["times"], strict=True)]
        row["speed_up"], row["range"] = statistics.median(turns), [min(turns), max(turns)]
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; the speed-up is the median over turns, with its range."""
    lines = ["| side | s (median) | speed-up (range) | outside the network |", "|---|---:|---:|---:|"]
    for row in rows:
        low, high = row["range"]
        lines.append(
            f"| {row['side']} | {row['seconds']:.2f} | {row['speed_up']:.2f} ({low:.2f} to {high:.2f}) "
            f"| {100 * row['outside']:.2f} % |"
        )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--guidance", type=float, default=1.5)
    parser.add_argument("--size", type=int, default=64, help="side of the images, in pixels")
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64, 128], help="of each level of the U-Net")
    parser.add_argument("--layers", type=int, default=2, help="residual blocks of a level")
    parser.add_argument("--precision", choices=list(DTYPES), default="fp32", help="of ours")
    parser.add_argument("--channels-last", action="store_true", help="ours in channels-last")
    parser.add_argument("--runs", type=int, default=5, help="timed turns")
    parser.add_argument("--warm-up", type=int, default=1, help="calls before them")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    rows = measure(args)
    print(
        f"ddim, {args.samples} samples of {args.size} x {args.size}, {args.steps} steps, guidance {args.guidance}, "
        f"channels {args.channels}, median of {args.runs}; {machine(args)}\n\n{table(rows)}"
    )
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        args.json.write_text(
            json.dumps({"machine": machine(args), "settings": settings, "rows": rows}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
