"""What FID costs beside its feature network, and against torch-fidelity on the same features.

    OMP_NUM_THREADS=2 python benchmarks/fid_speed.py --threads 2

First: two sets of random features, the same for both sides in one process, from features to value. Ours takes them in
batches as an evaluation does; torch-fidelity has them whole. The sides take turns, so that a busy machine is unfair to
neither. Second: the Inception network itself on a few batches (random weights: they cost the same), what comes before
it for each image, and from these the share of all that is not the network for one set of images, the statistics of
the other being kept from before, which is the worse case. Prints Markdown tables; --json writes what was measured.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from i2izoo_metrics import networks
from i2izoo_metrics.fid import FID
from i2izoo_metrics.networks import Inception
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

import i2izoo
from i2izoo.interfaces import FeatureExtractor


@i2izoo.register("extractors", "given")
class Given(FeatureExtractor):
    """Features that are handed in as grey images of one row."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, 0, 0]


def features(n: int, d: int, seed: int, device: str) -> Tensor:
    """N x D, at least 0, correlated, with a few strong directions and means of their own, as Inception's are."""
    generator = torch.Generator().manual_seed(seed)
    strength = 1 / torch.arange(1, d + 1).sqrt()
    turn = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(99)))[0]
    rows = (torch.randn(n, d, generator=generator) * strength) @ turn * 3 + 0.2 + 0.02 * seed
    return rows.relu().to(device)


def ours(fake: Tensor, real: Tensor, batch: int) -> float:
    metric = FID(features="given")
    for part in real.split(batch):
        metric.add_reference(part[:, None, None])
    for part in fake.split(batch):
        metric.update(prediction=part[:, None, None])
    value = metric.compute().value
    return float("nan") if value is None else value


def theirs(fake: Tensor, real: Tensor) -> float:
    both = [fid_features_to_statistics(x.cpu()) for x in (fake, real)]
    [value] = fid_statistics_to_metric(*both, verbose=False).values()
    return value


def inception(device: str) -> Inception:
    """The extractor as it is used, with random weights."""
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with patch.object(nn.Module, "load_state_dict"):
        state = FeatureExtractorInceptionV3("random", ["2048"], empty).state_dict()
    extractor = Inception()
    with patch.object(networks, "find"), patch.object(networks, "read_state", lambda *_: state):
        extractor.prepare(torch.device(device))
    return extractor


def seconds(call: Callable[[], Any], device: str) -> float:
    """Wall-clock seconds of one call, all of whose work has ended."""
    start = time.perf_counter()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def machine(args: argparse.Namespace) -> str:
    """What it ran on, in one line."""
    if args.device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, {args.threads} threads, torch {torch.__version__}"


def against_torch_fidelity(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both sides in turns, and by how much their values differ, relative to theirs."""
    fake, real = (features(args.n, args.d, seed, args.device) for seed in (0, 1))
    sides: dict[str, Callable[[], float]] = {
        "i2izoo": lambda: ours(fake, real, args.batch),
        "torch-fidelity": lambda: theirs(fake, real),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.runs):
        for name, call in sides.items():
            times[name].append(seconds(call, args.device))
    values = {"ours": ours(fake, real, args.batch), "theirs": theirs(fake, real)}
    # they take the mean of float32 features in float32; in float64 both compute the same
    values["theirs in float64"] = theirs(fake.double(), real.double())
    return {"times_s": times, "values": values}


@torch.no_grad()
def around_the_network(args: argparse.Namespace) -> dict[str, float]:
    """Seconds for each image: of the network, of what the extractor does before it, of FID after it; least of all."""
    extractor = inception(args.device)
    images = torch.rand(args.batch, 3, args.size, args.size, device=args.device) * 2 - 1
    small = torch.rand(args.batch, 3, *extractor.size, device=args.device)
    small = small.contiguous(memory_format=torch.channels_last)
    trunk, extractor.trunk = extractor.trunk, nn.Sequential()
    calls: dict[str, Callable[[], Any]] = {"network": lambda: trunk(small), "before": lambda: extractor(images)}
    rows = features(args.n, args.d, 0, args.device)
    metric = FID(features="given")
    metric.load_reference_state(_state(features(args.n, args.d, 1, args.device), args.batch))

    def after() -> None:
        metric.predictions = type(metric.predictions)()
        for part in rows.split(args.batch):
            metric.update(prediction=part[:, None, None])
        metric.compute()

    times: dict[str, list[float]] = {name: [] for name in (*calls, "after")}
    for call in calls.values():
        call()
    for _ in range(args.runs):
        for name, call in calls.items():
            times[name] += [seconds(call, args.device) / args.batch for _ in range(2)]
        times["after"].append(seconds(after, args.device) / args.n)
    return {name: min(found) for name, found in times.items()}


def _state(rows: Tensor, batch: int) -> dict[str, Tensor]:
    metric = FID(features="given")
    for part in rows.split(batch):
        metric.add_reference(part[:, None, None])
    return metric.reference_state()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="images in each set")
    parser.add_argument("--d", type=int, default=2048, help="features")
    parser.add_argument("--size", type=int, default=256, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--runs", type=int, default=5, help="timed turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    found = against_torch_fidelity(args)
    print(f"{args.n} x {args.d} features in each set, {args.runs} turns; {machine(args)}\n")
    print("| side | s (median) | s (least) | value |\n|---|---:|---:|---:|")
    for name, value in (("i2izoo", "ours"), ("torch-fidelity", "theirs")):
        times = found["times_s"][name]
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {found['values'][value]:.9f} |")
    wanted = found["values"]["theirs in float64"]
    print(f"\nTheirs on the same features in float64: {wanted:.9f}; relative difference to ours ", end="")
    print(f"{abs(found['values']['ours'] - wanted) / wanted:.1e}.\n")

    each = around_the_network(args)
    share = 1 - each["network"] / sum(each.values())
    print(f"| for each of {args.n} images of {args.size} x {args.size} | ms (least) |\n|---|---:|")
    labels = {"network": "Inception network", "before": "rounding and resizing", "after": "sums and distance"}
    for name, label in labels.items():
        print(f"| {label} | {1e3 * each[name]:.3f} |")
    print(f"\nOutside the feature network: {100 * share:.1f} %.")
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k != "json"}
        record = {"machine": machine(args), "settings": settings, **found, "each_s": each, "share": share}
        args.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
