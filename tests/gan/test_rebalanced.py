"""L1 by the rarity of colours, against closed forms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from i2izoo_gan.rebalanced import RebalancedL1

COMMON, RARE = -0.5, 0.5


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Three quarters of the pixels in one corner of a*, b*, a quarter in the other; wrong by 0.2 and by 0.6."""
    target = torch.full((2, 2, 8, 8), COMMON)
    target[..., :2] = RARE
    return target + torch.where(target == RARE, 0.6, 0.2), target


def test_weights_by_hand() -> None:
    """Smoothed over two bins an axis, shares s and 1 - s at the ends become 3/4 s + 1/4 (1 - s) and the rest."""
    prediction, target = images()
    common = 0.75 * (3 / 4) ** 2 + 0.25 * (1 / 4) ** 2
    rare = 0.25 * (3 / 4) ** 2 + 0.75 * (1 / 4) ** 2
    mixed = (1 - common - rare) / 2  # each of the two bins of which there is no pixel
    for power in (0.5, 1.0):
        mean = common ** (1 - power) + rare ** (1 - power) + 2 * mixed ** (1 - power)
        expected = (0.75 * 0.2 * common**-power + 0.25 * 0.6 * rare**-power) / mean
        loss = RebalancedL1(bins=2, uniform=0.0, power=power)
        assert loss(prediction, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", [{"power": 0.0}, {"uniform": 1.0}])
def test_without_rarity_it_is_l1(options: dict[str, Any]) -> None:
    prediction, target = images()
    torch.testing.assert_close(RebalancedL1(**options)(prediction, target), F.l1_loss(prediction, target))


def test_lightness_has_no_part_in_the_weights() -> None:
    torch.manual_seed(0)
    prediction, target = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 3, 8, 8) * 2 - 1
    first = RebalancedL1(bins=4)(prediction, target)
    both = prediction[:, :1] + 0.7, target[:, :1] + 0.7  # as far apart as before
    other = RebalancedL1(bins=4)(
        *(torch.cat([own, x[:, 1:]], 1) for own, x in zip(both, (prediction, target), strict=True))
    )
    torch.testing.assert_close(first, other)


def test_shares_are_an_average_of_the_batches_of_training() -> None:
    loss = RebalancedL1(bins=8, memory=0.9)
    colours = torch.rand(3, 2, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    single = []
    for batch in colours:
        alone = RebalancedL1(bins=8)
        alone(batch, batch)
        single.append(alone.shares)
        loss(batch, batch)
    expected = 0.9 * (0.9 * single[0] + 0.1 * single[1]) + 0.1 * single[2]
    torch.testing.assert_close(loss.shares, expected)
    torch.testing.assert_close(loss.shares.sum(), torch.tensor(1.0))
    loss.eval()
    loss(colours[0], colours[0])
    torch.testing.assert_close(loss.shares, expected)


def test_the_answer_to_what_may_be_grey_or_green_is_green() -> None:
    """The median of 60 grey and 40 green pixels is grey. Where all else is grey, too, green weighs more."""
    elsewhere = torch.zeros(1, 2, 1, 900)
    unclear = torch.zeros(1, 2, 1, 100)
    unclear[:, 0, :, :40] = -0.4
    target = torch.cat([unclear, elsewhere], dim=-1)

    def best(loss: torch.nn.Module) -> float:
        levels = torch.linspace(-0.4, 0, 9)
        values = []
        for level in levels:
            answer = target.clone()
            answer[:, 0, :, :100] = level
            values.append(loss(answer, target))
        return levels[int(torch.stack(values).argmin())].item()

    assert best(torch.nn.L1Loss()) == 0
    assert best(RebalancedL1()) == pytest.approx(-0.4)
