"""What comes as 16 bits leaves as 16 bits, through a method whose answer is known to the bit: the negative."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor, nn

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import OptionTypeError
from i2izoo.images.reading import to_tensor
from i2izoo.images.writing import save, to_array
from i2izoo.interfaces import Batch, Method, Update


class Negative(Method):
    """`positive` -> `negative` of any number of bands; and `middle`, mid-grey, from nothing."""

    inference_parts = ("sign",)

    def __init__(self, *, bands: int = 3, makes_grey: bool = True) -> None:
        super().__init__()
        self.makes_grey, self.bands = makes_grey, bands
        self.sign = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.sign.weight, -1)

    @property
    def directions(self) -> dict[str, str | None]:
        return {"negative": "positive", **({"middle": None} if self.makes_grey else {})}

    @property
    def channels(self) -> dict[str, int]:
        return dict.fromkeys(("positive", *self.directions), self.bands)

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return image * self.sign.weight.flatten()[0]

    def generate(self, size: tuple[int, int], *, to: str, seeds: list[int]) -> Tensor:
        return torch.zeros(len(seeds), self.bands, *size)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        self.seen = batch["positive"]
        yield Update(
            "all", {"l1": (self.translate(batch["positive"], to="", seeds=[]) - batch["negative"]).abs().mean()}
        )

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.SGD(self.parameters(), lr=0.0)}


@pytest.fixture(autouse=True)
def negative(monkeypatch: pytest.MonkeyPatch) -> None:
    methods = registry("methods")
    monkeypatch.setattr(methods, "_registered", dict(methods._registered))
    methods.register("negative", Negative)


def noise(*shape: int, dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_files_keep_their_16_bits(tmp_path: Path, ending: str) -> None:
    grey, colour = noise(5, 7), noise(6, 4, 3)
    save(grey, tmp_path / f"grey.{ending}")
    save(colour, tmp_path / f"colour.{ending}")
    found = i2izoo.create("negative", bands=1)(tmp_path / f"grey.{ending}")
    assert found.mode == "I;16"
    assert np.array_equal(np.array(found), 65535 - grey)
    found = i2izoo.create("negative")(str(tmp_path / f"colour.{ending}"))
    assert np.array_equal(found, 65535 - colour)  # an array: Pillow has no such mode
    found = i2izoo.create("negative")(tmp_path / f"colour.{ending}", depth=8)
    assert np.array_equal(np.array(found), np.rint((65535 - colour) / 257))


def test_pil_images_keep_their_16_bits() -> None:
    grey = noise(5, 7)
    found = i2izoo.create("negative", bands=1)(Image.fromarray(grey))
    assert np.array_equal(np.array(found), 65535 - grey)
    found = i2izoo.create("negative")(Image.fromarray(grey))
    assert np.array_equal(found, np.repeat(65535 - grey[..., None], 3, -1))
    assert i2izoo.create("negative")(Image.fromarray(grey), depth=8).mode == "RGB"


def test_any_number_of_bands(tmp_path: Path) -> None:
    bands = noise(4, 5, 13)
    save(bands, tmp_path / "a.tif")
    found = i2izoo.create("negative", bands=13)([tmp_path / "a.tif", bands])
    assert all(np.array_equal(one, 65535 - bands) for one in found)


def test_a_depth_is_asked_for(tmp_path: Path) -> None:
    values = noise(5, 7, 3, dtype=np.uint8)
    model = i2izoo.create("negative")
    assert np.array_equal(model(Image.fromarray(values), depth=16), (255 - values).astype(np.uint16) * 257)
    assert np.array_equal(model(values, depth=16), (255 - values).astype(np.uint16) * 257)
    assert model.generate(2, size=4, output="array", depth=16).tolist() == np.full((2, 4, 4, 3), 32768).tolist()
    with pytest.raises(OptionTypeError, match="depth is 8 or 16"):
        model.stream([values], depth=12)  # type: ignore[call-overload]


@pytest.mark.parametrize("bands", [1, 3, 4, 6])
def test_translate_writes_the_depth_of_its_input(
    tmp_path: Path, bands: int, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(i2izoo.create("negative", bands=bands).save_pretrained(tmp_path / "model"))
    deep, flat = noise(5, 7, bands), noise(6, 4, bands, dtype=np.uint8)
    save(deep, tmp_path / "in" / "deep.tif")
    save(flat, tmp_path / "in" / "flat.tif")
    ending = "png" if bands <= 4 else "tif"
    for words, depths in ((), (16, 8)), (["--depth", "8"], (8, 8)), (["--depth", "16"], (16, 16)):
        assert main(["translate", model, str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--force", *words]) == 0
        for name, values, depth in zip(("deep", "flat"), (deep, flat), depths, strict=True):
            path = tmp_path / "out" / f"{name}.{ending}"
            top = 2**depth - 1
            found = to_array(to_tensor(path, bands), np.uint16) / 65535 * top
            expected = np.rint((1 - values / np.iinfo(values.dtype).max) * top)
            np.testing.assert_allclose(found, expected, atol=1e-6)
            bits = path.read_bytes()[24] if ending == "png" else tifffile.imread(path).dtype.itemsize * 8
            assert bits == depth
    assert capsys.readouterr().err == ""


def test_a_format_without_16_bits_is_said_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(i2izoo.create("negative").save_pretrained(tmp_path / "model"))
    path = str(save(noise(5, 7, 3), tmp_path / "a.png"))
    assert main(["translate", model, path, "-o", str(tmp_path / "b.jpg"), "--depth", "16"]) == 2
    assert "b.jpg' holds 8 bits of each channel; with --depth 16, write .png or .tif" in capsys.readouterr().err
    assert main(["translate", model, path, "-o", str(tmp_path / "b.jpg")]) == 0
    assert Image.open(tmp_path / "b.jpg").mode == "RGB"


def test_generate_writes_16_bits(tmp_path: Path) -> None:
    model = str(i2izoo.create("negative").save_pretrained(tmp_path / "model"))
    words = ["--to", "middle", "--size", "4", "-o", str(tmp_path / "out"), "--grid", str(tmp_path / "sheet.png")]
    assert main(["generate", model, *words, "--depth", "16"]) == 0
    assert to_array(to_tensor(tmp_path / "out" / "0000.png"), np.uint16).tolist() == np.full((4, 4, 3), 32768).tolist()
    assert Image.open(tmp_path / "sheet.png").getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_training_sees_every_bit(tmp_path: Path, ending: str) -> None:
    values = noise(8, 8, 3)
    save(values, tmp_path / "data" / "positive" / f"a.{ending}")
    save(65535 - values, tmp_path / "data" / "negative" / f"a.{ending}")
    trainer = i2izoo.Trainer(
        i2izoo.create("negative", makes_grey=False),
        tmp_path / "data",
        steps=1,
        batch_size=1,
        progress=False,
        flip=False,
    )
    trainer.fit()
    seen = trainer.model.method.seen[0]
    expected = torch.from_numpy(np.moveaxis(values, -1, 0) / 32767.5 - 1)
    torch.testing.assert_close(seen.double(), expected, atol=1e-7, rtol=0)
