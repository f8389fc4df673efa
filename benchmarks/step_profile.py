"""Where the time of a training step goes: shares of the processor's time by kind of operation.

    python benchmarks/step_profile.py --methods pix2pix cut ddim --width 32

By torch's profiler, self time of each operator, of ours as `train_step.py` builds it; prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections import Counter

import torch
import train_step

KINDS = {
    "convolutions": ("convolution", "mkldnn", "slow_conv"),
    "norms": ("norm",),
    "activations": ("relu", "tanh", "silu", "sigmoid", "threshold", "gelu"),
    "optimisers": ("adam",),
    "copies, padding, concatenation": ("copy_", "clone", "pad", "cat", "contiguous", "flip", "fill_", "zero_", "to"),
    "products of matrices, attention": ("mm", "bmm", "addmm", "attention", "linear"),
}


def kind_of(operator: str) -> str:
    """The kind that the name of an operator says; "other" if it says none."""
    name = operator.removeprefix("aten::").lower()
    return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "other")


def shares(args: argparse.Namespace) -> Counter[str]:
    """Kind -> share of a training step, after one that warms up."""
    step = train_step.our_calls(args, "step")["step"]
    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    found: Counter[str] = Counter()
    for event in profile.key_averages():
        found[kind_of(event.key)] += event.self_cpu_time_total
    total = sum(found.values())
    return Counter({kind: time / total for kind, time in found.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["pix2pix", "cut", "ddim"])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    tables = {}
    for method in given.methods:
        size = {"pix2pix": 256, "ddim": 64}.get(method, 128)
        tables[method] = shares(
            argparse.Namespace(
                method=method,
                width=given.width,
                depth=8,
                blocks=9,
                size=size,
                batch=4 if method == "ddim" else 1,
                precision="fp32",
                channels_last=False,
                compile=False,
                device="cpu",
                threads=given.threads,
            )
        )
    print("| share of a step | " + " | ".join(tables) + " |\n|---|" + "---:|" * len(tables))
    for kind in (*KINDS, "other"):
        print(f"| {kind} | " + " | ".join(f"{100 * table[kind]:.0f} %" for table in tables.values()) + " |")


if __name__ == "__main__":
    main()
