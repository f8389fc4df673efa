"""The networks of DCGAN against a plain twin written from the paper, and against its numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_generation.dcgan import DCGANDiscriminator, DCGANGenerator
from torch import nn

from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes


def paper_generator(latent: int, channels: int) -> nn.Sequential:
    """Figure 1 of the paper for 64 x 64, channels divided by 1024 / `channels`; 5 x 5 and no biases as the authors'."""

    def up(before: int, after: int) -> nn.Module:
        return nn.ConvTranspose2d(before, after, 5, stride=2, padding=2, output_padding=1, bias=False)

    c = channels
    return nn.Sequential(
        nn.Linear(latent, c * 16, bias=False), nn.BatchNorm1d(c * 16), nn.Unflatten(1, (c, 4, 4)), nn.ReLU(),
        up(c, c // 2), nn.BatchNorm2d(c // 2), nn.ReLU(),
        up(c // 2, c // 4), nn.BatchNorm2d(c // 4), nn.ReLU(),
        up(c // 4, c // 8), nn.BatchNorm2d(c // 8), nn.ReLU(),
        up(c // 8, 3), nn.Tanh(),
    )  # fmt: skip


def paper_discriminator(channels: int) -> nn.Sequential:
    """The mirror, as in the authors' code: no batch norm on the first layer, leaky rectifiers, one logit."""

    def down(before: int, after: int) -> nn.Module:
        return nn.Conv2d(before, after, 5, stride=2, padding=2, bias=False)

    c = channels
    return nn.Sequential(
        down(3, c // 8), nn.LeakyReLU(0.2),
        down(c // 8, c // 4), nn.BatchNorm2d(c // 4), nn.LeakyReLU(0.2),
        down(c // 4, c // 2), nn.BatchNorm2d(c // 2), nn.LeakyReLU(0.2),
        down(c // 2, c), nn.BatchNorm2d(c), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(c * 16, 1, bias=False),
    )  # fmt: skip


def with_the_weights_of(twin: nn.Module, network: nn.Module) -> nn.Module:
    """The twin with the network's tensors, in the order of both."""
    mine = [value for name, value in network.state_dict().items() if name != "level"]
    twin.load_state_dict(dict(zip(twin.state_dict(), mine, strict=True)))
    return twin


@pytest.mark.parametrize("training", [True, False])
def test_the_generator_is_that_of_the_paper(training: bool) -> None:
    with seeded(0):
        network = DCGANGenerator(latent=10, width=4).train(training)
        twin = with_the_weights_of(paper_generator(10, 32), network).train(training)
        z = torch.rand(3, 10) * 2 - 1
    torch.testing.assert_close(network(z), twin(z))


@pytest.mark.parametrize("training", [True, False])
def test_the_discriminator_is_that_of_the_paper(training: bool) -> None:
    with seeded(0):
        network = DCGANDiscriminator(width=4, init_gain=0.1).train(training)
        twin = with_the_weights_of(paper_discriminator(32), network).train(training)
        image = torch.rand(3, 3, 64, 64) * 2 - 1
    (logits,) = network(image)
    torch.testing.assert_close(logits, twin(image))


# Of the authors' code for faces (Newmu/dcgan_code, faces/train_uncond_dcgan.py), the sum over its tensors: the
# projection 100 x 16384 with two numbers of batch norm for each of its units, and 5 x 5 kernels without biases.
GENERATOR = (
    100 * 16384 + 2 * 16384 + 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 2 * (512 + 256 + 128)
)  # fmt: skip
DISCRIMINATOR = 25 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 2 * (256 + 512 + 1024) + 16 * 1024

# Of the example of PyTorch (pytorch/examples, dcgan/main.py), 4 x 4 kernels and half the width: what torch counts there
# for its Generator() and Discriminator(), but for the first and last layer, which are convolutions: its projection is
# 100 x 512 x 4 x 4 with two numbers of batch norm for each of 512 channels, where this one has them for each unit.
PORT = 3_576_704 - 2 * 512 + 2 * 512 * 16, 2_765_568


@pytest.mark.parametrize(
    ("options", "counts"),
    [({}, (GENERATOR, DISCRIMINATOR)), ({"kernel": 4, "width": 64}, PORT)],
)
def test_they_have_as_many_parameters_as_the_authors(options: dict[str, Any], counts: tuple[int, int]) -> None:
    with only_shapes():
        networks = DCGANGenerator(**options), DCGANDiscriminator(**options)
    assert tuple(sum(p.numel() for p in network.parameters()) for network in networks) == counts


@pytest.mark.parametrize("size", [8, 16, 128, 1024])
def test_any_power_of_two(size: int) -> None:
    generator, discriminator = DCGANGenerator(size=size, width=1), DCGANDiscriminator(size=size, width=1)
    image = generator(torch.randn(2, 100))
    assert image.shape == (2, 3, size, size)
    assert discriminator(image)[0].shape == (2, 1)


@pytest.mark.parametrize("size", [12, 100])
def test_other_sides_are_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"a power of two from 8 on, such as 64; found {size}"):
        DCGANGenerator(size=size)


def test_images_of_another_side_are_refused() -> None:
    with pytest.raises(ConfigError, match="judges images of 16 x 16, and found 32 x 32; set its size"):
        DCGANDiscriminator(size=16, width=1)(torch.zeros(2, 3, 32, 32))


def test_a_projection_is_the_inner_product_of_features_and_condition() -> None:
    """Miyato and Koyama 2018, equation 3: f(x, y) = y^T V phi(x) + psi(phi(x))."""
    with seeded(1):
        network = DCGANDiscriminator(size=16, width=2, condition=3, init_gain=0.3).eval()
        image, condition = torch.randn(4, 3, 16, 16), torch.randn(4, 3)
    phi = network.blocks[0](network.stems[0](image)).flatten(1)
    V, psi = network.projection.weight, network.head.weight
    wanted = torch.einsum("nc,fc,nf->n", condition, V, phi) + phi @ psi[0]
    torch.testing.assert_close(network(image, condition)[0][:, 0], wanted)


def test_a_batch_of_one_is_refused_in_training() -> None:
    with pytest.raises(ConfigError, match="a batch_size of at least 2"):
        DCGANGenerator(size=8, width=1).train()(torch.zeros(1, 100))
    assert DCGANGenerator(size=8, width=1, norm="instance").train()(torch.zeros(1, 100)).shape == (1, 3, 8, 8)
