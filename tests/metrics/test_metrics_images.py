"""Metrics with a value for each image that need no weights: PSNR, SSIM, MS-SSIM, CIEDE2000.

Where a number is said to be scikit-image's, version 0.26 computed it once from the arrays of `patterns`, in float64.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from i2izoo_metrics.colour import DeltaE2000, ciede2000
from i2izoo_metrics.psnr import PSNR
from i2izoo_metrics.rgb import rgb
from i2izoo_metrics.ssim import MSSSIM, SSIM
from torch import Tensor

from i2izoo.contracts.registry import registry
from i2izoo.errors import MetricError
from i2izoo.interfaces import ImageMetric, Score
from i2izoo.nn.colour import srgb_to_lab


def patterns(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two images of 8 bits that resemble each other, 1 x 3 x H x W in [-1, 1]; made of integers."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    first = (x * 3 + y * 5 + c * 40 + (x * y) // 7) % 256
    second = (first + ((x + 2 * y) % 31) - 15).clip(0, 255)
    truth, near = (torch.from_numpy(a).permute(2, 0, 1)[None].float() / 127.5 - 1 for a in (first, second))
    return near, truth


def value(metric: ImageMetric, prediction: Tensor, target: Tensor) -> float:
    return metric.score(prediction=prediction, target=target).item()


def flat(*levels: float, side: int = 16) -> Tensor:
    """Images of one level each, in [0, 1], as a batch in [-1, 1]."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, side, side) * 2 - 1


# -------------------------------------------------------------------------------------------------------------- PSNR


def test_psnr_is_the_mean_of_decibels_not_of_errors() -> None:
    """Errors of 0.1 and 0.01 are 20 and 40 dB, 30 in the mean; pooled over the batch they would be 22.97."""
    metric = PSNR()
    each = metric.update(prediction=flat(0.1, 0.01), target=flat(0.0, 0.0))
    assert each.tolist() == pytest.approx([20, 40], abs=1e-4)
    assert metric.compute().value == pytest.approx(30, abs=1e-4)
    assert 10 * math.log10(1 / ((0.1**2 + 0.01**2) / 2)) == pytest.approx(22.97, abs=0.005)


def test_psnr_equals_scikit_image() -> None:
    assert value(PSNR(), *patterns(40, 56)) == pytest.approx(29.263580468724, abs=1e-5)


def test_psnr_does_not_depend_on_the_range_of_the_image() -> None:
    """One grey step is 1/255 in dark images and in bright ones: 48.13 dB."""
    step = 1 / 255
    each = PSNR().score(prediction=flat(step, 1 - step), target=flat(0.0, 1.0))
    assert each.tolist() == pytest.approx([20 * math.log10(255)] * 2, abs=1e-4)


def test_psnr_of_equal_images_is_infinite_and_says_how_many() -> None:
    metric = PSNR()
    metric.update(prediction=flat(0.5, 0.5, 0.1), target=flat(0.5, 0.5, 0.0))
    score = metric.compute()
    assert score.value == math.inf
    assert score.notes == ("2 of 3 images are identical to the truth, so the mean is infinite.",)


# -------------------------------------------------------------------------------------------------------------- SSIM


def test_ssim_equals_scikit_image() -> None:
    """structural_similarity(truth, near, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False). With [-1, 1] and a data range of 2 the same call gives 0.8897, with 1 0.8780."""
    assert value(SSIM(), *patterns(40, 56)) == pytest.approx(0.934956953339, abs=1e-8)


