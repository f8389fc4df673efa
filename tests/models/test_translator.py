"""Loading, creating and calling translators, with methods whose answers are closed forms."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import tiny  # registers tiny-method
import torch
from PIL import Image
from safetensors.torch import load_file

import i2izoo
from i2izoo import interfaces
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, ImageError, OptionTypeError, StorageError, UnknownNameError
from i2izoo.files import hub
from i2izoo.images.batching import BATCH_PIXELS
from i2izoo.interfaces import Latent, Method
from i2izoo.nn.random import derive_seed, randn

SIZES = [(1, 1), (1, 7), (5, 3), (33, 65)]  # height, width


class Untrainable(Method):
    """Base of the test methods: nothing to learn; keeps the shapes and training modes that it saw."""

    inference_parts = ()

    def __init__(self):
        super().__init__()
        self.seen = []

    def training_step(self, batch):
        yield from ()

    def optimizers(self):
        return {}


class Negative(Untrainable):
    """`positive` <-> `negative`, RGB; wants sides of a multiple of 8 and at least 16."""

    directions: ClassVar = {"negative": "positive", "positive": "negative"}
    channels: ClassVar = {"positive": 3, "negative": 3}

    def size_multiple(self, to):
        return 8

    def min_size(self, to):
        return 16

    def translate(self, image, *, to, seeds):
        self.seen.append((tuple(image.shape), self.training))
        return -image


class Grey(Untrainable):
    """`colour` -> `grey` takes the first channel; `grey` -> `colour` repeats it."""

    directions: ClassVar = {"grey": "colour", "colour": "grey"}
    channels: ClassVar = {"colour": 3, "grey": 1}

    def translate(self, image, *, to, seeds):
        return image[:, :1] if to == "grey" else image.expand(-1, 3, -1, -1)


class Noise(Untrainable):
    """Adds noise of the row's seed where the mask is 1."""

    samples = True
    directions: ClassVar = {"b": "a"}
    channels: ClassVar = {"a": 3, "b": 3}

    def translate(self, image, *, to, seeds, strength: float = 0.1, mask: interfaces.Image | None = None):
        self.seen.append(tuple(image.shape))
        noise = randn(image.shape[1:], seeds) * strength
        return image + (noise if mask is None else noise * (mask + 1) / 2)


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """The test methods, for the time of a test: other tests go over all that is registered."""
    methods = {"test-negative": Negative, "test-grey": Grey, "test-noise": Noise}
    for kind in ("methods", "pretrained"):
        monkeypatch.setattr(registry(kind), "_registered", dict(registry(kind)._registered))
    for name, method in methods.items():
        i2izoo.register("methods", name)(method)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def negative():
    return i2izoo.create("test-negative")


@pytest.fixture
def saved(tmp_path):
    model = i2izoo.Translator(tiny.tiny_method(seed=3), {"method": "tiny-method", "provenance": {"steps": 5}})
    return model, model.save_pretrained(tmp_path / "out", card="# a card\n")


# ---------------------------------------------------------------------------------------------- every kind of image


@pytest.mark.parametrize("size", SIZES)
def test_the_result_has_the_size_and_kind_of_the_input(negative, size, tmp_path):
    pixels = noise(*size, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pixels)):
        result = negative(source)
        assert isinstance(result, Image.Image)
        assert np.array_equal(np.array(result), 255 - pixels)
    result = negative(pixels)
    assert result.dtype == np.uint8
    assert np.array_equal(result, 255 - pixels)
    floats = (pixels / 255).astype(np.float32)
    np.testing.assert_allclose(negative(floats), 1 - floats, atol=1e-6)
    deep = pixels.astype(np.uint16) * 257
    assert np.array_equal(negative(deep), 65535 - deep)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    assert torch.equal(negative(tensor), 255 - tensor)
    signed = torch.rand(1, 3, *size, dtype=torch.float64) * 2 - 1
    result = negative(signed)
    assert result.dtype == torch.float64
    torch.testing.assert_close(result, -signed, atol=1e-6, rtol=0)
    assert all(shape[-2] % 8 == 0 and min(shape[-2:]) >= 16 for shape, _ in negative.method.seen)


