"""Running statistics of batch norm that are taken anew, against layers computed one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from i2izoo.nn.random import seeded
from i2izoo.nn.running import take_statistics


def test_each_norm_has_the_statistics_of_what_the_layers_before_it_give() -> None:
    with seeded(0):
        network = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2)
        )
        batch = torch.randn(50, 3)
        network(torch.randn(9, 3))  # some statistics of a training before
    before = {name: p.clone() for name, p in network.named_parameters()}
    take_statistics(network, [(batch.double(),)])

    first, gain, bias, second = network[0], network[1].weight, network[1].bias, network[4]
    x = first(batch)
    y = second(((x - x.mean(0)) / (x.var(0) + 1e-5).sqrt() * gain + bias).relu())
    for norm, seen in ((network[1], x), (network[5], y)):
        torch.testing.assert_close(norm.running_mean, seen.mean(0))
        torch.testing.assert_close(norm.running_var, seen.var(0))
    assert all(layer.training for layer in network)
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())
    once = {name: value.clone() for name, value in network.state_dict().items()}
    take_statistics(network, [(batch,)])
    assert all(torch.equal(once[name], value) for name, value in network.state_dict().items())


def test_batches_count_alike_and_images_by_all_their_pixels() -> None:
    norm = nn.BatchNorm2d(1).eval()
    images = [torch.tensor([a, b]).view(1, 1, 1, 2) for a, b in ((0.0, 2.0), (3.0, 5.0), (6.0, 12.0))]
    take_statistics(norm, [(image,) for image in images])
    torch.testing.assert_close(norm.running_mean, torch.tensor([14 / 3]))  # of 1, 4 and 9
    torch.testing.assert_close(norm.running_var, torch.tensor([22 / 3]))  # of 2, 2 and 18
    assert not norm.training


def test_a_network_without_batch_norm_is_not_run() -> None:
    def batches() -> Iterator[tuple[torch.Tensor]]:
        raise AssertionError("it was asked for a batch")
        yield

    take_statistics(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1, track_running_stats=False)), batches())


def test_without_a_batch_all_stays_as_it_was() -> None:
    norm = nn.BatchNorm1d(1)
    norm(torch.tensor([[1.0], [5.0]]))
    before = norm.get_buffer("running_mean").clone()
    take_statistics(norm, [])
    assert torch.equal(norm.get_buffer("running_mean"), before)
