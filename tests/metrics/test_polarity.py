"""Polarity is the skewness of a band of details, by SciPy's filters and moments."""

import pytest
import torch
from i2izoo_metrics.polarity import Polarity
from scipy import ndimage, stats

from i2izoo.evaluation.measuring import build


def spots(light, ground=0.0, contrast=0.5, side=64):
    """Three small squares on even ground."""
    image = torch.full((1, 3, side, side), ground)
    part = side // 8
    for row, column in ((1, 1), (2, 5), (5, 3)):
        image[..., row * part : (row + 1) * part, column * part : (column + 1) * part] += contrast * (
            1 if light else -1
        )
    return image


def test_it_is_the_skewness_of_a_difference_of_gaussians():
    images = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images = torch.cat([images, spots(True), spots(False)])
    for scale in (0.03, 0.0625, 0.0884):
        found = Polarity(scales=[scale])(images)[:, 0]
        for image, value in zip(images, found, strict=True):
            grey = ((image.mean(0) + 1) * 127.5).double().numpy()
            one, two = (
                ndimage.gaussian_filter(grey, s * 64, mode="mirror", radius=int(3 * s * 64)) for s in (scale, 2 * scale)
            )
            assert value.item() == pytest.approx(stats.skew((one - two).ravel()), abs=1e-3)


def test_light_and_dark_parts_have_opposite_signs_whatever_the_brightness():
    extractor = Polarity()
    light, dark = extractor(spots(True)), extractor(spots(False))
    assert (light > 0.5).all()
    assert torch.allclose(light, -dark, atol=1e-4)
    assert torch.allclose(extractor(spots(True, ground=-0.4, contrast=0.2)), light, atol=1e-3)
    assert torch.allclose(extractor(spots(True, side=256)), light, atol=0.05)
    assert torch.equal(extractor(torch.zeros(1, 3, 64, 64)), torch.zeros(1, 2))


def test_the_distance_of_two_sets_tells_negatives_from_fog():
    """A mean over patches of what is dark on light ground is nearer to it than its sharp negative."""
    places = [(row, column) for row in range(1, 6) for column in range(1, 6)]

    def windows(light, blur):
        images = []
        for row, column in places:
            image = torch.zeros(3, 64, 64)
            image[:, row * 8 : row * 8 + 12, column * 8 : column * 8 + 9] = 0.6 if light else -0.6
            images.append(torch.nn.functional.avg_pool2d(image, blur, 1, blur // 2) if blur > 1 else image)
        return torch.stack(images)

    def distance(images):
        [metric] = build(["fid[polarity]"], 0).values()
        metric.add_reference(windows(light=False, blur=1))
        metric.update(prediction=images)
        return metric.compute().value

    assert distance(windows(light=False, blur=5)) < 0.1 * distance(windows(light=True, blur=1))
