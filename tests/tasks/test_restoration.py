"""Palette's tasks by any paired method: known pixels kept, masks and alpha, larger outputs, one model for all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from i2izoo_diffusion.palette import Palette
from i2izoo_tasks.filling import hide
from i2izoo_tasks.inpainting import Inpainting
from i2izoo_tasks.restoration import Restoration
from PIL import Image
from torch import Tensor

import i2izoo
from i2izoo import interfaces
from i2izoo.cli.main import main
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.registry import register
from i2izoo.errors import ConfigError, ImageError
from i2izoo.images.reading import to_tensor
from i2izoo.interfaces import Batch, Latent, Method, Update
from i2izoo.nn.colour import signed_to_lab

TINY = Inpainting.tiny_options["base"]
PALETTE = {"name": "palette", **Palette.tiny_options}
FILLING = ["inpainting", "uncropping", "restoration"]


def model(task="inpainting", **options):
    torch.manual_seed(0)
    return i2izoo.create(task, **{"base": TINY, **options})


def image(height=21, width=34, seed=0, dtype=np.uint8):
    """An image of noise, and a mask of some of its pixels."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, np.iinfo(dtype).max + 1, (height, width, 3), dtype=dtype)
    return pixels, draw.random((height, width)) < 0.4


def with_alpha(pixels, mask):
    top = np.iinfo(pixels.dtype).max
    return np.dstack([pixels, np.where(mask, 0, top).astype(pixels.dtype)])


@register("methods", "tiny-knowing")
class Knowing(Method):
    """A paired method that knows masks, as Palette does, and makes everything white."""

    inference_parts = ("layer",)
    samples, latent_size = True, 3

    def __init__(self, *, domains: list[str], in_channels: int = 3, out_channels: int = 3):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(1, 1), []

    @property
    def directions(self) -> dict[str, str]:
        return {self.config["domains"][1]: self.config["domains"][0]}

    @property
    def channels(self) -> dict[str, int]:
        return dict(zip(self.config["domains"], (self.config["in_channels"], self.config["out_channels"]), strict=True))

    def translate(
        self, image: Tensor, *, to: str, seeds: list[int], mask: interfaces.Image | None = None, steps: int = 5,
        latent: Latent | None = None,
    ) -> Tensor:  # fmt: skip
        self.seen.append({"image": image, "mask": mask, "steps": steps, "latent": latent})
        return torch.ones_like(image)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        self.seen.append(batch)
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"g": torch.optim.SGD(self.layer.parameters(), 0.1)}

    def lr_scale(self, step: int) -> float:
        return 0.5


# --------------------------------------------------------------------------------------------- known pixels are kept