def test_grey_and_colour(tmp_path):
    model = i2izoo.create("test-grey")
    pixels = noise(4, 5, 3)
    result = model(Image.fromarray(pixels), to="grey")
    assert result.mode == "L"
    assert np.array_equal(np.array(result), pixels[..., 0])
    assert model(pixels, to="grey").shape == (4, 5, 1)
    assert model(pixels[..., 0], to="grey").shape == (4, 5)
    assert model(pixels[..., 0], to="colour").shape == (4, 5, 3)
    assert model(Image.fromarray(pixels[..., 0]), to="colour").mode == "RGB"
    deep = (pixels[..., 0].astype(np.uint16) << 8) + 77
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(np.array(model(tmp_path / "deep.png", to="grey")), deep)


def test_tensor_batches_come_back_as_batches(negative):
    batch = torch.rand(3, 3, 5, 4) * 2 - 1
    torch.testing.assert_close(negative(batch), -batch)
    pixels = noise(2, 5, 4, 3)
    assert np.array_equal(negative(pixels), 255 - pixels)


def test_results_serve_in_autograd(negative):
    weight = torch.ones(1, requires_grad=True)
    (negative(torch.rand(3, 4, 4)) * weight).sum().backward()
    assert weight.grad is not None


def test_mixed_lists_of_mixed_sizes_keep_their_order(negative, tmp_path):
    Image.fromarray(noise(6, 4, 3)).save(tmp_path / "a.png")
    arrays = [noise(5, 7, 3), noise(9, 9, 3), noise(5, 7, 3, seed=1), noise(6, 4, 3)]
    sources = [Image.fromarray(arrays[0]), arrays[1], torch.from_numpy(arrays[2]).permute(2, 0, 1), tmp_path / "a.png"]
    results = negative(sources)
    assert [type(r) for r in results] == [Image.Image, np.ndarray, torch.Tensor, Image.Image]
    found = [np.array(results[0]), results[1], results[2].permute(1, 2, 0).numpy(), np.array(results[3])]
    for result, array in zip(found, arrays, strict=True):
        assert np.array_equal(result, 255 - array)
    assert sorted(shape[0] for shape, _ in negative.method.seen) == [1, 1, 2]  # the two of one size went together
    assert negative([]) == []


def test_folders_give_the_list_of_their_images(negative, tmp_path):
    for name, value in (("10.png", 10), ("2.png", 2)):
        Image.new("RGB", (3, 3), (value,) * 3).save(tmp_path / name)
    assert [r.getpixel((0, 0))[0] for r in negative(tmp_path)] == [253, 245]


def test_batch_size_bounds_the_batches(negative):
    images = [noise(16, 16, 3)] * 5
    negative(images, batch_size=2)
    assert [shape[0] for shape, _ in negative.method.seen] == [2, 2, 1]
    negative.method.seen.clear()
    side = int(BATCH_PIXELS**0.5)
    negative([np.zeros((side, side, 3), np.uint8)] * 2)  # a megapixel each
    assert [shape[0] for shape, _ in negative.method.seen] == [1, 1]


def test_a_image_alone_is_the_image_in_a_batch():
    model = i2izoo.Translator(tiny.tiny_method(), {"method": "tiny-method"})
    images = [torch.rand(3, 9, 12) * 2 - 1 for _ in range(5)]
    for alone, together in zip(images, model(images, batch_size=4), strict=True):
        torch.testing.assert_close(model(alone), together, atol=1e-6, rtol=0)


# ---------------------------------------------------------------------------------------------------- seeds, options


def test_samples_are_a_function_of_seed_place_and_number():
    model = i2izoo.create("test-noise")
    grey = torch.zeros(3, 2, 2)
    first, second = model([grey, grey], samples=3, seed=7)
    assert len(first) == len(second) == 3
    for j in range(3):
        torch.testing.assert_close(second[j], 0.1 * randn((3, 2, 2), [derive_seed(7, 1, j)])[0])
    again = model([grey, grey], samples=3, seed=7, batch_size=1)
    assert all(torch.equal(a, b) for a, b in zip(first + second, again[0] + again[1], strict=True))
    assert torch.equal(model(grey, seed=7), first[0])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(model(grey, seed=8), first[0])
    assert len(model(grey, samples=1)) == 1


