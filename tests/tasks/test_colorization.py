"""Colourisation by any paired method: grey made of colour images, L* kept, a*b* learnt."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from golden import Golden
from i2izoo_metrics.colour import DeltaE2000
from i2izoo_tasks.colorization import Colorization, ColorizationDataset
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo import interfaces
from i2izoo.cli.main import main
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import register
from i2izoo.errors import ConfigError, DataError, EvaluationError
from i2izoo.interfaces import Batch, Generator, Latent, Method, Part, Update
from i2izoo.nn import colour
from i2izoo.nn.colour import lab_to_srgb, srgb_to_lab
from i2izoo.nn.random import randn
from i2izoo.training.step import Stepper

UNET = {"name": "unet_256", "width": 4, "depth": 3}
TINY = {"name": "pix2pix", "generator": UNET, "discriminator": {"name": "patchgan", "width": 4, "layers": 1}}
DRAWN = {"name": "synthetic-facades", "count": 4, "size": 32}
EIGHT_BITS = 0.26
"""Greatest error of L* that rounding to 8 bits can make; tests/test_colour.py derives it."""


def lightness(image):
    """L* of N x 3 x H x W in [-1, 1]."""
    return srgb_to_lab((image.double() + 1) / 2)[:, 0]


def bold(method):
    """Let the network's output be large: far more colour than sRGB has."""
    with torch.no_grad():
        for parameter in method.base.generator.parameters():
            parameter.mul_(8)
    return method


def model(**options):
    torch.manual_seed(0)
    return i2izoo.create("colorization", **{"base": TINY, **options})