def test_ssim_equals_torchmetrics_within_the_image() -> None:
    """Whose own mean, with windows over the border, is 0.9279 here."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = [(x.double() + 1) / 2 for x in patterns(40, 56)]
    mean, windows = structural_similarity_index_measure(*pair, data_range=1.0, return_full_image=True)
    inside = windows[..., 5:-5, 5:-5].mean().item()
    assert value(SSIM(), *patterns(40, 56)) == pytest.approx(inside, abs=1e-9)
    assert abs(mean.item() - inside) > 0.005


def test_ssim_of_flat_images_is_the_luminance_term() -> None:
    """(2 a b + C1) / (a^2 + b^2 + C1), whatever range the images happen to span."""
    a, b, c1 = 0.2, 0.4, 0.01**2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert value(SSIM(), flat(a), flat(b)) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_equal_images_is_one() -> None:
    """In float32 it would be 0.9998 for photos: variances of flat regions drown."""
    _, truth = patterns(40, 56)
    assert value(SSIM(), truth, truth) == 1
    assert value(SSIM(), flat(0.9), flat(0.9)) == 1


def test_ssim_tells_small_images_apart_from_mistakes() -> None:
    assert value(SSIM(), *(x[..., :11, :11] for x in patterns(40, 56))) < 1
    with pytest.raises(MetricError, match="ssim needs sides of at least 11 pixels, found 10 x 20"):
        value(SSIM(), *(x[..., :10, :20] for x in patterns(40, 56)))


@pytest.mark.parametrize(
    ("size", "expected"), [((161, 163), 0.990322719524), ((176, 192), 0.987847183405)], ids=["odd", "even"]
)
def test_ms_ssim_equals_scikit_image(size: tuple[int, int], expected: float) -> None:
    """structural_similarity of each channel, as above, at five scales: with K1=1e6, which leaves contrast and
    structure, at the first four; to the powers 0.0448, 0.2856, 0.3001, 0.2363, 0.1333; halved by the mean of 2 x 2
    with the last row and column repeated where a side is odd."""
    assert value(MSSSIM(), *patterns(*size)) == pytest.approx(expected, abs=1e-7)


def test_ms_ssim_wants_161_pixels() -> None:
    """From 161 pixels the fifth scale holds a window of 11; torchmetrics says 161 and wants 176."""
    assert 0 < value(MSSSIM(), *patterns(161, 161)) < 1
    with pytest.raises(MetricError, match="ms_ssim needs sides of at least 161 pixels, found 170 x 160"):
        value(MSSSIM(), *patterns(170, 160))


def test_ms_ssim_of_a_negative_is_zero() -> None:
    """Its structure is opposite at every scale, and a power of a negative number is none."""
    _, truth = patterns(161, 161)
    assert value(MSSSIM(), -truth, truth) == 0


# ------------------------------------------------------------------------------------------------------------ colour


def test_ciede2000_equals_the_published_pairs() -> None:
    """The 34 pairs of Sharma, Wu and Dalal 2005, table 1, which reach every branch of the formula."""
    with (Path(__file__).parents[1] / "data" / "ciede2000.csv").open() as file:
        rows = [[float(v) for v in row] for row in list(csv.reader(file))[1:]]
    table = torch.tensor(rows, dtype=torch.float64)
    assert len(table) == 34
    first, second, expected = table[:, :3], table[:, 3:6], table[:, 6]
    torch.testing.assert_close(ciede2000(first, second), expected, atol=5.1e-5, rtol=0)
    torch.testing.assert_close(ciede2000(second, first), expected, atol=5.1e-5, rtol=0)


def test_lab_of_the_primaries() -> None:
    """Of sRGB under D65, as Lindbloom's calculator gives them."""
    colours = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]], dtype=torch.float64)
    expected = [[53.2408, 80.0925, 67.2032], [87.7347, -86.1827, 83.1793], [32.2970, 79.1875, -107.8602], [100, 0, 0]]
    found = srgb_to_lab(colours)
    torch.testing.assert_close(found, torch.tensor([*expected, [0, 0, 0]], dtype=torch.float64), atol=0.01, rtol=0)


def test_delta_e2000_equals_scikit_image() -> None:
    """deltaE_ciede2000(rgb2lab(truth), rgb2lab(near)).mean(); the two round sRGB's matrix differently."""
    assert value(DeltaE2000(), *patterns(40, 56)) == pytest.approx(2.330738, abs=2e-5)
    assert value(DeltaE2000(), *[patterns(40, 56)[1]] * 2) == 0


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_delta_e2000_wants_colours(channels: int) -> None:
    image = torch.zeros(1, channels, 4, 4)
    with pytest.raises(MetricError, match=f"red, green and blue; found {channels}"):
        value(DeltaE2000(), image, image)


