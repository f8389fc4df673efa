"""`Translator.generate`: images from nothing, each a function of its place and the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, ImageError, OptionTypeError, UnknownNameError
from i2izoo.interfaces import Batch, Image, Latent, Method, Update
from i2izoo.models.translator import Translator
from i2izoo.nn.random import derive_seed, randn


class Stripes(Method):
    """Each image is one colour, drawn from the seed, plus what its options say; sides are multiples of 4, from 8."""

    data = "single"
    inference_parts = ("shade",)
    directions: ClassVar = {"stripes": None}
    channels: ClassVar = {"stripes": 3}

    def __init__(self, *, native: bool = False) -> None:
        super().__init__()
        self.native, self.asked = native, []
        self.shade = nn.Linear(1, 1)

    @property
    def native_size(self) -> tuple[int, int] | None:
        return (8, 12) if self.native else None

    def size_multiple(self, to: str) -> int:
        return 4

    def min_size(self, to: str) -> int:
        return 8

    def generate(
        self, *, to: str, seeds: list[int], size: tuple[int, int], latent: Latent | None = None,
        start: Image | None = None, offset: float = 0.0,
    ) -> Tensor:  # fmt: skip
        self.asked.append((len(seeds), size))
        drawn = randn((3, 1, 1), seeds) / 10 + offset
        if latent is not None:
            drawn = drawn + latent.mean(dim=1).view(-1, 1, 1, 1)
        return drawn.expand(-1, -1, *size) + (0 if start is None else start)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("shade", {"l2": (batch["stripes"] - self.shade.weight).square().mean()})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"shade": torch.optim.Adam(self.parameters())}


class Both(Stripes):
    """Translates one way, and makes the other from nothing."""

    directions: ClassVar = {"negative": "stripes", "stripes": None}
    channels: ClassVar = {"stripes": 3, "negative": 3}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return -image


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("methods"), "_registered", dict(registry("methods")._registered))
    registry("methods").register("stripes", Stripes)
    registry("methods").register("both", Both)


def model(**options: Any) -> Translator:
    return i2izoo.create("stripes", **options)


def expected(places: range, seed: int) -> Tensor:
    """N x 3, by the rule that place and seed decide."""
    return randn((3,), [derive_seed(seed, place, 0) for place in places]) / 10


def test_an_image_is_a_function_of_its_place_and_the_seed() -> None:
    ten = model().generate(10, size=8, seed=3, output="tensor")
    torch.testing.assert_close(ten[:, :, 0, 0], expected(range(10), 3))
    for options in ({"batch_size": 1}, {"batch_size": 7}, {"batch_size": None}):
        assert torch.equal(model().generate(10, size=8, seed=3, output="tensor", **options), ten)
    assert torch.equal(model().generate(4, size=8, seed=3, output="tensor"), ten[:4])
    ((place, seventh),) = model().generate_stream([7], size=8, seed=3, output="tensor")
    assert place == 7
    assert torch.equal(seventh, ten[7])
    assert not torch.equal(model().generate(4, size=8, seed=4, output="tensor"), ten[:4])


def test_what_comes_out() -> None:
    pil = model().generate(2, size=(8, 12))
    array = model().generate(2, size=(8, 12), output="array")
    tensor = model().generate(2, size=(8, 12), output="tensor")
    assert [image.size for image in pil] == [(12, 8), (12, 8)]
    assert (array.shape, array.dtype) == ((2, 8, 12, 3), np.uint8)
    assert (tuple(tensor.shape), tensor.dtype) == ((2, 3, 8, 12), torch.float32)
    assert (np.asarray(pil[1]) == array[1]).all()
    assert np.abs(tensor.permute(0, 2, 3, 1).numpy() * 127.5 + 127.5 - array).max() <= 0.5 + 1e-4
    assert tensor.requires_grad is False
    (tensor * nn.Parameter(torch.ones(()))).sum().backward()  # no inference tensor


def test_a_size_that_the_network_cannot_make_is_cropped() -> None:
    made = model()
    assert [made.generate(size=size)[0].size[::-1] for size in ((9, 13), (1, 2), 8)] == [(9, 13), (1, 2), (8, 8)]
    assert made.method.asked == [(1, (12, 16)), (1, (8, 8)), (1, (8, 8))]


def test_the_size_that_nobody_names() -> None:
    assert model(native=True).generate()[0].size == (12, 8)
    assert model(native=True).generate(start=np.zeros((20, 4, 3), np.uint8))[0].size == (4, 20)
    trained = model()
    trained.config["provenance"] = {"image_size": [16, 24]}
    assert trained.generate()[0].size == (24, 16)
    with pytest.raises(ConfigError, match=r"has no size of its own; give size=64, or size=\(height, width\)"):
        model().generate()


def test_a_trained_model_knows_its_size(tmp_path: Path) -> None:
    data = {"name": "synthetic-facades", "kind": "single", "domains": ["photo"], "count": 4, "size": 32}

    class Photos(Stripes):
        directions: ClassVar = {"photo": None}
        channels: ClassVar = {"photo": 3}

        def training_step(self, batch: Batch) -> Iterator[Update]:
            yield Update("shade", {"l2": (batch["photo"] - self.shade.weight).square().mean()})

    registry("methods").register("photos", Photos)
    run = i2izoo.Trainer(
        i2izoo.create("photos"), data, out=tmp_path, steps=1, batch_size=1, crop_size=24, load_size=28, device="cpu",
        tensorboard=False, progress=False,
    )  # fmt: skip
    run.fit()
    loaded = i2izoo.load(tmp_path / "model")
    assert loaded.native_size == (24, 24)
    assert [image.size for image in loaded.generate(2)] == [(24, 24)] * 2


def test_options_are_one_for_all_or_one_for_each() -> None:
    plain = model().generate(2, size=8, output="tensor")
    one = model().generate(2, size=8, latent=[0.5, 0.5], output="tensor")
    torch.testing.assert_close(one, plain + 0.5)
    each = model().generate(2, size=8, latent=torch.tensor([[0.5, 0.5], [0.1, 0.1]]), output="tensor")
    torch.testing.assert_close(each, plain + torch.tensor([0.5, 0.1]).view(2, 1, 1, 1))
    starts = [torch.full((3, 8, 8), 0.25), torch.full((3, 12, 8), -0.25)]
    small, tall = model().generate(2, start=starts)
    assert (small.size, tall.size) == ((8, 8), (8, 12))
    (moved,) = model().generate(offset=0.5, size=8, output="tensor")
    torch.testing.assert_close(moved, plain[0] + 0.5)


def test_thousands_are_made_when_their_turn_comes() -> None:
    made = model()
    stream = made.generate_stream(range(10**9), size=8, batch_size=2)
    assert [next(stream)[0] for _ in range(3)] == [0, 1, 2]
    assert sum(count for count, _ in made.method.asked) <= 4


def test_a_model_says_what_it_makes() -> None:
    made = model()
    assert (dict(made.directions), made.domains, made.target(None)) == ({"stripes": None}, ("stripes",), "stripes")
    assert "nothing -> stripes" in repr(made)


def test_a_model_of_both_kinds_takes_the_direction_that_the_call_means() -> None:
    both = i2izoo.create("both")
    assert both.domains == ("stripes", "negative")
    assert both(torch.full((3, 4, 4), 0.5)).unique().tolist() == [-0.5]
    assert both.generate(size=8)[0].size == (8, 8)
    with pytest.raises(ConfigError, match="'both' makes 'negative' of an image of 'stripes'"):
        both.generate(to="negative", size=8)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"to": "stripe"}, UnknownNameError, r"does not translate to 'stripe'; did you mean 'stripes'\? Allowed: "
                                             r"'stripes' \(from 'nothing'\)"),
        ({"ofset": 1.0}, ConfigError, r"generating with 'stripes' has no option 'ofset'; did you mean 'offset'\? "
                                      "Allowed: to, size, seed, batch_size, depth, progress, latent, start, offset"),
        ({"offset": "much"}, OptionTypeError, "'offset' of 'stripes' wants float"),
        ({"size": (8, 0)}, OptionTypeError, r"size is a side, or height and width.*found \(8, 0\)"),
        ({"size": "8"}, OptionTypeError, "size is a side"),
        ({"seed": 1.5}, OptionTypeError, "seed wants a whole number, found 1.5"),
        ({"batch_size": 0}, OptionTypeError, "batch_size wants a whole number from 1, found 0"),
        ({"count": 0}, OptionTypeError, "count wants a whole number from 1, found 0"),
        ({"output": "jpeg"}, OptionTypeError, "output is one of pil, array, tensor; found 'jpeg'"),
        ({"latent": torch.zeros(3, 2)}, ConfigError, "option 'latent' has 3 values for 1 image; give one for all"),
        ({"start": "no.png"}, ImageError, "no.png"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        model().generate(**{"size": 8, **options})
    assert "\n" not in str(caught.value)


def test_mistakes_of_a_stream_are_said_at_once() -> None:
    with pytest.raises(ConfigError, match="no option 'steps'"):
        model().generate_stream(range(3), size=8, steps=3)


def test_the_other_call_is_named() -> None:
    with pytest.raises(ConfigError, match=r"makes 'stripes' from nothing .* call model.generate\(4\)"):
        model()(torch.zeros(3, 8, 8))
    with pytest.raises(ConfigError, match=r"of an image of 'source', and nothing from nothing: call model\(image\)"):
        i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4}).generate(2)
    with pytest.raises(I2IZooError, match="Stripes translates no image"):
        Stripes()(torch.zeros(1, 3, 8, 8), to="stripes")
    pix2pix = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4}).method
    with pytest.raises(I2IZooError, match="makes nothing from nothing; it translates 'source' to 'target'"):
        pix2pix.generate_at((8, 8), to="target", seeds=[0])


def test_memory_that_does_not_suffice_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()

    def full(*_: object, **__: object) -> Tensor:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(made.method, "generate", full)
    with pytest.raises(ImageError, match="1 of 8 x 8 pixels, the first image 0, do not fit into the memory of cpu"):
        made.generate(size=8)


def test_unconditional_ddim_edits_an_image() -> None:
    from i2izoo_diffusion.ddim import DDIM

    torch.manual_seed(0)
    photos = i2izoo.create("ddim", **DDIM.tiny_options, task="generation", domains=["photo"])
    photo = torch.rand(3, 14, 9, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mask = torch.full((1, 14, 9), -1.0)
    mask[:, 4:8] = 1
    whole = photos.generate(start=photo, mask=mask, output="tensor")[0]
    assert torch.equal(whole[:, :4], photo[:, :4])
    assert not torch.equal(whole[:, 4:8], photo[:, 4:8])
    near, far = (photos.generate(start=photo, strength=s, steps=50, output="tensor")[0] for s in (0.02, 1.0))
    assert (near - photo).abs().mean() < (far - photo).abs().mean()
    for option in ({"strength": 0.5}, {"ilvr": 2}, {"mask": mask}):
        with pytest.raises(ConfigError, match=f"{next(iter(option))} is about an image .* start="):
            photos.generate(size=(14, 9), **option)
