"""The protocol of an evaluation: all that decides its numbers, as JSON beside them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from i2izoo.contracts.config import check_options
from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ConfigError, EvaluationError

PROTOCOL = "protocol.json"
LIBRARIES = ("i2izoo", "torch", "torchvision", "torchmetrics", "torch-fidelity", "lpips", "timm", "numpy", "pillow")


@dataclass(frozen=True, kw_only=True, repr=False)
class Protocol:
    """What was measured on what, and how. The same protocol on the same data gives the same numbers again.

    Attributes:
        data: name of the data: a dataset's name, or the last part of its path.
        data_sha256: hash over names and bytes of the images that were used.
        source: domain that is translated; None: images are made from nothing.
        to: target domain.
        metrics: label -> the metric with all its options, `{"name": "fid", "features": "inception"}`.
        n: number of images that were translated.
        split: "train", "val", "test", or None.
        sides: domains of the halves of side-by-side images.
        rename: the data's names of domains -> those of this protocol, where they differ.
        size: height and width that inputs and truths are resized to first, in pixels; None keeps them as they are.
        filter: of that resizing, antialiased as Pillow's: nearest, box, bilinear, bicubic or lanczos.
        samples: translations of each image; 1 for methods that cannot sample.
        seed: of the translations and of what the metrics draw.
        limit: only the first so many images; None: all.
        bits: depth that predictions and truths are rounded to before they are measured.
        options: the method's own options of translation (`mode`, `steps`).
        versions: of i2izoo, Python and the libraries that compute.

    Raises:
        ConfigError: a field is not of its declared type.
    """

    data: str
    data_sha256: str
    source: str | None
    to: str
    metrics: dict[str, dict[str, Any]]
    n: int
    split: str | None = None
    sides: list[str] | None = None
    rename: dict[str, str] | None = None
    size: list[int] | None = None
    filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = "bicubic"
    samples: int = 1
    seed: int = 0
    limit: int | None = None
    bits: Literal[8] = 8
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_options(type(self), vars(self))

    @property
    def config(self) -> dict[str, Any]:
        """All of it as plain data, in the order of protocol.json."""
        return asdict(self)

    def __repr__(self) -> str:
        size = "native size" if self.size is None else f"{self.size[0]} x {self.size[1]}"
        where = self.data + (f"/{self.split}" if self.split else "")
        direction = f"{self.source or 'nothing'} -> {self.to}"
        return f"Protocol({where}, {direction}, {self.n} images, {size}, {', '.join(self.metrics)})"

    def to_json(self) -> str:
        """The text of protocol.json."""
        return json.dumps(self.config, indent=2) + "\n"

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Protocol:
        """Read a protocol file, or `protocol.json` in a folder.

        Raises:
            EvaluationError: it is not there, or is no protocol.
        """
        place = Path(path).expanduser()
        place = place / PROTOCOL if place.is_dir() else place
        try:
            content = parse_json(place.read_text(encoding="utf-8"))
        except OSError as error:
            raise EvaluationError(
                f"there is no protocol file {str(place)!r}; `evaluate` writes one with out=."
            ) from error
        except ValueError as error:
            raise EvaluationError(f"{str(place)!r} is not JSON ({error}), so it is no protocol.") from error
        if not isinstance(content, dict):
            raise EvaluationError(f"{str(place)!r} is no protocol: it holds no JSON object.")
        try:
            return cls(**check_options(cls, content))
        except ConfigError as error:
            raise EvaluationError(f"{str(place)!r} is no protocol that this i2izoo understands: {error}") from error


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that compute, those that are installed."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