# --------------------------------------------------------------------------------------------------------------- all


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_psnr_and_ssim_take_any_number_of_channels(channels: int) -> None:
    """Of copies of one channel they have the value of the one."""
    near, truth = patterns(40, 56)
    pair = [x[:, :1].expand(-1, channels, -1, -1) for x in (near, truth)]
    alone = [x[:, :1] for x in (near, truth)]
    for metric in (PSNR(), SSIM()):
        assert value(metric, *pair) == pytest.approx(value(metric, *alone), abs=1e-6)


def test_a_batch_has_the_values_of_its_images() -> None:
    near, truth = patterns(176, 180)
    prediction, target = torch.cat([near, near.flip(3), truth]), torch.cat([truth, truth, near])
    for metric in (PSNR(), SSIM(), MSSSIM(), DeltaE2000()):
        together = metric.score(prediction=prediction, target=target)
        alone = [value(metric, p[None], t[None]) for p, t in zip(prediction, target, strict=True)]
        assert together.tolist() == pytest.approx(alone, rel=1e-9)


def test_nothing_seen_is_an_error() -> None:
    with pytest.raises(MetricError, match="has seen no image"):
        PSNR().compute()


def test_pixel_diversity_is_of_consecutive_samples() -> None:
    """Grey levels 0, 30, 0 differ by 30 twice; 0, 0, 50 by 0 and 50; one channel of three alone by 90 / sqrt(3)."""
    levels = torch.zeros(3, 3, 3, 4, 4)
    levels[0, 1] = 30
    levels[1, 2] = 50
    levels[2, 1, 0] = 90
    values = registry("metrics").build("pixel_diversity").update(samples=levels / 127.5 - 1)
    assert values.tolist() == pytest.approx([30, 25, 90 / math.sqrt(3)], abs=1e-4)


def test_pixel_diversity_wants_two_samples() -> None:
    with pytest.raises(MetricError, match="found 1; ask for samples=8"):
        registry("metrics").build("pixel_diversity").update(samples=torch.zeros(2, 1, 3, 4, 4))


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_networks_of_rgb_refuse_other_channels(channels: int) -> None:
    with pytest.raises(MetricError, match=f"lpips looks at images of 1 or 3 channels, found {channels}"):
        rgb(torch.zeros(1, channels, 4, 4), "lpips")


@pytest.mark.parametrize(
    ("name", "better", "bounds", "unit"),
    [
        ("psnr", True, (0, math.inf), "dB"),
        ("ssim", True, (-1, 1), ""),
        ("ms_ssim", True, (0, 1), ""),
        ("delta_e2000", False, (0, math.inf), ""),
        ("lpips", False, (0, math.inf), ""),
        ("lpips_diversity", True, (0, math.inf), ""),
        ("pixel_diversity", True, (0, 255), "levels"),
        ("gram_distance", False, (0, math.inf), ""),
        ("perceptual_distance", False, (0, math.inf), ""),
        ("ppl", False, (0, math.inf), ""),  # torchmetrics declares it the other way round
        ("clip_score", True, (0, 100), ""),
    ],
)
def test_what_each_declares(name: str, better: bool, bounds: tuple[float, float], unit: str) -> None:
    metric = registry("metrics").build(name)
    assert (metric.higher_is_better, metric.bounds, metric.unit) == (better, bounds, unit)
    assert isinstance(metric, ImageMetric)
    assert type(metric)(**metric.config).config == metric.config


def test_scores_count_images() -> None:
    metric = SSIM()
    for _ in range(3):
        metric.update(**dict(zip(("prediction", "target"), patterns(20, 20), strict=True)))
    assert metric.compute() == Score(pytest.approx(value(SSIM(), *patterns(20, 20))), n=3)