def test_options_reach_the_method_and_images_among_them_are_read():
    model = i2izoo.create("test-noise")
    grey = torch.zeros(3, 2, 2)
    assert torch.equal(model(grey, strength=0.0), grey)
    mask = Image.fromarray(np.array([[255, 0], [0, 0]], np.uint8))
    result = model(grey, mask=mask)
    assert (result[:, 0, 0] != 0).all()
    assert result[:, 1].abs().max() == 0
    blank = Image.new("L", (2, 2))
    touched, untouched = model([grey, grey], mask=[mask, blank])
    assert touched.abs().max() > 0
    assert untouched.abs().max() == 0
    with pytest.raises(ConfigError, match="1 value for 2 images"):
        model([grey, grey], mask=[mask])
    with pytest.raises(ImageError, match=r"option 'mask' .*int"):
        model(grey, mask=3)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"to": "negativ"}, UnknownNameError, "did you mean 'negative'"),
        ({"to": "A2B"}, UnknownNameError, "'negative'"),
        ({"smaples": 2}, ConfigError, "Allowed: to, samples"),
        ({"samples": 2}, ConfigError, "one answer"),
        ({"samples": 0}, OptionTypeError, "whole number"),
        ({"batch_size": 0}, OptionTypeError, "batch_size"),
        ({"batch_size": 2.5}, OptionTypeError, "batch_size"),
        ({"seed": "x"}, OptionTypeError, "seed"),
    ],
)
def test_mistakes_are_named_before_any_image_is_read(negative, options, kind, message):
    with pytest.raises(kind, match=message):
        negative.stream(["missing.png"], **options)
    with pytest.raises(kind, match=message):
        negative("missing.png", **options)


@pytest.mark.parametrize("value", ["0.5", None, True, [0.5]])
def test_an_option_of_another_type_is_named_before_any_image_is_read(value):
    with pytest.raises(OptionTypeError, match=r"option 'strength' of 'test-noise' wants float, found "):
        i2izoo.create("test-noise").stream(["missing.png"], strength=value)


def test_numbers_of_numpy_are_numbers():
    model, grey = i2izoo.create("test-noise"), torch.zeros(3, 2, 2)
    for value in (np.float32(0.5), np.float64(0.5), np.array(0.5)[()]):
        assert torch.equal(model(grey, strength=value), model(grey, strength=0.5))


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_values_of_an_option_as_images_or_none_is_translated(count):
    model = i2izoo.create("test-noise")
    mask = np.zeros((2, 2), np.uint8)
    with pytest.raises(ConfigError, match=rf"option 'mask' has {count} values? for 2 images"):
        model.stream(["missing.png", "missing.png"], mask=[mask] * count)


def test_options_are_suggested():
    with pytest.raises(ConfigError, match="did you mean 'strength'"):
        i2izoo.create("test-noise")(torch.zeros(3, 2, 2), strenght=1)
    with pytest.raises(ConfigError, match="did you mean 'to'"):
        i2izoo.create("test-noise")(torch.zeros(3, 2, 2), too="b")


def test_unusable_images_are_named(negative, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(ImageError, match=r"bad\.png"):
        negative([noise(2, 2, 3), tmp_path / "bad.png"])
    with pytest.raises(ImageError, match=r"image 1 .*5 channels, 3 are wanted"):
        negative([noise(2, 2, 3), noise(2, 2, 5)])
    with pytest.raises(ImageError, match="the image"):
        negative(noise(2, 2, 5))


# ------------------------------------------------------------------------------------------------------------ stream


def test_stream_is_lazy_and_in_order(negative):
    taken = []

    def sources():
        for i in range(600):
            taken.append(i)
            yield np.full((256, 256 + i % 2, 1), i % 256, np.uint8)

    stream = negative.stream(sources())
    assert taken == []
    results = [next(stream)[1][0, 0, 0]]
    assert len(negative.method.seen) == 1  # what is done is given before the rest is translated
    results += [next(stream)[1][0, 0, 0] for _ in range(255)]
    assert results == list(range(255, -1, -1))
    assert len(taken) < 300
    assert len(negative.method.seen) == 17  # 128 images of each size at 16 and 15 a batch, not 256 batches of one


def test_stream_can_go_on_after_unreadable_images(negative, tmp_path):
    (tmp_path / "1.png").write_bytes(b"no")
    Image.new("RGB", (2, 2)).save(tmp_path / "2.png")
    (path, error), (_, result) = negative.stream(tmp_path, on_error="give")
    assert path == tmp_path / "1.png"
    assert isinstance(error, ImageError)
    assert result.getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ImageError, match=r"1\.png"):
        list(negative.stream(f"{tmp_path}/*.png"))


