"""Run the tests that learn for many seeds and numbers of threads; print how far from their bounds they end.

    python tools/learning_table.py                                  # ten seeds, each on 1, 2 and 4 threads
    python tools/learning_table.py --seeds 0-2 --threads 1 tests/gan/test_unit.py  # one file's, while it is worked on
    python tools/learning_table.py --reports learning               # what stands in the folder is not run again

Room is the distance of the worst run to the bound, in parts of the distance between bound and no learning at all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
Runs = dict[tuple[str, str], list[dict[str, float | None]]]
"""(test, what it measures) -> a value with its bounds, for each run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--threads", default="1,2,4")
    parser.add_argument("-k", dest="chosen", default="", help="as pytest's")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files or folders of tests (all)")
    parser.add_argument("--reports", type=Path, help="a folder that keeps the report of each process, to go on from")
    words = parser.parse_args()
    first, _, last = words.seeds.partition("-")
    runs: Runs = defaultdict(list)
    passed = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = (words.reports or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(int(first), int(last or first) + 1):
            for threads in words.threads.split(","):
                report = folder / f"{threads}-threads-seed-{seed}.xml"
                if not report.exists():
                    run(report, seed, threads, [*words.tests, "-k", words.chosen])
                passed &= read(report, runs)
    print(table(runs))
    sys.exit(not passed)


def run(report: Path, seed: int, threads: str, chosen: list[str]) -> None:
    """Run the tests in one process, which has some number of threads."""
    unfinished = report.with_suffix(".part")
    command = [sys.executable, "-m", "pytest", "-m", "learns", "-n", "0", "-p", "no:cacheprovider"]
    command += [*chosen, f"--junitxml={unfinished}", f"--learning-seed={seed}"]
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
    unfinished.replace(report)


def read(report: Path, runs: Runs) -> bool:
    """Add the values in a report to those of other runs; whether all of its tests passed."""
    passed = True
    for case in ElementTree.parse(report).iter("testcase"):
        passed &= case.find("failure") is None and case.find("error") is None
        test = re.sub(r"-?seed\d+|\[seed\d+\]", "", f"{case.get('classname')}::{case.get('name')}")
        for found in case.iter("property"):
            value = json.loads(found.get("value", ""))
            runs[test.removeprefix("tests."), value.pop("what")].append(value)
    return passed


def table(runs: Runs) -> str:
    lines = ["| test | measured | without learning | bound | median | worst | runs | room |"]
    lines.append("|---|---|--:|--:|--:|--:|--:|--:|")
    for (test, what), values in sorted(runs.items()):
        up = values[0]["above"] is not None
        bound, untrained = values[0]["above" if up else "below"], statistics.median(v["untrained"] for v in values)
        found = [v["value"] for v in values]
        worst = min(found) if up else max(found)
        room = (worst - bound) / (bound - untrained)
        numbers = f"{untrained:.3g} | {'>' if up else '<'} {bound:.3g} | {statistics.median(found):.3g} | {worst:.3g}"
        lines.append(f"| `{test}` | {what} | {numbers} | {len(found)} | {room:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
