"""The method `segmenter`: palettes, what it learns, and how it translates."""

import numpy as np
import pytest
import torch
from i2izoo_facades.plan import PALETTE
from i2izoo_metrics.palette import CMP, IGNORED, to_classes
from i2izoo_metrics.segmenter import Segmenter
from steps import train
from torch import nn

import i2izoo
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.interfaces import Batch
from i2izoo.nn.label_maps import colours_of
from i2izoo.testing.training import stepper_of

UNET = {"name": "unet_256", "width": 4, "depth": 3}


def image(rgb):
    """H x W x 3, 8 bits, to 1 x 3 x H x W in [-1, 1]."""
    return torch.tensor(rgb, dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1


def test_the_palette_is_that_of_the_synthetic_facades():
    assert [tuple(colour) for colour in CMP] == list(PALETTE.values())


def test_classes_are_the_nearest_colours():
    rgb = [[[0, 0, 222], [0, 46, 250], [0, 24, 238]], [[170, 4, 2], [128, 128, 128], [255, 255, 255]]]
    # (0, 24, 238) is 28.8 from background and 29.4 from wall; the greys are far from all
    assert to_classes(image(rgb), CMP, 32.0).tolist() == [[[0, 1, 0], [11, IGNORED, IGNORED]]]
    assert to_classes(image(rgb), CMP, 28.0)[0, 0].tolist() == [0, 1, IGNORED]
    assert to_classes(image(rgb), CMP, 0.0)[0].tolist() == [[0, IGNORED, IGNORED], [IGNORED] * 3]


def test_classes_and_colours_are_inverse():
    classes = torch.arange(12).reshape(1, 3, 4).repeat(2, 1, 1)
    for tolerance in (0.01, 32.0):
        assert torch.equal(to_classes(colours_of(classes, CMP), CMP, tolerance), classes)
    assert colours_of(classes, CMP).shape == (2, 3, 3, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"palette": [[0, 0, 0]]}, "of 2 to 4096, found"),
        ({"palette": [[0, 0, 0], [1, 2]]}, r"of 3\] of 2 to 4096, found \[\[0, 0, 0\], \[1, 2\]\]"),
        ({"palette": [[0, 0, 0], [0, 256, 0]]}, r"from 0 to 255\] of 3.* found \[\[0, 0, 0\], \[0, 256, 0\]\]"),
        ({"palette": [[0, 0, 0], [9, 9, 9], [0, 0, 0]]}, r"\[0, 0, 0\] is there twice"),
        ({"palette": [[0, 0, 0.5], [9, 9, 9]]}, "palette"),
        ({"tolerance": -1.0}, "from 0 to 1000, found -1"),
        ({"features": 0}, "from 1 to 65536, found 0"),
        ({"domains": ["photo", "photo"]}, "different names"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(I2IZooError, match=message):
        Segmenter(generator=UNET, **options)


def test_the_loss_is_the_mean_cross_entropy_of_the_pixels_that_have_a_class():
    torch.manual_seed(0)
    method = Segmenter(generator=UNET | {"dropout": 0.0, "norm": "none"}, palette=[[0, 0, 0], [255, 0, 0]])
    photo = torch.rand(2, 3, 8, 8) * 2 - 1
    label = torch.full((2, 3, 8, 8), -1.0)
    label[:, 0, :, 4:] = 1  # the right half is red, the left black
    label[:, :, 0] = 1  # a white line, which is in no class
    with torch.no_grad():
        chance = method.head(method.generator(photo)).softmax(1)
    chosen = torch.cat([chance[:, 0, 1:, :4].flatten(), chance[:, 1, 1:, 4:].flatten()])
    losses = stepper_of(method).run([Batch({"photo": photo, "label": label})])
    assert losses["cross_entropy"].item() == pytest.approx(-chosen.log().mean().item(), rel=1e-5)


def test_a_batch_without_a_class_says_so():
    method = Segmenter(generator=UNET)
    grey = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ConfigError, match=r"no pixel of 'label' is within 32 of a colour .* it is photo -> label"):
        stepper_of(method).run([Batch({"photo": grey, "label": grey})])


def test_it_learns_what_colour_tells(learned, learning_seed):
    palette = [[0, 0, 0], [0, 255, 0], [0, 0, 255]]
    unet = UNET | {"width": 8, "dropout": 0.0, "norm": "none"}

    def blocks(draw):
        """Patches of dark, medium and light grey: class 0, 1, 2."""
        classes = torch.randint(3, (2, 4, 4), generator=draw).repeat_interleave(8, 1).repeat_interleave(8, 2)
        photo = (classes[:, None].float() - 1).repeat(1, 3, 1, 1) * 0.8
        photo += 0.1 * torch.randn(2, 3, 32, 32, generator=draw)
        return {"photo": photo, "label": colours_of(classes, palette)}

    method = train(
        lambda: Segmenter(generator=unet, palette=palette, init="kaiming", learning_rate=0.01),
        blocks, steps=60, seed=learning_seed,
    )  # fmt: skip
    new = blocks(torch.Generator().manual_seed(99 + learning_seed))
    with torch.no_grad():
        right = (colours_of(method.classify(new["photo"]), palette) == new["label"]).all(1).float().mean()
    learned("accuracy", right, above=0.8, untrained=1 / 3)


def test_translations_are_the_classes_in_their_colours_at_any_size():
    torch.manual_seed(0)
    method = Segmenter(generator=UNET).eval()
    photo = torch.rand(2, 3, 19, 9) * 2 - 1
    with torch.no_grad():
        classes, translated = method.classify(photo), method(photo, to="label")
    assert classes.shape == (2, 19, 9)
    assert classes.dtype == torch.int64
    assert torch.equal(translated, colours_of(classes, CMP))


@pytest.mark.parametrize("name", ["unet_128", "resnet_6blocks"])
def test_any_generator_is_a_backbone(name):
    method = Segmenter(generator={"name": name, "width": 2}, features=5).eval()
    assert method.generator.config["out_channels"] == 5
    with torch.no_grad():
        logits = method.logits(torch.zeros(1, 3, 128, 128))
    assert logits.shape == (1, 12, 128, 128)
    assert isinstance(method.head, nn.Conv2d)


def test_a_image_in_gives_a_label_map_out():
    torch.manual_seed(0)
    model = i2izoo.create("segmenter", generator=UNET)
    label = model(np.zeros((20, 30, 3), np.uint8), to="label")
    assert label.shape == (20, 30, 3)
    assert {tuple(colour) for colour in label.reshape(-1, 3).tolist()} <= set(PALETTE.values())