def test_progress_goes_to_stderr(negative, capsys):
    negative([noise(2, 2, 3)] * 2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "translating" in err


# -------------------------------------------------------------------------------------------------------------- modes


def test_translating_is_in_eval_mode_and_leaves_the_modes_as_they_were():
    model = i2izoo.create("test-negative")
    model.method.train()
    model.method.part_in_eval = torch.nn.Dropout().eval()
    model(noise(4, 4, 3))
    assert model.method.seen[-1][1] is False
    assert model.method.training
    assert not model.method.part_in_eval.training


def test_no_gradient_is_kept(saved):
    model, _ = saved
    assert not model(torch.zeros(3, 4, 4)).requires_grad


def test_half_precision_computes_in_half_and_gives_back_the_input_type(saved):
    _, folder = saved
    model = i2izoo.load(folder, dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    image = torch.rand(3, 8, 8) * 2 - 1
    result = model(image)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, i2izoo.load(folder)(image), atol=3e-2, rtol=0)


def test_devices(saved):
    model, folder = saved
    assert model.to("cpu") is model
    assert model.device == torch.device("cpu")
    assert i2izoo.load(folder, device="auto").device.type in ("cpu", "cuda", "mps", "xpu")
    with pytest.raises(ConfigError, match="cudaa"):
        model.to("cudaa")


def test_repr_says_what_it_is(saved):
    model, _ = saved
    assert repr(model) == "Translator('tiny-method', label -> photo, 84 parameters, cpu)"  # 3 * 3 * 9 + 3


def test_a_result_that_is_not_finite_names_its_image(saved):
    model, _ = saved
    with torch.no_grad():
        model.method.generator.convolution.weight.fill_(torch.nan)
    with pytest.raises(ImageError, match=r"image 0.*NaN"):
        model(noise(2, 2, 3))


# ----------------------------------------------------------------------------------------------------- save and load


def test_save_and_load_give_the_same_translator(saved):
    model, folder = saved
    again = i2izoo.load(folder)
    image = noise(7, 5, 3)
    assert np.array_equal(model(image), again(image))
    assert again.config["provenance"] == {"steps": 5}
    assert again.name == "tiny-method"
    assert again.domains == ("label", "photo")
    assert (folder / "README.md").read_text() == "# a card\n"
    assert np.array_equal(i2izoo.Translator.from_pretrained(str(folder))(image), model(image))
    twice = again.save_pretrained(folder.parent / "again")
    assert json.loads((twice / "config.json").read_text()) == json.loads((folder / "config.json").read_text())
    assert "tiny-method" in (twice / "README.md").read_text()


def test_weights_are_stored_in_half_precision_on_request(saved, tmp_path):
    model, _ = saved
    folder = model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    stored = load_file(folder / "model.safetensors")
    assert stored["generator.convolution.weight"].dtype == torch.float16
    assert stored["generator.steps"].dtype == torch.int64
    assert i2izoo.load(folder).dtype == torch.float32


def test_an_existing_folder_goes_first(saved, tmp_path, monkeypatch):
    _, folder = saved
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot", lambda *a, **k: pytest.fail("asked the Hub"))
    (tmp_path / "me").mkdir()
    folder.rename(tmp_path / "me" / "model")
    for name in ("me/model", "./me/model", Path("me/model"), str(tmp_path / "me" / "model")):
        assert i2izoo.load(name).name == "tiny-method"
    with pytest.raises(ConfigError, match="revision"):
        i2izoo.load("me/model", revision="main")


@pytest.mark.parametrize(
    ("name", "revision", "asked"),
    [
        ("me/model", None, ("me/model", None)),
        ("me/model", "v1", ("me/model", "v1")),
        ("me/model@v2", None, ("me/model", "v2")),
        ("hf-hub:me/model@refs/pr/1", None, ("me/model", "refs/pr/1")),
        ("hf-hub:me/model", "v1", ("me/model", "v1")),
    ],
)
def test_names_of_repositories_reach_the_hub(saved, monkeypatch, name, revision, asked):
    _, folder = saved
    calls = []

    def snapshot(repo_id, *, revision=None, token=None, cache_dir=None, local_files_only=False):
        calls.append((repo_id, revision, token, cache_dir, local_files_only))
        return folder

    monkeypatch.setattr(hub, "snapshot", snapshot)
    i2izoo.load(name, revision=revision, token="t", cache_dir="c", local_files_only=True)
    assert calls == [(*asked, "t", "c", True)]


def test_pretrained_entries(saved, monkeypatch):
    _, folder = saved
    entries = registry("pretrained")
    commit = "0123456789" * 4
    monkeypatch.setattr(hub, "snapshot", lambda repo, **k: folder if (repo, k["revision"]) == ("a/b", commit) else None)
    monkeypatch.setattr(PretrainedEntry, "folder", lambda self: folder)
    entries.register("test-remote", PretrainedEntry("MIT", repo="a/b", revision=commit))
    entries.register("test-bundled", PretrainedEntry("MIT", bundled="i2izoo/zoo/none"))
    assert i2izoo.load("test-remote").name == "tiny-method"
    assert i2izoo.load("test-bundled").name == "tiny-method"
    with pytest.raises(UnknownNameError, match="did you mean 'test-bundled'"):
        i2izoo.load("test-bundledd")
    with pytest.raises(UnknownNameError, match=r"i2izoo\.load"):
        i2izoo.create("test-bundled")


def test_names_that_mean_nothing(tmp_path, saved):
    with pytest.raises(UnknownNameError, match=r"i2izoo\.create"):
        i2izoo.load("tiny-method")
    with pytest.raises(UnknownNameError, match="no pretrained entry, folder"):
        i2izoo.load("./nowhere")
    with pytest.raises(UnknownNameError, match="give its folder"):
        i2izoo.load(saved[1] / "model.safetensors")
    (tmp_path / "4x.pth").write_bytes(b"")
    with pytest.raises(UnknownNameError, match=r"i2izoo import METHOD 4x\.pth"):
        i2izoo.load(tmp_path / "4x.pth")
    with pytest.raises(UnknownNameError, match="no pretrained entry, folder"):
        i2izoo.load(tmp_path / "nowhere" / "deep" / "er")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match=r"config\.json"):
        i2izoo.load(tmp_path / "empty")
    with pytest.raises(ConfigError, match="one of them"):
        i2izoo.load("me/model@v1", revision="v2")


