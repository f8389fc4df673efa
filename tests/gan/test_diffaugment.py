"""DiffAugment beside a plain transcription of the paper's formulas, and what a conditional discriminator sees of it."""

import numpy as np
import pytest
import torch
from i2izoo_gan.diffaugment import DiffAugment

from i2izoo.errors import ConfigError

ROWS = 6


def transcription(images, condition, seed):
    """Section 3.3 and appendix B of the paper, row by row and pixel by pixel, on draws in its order."""
    torch.manual_seed(seed)
    n, _, height, width = images.shape
    brighter, saturated, contrasted = (torch.rand(n, 1, 1, 1).flatten().double().numpy() for _ in range(3))
    furthest = [int(side / 8 + 0.5) for side in (height, width)]
    down, right = (torch.randint(-f, f + 1, (n, 1)).flatten().tolist() for f in furthest)
    size = [int(side / 2 + 0.5) for side in (height, width)]
    centres = [
        torch.randint(0, side + (1 - s % 2), (n, 1)).flatten().tolist()
        for side, s in zip((height, width), size, strict=True)
    ]
    results = []
    for row, image in enumerate(images.double().numpy()):
        source, judged = image[:condition], image[condition:]
        judged = judged + (brighter[row] - 0.5)
        grey = judged.mean(0)
        judged = (judged - grey) * (2 * saturated[row]) + grey
        judged = (judged - judged.mean()) * (contrasted[row] + 0.5) + judged.mean()
        image = np.concatenate([source, judged])
        result = np.zeros_like(image)
        for y in range(height):
            for x in range(width):
                came_from = y - down[row], x - right[row]
                top, left = (c[row] - s // 2 for c, s in zip(centres, size, strict=True))
                is_cut = top <= y < top + size[0] and left <= x < left + size[1]
                if not is_cut and 0 <= came_from[0] < height and 0 <= came_from[1] < width:
                    result[:, y, x] = image[:, came_from[0], came_from[1]]
        results.append(result)
    return torch.tensor(np.stack(results))


@pytest.mark.parametrize("size", [(16, 16), (17, 24), (9, 31)])
@pytest.mark.parametrize("condition", [0, 2, 3])
def test_it_is_what_the_paper_says(size, condition):
    images = torch.rand(ROWS, condition + 3, *size) * 2 - 1
    wanted = transcription(images, condition, seed=4)
    torch.manual_seed(4)
    torch.testing.assert_close(DiffAugment()(images, condition).double(), wanted, atol=1e-5, rtol=1e-5)


def test_the_ranges_of_the_paper_are_reached_and_kept():
    """Of 4000 draws each: brightness within 0.5, saturation 0 to 2, contrast 0.5 to 1.5, shifts of an eighth."""
    torch.manual_seed(0)
    flat = DiffAugment(policy=["colour"])(torch.zeros(4000, 3, 1, 1)).amax((1, 2, 3))
    assert flat.min().item() == pytest.approx(-0.5, abs=0.01)
    assert flat.max().item() == pytest.approx(0.5, abs=0.01)
    red = (
        torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1).expand(4000, -1, -1, -1)
    )  # of one pixel: contrast about its mean
    spread = DiffAugment(policy=["colour"])(red).std(dim=1).flatten() / red[0].std()
    assert spread.min() < 0.02
    assert 2.8 < spread.max() <= 3.0  # twice the saturation by one and a half times the contrast
    dot = torch.zeros(4000, 1, 33, 16)
    dot[:, :, 16, 8] = 1
    places = DiffAugment(policy=["translation"])(dot).nonzero()
    assert places.unique(dim=0)[:, 2].unique().tolist() == list(range(16 - 4, 16 + 5))
    assert places[:, 3].unique().tolist() == list(range(8 - 2, 8 + 3))
    left = DiffAugment(policy=["cutout"])(torch.ones(4000, 1, 16, 16)).mean((1, 2, 3))
    assert left.min().item() == 0.75  # the whole square
    assert left.max().item() == 1 - (4 / 16) ** 2  # a quarter of it, in a corner


def test_the_condition_moves_with_the_image_and_keeps_its_colours():
    torch.manual_seed(1)
    planes = torch.rand(16, 1, 24, 24) + 0.5
    output = DiffAugment()(planes.repeat(1, 4, 1, 1), condition_channels=3)
    kept = output[:, :3]
    assert torch.equal(kept[:, 0], kept[:, 2])
    values = [set(p.flatten().tolist()) for p in planes]
    assert all(set(row[row != 0].tolist()) <= own for row, own in zip(kept, values, strict=True))
    lost = (kept == 0).all(1)
    assert lost.any(dim=(1, 2)).all()
    assert torch.equal(output[:, 3] == 0, lost)
    assert not torch.allclose(output[:, 3], output[:, 0])


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_what_is_no_grey_or_rgb_image_has_no_colours(channels):
    """The a and b of Lab behind their L, planes of classes, bands: moved and cut, and no value is new."""
    images = torch.rand(4, channels + 1, 16, 16)
    assert torch.equal(DiffAugment(policy=["colour"])(images, condition_channels=1), images)
    assert not torch.equal(DiffAugment()(images, condition_channels=1), images)


def test_grey_has_brightness_and_contrast():
    torch.manual_seed(2)
    images = torch.rand(8, 1, 16, 16)
    output = DiffAugment(policy=["colour"])(images)
    scale = output.std((1, 2, 3)) / images.std((1, 2, 3))
    assert ((scale >= 0.5 - 1e-5) & (scale <= 1.5 + 1e-5)).all()
    standard = [(t - t.mean((2, 3), keepdim=True)) / t.std((2, 3), keepdim=True) for t in (images, output)]
    torch.testing.assert_close(*standard, atol=1e-4, rtol=1e-4)


def test_a_policy_is_checked():
    with pytest.raises(ConfigError, match=r"policy.*'colour', 'translation', 'cutout'"):
        DiffAugment(policy=["color"])
