"""How long it takes to import i2izoo, to list, and to a first image on the command line; prints a Markdown table.

    python benchmarks/import_time.py [runs]

Each figure is the median of fresh processes, which take turns so that a busy machine is unfair to none: seconds of the
clock, and of the processor, which say more beside other programs.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LABEL = Path(__file__).parents[1] / "examples" / "images" / "label.png"
OUT = Path(tempfile.gettempdir()) / "first_image.png"
TRANSLATE = ["translate", "pix2pix-facades", str(LABEL), "-o", str(OUT), "--force"]
COMMANDS = {
    "bare Python": ["-c", "pass"],
    "`import i2izoo`": ["-c", "import i2izoo"],
    "`i2izoo.list_models()`": ["-c", "import i2izoo; i2izoo.list_models()"],
    "`i2izoo list`": ["-m", "i2izoo", "list"],
    "`import torch`, to compare": ["-c", "import torch"],
    "`i2izoo translate pix2pix-facades label.png`": ["-m", "i2izoo", *TRANSLATE],
}


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Of the clock and of the processor, of one fresh interpreter."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    return end - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int = 15) -> None:
    for arguments in COMMANDS.values():  # fill the disk cache
        seconds(arguments)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = times["bare Python"]
    print(f"| what (median of {runs}) | seconds | above bare Python | of the processor |\n|---|---:|---:|---:|")
    for name, values in times.items():
        wall, busy = (statistics.median(value[i] for value in values) for i in (0, 1))
        print(f"| {name} | {wall:.3f} | {wall - statistics.median(w for w, _ in bare):.3f} | {busy:.3f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
