"""Every pretrained entry and every metric that was measured for it, in one file: `python tools/zoo_table.py`.

Nothing is measured anew. Written is `results/zoo.csv`, of what the packages of the zoos keep beside their models
(`evaluation/**/scores.json`), and what the site keeps of comparisons that are on no card (`docs/assets/results`): a
row for each entry and metric, and one without a metric for an entry that nothing was measured of here. With `--check`
nothing is written, and an outdated file is said and ends in 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from stored import RESULTS, figures

from i2izoo.contracts.registry import registry
from i2izoo.evaluation.records import of_result
from i2izoo.evaluation.result import SCORES, Result
from i2izoo.files.tables import csv_text
from i2izoo.files.writing import write_text

PLACE = RESULTS.parents[2] / "results" / "zoo.csv"
COLUMNS = (
    "entry", "method", "source", "to", "data", "split", "height", "width", "samples", "n", "metric", "value", "low",
    "high", "unit", "higher_is_better", "reference", "reason", "parameters", "seconds", "device", "licence", "record",
)  # fmt: skip


def rows() -> Iterator[dict[str, Any]]:
    """The rows by column, entries in the order of their names."""
    entries = registry("pretrained")
    own = [entry.name for entry in entries.entries() if entry.distribution == "i2izoo"]  # not what is installed beside
    for name in sorted(own):
        entry = entries.get(name)
        about = {"entry": name, "method": entry.method, "licence": entry.licence}
        seen: set[tuple[Any, ...]] = set()
        for record, result in records(name):
            costs = result.costs
            about |= {"record": record, "device": costs and costs.device}
            about |= {"parameters": costs and costs.parameters, "seconds": costs and costs.seconds}
            measured = (result.protocol.data_sha256, result.protocol.to, result.protocol.size, result.protocol.samples)
            for row in of_result(result):
                if (key := (str(measured), row["metric"])) not in seen:  # what is on a card is in a comparison, too
                    seen.add(key)
                    yield about | row
        if not seen:
            source = next(iter(entry.directions.values()), None)
            yield about | {"source": source, "to": next(iter(entry.domains), None)}


def records(name: str) -> Iterator[tuple[str, Result]]:
    """Where something that was measured of an entry is kept, and what: first what lies beside the model."""
    entry = registry("pretrained").get(name)
    if entry.bundled:
        folder = entry.folder()
        for path in sorted((folder / "evaluation").rglob(SCORES)):
            yield f"{entry.bundled}/{path.relative_to(folder).as_posix()}", Result.load(path.parent)
    for path in sorted(RESULTS.glob("*.json")):
        yield from ((path.stem, result) for result in figures(path.stem).results if result.model == name)


def text() -> str:
    """The file."""
    return csv_text([COLUMNS, *([row.get(column) for column in COLUMNS] for row in rows())])


def main(*arguments: str) -> int:
    """Write the file, or look whether it is as it would be written."""
    made = text()
    if "--check" not in arguments:
        write_text(PLACE, made)
    elif not PLACE.is_file() or PLACE.read_text(encoding="utf-8") != made:
        print(f"{PLACE} is not what is recorded now: run `python tools/zoo_table.py`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
