"""`size=`: translated at another size and scaled back; and the word about images that are far larger than learned."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import I2IZooWarning, OptionTypeError
from i2izoo.interfaces import Batch, Method, Update
from i2izoo.interfaces import Image as ImageOption
from i2izoo.models.translator import FAR_LARGER, Translator


class Looks(Method):
    """The image, `zoom` times as large, white where the mask is; it remembers the sizes that it saw."""

    directions = {"out": "in"}  # noqa: RUF012
    channels = {"in": 3, "out": 3}  # noqa: RUF012
    inference_parts = ("layer",)

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 1)
        self.seen: list[tuple[int, ...]] = []
        self.masks: list[Tensor] = []

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: object) -> Tensor:
        return self.translate(image, to=to, seeds=seeds or [], **options)  # type: ignore[arg-type]

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], zoom: int = 1, mask: ImageOption | None = None
    ) -> Tensor:
        self.seen.append(tuple(image.shape[-2:]))
        if mask is not None:
            self.masks.append(mask)
        return image.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Translator:
    monkeypatch.setattr(registry("methods"), "_registered", {})
    registry("methods").register("looks", Looks)
    return i2izoo.create("looks")


def picture(width: int, height: int) -> Image.Image:
    """Noise, far enough from black and white for Pillow to clip nothing between its two passes."""
    pixels = np.random.default_rng(0).integers(90, 160, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("size", "sides"), [(16, (16, 16)), ((12, 20), (12, 20)), ([50, 60], (50, 60))])
def test_it_is_translated_at_that_size_and_scaled_back(model: Translator, size: object, sides: tuple[int, int]) -> None:
    image = picture(40, 30)
    result = model(image, size=size)
    assert model.method.seen == [sides]
    pillow = image.resize(sides[::-1], Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.array(result).astype(int) - np.array(pillow).astype(int))
    assert difference.max() <= 2  # Pillow rounds to 8 bits in between
    assert result.size == image.size


def test_all_forms_lists_and_larger_results(model: Translator) -> None:
    tensor = torch.rand(2, 3, 30, 40) * 2 - 1
    assert model(tensor, size=8).shape == tensor.shape
    assert [found.size for found in model([picture(40, 30), picture(7, 90)], size=8)] == [(40, 30), (7, 90)]
    assert model.method.seen[-1] == (8, 8)
    assert model(picture(40, 30), size=8, zoom=4).size == (160, 120)


def test_a_mask_keeps_its_two_values(model: Translator) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 13:] = 255
    model(picture(40, 30), size=16, mask=mask)
    (seen,) = model.method.masks
    assert seen.shape[-2:] == (16, 16)
    assert set(seen.unique().tolist()) == {-1.0, 1.0}


def test_a_label_map_keeps_its_colours() -> None:
    model = i2izoo.create("segmenter", **registry("methods").get("segmenter").tiny_options)
    palette = {tuple(colour) for colour in model.config["options"]["palette"]}
    found = np.array(model(picture(40, 30), size=16)).reshape(-1, 3)
    assert {tuple(map(int, colour)) for colour in found} <= palette


@pytest.mark.parametrize("size", [0, -4, (3,), "64", 2.5, True])
def test_what_is_no_size_is_refused(model: Translator, size: object) -> None:
    with pytest.raises(OptionTypeError, match="size is a side, or height and width"):
        model(picture(4, 4), size=size)


def test_far_larger_images_are_said_once(model: Translator) -> None:
    model.config["provenance"] = {"crop_size": 8}
    most = int((FAR_LARGER * 64) ** 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(picture(most, most))
        model(picture(300, 200), size=8)
    with pytest.warns(I2IZooWarning, match="images of 8 x 8 pixels, and this one has 300 x 200.*size=8") as found:
        model([picture(300, 200), picture(400, 200)])
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(picture(300, 200))


def test_nothing_is_said_of_a_model_that_does_not_know_its_size(model: Translator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(picture(300, 200))


def test_on_the_command_line(model: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.config["provenance"] = {"crop_size": 8}
    folder = str(model.save_pretrained(tmp_path / "model"))
    picture(300, 200).save(tmp_path / "large.png")
    place = str(tmp_path / "large.png")
    assert main(["translate", folder, place, "-o", str(tmp_path / "a.png")]) == 0
    err = capsys.readouterr().err
    assert err.startswith("i2izoo: 'looks' has learned from images of 8 x 8 pixels")
    assert "--size 8" in err
    assert err.count("\n") == 1
    assert main(["translate", folder, place, "-o", str(tmp_path / "b.png"), "--size", "8"]) == 0
    assert capsys.readouterr().err == ""
    assert Image.open(tmp_path / "b.png").size == (300, 200)
    assert np.array(Image.open(tmp_path / "a.png")).std() > np.array(Image.open(tmp_path / "b.png")).std()
    assert main(["translate", folder, place, "-o", str(tmp_path / "c.png"), "--size", "x"]) == 2