@pytest.mark.parametrize("task", FILLING)
@pytest.mark.parametrize("size", [(21, 34), (1, 7), (16, 16), (33, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_known_pixels_come_out_bit_for_bit(task, size, dtype):
    pixels, mask = image(*size, dtype=dtype)
    filled = model(task)
    for found in (filled(with_alpha(pixels, mask)), filled(pixels, mask=mask)):
        assert found.shape == pixels.shape
        assert found.dtype == dtype
        assert np.array_equal(found[~mask], pixels[~mask])
    assert not np.array_equal(found[mask], pixels[mask])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_they_do_in_half_precision_and_8_bits_too(dtype):
    pixels, mask = image()
    filled = i2izoo.create("inpainting", base="tiny-knowing")
    filled.to(dtype=dtype)
    found = filled(with_alpha(pixels, mask))
    assert np.array_equal(found[~mask], pixels[~mask])
    assert (found[mask] == 255).all()


def test_files_keep_their_known_pixels_and_lose_their_alpha(tmp_path):
    pixels, mask = image()
    Image.fromarray(with_alpha(pixels, mask)).save(tmp_path / "rgba.png")
    Image.fromarray(pixels).save(tmp_path / "rgb.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")  # of one bit
    Image.fromarray(np.dstack([mask * np.uint8(255)] * 3)).save(tmp_path / "mask_rgb.png")
    filled = model()
    results = [filled(tmp_path / "rgba.png")]
    results += [filled(tmp_path / "rgb.png", mask=tmp_path / name) for name in ("mask.png", "mask_rgb.png")]
    results += [filled(Image.open(tmp_path / "rgb.png"), mask=Image.fromarray(mask))]
    for found in results:
        assert (found.mode, found.size) == ("RGB", (34, 21))
        assert np.array_equal(np.asarray(found), np.asarray(results[0]))
    assert np.array_equal(np.asarray(results[0])[~mask], pixels[~mask])


def test_reading_four_channels():
    grey, colour = np.full((2, 3), 128, np.uint8), image(2, 3)[0]
    assert torch.equal(to_tensor(colour, 4), torch.cat([to_tensor(colour), torch.ones(1, 2, 3)]))
    assert torch.equal(to_tensor(grey, 4), torch.cat([to_tensor(grey, 3), torch.ones(1, 2, 3)]))
    with_grey = Image.fromarray(np.dstack([grey, colour[..., 0]]), "LA")
    assert torch.equal(to_tensor(with_grey, 4)[3], to_tensor(colour[..., 0])[0])
    with pytest.raises(ImageError, match="has 5 channels, 4 are wanted"):
        to_tensor(np.zeros((2, 3, 5), np.uint8), 4)


# --------------------------------------------------------------------------------------------------- what is unknown


def test_alpha_and_mask_agree_and_add_up():
    pixels, mask = image()
    filled = model()
    by_alpha = filled(with_alpha(pixels, mask))
    assert np.array_equal(filled(pixels, mask=mask), by_alpha)
    left = mask.copy()
    left[:, 17:] = False
    assert np.array_equal(filled(with_alpha(pixels, left), mask=mask & ~left), by_alpha)


def test_grey_levels_of_masks_and_alpha_meet_at_the_middle():
    pixels, _ = image(16, 16)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    filled = i2izoo.create("inpainting", base="tiny-knowing")
    for found in (filled(pixels, mask=levels), filled(np.dstack([pixels, 255 - levels]))):
        assert (found[levels >= 128] == 255).all()
        assert np.array_equal(found[levels < 128], pixels[levels < 128])


def test_colours_under_transparent_pixels_do_not_count():
    pixels, mask = image()
    other = pixels.copy()
    other[mask] = 255 - other[mask]
    assert np.array_equal(model()(with_alpha(pixels, mask)), model()(with_alpha(other, mask)))


def test_each_image_can_have_its_own_mask():
    pixels, mask = image()
    filled = model(fill="grey")
    both = filled([pixels, pixels], mask=[mask, ~mask])
    assert np.array_equal(both[0], filled(pixels, mask=mask))
    assert np.array_equal(both[1], filled(pixels, mask=~mask))


def test_seeds_are_exact_and_change_only_the_noise():
    pixels, mask = image()
    noisy, grey = model(), model(fill="grey")
    assert np.array_equal(noisy(pixels, mask=mask, seed=3), noisy(pixels, mask=mask, seed=3))
    assert not np.array_equal(noisy(pixels, mask=mask, seed=3), noisy(pixels, mask=mask, seed=4))
    assert np.array_equal(grey(pixels, mask=mask, seed=3), grey(pixels, mask=mask, seed=4))
    alone = noisy([pixels, pixels], mask=mask, batch_size=1)
    assert all(np.array_equal(a, b) for a, b in zip(alone, noisy([pixels, pixels], mask=mask), strict=True))


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("inpainting", {}, "nothing says what of the image is unknown: give mask="),
        ("inpainting", {"mask": np.zeros((21, 33), bool)}, "mask is 33 x 21 and the image 34 x 21"),
        ("uncropping", {}, "left=, right=, top= and bottom=, or by extend=0.5"),
        ("uncropping", {"mask": np.zeros((5, 4), bool), "left": 3}, "mask is 4 x 5 and the image 34 x 21"),
        ("uncropping", {"left": -1}, "only become larger"),
        ("uncropping", {"left": 3, "extend": 0.5}, "give one of both"),
        ("uncropping", {"left": 0.5}, "wants int, found 0.5"),
        ("uncropping", {"left": "3"}, "'left' .*wants int, found '3'"),
        ("uncropping", {"left": True}, "'left' .*wants int, found True"),
        ("uncropping", {"extend": None}, "'extend' .*wants float, found None"),
        ("uncropping", {"extend": float("nan")}, "'extend' .* finite float.*found nan"),
        ("uncropping", {"extend": float("inf")}, "'extend' .* finite float.*found inf"),
        ("inpainting", {"left": 3}, "no option 'left'.*mask"),
        ("jpeg_restoration", {"mask": np.zeros((21, 34), bool)}, "no option 'mask'"),
    ],
)
def test_mistakes_of_a_translation(task, options, words):
    with pytest.raises((ImageError, ConfigError), match=words):
        model(task)(image()[0], **options)


def test_a_black_mask_asks_for_nothing():
    pixels, mask = image()
    assert np.array_equal(model()(pixels, mask=np.zeros_like(mask)), pixels)


# ---------------------------------------------------------------------------------------------------- larger images


@pytest.mark.parametrize("task", ["uncropping", "restoration"])
@pytest.mark.parametrize(
    ("options", "size", "place"),
    [
        ({"left": 32}, (21, 66), (0, 32)),
        ({"right": 1, "top": 6}, (27, 35), (6, 0)),
        ({"bottom": 3, "left": 2, "right": 5, "top": 7}, (31, 41), (7, 2)),
        ({"extend": 0.5}, (41, 68), (10, 17)),
    ],
)
def test_the_output_is_larger_and_the_input_in_its_place(task, options, size, place):
    pixels, _ = image()
    whole = model(task)
    for source in (pixels, Image.fromarray(pixels)):
        found = np.asarray(whole(source, **options))
        assert found.shape == (*size, 3)
        (top, left), (height, width) = place, (21, 34)
        assert np.array_equal(found[top : top + height, left : left + width], pixels)
    assert len(np.unique(found)) > 3


def test_a_larger_image_is_that_of_a_transparent_border():
    pixels, mask = image()
    whole = model("uncropping")
    canvas = np.zeros((21, 40, 4), np.uint8)
    canvas[:, 6:] = with_alpha(pixels, mask)
    assert np.array_equal(whole(with_alpha(pixels, mask), left=6), whole(canvas))
    assert np.array_equal(whole(pixels, left=6, mask=mask), whole(canvas))


# ------------------------------------------------------------------------------------------------ what the base sees


def batch(task, count=2):
    """Images of 32 x 32 with 0.3 everywhere, whose upper half is unknown."""
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    whole = torch.full((count, 3, 32, 32), 0.3)
    damaged = torch.stack([hide(row, mask) for row in whole])
    return Batch(dict(zip(task.domains, (damaged, whole), strict=True)), 7, 0.5)


def test_the_base_sees_noise_in_the_holes_and_gets_the_mask():
    task = model(base="tiny-knowing").method
    assert task.base.config["in_channels"] == 3  # it knows masks: no plane
    assert task.config["mask_channel"] is False
    list(task.training_step(batch(task, 16)))
    (seen,) = task.base.seen
    assert (seen.step, seen.progress) == (7, 0.5)
    source, mask = seen["masked"], seen.extras["mask"]
    assert source.shape == (16, 3, 32, 32)
    assert mask.shape == (16, 1, 32, 32)
    assert (mask[:, :, :16] == 1).all()
    assert (mask[:, :, 16:] == 0).all()
    assert (source[:, :, 16:] == 0.3).all()
    assert source[:, :, :16].mean().abs() < 0.05
    assert source[:, :, :16].std() == pytest.approx(1, abs=0.05)
    assert (seen["image"] == 0.3).all()


def test_a_base_that_knows_no_masks_gets_a_plane():
    task = model(fill="grey").method
    assert task.config["mask_channel"] is True
    assert task.base.config["in_channels"] == 4
    image = batch(task)["masked"]
    colours, hole = image[:, :3], image[:, 3:] < 0
    seen = task.seen(colours, hole, torch.randn_like(colours))
    assert (seen[:, 3, :16] == 1).all()
    assert (seen[:, 3, 16:] == -1).all()
    assert (seen[:, :3, :16] == 0).all()
    assert (seen[:, :3, 16:] == 0.3).all()
    assert model(mask_channel=False).method.base.config["in_channels"] == 3
    assert model(base="tiny-knowing", mask_channel=True).method.base.config["in_channels"] == 4


def test_masks_and_options_reach_a_base_that_has_them():
    pixels, mask = image()
    filled = model(base="tiny-knowing")
    filled(pixels, mask=mask, steps=3, latent=[1, 2, 3])
    (seen,) = filled.method.base.seen
    assert torch.equal(seen["mask"], torch.from_numpy(mask)[None, None].float())
    assert seen["steps"] == 3
    assert seen["latent"].tolist() == [[1, 2, 3]]
    assert list(filled.method.translate_options()) == ["mask", "steps", "latent"]
    assert filled.method.latent_size == 3
    assert filled.method.samples is True
    assert filled.method.lr_scale(0) == 0.5
    larger = list(model("uncropping").method.translate_options())
    assert larger == ["mask", "left", "right", "top", "bottom", "extend", "mode"]
    assert list(model("jpeg_restoration").method.translate_options()) == ["mode"]
    assert filled.method.translate_options()["mask"].default is None


def test_a_diffusion_method_as_base(tmp_path):
    from diffusers import DDIMScheduler
    from i2izoo_diffusion.ddim import DDIM

    pixels, mask = image()
    filled = model(base={"name": "ddim", **DDIM.tiny_options})
    first, second = filled(pixels, mask=mask, samples=2, steps=2)
    assert np.array_equal(first[~mask], pixels[~mask])
    assert not np.array_equal(first, second)
    filled.save_pretrained(tmp_path)
    assert np.array_equal(i2izoo.load(tmp_path)(pixels, mask=mask, steps=2), first)
    assert DDIMScheduler.from_pretrained(tmp_path, subfolder="scheduler").config.num_train_timesteps == 1000
    with pytest.raises(ConfigError, match="'ddim' is none"):
        model(base={"name": "ddim", **DDIM.tiny_options, "task": "generation"})


# ------------------------------------------------------------------------------------------------ one model for all


def test_one_model_tells_tasks_apart_by_what_is_unknown():
    pixels, mask = image()
    mended = model("restoration", base="tiny-knowing")
    whole, filled = mended([pixels, with_alpha(pixels, mask)])
    assert (whole == 255).all()  # every pixel is the base's
    assert np.array_equal(filled[~mask], pixels[~mask])
    (seen,) = mended.method.base.seen
    assert torch.equal(seen["image"][0], to_tensor(pixels))  # nothing filled with noise
    assert (seen["mask"][0] == 1).all()
    assert torch.equal(seen["mask"][1, 0], torch.from_numpy(mask).float())
    assert np.array_equal(mended(pixels, mask=mask), mended(with_alpha(pixels, mask)))
    assert mended(pixels[..., 0]).shape == (21, 34, 3)  # a grey image


def test_a_grey_image_keeps_its_lightness_if_that_is_wanted():
    """Its colours are the base's own; an image with colours, or of which something is unknown, is the base's."""
    torch.manual_seed(0)
    free = model("restoration")
    kept = model("restoration", keep_lightness=True)
    kept.method.load_state_dict(free.method.state_dict())
    generator = torch.Generator().manual_seed(0)
    grey = (torch.rand(1, 1, 32, 32, generator=generator) * 1.6 - 0.8).repeat(1, 3, 1, 1)
    grey[:, 1] += 2 / 255  # one level, as JPEG has it
    whole = torch.cat([grey, torch.ones(1, 1, 32, 32)], dim=1)
    to = next(iter(free.directions))
    before, after = (m.method(whole, to=to, seeds=[0]) for m in (free, kept))
    mid = signed_to_lab(grey)[:, :1]
    assert (signed_to_lab(after)[:, :1] - mid).abs().max() < 0.05
    assert (signed_to_lab(before)[:, :1] - mid).abs().max() > 5
    hue = [torch.atan2(*signed_to_lab(found)[:, 1:].unbind(1)) for found in (before, after)]
    strong = signed_to_lab(after)[:, 1:].square().sum(1) > 4
    assert torch.cos(hue[0] - hue[1])[strong].min() > 0.99
    holed, red = whole.clone(), whole.clone()
    holed[:, 3, 3, 3], red[:, 0, 3, 3] = -1, 1.0
    for other in (holed, red):
        assert torch.equal(*(m.method(other, to=to, seeds=[0]) for m in (free, kept)))
    mask = torch.full((1, 1, 32, 32), -1.0)
    mask[..., 3, 3] = 1
    assert torch.equal(*(m.method(whole, to=to, seeds=[0], mask=mask) for m in (free, kept)))


def test_it_learns_from_whole_and_from_filled_images_at_once():
    task = model("restoration", base="tiny-knowing").method
    given = batch(task)
    given.images["damaged"][0, 3] = 1
    list(task.training_step(given))
    (seen,) = task.base.seen
    assert (seen.extras["mask"][0] == 1).all()
    assert seen.extras["mask"][1].mean() == 0.5
    assert torch.equal(seen["damaged"][0], given["damaged"][0, :3])


# ----------------------------------------------------------------------------------------------- options, saving


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("inpainting", {"base": "cyclegan"}, "'cyclegan' is none"),
        ("inpainting", {"base": "segmenter"}, "'segmenter' is none"),
        ("uncropping", {"base": "inpainting"}, "'inpainting' is none"),
        ("inpainting", {"base": {**TINY, "in_channels": 1}}, "in_channels of 'pix2pix' follow"),
        ("inpainting", {"domains": ["x", "x"]}, "different names"),
        ("inpainting", {"fill": "black"}, "'noise', 'grey'"),
        ("inpainting", {"masks": "stars"}, "'mixture'"),
        ("jpeg_restoration", {"quality": 101}, "from 1 to 100"),
        ("restoration", {"tasks": []}, "at least one task"),
    ],
)
def test_mistakes_of_a_method(task, options, words):
    with pytest.raises(ConfigError, match=words):
        model(task, **options)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("inpainting", {"masks": "center", "fill": "grey", "mask_channel": False}),
        ("uncropping", {"domains": ["part", "photo"]}),
        ("jpeg_restoration", {"quality": 10}),
        ("restoration", {"tasks": ["inpainting", "jpeg_restoration"]}),
    ],
)
def test_what_is_saved_is_loaded(task, options, tmp_path):
    saved = model(task, **options)
    saved.save_pretrained(tmp_path)
    loaded = i2izoo.load(tmp_path)
    assert loaded.method.config == saved.method.config
    assert options.items() <= loaded.method.config.items()
    names = loaded.method.inference_state().keys()
    assert names
    assert all(name.startswith("base.generator.") for name in names)
    pixels, mask = image()
    given = {} if task == "jpeg_restoration" else {"mask": mask}
    assert np.array_equal(saved(pixels, **given), loaded(pixels, **given))


