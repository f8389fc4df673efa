"""Path length of models that make images from nothing, in Z and in W, where it is known in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from i2izoo_generation.gan import GAN
from i2izoo_generation.stylegan2 import StyleGAN2
from i2izoo_metrics.ppl import PerceptualPathLength
from torch import Tensor, nn

import i2izoo
from i2izoo.errors import MetricError
from i2izoo.interfaces import Batch, Latent, Method, Update
from i2izoo.models.translator import Translator
from i2izoo.nn.random import seeded
from i2izoo.testing.images import RandomImages

CPU = torch.device("cpu")


class Rows(Method):
    """w is the square of the latent, entry by entry, and each row of an image of 16 x 16 is w."""

    data, latent_size = "single", 16
    directions: ClassVar = {"image": None}
    channels: ClassVar = {"image": 1}

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Linear(1, 1).double()

    def mapped(self, seeds: list[int], latent: Tensor) -> Tensor:
        return latent.double() ** 2

    def generate(
        self, *, to: str, seeds: list[int], size: tuple[int, int], latent: Latent | None = None, w: Latent | None = None
    ) -> Tensor:
        if w is None:
            assert latent is not None
            w = self.mapped(seeds, latent)
        return w.view(-1, 1, 1, 16).expand(-1, 1, *size)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update((), {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


@pytest.fixture(autouse=True)
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean squared difference in place of LPIPS."""
    distance = lambda a, b: ((a - b) ** 2).mean(dim=(1, 2, 3), keepdim=True)  # noqa: E731
    monkeypatch.setattr("i2izoo_metrics.ppl.open_lpips", lambda net, device: distance)


def length(**options: Any) -> float:
    metric = PerceptualPathLength(pairs=64, space="end", **options)
    metric.prepare(CPU)
    metric.update(source=torch.zeros(64, 0, 16, 16), model=Translator(Rows(), {"method": "rows"}))
    value = metric.compute().value
    assert value is not None
    return value


def test_the_path_is_straight_in_the_space_that_is_asked_for() -> None:
    """From z0, w = z^2 moves by 2 z0 (z1 - z0): 4 E z0^2 (z1 - z0)^2 = 16. Straight in W: E (z1^2 - z0^2)^2 = 4."""
    assert length(interpolation="lerp") == pytest.approx(16, rel=0.1)
    assert length(latent_space="w") == pytest.approx(4, rel=0.1)


def test_methods_without_w_are_told_so() -> None:
    with seeded(0):
        model = i2izoo.create("gan", **GAN.tiny_options)
    metric = PerceptualPathLength(latent_space="w")
    metric.prepare(CPU)
    with pytest.raises(MetricError, match="'gan' maps its latents to no w; leave latent_space='w' out"):
        metric.update(source=torch.zeros(1, 0, 16, 16), model=model)


def test_an_evaluation_has_both_of_stylegan2() -> None:
    with seeded(0):
        model = i2izoo.create("stylegan2", **StyleGAN2.tiny_options)
    data = RandomImages(channels={"image": 3}, size=16, kind="unpaired", count=3)
    for space in ("z", "w"):
        metric = {"name": "ppl", "latent_space": space, "pairs": 2}
        score = next(iter(i2izoo.evaluate(model, data, metrics=[metric]).scores.values()))
        assert score.value is not None, score.reason
        assert score.value > 0
        assert score.n == 3
