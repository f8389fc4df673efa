"""DragGAN: its loss and its tracking on feature maps that can be written down, and its state step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from i2izoo_generation.editing import Drag, Styles, drag, drawn, render
from i2izoo_generation.editing.motion import at, kept_loss, motion_loss, patch, radii, track
from i2izoo_generation.stylegan2 import StyleGAN2
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded


def blob(x: float, y: float, side: int = 24) -> Tensor:
    """Features of a blob: how near a pixel is to its middle, and what lies to its right and below."""
    rows, columns = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    near = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
    return torch.stack([near, near * (columns - x), near * (rows - y)])[None]


# -------------------------------------------------------------------------------------------------------------- motion


def plain_motion(features: list[list[list[float]]], point: Any, target: Any, radius: float) -> tuple[float, int]:
    """Equation 1 pixel by pixel: the sum of |F(q + d) - F(q)|, and of how many differences."""
    channels, height, width = len(features), len(features[0]), len(features[0][0])
    length = math.dist(point, target)
    dx, dy = (target[0] - point[0]) / length, (target[1] - point[1]) / length

    def bilinear(channel: int, x: float, y: float) -> float:
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        left, top = min(int(x), width - 2), min(int(y), height - 2)
        a, b, plane = x - left, y - top, features[channel]
        above = (1 - a) * plane[top][left] + a * plane[top][left + 1]
        below = (1 - a) * plane[top + 1][left] + a * plane[top + 1][left + 1]
        return (1 - b) * above + b * below

    total, count = 0.0, 0
    for y in range(height):
        for x in range(width):
            if math.dist((x, y), point) < radius:
                for channel in range(channels):
                    total += abs(bilinear(channel, x + dx, y + dy) - features[channel][y][x])
                    count += 1
    return total, count


@pytest.mark.parametrize(
    ("point", "target"), [((6, 7), (15, 11)), ((6, 7), (2, 7)), ((0, 0), (5, 5)), ((23, 10), (12, 3))]
)
@pytest.mark.parametrize("radius", [1.0, 3.0])
def test_the_motion_loss_is_the_equation(point: Any, target: Any, radius: float) -> None:
    with seeded(1):
        features = torch.randn(1, 5, 24, 24)
    total, count = plain_motion(features[0].tolist(), point, target, radius)
    assert motion_loss(features, point, target, radius, "sum").item() == pytest.approx(total, rel=1e-4)
    assert motion_loss(features, point, target, radius).item() == pytest.approx(total / count, rel=1e-4)


def test_it_pulls_what_lies_ahead_and_holds_what_is_there() -> None:
    """The patch is the pixel (5, 5); a step to the right asks (6, 5) to be as it is, and nothing of (5, 5)."""
    features = blob(5, 5).requires_grad_()
    (slope,) = torch.autograd.grad(motion_loss(features, (5, 5), (9, 5), 1.0, "sum"), features)
    assert slope[0].abs().sum(dim=0).nonzero().tolist() == [[5, 6]]
    assert slope[0, 0, 5, 6] == -1  # it is less near to the middle than (5, 5), so it shall rise
    assert motion_loss(features, (5, 5), (5.5, 5.5), 1.0) is None


def test_moving_the_blob_along_lowers_the_loss_and_back_raises_it() -> None:
    """What was at the handle shall be a pixel further: so it is when the blob is there, and held is what was."""
    held = at(blob(8, 8), patch((8, 8), 3, (24, 24)))
    ahead = patch((8, 8), 3, (24, 24)) + torch.tensor([1.0, 0.0])
    by = {x: (at(blob(x, 8), ahead) - held).abs().mean().item() for x in (7, 8, 9)}
    assert by[9] == pytest.approx(0, abs=1e-6)
    assert by[9] < by[8] < by[7]
    assert motion_loss(blob(8, 8), (8, 8), (20, 8), 3).item() == pytest.approx(by[8], rel=1e-5)


def test_what_shall_stay_is_what_the_mask_says() -> None:
    first, now, fixed = torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
    fixed[..., :2] = 1
    assert kept_loss(now, first, fixed, "sum") == 16
    assert kept_loss(now, first, fixed) == 0.5


# ------------------------------------------------------------------------------------------------------------- tracking


def plain_track(features: Tensor, handle: Tensor, point: Any, radius: int) -> tuple[int, int]:
    best, place = math.inf, (0, 0)
    for y in range(features.shape[2]):
        for x in range(features.shape[3]):
            if abs(x - point[0]) <= radius and abs(y - point[1]) <= radius:
                distance = math.dist(features[0, :, y, x].tolist(), handle.tolist())
                if distance < best:
                    best, place = distance, (x, y)
    return place


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (4, 0), (-3, 2), (4, -4), (-4, 4)])
def test_a_blob_that_was_moved_is_found(dx: int, dy: int) -> None:
    handle = blob(10, 12)[0, :, 12, 10]
    assert track(blob(10 + dx, 12 + dy), handle, (10, 12), 4) == (10 + dx, 12 + dy)


def test_tracking_is_the_nearest_neighbour_in_its_square() -> None:
    with seeded(2):
        features, handle = torch.randn(1, 3, 16, 20), torch.randn(3)
    for point in ((0, 0), (19, 15), (7, 9), (1, 14)):
        assert track(features, handle, point, 3) == plain_track(features, handle, point, 3)


def test_beyond_its_square_nothing_is_found() -> None:
    handle = blob(5, 5)[0, :, 5, 5]
    x, y = track(blob(15, 5), handle, (5, 5), 3)
    assert (x, y) != (15, 5)
    assert x <= 8


def test_radii_grow_with_the_side() -> None:
    """3 and 12 pixels of 512 in the paper and in its code, which scales them."""
    assert [radii(side) for side in (256, 512, 1024)] == [(2, 6), (3, 12), (6, 24)]


# ---------------------------------------------------------------------------------------------------------------- state


def tiny(**options: Any) -> i2izoo.Translator:
    with seeded(0):
        return i2izoo.create("stylegan2", **{**StyleGAN2.tiny_options, **options})


@pytest.fixture(scope="module", params=["skip", "adain"])
def model(request: Any) -> i2izoo.Translator:
    generator = {**StyleGAN2.tiny_options["generator"], "architecture": request.param}
    return tiny(generator=generator, path_length=0)


ASKED: dict[str, Any] = {"points": [(4, 5), (10, 8)], "targets": [(11, 5), (10, 2)]}


def test_it_can_be_driven_step_by_step(model: i2izoo.Translator) -> None:
    state, seen = Drag(model, 3, **ASKED, steps=5), []
    for now in state:
        seen.append((now.done, now.image()))
        if now.done == 3:
            now.cancel()
    assert [done for done, _ in seen] == [1, 2, 3]
    assert not torch.equal(seen[0][1], seen[2][1])
    result = state.result()
    assert result.steps == 3
    assert [len(path) for path in result.paths] == [4, 4]
    assert not result.arrived
    torch.testing.assert_close(render(model, result.styles), result.image)
    assert all(p.requires_grad and p.grad is None for p in model.method.parameters())


def test_one_call_takes_the_same_steps(model: i2izoo.Translator) -> None:
    state, steps = Drag(model, 3, **ASKED, steps=3), []
    for _ in range(3):
        state.step()
    result = drag(model, 3, **ASKED, steps=3, on_step=lambda now: steps.append(now.done))
    assert steps == [1, 2, 3]
    assert torch.equal(result.styles.w, state.styles.w)
    assert result.paths == tuple(map(tuple, state.paths))


def test_the_first_layers_alone_change(model: i2izoo.Translator) -> None:
    before = drawn(model, seed=3)
    after = drag(model, 3, **ASKED, steps=2, layers=4, features=16).styles
    assert [torch.equal(before.w[0, layer], after.w[0, layer]) for layer in range(6)] == [False] * 4 + [True] * 2


def test_what_is_there_has_arrived(model: i2izoo.Translator) -> None:
    result = drag(model, drawn(model, seed=2), points=[(4, 4), (9, 9)], targets=[(4, 5), (9, 9)])
    assert result.arrived
    assert result.steps == 0


def test_an_image_is_projected_first(model: i2izoo.Translator) -> None:
    image = model.generate(1, seed=3)[0]
    state = Drag(model, image, **ASKED, projection={"steps": 2, "distance": "l2"})
    assert state.styles.noise is not None
    assert len(state.step()) == 2


def test_the_mask_holds_what_is_black(model: i2izoo.Translator) -> None:
    """Where nothing may move, the pull of the mask is all that counts for a large weight."""
    changes = []
    for weight in (0.0, 1000.0):
        result = drag(model, 3, **ASKED, mask=-torch.ones(1, 16, 16), mask_weight=weight, steps=15, learning_rate=0.01)
        changes.append((result.image - render(model, drawn(model, seed=3))).abs().mean().item())
    assert changes[1] < 0.5 * changes[0]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"points": [(16, 3)]}, r"within 16 x 16 pixels, from 0; found \(16, 3\)"),
        ({"targets": []}, "each point has a target; found 2 and 0"),
        ({"mask": torch.ones(1, 8, 8)}, "the mask has the size of the image, 16 x 16; found 8 x 8"),
        ({"features": 5}, "no features of 5 x 5"),
        ({"reduction": "max"}, "reduction is 'mean' or 'sum'"),
        ({"start": Styles(torch.zeros(2, 6, 8))}, "one image is dragged; these are the styles of 2"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        Drag(tiny(), **{"start": 3, **ASKED, **options})


def test_the_command_drags(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    tiny().save_pretrained("model")
    drawn(tiny(), seed=3).save("w.safetensors")
    words = ["--handle", "4,5", "--target", "9,5", "--handle", "8,8", "--target", "8,3", "--steps", "2"]
    assert main(["drag", "model", "w.safetensors", *words, "-o", "after.png", "--save", "after.safetensors"]) == 0
    assert "2 steps" in capsys.readouterr().out
    assert Styles.load("after.safetensors").w.shape == (1, 6, 8)
    assert main(["drag", "model", "3", "--handle", "4,5", "--target", "9", "-o", "a.png"]) == 2
    assert "x,y" in capsys.readouterr().err