def test_create_checks_the_method_and_its_options():
    with pytest.raises(UnknownNameError, match="did you mean 'test-negative'"):
        i2izoo.create("test-negativ")
    with pytest.raises(ConfigError, match="learning_rate"):
        i2izoo.create("tiny-method", learning_rat=1.0)
    model = i2izoo.create("tiny-method", learning_rate=0.5)
    assert model.config["options"]["learning_rate"] == 0.5
    assert not model.method.training


def test_push_hands_a_complete_folder_to_the_hub(saved, monkeypatch):
    model, _ = saved
    pushed = SimpleNamespace()

    def push_folder(folder, repo_id, **options):
        pushed.files = sorted(p.name for p in Path(folder).iterdir())
        pushed.config = json.loads((Path(folder) / "config.json").read_text())
        pushed.card = (Path(folder) / "README.md").read_text()
        pushed.repo, pushed.options = repo_id, options
        return "address"

    monkeypatch.setattr(hub, "push_folder", push_folder)
    assert model.push_to_hub("me/my-facades", private=True, token="t", commit_message="m") == "address"
    assert pushed.repo == "me/my-facades"
    assert pushed.files == ["README.md", "config.json", "model.safetensors"]
    assert pushed.config["method"] == "tiny-method"
    assert "my-facades" in pushed.card
    assert pushed.options == {
        "method": "tiny-method",
        "private": True, "token": "t", "revision": None, "create_pr": False, "commit_message": "m"
    }  # fmt: skip


def test_latents_are_numbers_and_reach_the_method_row_by_row() -> None:
    class Shifted(Negative):
        def translate(self, image, *, to, seeds, latent: "Latent | None" = None):
            return image * 0 if latent is None else image * 0 + latent.sum(dim=1)[:, None, None, None]

    model = i2izoo.Translator(Shifted(), {"method": "shifted"})
    images = torch.zeros(3, 3, 8, 8)
    assert model(images[:1], latent=[0.25, 0.5])[0, 0, 0, 0] == 0.75
    each = model(images, latent=torch.tensor([[0.0, 0.1], [0.2, 0.0], [0.0, 0.3]]), batch_size=2)
    assert torch.allclose(each[:, 0, 0, 0], torch.tensor([0.1, 0.2, 0.3]))
    with pytest.raises(OptionTypeError, match="finite numbers"):
        model(images, latent=[float("nan")])
    with pytest.raises(OptionTypeError, match="numbers"):
        model(images, latent="label.png")
    with pytest.raises(ConfigError, match="has 2 values for 3 images"):
        model(images, latent=torch.zeros(2, 2))
