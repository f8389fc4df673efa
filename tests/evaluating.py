"""Methods, metrics and data whose numbers are known without any network: for tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from i2izoo.contracts.registry import registry
from i2izoo.errors import MetricError
from i2izoo.interfaces import Batch, ImageMetric, Method, Metric, Score, SetMetric, Update


class Offset(Method):
    """Makes `label` brighter by so many 8-bit levels; an image whose first pixel is white comes out as `bad`.

    Args:
        levels: added to every value; a fraction is rounded away when the image is saved.
        bad: what becomes of an image whose first pixel is white: "nan", "inf", "small", "crash", "interrupt".
    """

    samples = True
    inference_parts = ("weight",)
    directions = {"photo": "label"}  # noqa: RUF012
    channels = {"label": 3, "photo": 3}  # noqa: RUF012
    calls: ClassVar[list[int]] = []

    def __init__(self, *, levels: float = 0.0, bad: str | None = None) -> None:
        super().__init__()
        self.levels, self.bad = levels, bad
        self.weight = torch.nn.Linear(1, 1)

    def translate(self, image: Tensor, *, to: str, seeds: list[int], more: float = 0.0) -> Tensor:
        type(self).calls.append(len(image))
        drawn = torch.tensor([s % 5 for s in seeds])[:, None, None, None] * (more != 0)
        result = image + (self.levels + drawn) / 127.5
        white = image[:, 0, 0, 0] > 0.999
        if self.bad == "crash" and white.any():
            raise ZeroDivisionError("a bug in the method")
        if self.bad == "interrupt" and white.any():
            raise KeyboardInterrupt
        if self.bad in ("nan", "inf"):
            result[white, 0, 1, 1] = float(self.bad)
        return result

    def forward(self, image: Tensor, **options: Any) -> Tensor:
        result = super().forward(image, **options)
        return result[..., 1:] if self.bad == "small" else result

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


class Seen(ImageMetric):
    """Mean absolute difference in levels; keeps all that it is given."""

    higher_is_better = False
    inputs = ("prediction", "target", "source")
    unit = "levels"
    got: ClassVar[list[dict[str, Tensor]]] = []

    def score(self, **images: Tensor) -> Tensor:
        type(self).got.append(images)
        return (images["prediction"] - images["target"]).abs().double().mean(dim=(1, 2, 3)) * 127.5


class Mean(SetMetric):
    """Distance of the mean values of two sets, in levels."""

    higher_is_better = False
    qualifier = "channel"
    references: ClassVar[list[Tensor]] = []

    def __init__(self, *, channel: Literal["all"] | int = "all", power: int = 1) -> None:
        self.rows: dict[str, list[Tensor]] = {"prediction": [], "reference": []}

    def _values(self, images: Tensor) -> Tensor:
        images = images if self.config["channel"] == "all" else images[:, [self.config["channel"]]]
        return images.double().mean(dim=(1, 2, 3)) * 127.5

    def add_reference(self, images: Tensor) -> None:
        type(self).references.append(images)
        self.rows["reference"].append(self._values(images))

    def reference_state(self) -> Mapping[str, Tensor]:
        return {"values": torch.cat(self.rows["reference"])}

    def load_reference_state(self, state: Mapping[str, Tensor]) -> None:
        self.rows["reference"] = [state["values"]]

    def update(self, prediction: Tensor) -> None:
        self.rows["prediction"].append(self._values(prediction))

    def compute(self) -> Score:
        a, b = (torch.cat(rows) for rows in self.rows.values())
        return Score(float((a.mean() - b.mean()).abs() ** self.config["power"]), n=len(a))


class Spread(Metric):
    """Range of the samples of an image, in levels: the mean over images, and the least."""

    higher_is_better = True
    inputs = ("samples", "prediction")
    got: ClassVar[list[dict[str, Tensor]]] = []

    def __init__(self) -> None:
        self.values: Tensor | None = None

    def update(self, samples: Tensor, prediction: Tensor) -> Tensor:
        type(self).got.append({"samples": samples, "prediction": prediction})
        values = (samples.amax(1) - samples.amin(1)).mean(dim=(1, 2, 3)).double() * 127.5
        self.values = torch.cat([*([self.values] if self.values is not None else []), values])
        return values

    def compute(self) -> dict[str, Score]:
        return {"mean": Score(float(self.values.mean())), "least": Score(float(self.values.min()))}


class Failing(Metric):
    """Fails with a MetricError where it is told to."""

    higher_is_better = True

    def __init__(self, *, at: str = "prepare", after: int = 0) -> None:
        self.batches = 0

    def _fail(self, place: str) -> None:
        if self.config["at"] == place and self.batches >= self.config["after"]:
            raise MetricError(f"needs what is not here ({place})")

    def prepare(self, device: torch.device) -> None:
        self._fail("prepare")

    def update(self, prediction: Tensor, target: Tensor) -> Tensor:
        self._fail("update")
        self.batches += 1
        return prediction.mean(dim=(1, 2, 3))

    def compute(self) -> Score:
        self._fail("compute")
        return Score(0.0)


class Drawn(Metric):
    """A random number of its own seed, and one of the global generator."""

    higher_is_better = True
    inputs = ("prediction",)

    def __init__(self, *, seed: int = -1) -> None:
        self.seed = seed

    def update(self, prediction: Tensor) -> None:
        return

    def compute(self) -> dict[str, Score]:
        return {"own": Score(float(self.seed)), "global": Score(torch.rand(()).item())}


class Demanding(Seen):
    """Needs five images, advises ten."""

    min_samples = 5
    advised_samples = 10


def register_all(monkeypatch: Any, tmp_path: Path) -> None:
    """Have these in the registries, forget what they saw, and keep references in a cache of the test's own."""
    for kind in ("methods", "metrics"):
        monkeypatch.setattr(registry(kind), "_registered", {})
    registry("methods").register("offset", Offset)
    for part in (Seen, Mean, Spread, Failing, Drawn, Demanding):
        registry("metrics").register(part.__name__.lower(), part)
    for kept in (Offset.calls, Seen.got, Mean.references, Spread.got):
        kept.clear()
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))


def make_pairs(
    folder: Path, count: int = 6, size: tuple[int, int] = (12, 16), make: Callable[[int], int] = lambda i: 10 * i
) -> Path:
    """label/NAME.png and photo/NAME.png, equal, uniformly `make(i)` but for a ramp along the columns."""
    for index in range(count):
        array = np.full((*size, 3), make(index), np.uint8)
        array += np.arange(size[1], dtype=np.uint8)[None, :, None]
        for domain in ("label", "photo"):
            (folder / domain).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / domain / f"p{index}.png")
    return folder


def mark(folder: Path, index: int) -> None:
    """Make the first pixel of a label white, which `Offset` takes badly."""
    path = folder / "label" / f"p{index}.png"
    with Image.open(path) as image:
        image.putpixel((0, 0), (255, 255, 255))
        image.save(path)