# ------------------------------------------------------------------------------------------------------- it learns


class Plain(Dataset):
    """Images of a single colour, with a hole in the middle."""

    domains, kind = ("masked", "image"), "paired"

    def __init__(self, *, split: str = "train", seed: int = 0):
        self.first = 2000 * seed + (0 if split == "train" else 1000)

    def __len__(self):
        return 64

    def name(self, index):
        return str(index)

    def sample(self, index, seed):
        mask = np.zeros((16, 16), bool)
        mask[5:11, 5:11] = True
        colour = torch.rand(3, 1, 1, generator=torch.Generator().manual_seed(self.first + index)) * 2 - 1
        return {"masked": hide(colour.repeat(1, 16, 16), mask), "image": colour.repeat(1, 16, 16)}


def test_it_learns_to_fill_in_the_colour_around_the_hole(learned, learning_seed):
    torch.manual_seed(learning_seed)
    base = {
        "name": "pix2pix",
        "generator": {"name": "unet_256", "width": 8, "depth": 3, "dropout": 0.0},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 1},
        "gan_weight": 0.0,
        "learning_rate": 4e-3,
    }
    filled = i2izoo.create("inpainting", base=base)
    i2izoo.Trainer(
        filled, Plain(seed=learning_seed), steps=250, batch_size=8, progress=False, device="cpu", sample_every=0,
        seed=learning_seed,
    ).fit()  # fmt: skip
    data = Plain(split="val", seed=learning_seed)
    items = [data.sample(index, None) for index in range(32)]
    found = torch.stack(filled([item["masked"] for item in items]))
    truth = torch.stack([item["image"] for item in items])
    hole = (slice(None), slice(None), slice(5, 11), slice(5, 11))
    # the best constant answer is off by E|u| = 1/2 for u uniform on [-1, 1]
    learned("mean error in the hole", (found - truth)[hole].abs().mean(), below=0.25, untrained=0.5)