@pytest.fixture
def colours(tmp_path):
    """A folder of colour images, 40 x 32."""
    folder = tmp_path / "colours"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(3):
        small = Image.fromarray(noise.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        small.resize((40, 32), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


# ----------------------------------------------------------------------------------------------------- the data


def test_grey_has_the_lightness_of_the_colours(colours):
    data = ColorizationDataset(root=str(colours))
    assert data.domains == ("grey", "colour")
    assert len(data) == data.count("colour") == 3
    for index in range(3):
        sample = data.sample(index, None)
        assert sample["grey"].shape == (1, 32, 40)
        grey = sample["grey"].expand(3, -1, -1)[None]
        assert (lightness(grey) - lightness(sample["colour"][None])).abs().max() < 1e-3
        file = np.asarray(Image.open(colours / f"{data.name(index)}.png"))
        assert np.array_equal(((sample["colour"] + 1) * 127.5).round().numpy().transpose(1, 2, 0), file)


def test_degradation_is_of_grey_in_training_only(colours):
    options = {"root": {"root": str(colours), "crop_size": 16, "load_size": 20}}
    clean, old = ColorizationDataset(**options), ColorizationDataset(**options, degrade="strong")
    for seed in range(3):
        assert torch.equal(clean.sample(0, seed)["colour"], old.sample(0, seed)["colour"])
        assert not torch.equal(clean.sample(0, seed)["grey"], old.sample(0, seed)["grey"])
        assert torch.equal(old.sample(0, seed)["grey"], old.sample(0, seed)["grey"])
    assert torch.equal(clean.sample(0, None)["grey"], old.sample(0, None)["grey"])


def test_one_half_of_side_by_side_images(tmp_path):
    Image.fromarray(np.hstack([np.full((8, 8, 3), v, np.uint8) for v in (200, 50)])).save(tmp_path / "a.png")
    for sides, domains, level in (("colour,label", None, 200), ("label,photo", ["grey", "photo"], 50)):
        options = {} if domains is None else {"domains": domains}
        data = ColorizationDataset(root={"root": str(tmp_path), "sides": sides.split(",")}, **options)
        assert {d: i.shape[-2:] for d, i in data.sample(0, 1).items()} == dict.fromkeys(data.domains, (8, 8))
        assert ((data.sample(0, None)[data.domains[1]] + 1) * 127.5).round().unique().item() == level
    with pytest.raises(DataError, match=r"halves .* photo, label, none is 'colour'"):
        ColorizationDataset(root={"root": str(tmp_path), "sides": ["photo", "label"]})


def test_a_named_folder_and_splits_and_other_datasets(colours, tmp_path):
    (tmp_path / "data" / "val").mkdir(parents=True)
    colours.rename(tmp_path / "data" / "val" / "colour")
    found = ColorizationDataset(root={"root": str(tmp_path / "data"), "split": "val"})
    assert (len(found), found.images.domains) == (3, ("colour",))
    drawn = ColorizationDataset(root={**DRAWN, "limit": 2}, domains=["grey", "photo"], channels={"grey": 3, "photo": 3})
    assert len(drawn) == 2
    grey = drawn.sample(1, None)["grey"]
    assert grey.shape == (3, 32, 32)
    assert torch.equal(grey[0], grey[1])
    with pytest.raises(DataError, match=r"no domain 'colour'.*label, photo.*--to"):
        ColorizationDataset(root="synthetic-facades")
    with pytest.raises(DataError, match=r"colour images 3; found channels=\{'photo': 1\}"):
        ColorizationDataset(root=DRAWN, domains=["grey", "photo"], channels={"photo": 1})


def test_grey_images_of_its_own_are_taken(tmp_path):
    (tmp_path / "val" / "grey").mkdir(parents=True)
    (tmp_path / "val" / "colour").mkdir()
    Image.new("L", (8, 6), 77).save(tmp_path / "val" / "grey" / "a.png")
    Image.new("RGB", (8, 6), (255, 0, 0)).save(tmp_path / "val" / "colour" / "a.jpg")
    Image.new("RGB", (16, 6), (77, 77, 77)).save(tmp_path / "b.png")
    lines = "grey,colour\nval/grey/a.png,val/colour/a.jpg\n"
    (tmp_path / "pairs.csv").write_text(lines)
    for options in (
        {"root": str(tmp_path), "split": "val"},
        {"root": str(tmp_path / "val")},
        {"root": str(tmp_path / "pairs.csv")},
        {"root": str(tmp_path), "sides": ["colour", "grey"]},
    ):
        sample = ColorizationDataset(root=options).sample(0, None)
        assert sample["grey"].shape == (1, 6, 8)
        assert (((sample["grey"] + 1) * 127.5) - 77).abs().max() < 1e-3


# ------------------------------------------------------------------------------------------- lightness is kept


def test_the_lightness_is_the_inputs_bit_for_bit_before_the_gamut(monkeypatch):
    seen = []
    monkeypatch.setattr(colour, "into_gamut", lambda lab: seen.append(lab) or lab)
    method = bold(model().method.eval())
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        method(image, to="colour")
    (lab,) = seen
    assert torch.equal(lab[:, 0], srgb_to_lab((image + 1) / 2)[:, 0])
    assert lab[:, 1:].abs().max() > 60


@pytest.mark.parametrize("kind", ["grey", "grey in three channels", "colour", "16 bits"])
def test_the_lightness_is_the_inputs_after_8_bits(kind):
    noise = np.random.default_rng(1)
    high = {"16 bits": 65535}.get(kind, 255)
    shape = {"colour": (24, 16, 3)}.get(kind, (24, 16))
    array = noise.integers(0, high + 1, shape).astype(np.uint16 if high > 255 else np.uint8)
    array = np.stack([array] * 3, -1) if "three" in kind else array
    coloured = model()
    bold(coloured.method)
    found = coloured(array)
    assert found.shape == (24, 16, 3)
    assert found.dtype == array.dtype
    levels = torch.from_numpy(np.broadcast_to(array[..., None] if array.ndim == 2 else array, found.shape) / high)
    wanted = srgb_to_lab(levels.permute(2, 0, 1)[None])[:, 0]
    got = srgb_to_lab(torch.from_numpy(found / high).permute(2, 0, 1)[None])
    assert (got[:, 0] - wanted).abs().max() < (0.005 if high > 255 else EIGHT_BITS)
    assert got[:, 1:].abs().mean() > 5  # and it is coloured


def test_grey_files_become_colour_files(tmp_path):
    coloured = model()
    for mode in ("L", "RGB", "I;16"):
        array = np.arange(12 * 10).reshape(12, 10)
        image = Image.fromarray(array.astype(np.uint16 if mode == "I;16" else np.uint8)).convert(mode)
        image.save(tmp_path / "a.png")
        found = coloured(tmp_path / "a.png")
        if mode == "I;16":  # Pillow has no colour images of 16 bits
            assert (found.dtype, found.shape) == (np.uint16, (12, 10, 3))
        else:
            assert (found.mode, found.size) == ("RGB", (10, 12))


def test_grey_in_one_channel_and_in_three_are_the_same():
    coloured = model()
    array = np.random.default_rng(2).integers(0, 256, (16, 16), dtype=np.uint8)
    assert np.array_equal(coloured(array), coloured(np.stack([array] * 3, -1)))
    grey = torch.rand(1, 1, 16, 16) * 2 - 1
    method = coloured.method.eval()
    with torch.no_grad():
        assert torch.equal(method(grey, to="colour"), method(grey.expand(-1, 3, -1, -1), to="colour"))


def test_clipping_is_an_option_and_changes_the_lightness():
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    outputs = {}
    for gamut in ("chroma", "clip"):
        with torch.no_grad():
            outputs[gamut] = bold(model(gamut=gamut).method.eval())(image, to="colour")
    errors = {gamut: (lightness(found) - lightness(image)).abs().max() for gamut, found in outputs.items()}
    assert errors["chroma"] < 0.01
    assert errors["clip"] > 5


# --------------------------------------------------------------------------------------- what the method sees


def spied(method, monkeypatch):
    batches = []

    def training_step(batch) -> Iterator[Update]:
        batches.append(batch)
        yield from ()

    monkeypatch.setattr(method.base, "training_step", training_step)
    return batches


def test_the_base_method_sees_l_and_ab(monkeypatch):
    red, green = torch.tensor([1.0, -1, -1]), torch.tensor([-1.0, 1, -1])
    colour = torch.stack([red, green])[:, :, None, None].expand(-1, -1, 8, 8)
    method = model().method
    batches = spied(method, monkeypatch)
    list(method.training_step(Batch({"grey": colour, "colour": colour}, 7, 0.5)))
    (batch,) = batches
    assert (batch.step, batch.progress) == (7, 0.5)
    assert batch["grey"][:, 0, 0, 0].tolist() == pytest.approx([53.2408 / 50 - 1, 87.7347 / 50 - 1], abs=1e-4)
    assert batch["colour"][:, :, 0, 0].flatten().tolist() == pytest.approx(
        [80.0925 / 110, 67.2032 / 110, -86.1827 / 110, 83.1793 / 110], abs=1e-4
    )
    assert (method.base.config["in_channels"], method.base.config["out_channels"]) == (1, 2)
    assert method.base.discriminator.config["in_channels"] == 3


def test_true_ab_give_the_true_image(monkeypatch):
    method = model().method
    pixels = torch.randint(256, (2, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    image = pixels / 127.5 - 1
    truth = method.encode(image, "colour")
    monkeypatch.setattr(method.base, "translate", lambda grey, *, to, seeds: truth)
    assert torch.equal(((method(image, to="colour") + 1) * 127.5).round(), pixels.float())


def test_grey_to_rgb_for_comparison(monkeypatch):
    method = model(colour="rgb").method
    batches = spied(method, monkeypatch)
    colour = torch.rand(1, 3, 8, 8) * 2 - 1
    list(method.training_step(Batch({"grey": colour, "colour": colour})))
    assert torch.equal(batches[0]["colour"], colour)
    assert batches[0]["grey"].shape == (1, 1, 8, 8)
    output = torch.rand(1, 3, 8, 8)
    monkeypatch.setattr(method.base, "translate", lambda image, *, to, seeds: output)
    assert torch.equal(method(colour, to="colour"), output)


@register("methods", "tiny-sampling")
class Sampling(Method):
    """A paired method with latents and styles, as BicycleGAN has them."""

    samples, latent_size = True, 2

    def __init__(
        self, *, domains: list[str], in_channels: int = 3, out_channels: int = 3, generator: Part[Generator] = UNET
    ):
        super().__init__()
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels)

    @property
    def directions(self) -> dict[str, str]:
        return {self.config["domains"][1]: self.config["domains"][0]}

    @property
    def channels(self) -> dict[str, int]:
        return dict(zip(self.config["domains"], (self.config["in_channels"], self.config["out_channels"]), strict=True))

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        latent: Latent | None = None,
        style: interfaces.Image | None = None,
    ) -> Tensor:
        if style is not None:
            latent = style.mean((2, 3))
        if latent is None:
            latent = randn((2,), seeds).tanh()
        return latent[:, :, None, None].expand(-1, -1, *image.shape[-2:]).contiguous()

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("g", {"l1": (self.generator(batch["grey"]) - batch["colour"]).abs().mean()})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"g": torch.optim.SGD(self.generator.parameters(), 0.1)}

    def lr_scale(self, step: int) -> float:
        return 0.25


def test_samples_latents_and_styles_of_the_base_method_pass_through():
    coloured = model(base="tiny-sampling")
    assert coloured.method.lr_scale(0) == 0.25
    assert coloured.method.latent_size == 2
    grey = np.full((16, 16), 128, np.uint8)
    first, second = coloured(grey, samples=2)
    assert not np.array_equal(first, second)
    towards = srgb_to_lab(torch.from_numpy(coloured(grey, latent=[0.3, -0.2])[0, :1].T / 255)[None])[0, 1:, 0]
    assert towards.tolist() == pytest.approx([33.0, -22.0], abs=1.0)
    style = np.zeros((16, 16, 3), np.uint8) + np.uint8([180, 120, 90])  # the colour, not the lightness, of this
    wanted = srgb_to_lab(torch.tensor([[180, 120, 90]]) / 255)[0, 1:]
    found = srgb_to_lab(torch.from_numpy(coloured(grey, style=style)[0, :1].T / 255)[None])[0, 1:, 0]
    assert (found - wanted).abs().max() < 1.0
    with pytest.raises(ConfigError, match="no option 'mode'"):
        coloured(grey, mode="paper")
    assert model()(grey, mode="paper").shape == (16, 16, 3)


def test_a_mask_in_colour_is_a_mask_not_a_colour():
    """An image of a mask may be saved as RGB; white is not a colour to be found in a*b*."""
    tiny = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
    coloured = model(base={"name": "ddim", "generator": tiny, "sampling_steps": 2})
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[:8] = 255
    found = coloured(colours, start=colours, mask=mask)
    assert np.array_equal(coloured(colours, start=colours, mask=np.dstack([mask] * 3)), found)
    assert np.abs(found[8:].astype(int) - colours[8:]).max() <= 1  # known: L*a*b* and back
    assert not np.array_equal(found[:8], colours[:8])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base": "cyclegan"}, "'cyclegan' is none.*unpaired"),
        ({"base": "segmenter"}, "'segmenter' is none"),
        ({"base": "colorization"}, "'colorization' is none"),
        ({"base": {**TINY, "in_channels": 1}}, "in_channels of 'pix2pix' follow"),
        ({"domains": ["x", "x"]}, "different names"),
        ({"colour": "hsv"}, "'lab', 'rgb'"),
        ({"degrade": "old"}, "'none', 'light', 'strong'"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(ConfigError, match=words):
        model(**options)


# -------------------------------------------------------------------------------------------- it learns, and keeps


class Tones(Dataset):
    """Smooth images whose colour is a function of the brightness: shadows are blue, lights are orange.

    The grey given is the colour image itself, of which only the lightness may count.
    """

    domains, kind = ("grey", "colour"), "paired"

    def __init__(self, *, split: str = "train", seed: int = 0):
        self.first = 2000 * seed + (0 if split == "train" else 1000)

    def __len__(self):
        return 64

    def name(self, index):
        return str(index)

    def sample(self, index, seed):
        noise = np.random.default_rng([self.first + index])
        tones = Image.fromarray(noise.random((4, 4), dtype=np.float32)).resize((32, 32), Image.Resampling.BICUBIC)
        tone = torch.from_numpy(np.array(tones)).clamp(0.05, 0.95)
        blue, orange = torch.tensor([0.25, 0.38, 0.75]), torch.tensor([0.88, 0.63, 0.25])
        mixed = torch.where(tone < 0.5, blue[:, None, None], orange[:, None, None])
        colour = (mixed * (0.3 + 0.7 * tone)).clamp(0, 1) * 2 - 1
        return {"grey": colour, "colour": colour}


def test_it_learns_colour_as_a_function_of_brightness(learned, learning_seed):
    torch.manual_seed(learning_seed)
    base = {
        "name": "pix2pix",
        "generator": {"name": "unet_256", "width": 8, "depth": 3, "dropout": 0.0},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 1},
        "learning_rate": 2e-3,
    }
    coloured = i2izoo.create("colorization", base=base)
    i2izoo.Trainer(
        coloured, Tones(seed=learning_seed), steps=120, batch_size=8, progress=False, device="cpu", sample_every=0,
        seed=learning_seed,
    ).fit()  # fmt: skip
    data = Tones(split="val", seed=learning_seed)
    truths = [data.sample(index, None)["colour"] for index in range(8)]
    found = coloured(truths)
    metric, plain = DeltaE2000(), DeltaE2000()
    metric.update(prediction=torch.stack(found), target=torch.stack(truths))
    grey = srgb_to_lab((torch.stack(truths) + 1) / 2) * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    plain.update(prediction=lab_to_srgb(grey) * 2 - 1, target=torch.stack(truths))
    assert plain.compute().value > 15  # without colour
    remains = metric.compute().value / plain.compute().value
    learned("colour difference, of that of grey", remains, below=0.4, untrained=1.0)


def test_only_what_translates_is_saved(tmp_path):
    coloured = model(degrade={"name": "light", "noise": 0.1}, domains=["grey", "photo"])
    coloured.save_pretrained(tmp_path)
    loaded = i2izoo.load(tmp_path)
    assert loaded.method.config == coloured.method.config
    assert loaded.method.config["degrade"] == {"name": "light", "noise": 0.1}
    names = loaded.method.inference_state().keys()
    assert names
    assert all(name.startswith("base.generator.") for name in names)
    assert loaded.num_parameters == sum(p.numel() for p in coloured.method.base.generator.parameters())


def test_checkpoints_of_the_authors_code():
    golden = Golden("generator_unet_256_batch")
    state = dict(golden.state)
    first, last = "model.model.0.weight", "model.model.3.weight"
    state[first] = state[first][:, :1]
    state[last], state["model.model.3.bias"] = state[last][:, :2], state["model.model.3.bias"][:2]
    method = Colorization.import_checkpoints({"latest_net_G.pth": state}, gamut="clip")
    assert (method.space, method.gamut) == ("lab", "clip")
    assert torch.equal(method.base.generator.state_dict()["down.0.1.weight"], state[first])
    with pytest.raises(ConfigError, match="makes 3 of 3"):
        Colorization.import_checkpoints({"latest_net_G.pth": golden.state})


# ------------------------------------------------------------------------------------------- the command line

WORDS = [
    "generator.name=unet_256", "generator.width=2", "generator.depth=3", "discriminator.width=2",
    "discriminator.layers=1", "steps=2", "load_size=18", "crop_size=16", "tensorboard=false", "sample_every=1",
    "device=cpu",
]  # fmt: skip


def test_train_translate_evaluate_resume(colours, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "out"
    argv = ["train", "pix2pix", "--task", "colorization", "--data", str(colours), "--out", str(run), *WORDS]
    argv += ["degrade=strong", "degrade.noise=0.3", "--metrics", "delta_e2000", "--val", str(colours)]
    assert main(argv) == 0
    assert "grey -> colour" in capsys.readouterr().out
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["method"] == "colorization"
    assert config["options"]["base"]["generator"]["width"] == 2
    assert config["options"]["degrade"] == {"name": "strong", "noise": 0.3}
    assert config["provenance"]["metrics"]["delta_e2000"]["n"] == 3
    assert len(list((run / "samples").iterdir())) == 2

    grey = tmp_path / "grey.png"
    Image.open(colours / "0.png").convert("L").save(grey)
    assert main(["translate", str(run / "model"), str(grey), "-o", str(out)]) == 0
    assert Image.open(out / "grey.png").mode == "RGB"

    results = tmp_path / "results"
    argv_ = ["evaluate", str(run / "model"), "--data", str(colours), "--metrics", "psnr,delta_e2000"]
    assert main([*argv_, "--out", str(results)]) == 0
    scores = json.loads((results / "scores.json").read_text())["scores"]
    assert {name: score["n"] for name, score in scores.items()} == {"psnr": 3, "delta_e2000": 3}

    more = ["steps=3" if word == "steps=2" else word for word in argv]
    assert main([*more, "--resume", "auto"]) == 0
    other = ["degrade=light" if word == "degrade=strong" else word for word in more]
    capsys.readouterr()
    assert main([*other, "--resume", "auto"]) == 2
    assert "degrade" in capsys.readouterr().err


def test_train_on_one_half_of_side_by_side_images(tmp_path, capsys):
    for split in ("train", "val"):
        (tmp_path / "data" / split).mkdir(parents=True)
        for index in range(2):
            pixels = np.random.default_rng(index).integers(0, 256, (16, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / split / f"{index}.png")
    argv = ["train", "pix2pix", "--task", "colorization", "--data", str(tmp_path / "data"), *WORDS]
    argv += ["--sides", "photo,label", "--metrics", "psnr"]
    assert main([*argv, "--to", "photo", "--out", str(tmp_path / "run")]) == 0  # held out: the half of `val`
    assert "grey -> photo" in capsys.readouterr().out
    evaluate = ["evaluate", str(tmp_path / "run" / "model"), "--data", str(tmp_path / "data"), "--metrics", "psnr"]
    assert main([*evaluate, "--sides", "photo,label", "--out", str(tmp_path / "results")]) == 0
    protocol = json.loads((tmp_path / "results" / "protocol.json").read_text())
    assert (protocol["split"], protocol["sides"], protocol["n"]) == ("val", ["photo", "label"], 2)
    capsys.readouterr()
    assert main([*argv, "--out", str(tmp_path / "other")]) == 2
    assert "photo, label" in capsys.readouterr().err


def test_what_is_no_task(colours, tmp_path, capsys):
    argv = ["train", "pix2pix", "--data", str(colours), "--out", str(tmp_path / "run")]
    assert main([*argv, "--task", "cyclegan"]) == 2
    assert "'cyclegan' is no task" in capsys.readouterr().err
    assert main([*argv, "--task", "colorisation"]) == 2
    assert "did you mean 'colorization'" in capsys.readouterr().err


def test_evaluation_never_takes_the_training_images_of_a_dataset():
    result = i2izoo.evaluate(model(domains=["grey", "photo"]), DRAWN, metrics=["psnr"])
    assert result.protocol.split == "val"
    assert result["psnr"].n == 4


def test_a_protocol_knows_the_images_by_their_files(colours):
    coloured = model()
    first = i2izoo.evaluate(coloured, colours, metrics=["psnr"]).protocol
    assert i2izoo.evaluate(coloured, colours, protocol=first)["psnr"].n == 3
    path = colours / "1.png"
    image = Image.open(path).copy()
    image.putpixel((0, 0), (1, 2, 3))
    image.save(path)
    with pytest.raises(EvaluationError, match="not that of the protocol"):
        i2izoo.evaluate(coloured, colours, protocol=first)


def test_a_step_of_training_moves_the_base_method():
    method = model().method
    before = [p.detach().clone() for p in method.base.generator.parameters()]
    stepper = Stepper(method.train(), contextlib.nullcontext, torch.amp.GradScaler("cpu", enabled=False))
    images = {"grey": torch.rand(2, 1, 16, 16) * 2 - 1, "colour": torch.rand(2, 3, 16, 16) * 2 - 1}
    losses = stepper.run([Batch(images)])
    assert losses.keys() == {"d_gan", "gan", "reconstruction"}
    assert any(not torch.equal(p, old) for p, old in zip(method.base.generator.parameters(), before, strict=True))
