"""The folder of an evaluation, written as it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from i2izoo.errors import EvaluationError, listing
from i2izoo.evaluation.protocol import PROTOCOL, Protocol
from i2izoo.evaluation.result import IMAGES, PER_IMAGE, SCORES, Result
from i2izoo.files.tables import csv_text
from i2izoo.files.writing import append_text, write_text
from i2izoo.images.writing import save

RUNNING = "it is running, or was killed"


class Folder:
    """protocol.json from the start, per-image.csv batch by batch, images one by one, scores.json at the end.

    An evaluation that is killed leaves the protocol and the lines and images that were done.

    Args:
        place: created if missing. One that holds the same evaluation (protocol and model) is written over.
        protocol: of the evaluation.
        model: name of the model.
        keep_images: write each prediction.

    Raises:
        EvaluationError: the folder holds another evaluation, or other files of these names.
    """

    def __init__(self, place: Path, protocol: Protocol, model: str, keep_images: bool) -> None:
        self.place, self.keep_images = place, keep_images
        if place.exists() and not place.is_dir():
            raise EvaluationError(f"{str(place)!r} is a file; name a folder with out=.")
        ours = [name for name in (PROTOCOL, SCORES, PER_IMAGE, IMAGES) if (place / name).exists()]
        if ours and (found := self._other(protocol, model)):
            raise EvaluationError(f"{str(place)!r} {found}; use another out=, or remove its {listing(ours)}.")
        # in this order: killed in between, the folder is known as this evaluation's
        write_text(place / SCORES, json.dumps({"model": model, "problem": RUNNING}) + "\n")
        (place / PER_IMAGE).unlink(missing_ok=True)
        write_text(place / PROTOCOL, protocol.to_json())
        self._columns: list[str] | None = None

    def _other(self, protocol: Protocol, model: str) -> str | None:
        """What another evaluation is in the folder, or None for the same one."""
        try:
            scores = json.loads((self.place / SCORES).read_text(encoding="utf-8"))
            name = scores["model"]
            if name == model and scores["problem"] == RUNNING and not (self.place / PROTOCOL).exists():
                return None
            before = Protocol.load(self.place)
        except (EvaluationError, OSError, ValueError, KeyError, TypeError):
            return "holds files that are of no evaluation"
        if name != model:
            return f"holds the evaluation of {name!r}"
        differ = [key for key, value in protocol.config.items() if before.config[key] != value]
        return f"holds an evaluation of the same model with another {listing(differ)}" if differ else None

    def add(self, names: list[str], values: dict[str, list[float]]) -> None:
        """Add lines for a batch; a metric that has stopped leaves its column empty."""
        rows: list[list[Any]] = []
        if self._columns is None:
            self._columns = list(values)
            rows.append(["name", *self._columns])
        for row, name in enumerate(names):
            rows.append([name, *(values[c][row] if c in values else None for c in self._columns)])
        append_text(self.place / PER_IMAGE, csv_text(rows))

    def add_image(self, name: str, prediction: Tensor) -> None:
        """Keep a prediction, C x H x W in [-1, 1], as NAME.png."""
        if self.keep_images:
            save(prediction, self.place / IMAGES / f"{name}.png")

    def close(self, result: Result) -> None:
        """Write what was found; the lines, too, once more and whole."""
        if self.keep_images:
            result.images = self.place / IMAGES
        result.save(self.place)