# ------------------------------------------------------------------------------------------------ the command line

WORDS = [
    "generator.name=unet_256", "generator.width=2", "generator.depth=3", "discriminator.width=2",
    "discriminator.layers=1", "steps=2", "load_size=18", "crop_size=16", "tensorboard=false", "sample_every=1",
    "device=cpu",
]  # fmt: skip


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(image(24, 40, index)[0]).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize(
    ("task", "source", "own"),
    [
        ("inpainting", "masked", ["masks=rectangles", "fill=grey"]),
        ("uncropping", "cropped", []),
        ("jpeg_restoration", "compressed", ["quality=7"]),
        ("restoration", "damaged", ["tasks=inpainting,jpeg_restoration"]),
    ],
)
def test_train_resume_translate_evaluate(task, source, own, images, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "out"
    argv = ["train", "pix2pix", "--task", task, "--data", str(images), "--out", str(run), *WORDS, *own]
    argv += ["--metrics", "psnr", "--val", str(images)]
    assert main(argv) == 0
    assert f"{source} -> image" in capsys.readouterr().out
    config = json.loads((run / "model" / "config.json").read_text())
    assert config["method"] == task
    assert config["options"]["base"]["generator"]["width"] == 2
    assert config["provenance"]["metrics"]["psnr"]["n"] == 3
    assert len(list((run / "samples").iterdir())) == 2
    assert main([*("steps=3" if word == "steps=2" else word for word in argv), "--resume", "auto"]) == 0

    pixels, mask = image(24, 40, 0)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    translate = ["translate", str(run / "model"), str(images / "0.png"), "-o", str(out)]
    assert main([*translate, *([] if task == "jpeg_restoration" else [f"mask={tmp_path / 'mask.png'}"])]) == 0
    found = np.asarray(Image.open(out / "0.png"))
    assert found.shape == (24, 40, 3)
    if task != "jpeg_restoration":
        assert np.array_equal(found[~mask], pixels[~mask])
    if task == "uncropping":
        assert main([*translate, "--force", "left=5", "bottom=2"]) == 0
        assert Image.open(out / "0.png").size == (45, 26)
    capsys.readouterr()
    needed = {"inpainting": ', mask="mask.png"', "uncropping": ", extend=0.5"}.get(task, "")
    assert f'model("image.png", to="image"{needed})' in (run / "model" / "README.md").read_text()
    if task == "inpainting":
        assert main([*translate, "--force"]) == 2
        assert "give mask=" in capsys.readouterr().err

    results = tmp_path / "results"
    evaluate = ["evaluate", str(run / "model"), "--data", str(images), "--metrics", "psnr,ssim"]
    assert main([*evaluate, "--out", str(results)]) == 0
    scores = json.loads((results / "scores.json").read_text())["scores"]
    assert {name: score["n"] for name, score in scores.items()} == {"psnr": 3, "ssim": 3}


def test_compare_shows_images_with_holes(images, tmp_path):
    model().save_pretrained(tmp_path / "noise")
    model(fill="grey").save_pretrained(tmp_path / "grey")
    argv = ["compare", str(tmp_path / "noise"), str(tmp_path / "grey"), "--data", str(images), "--metrics", "psnr"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    assert Image.open(tmp_path / "out" / "inputs" / "0.png").mode == "RGBA"


def test_the_input_as_it_is_is_compared_on_what_the_task_makes_of_whole_images(images, tmp_path):
    folder = str(i2izoo.create("jpeg_restoration", base=TINY, quality=5).save_pretrained(tmp_path / "model"))
    found = i2izoo.compare([folder, "copy-input"], str(images), metrics=["psnr"], costs=False)
    for index in range(3):  # against Pillow
        whole, stream = Image.open(images / f"{index}.png"), io.BytesIO()
        whole.save(stream, "JPEG", quality=5)
        error = np.square(np.asarray(whole, float) - np.asarray(Image.open(stream), float)).mean()
        psnr = found.results[1].values["psnr"][index]
        assert psnr == pytest.approx(10 * np.log10(255**2 / error), abs=0.3)


def test_options_of_the_base_reach_it_in_a_comparison(images, tmp_path):
    folder = str(model(base=PALETTE).save_pretrained(tmp_path / "palette"))
    argv = ["compare", folder, "--data", str(images), "--metrics", "psnr", "--no-costs", "--no-report"]
    assert main([*argv, "--limit", "1", "--out", str(tmp_path / "out"), "steps=2"]) == 0
    assert json.loads((tmp_path / "out" / "protocol.json").read_text())["options"] == {"steps": 2}


@pytest.mark.parametrize("command", ["translate", "evaluate", "compare"])
def test_the_progress_bar_is_no_option_of_a_command(command, images, tmp_path, capsys):
    folder = str(model(base=PALETTE).save_pretrained(tmp_path / "palette"))
    rest = [str(images), "-o", str(tmp_path / "out")] if command == "translate" else ["--data", str(images)]
    assert main([command, folder, *rest, "progress=true"]) == 2
    said = "'progress' is an option of the command" if command == "translate" else "has no option 'progress'"
    assert said in capsys.readouterr().err


def test_one_model_on_a_mixture_of_tasks_trains_through_python():
    mended = model("restoration")
    data = {"name": "synthetic-facades", "count": 8, "size": 32}
    task = Restoration(base=TINY, domains=["damaged", "photo"])
    assert task.dataset["domains"] == ["damaged", "photo"]
    mended = model("restoration", domains=["damaged", "photo"])
    before = [p.clone() for p in mended.method.base.generator.parameters()]
    i2izoo.Trainer(mended, data, steps=2, batch_size=2, crop_size=32, progress=False, device="cpu").fit()
    after = mended.method.base.generator.parameters()
    assert any(not torch.equal(p, old) for p, old in zip(after, before, strict=True))
