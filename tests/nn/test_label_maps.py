"""Label maps to classes and back, beside the classes that were painted."""

import io

import numpy as np
import pytest
import torch
from i2izoo_facades.plan import PALETTES
from i2izoo_facades.synthetic import SyntheticFacades
from PIL import Image

from i2izoo.nn.label_maps import is_grey, nearest_classes, paint, to_classes, to_planes, tolerance_of

PALETTE = PALETTES["label"]


def drawn(size: int, count: int = 4) -> torch.Tensor:
    data = SyntheticFacades(count=count, size=size)
    return torch.stack([data.sample(index, None)["label"] for index in range(count)])


def classes_of(exact: torch.Tensor) -> torch.Tensor:
    """The class of each pixel, by looking its colour up."""
    place = {tuple(colour): k for k, colour in enumerate(PALETTE)}
    levels = ((exact + 1) * 127.5).round().int().permute(0, 2, 3, 1)
    return torch.tensor([[[place[tuple(pixel)] for pixel in row] for row in image] for image in levels.tolist()])


def through_jpeg(images: torch.Tensor, quality: int) -> torch.Tensor:
    found = []
    for image in images:
        buffer = io.BytesIO()
        levels = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
        found.append(torch.from_numpy(np.asarray(Image.open(buffer)).copy()).permute(2, 0, 1) / 127.5 - 1)
    return torch.stack(found)


def test_painted_pixels_are_their_classes() -> None:
    exact = drawn(48)
    assert torch.equal(to_classes(exact, PALETTE), classes_of(exact))


@pytest.mark.parametrize("quality", [95, 75, 50])
def test_jpeg_edges_are_decided_as_they_were_painted(quality: int) -> None:
    exact = drawn(192)
    truth, spoiled = classes_of(exact), through_jpeg(exact, quality)
    voted = (to_classes(spoiled, PALETTE) != truth).double().mean().item()
    alone = (nearest_classes(spoiled, PALETTE, 0)[0] != truth).double().mean().item()
    assert voted < 0.8 * alone  # the nearest colour alone finds third classes along the edges


def test_a_mixture_takes_a_class_of_its_neighbours_and_no_third() -> None:
    # half of the way from blue to yellow lies a grey that is nearer to neither than the palette's own grey is
    palette = [[0, 0, 255], [255, 255, 0], [100, 100, 100]]
    row = [[0, 0, 255]] * 3 + [[143, 143, 143]] + [[255, 255, 0]] * 3
    image = torch.tensor([row] * 5, dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1
    assert nearest_classes(image, palette, 0)[0][0, 0].tolist() == [0, 0, 0, 2, 1, 1, 1]
    assert to_classes(image, palette)[0, 0].tolist() in ([0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1])


def test_an_image_without_any_colour_of_the_palette_takes_the_nearest() -> None:
    assert to_classes(torch.zeros(1, 3, 2, 2), [[0, 0, 0], [255, 255, 255]]).unique().tolist() in ([0], [1])


def test_tolerance_is_half_of_the_way_to_the_next_colour() -> None:
    assert tolerance_of([[0, 0, 0], [6, 8, 0], [255, 0, 0]]) == 5.0
    assert tolerance_of(PALETTE) == pytest.approx(np.hypot(48, 33) / 2)  # background and wall


def test_planes_are_one_hot_and_painted_back() -> None:
    exact = drawn(32)
    planes = to_planes(exact, PALETTE)
    assert planes.shape == (4, 12, 32, 32)
    assert planes.unique().tolist() == [-1, 1]
    assert torch.equal(planes.add(1).div(2).sum(1), torch.ones(4, 32, 32))
    assert torch.allclose(paint(planes, PALETTE), exact, atol=1e-6)


def test_grey_numbers_have_one_channel() -> None:
    palette = [[k] * 3 for k in range(5)]
    image = torch.tensor([[[[0, 1, 4, 3]]]]) / 127.5 - 1
    assert is_grey(palette)
    assert to_classes(image, palette).flatten().tolist() == [0, 1, 4, 3]
    assert torch.allclose(paint(to_planes(image, palette), palette), image)
