"""How long it takes to import i2izoo, to list, and to list on the command line; prints a Markdown table.

    python benchmarks/import_time.py [runs]

Each figure is the median of fresh processes, which take turns so that a busy machine is unfair to none.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare Python": ["-c", "pass"],
    "`import i2izoo`": ["-c", "import i2izoo"],
    "`i2izoo.list_models()`": ["-c", "import i2izoo; i2izoo.list_models()"],
    "`i2izoo list`": ["-m", "i2izoo", "list"],
    "`import torch`, to compare": ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    """Wall-clock seconds of one fresh interpreter."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(runs: int = 15) -> None:
    for arguments in COMMANDS.values():  # fill the disk cache
        seconds(arguments)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    bare = statistics.median(times["bare Python"])
    print(f"| what (median of {runs}) | seconds | above bare Python |\n|---|---:|---:|")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.3f} | {median - bare:.3f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
