"""The networks of BigGAN against a plain rewrite of the paper's figures, and against published numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from i2izoo_generation.biggan_discriminator import BigGANDiscriminator
from i2izoo_generation.biggan_generator import BigGANGenerator
from torch import Tensor, nn

from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes


def effective(network: nn.Module) -> dict[str, Tensor]:
    """Name -> what a layer computes with: its weight after the spectral norm, its bias, its running statistics."""
    found = {}
    for name, module in network.eval().named_modules():
        for tensor in ("weight", "bias", "running_mean", "running_var", "gamma"):
            if isinstance(value := getattr(module, tensor, None), Tensor):
                found[f"{name}.{tensor}"] = value.detach()
    return found


def stirred(network: nn.Module) -> nn.Module:
    """All that begins at 0 or 1 is somewhere else."""
    for name, parameter in network.named_parameters():
        if parameter.ndim < 2:
            parameter.data += 0.3 * torch.randn_like(parameter)
        assert parameter.isfinite().all(), name
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer += 0.2 * torch.rand_like(buffer)
    return network


def attended(x: Tensor, t: dict[str, Tensor], name: str) -> Tensor:
    """Zhang et al. 2019, eq. 1 to 3, place by place, with keys and values of half the size as in the public code."""
    q = F.conv2d(x, t[f"{name}.query.weight"])
    k, v = (F.max_pool2d(F.conv2d(x, t[f"{name}.{what}.weight"]), 2) for what in ("key", "value"))
    found = torch.zeros(x.shape[0], v.shape[1], *x.shape[2:])
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            scores = torch.einsum("nc,nchw->nhw", q[:, :, row, column], k).flatten(1).softmax(dim=1)
            found[:, :, row, column] = torch.einsum("ns,ncs->nc", scores, v.flatten(2))
    return x + t[f"{name}.gamma"] * F.conv2d(found, t[f"{name}.output.weight"])


def convolved(x: Tensor, t: dict[str, Tensor], name: str) -> Tensor:
    weight = t[f"{name}.weight"]
    return F.conv2d(x, weight, t[f"{name}.bias"], padding=weight.shape[-1] // 2)


@pytest.mark.parametrize("condition", [3, 0])
def test_the_generator_is_figure_15_of_the_paper(condition: int) -> None:
    with seeded(1):
        network = stirred(BigGANGenerator(latent=11, condition=condition, size=16, width=4, attention=[8], embedding=5))
        z, told = torch.randn(2, 11), torch.eye(3)[[2, 0]]
    t = effective(network)

    def normed(x: Tensor, name: str, c: Tensor) -> Tensor:
        mean, var = (t[f"{name}.norm.running_{what}"].view(1, -1, 1, 1) for what in ("mean", "var"))
        gain, bias = (c @ t[f"{name}.{what}.weight"].T for what in ("gain", "bias"))
        return (x - mean) / (var + 1e-5).sqrt() * (1 + gain[:, :, None, None]) + bias[:, :, None, None]

    def block(x: Tensor, name: str, c: Tensor) -> Tensor:
        y = F.interpolate(F.relu(normed(x, f"{name}.norm0", c)), scale_factor=2)
        y = F.relu(normed(convolved(y, t, f"{name}.conv0"), f"{name}.norm1", c))
        return convolved(y, t, f"{name}.conv1") + convolved(F.interpolate(x, scale_factor=2), t, f"{name}.skip")

    shared = [told @ t["embedding.weight"].T] if condition else []
    x = (z[:, :5] @ t["project.weight"].T + t["project.bias"]).view(2, 16, 4, 4)  # 11 = 5 + 3 + 3
    x = attended(block(x, "blocks.0", torch.cat([*shared, z[:, 5:8]], 1)), t, "attention.0")
    x = block(x, "blocks.1", torch.cat([*shared, z[:, 8:]], 1))
    x = F.batch_norm(x, t["norm.running_mean"], t["norm.running_var"], t["norm.weight"], t["norm.bias"])
    expected = convolved(F.relu(x), t, "head").tanh()
    torch.testing.assert_close(network(z, *[told] * bool(condition)), expected)
    assert (expected[0] - expected[1]).abs().mean() > 0.01


@pytest.mark.parametrize("size", [16, 64])
def test_the_discriminator_is_figure_15_of_the_paper(size: int) -> None:
    with seeded(2):
        network = stirred(BigGANDiscriminator(size=size, width=2, condition=3, attention=[size // 2]))
        image, told = torch.randn(2, 3, size, size), torch.eye(3)[[1, 2]]
    t = effective(network)
    halvings, blocks = (1, 3) if size == 16 else (4, 5)
    x = image
    for place in range(blocks):
        name, halves = f"blocks.{place}", place < halvings
        y = convolved(F.relu(x) if place else x, t, f"{name}.conv0")
        y = convolved(F.relu(y), t, f"{name}.conv1")
        around = convolved(x, t, f"{name}.skip") if f"{name}.skip.weight" in t else x
        x = F.avg_pool2d(y, 2) + F.avg_pool2d(around, 2) if halves else y + around
        if place == 0:
            x = attended(x, t, "attention.0")
    phi = F.relu(x).sum((2, 3))
    psi = phi @ t["head.weight"].T + t["head.bias"]
    expected = psi + (told @ t["projection.weight"].T * phi).sum(1, keepdim=True)
    torch.testing.assert_close(network(image, told)[0], expected)
    assert x.shape[-1] == (8 if size == 16 else 4)


# What google/compare_gan counts for 128 x 128 and 1000 classes (resnet_biggan_test.py), the paper's 70.4 million; the
# discriminator has as many in the authors' PyTorch code.
SIZES = [(BigGANGenerator, 70_433_988), (BigGANDiscriminator, 87_982_370)]


@pytest.mark.parametrize(("kind", "count"), SIZES)
def test_they_have_as_many_parameters_as_published(kind: Any, count: int) -> None:
    with only_shapes():
        network = kind(condition=1000)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(("size", "attentions"), [(8, [0, 0]), (32, [1, 0]), (64, [1, 1]), (256, [1, 1])])
def test_they_are_of_many_sizes(size: int, attentions: list[int]) -> None:
    options: dict[str, Any] = {"size": size, "width": 1, "attention": [32]}
    generator, discriminator = BigGANGenerator(**options), BigGANDiscriminator(**options)
    with torch.no_grad():
        image = generator(torch.randn(2, 120))
        assert image.shape == (2, 3, size, size)
        assert discriminator(image)[0].shape == (2, 1)
    assert [len(network.attention) for network in (generator, discriminator)] == attentions


def test_layers_but_the_embedding_have_a_spectral_norm_and_begin_orthogonal() -> None:
    with seeded(3):
        generator = BigGANGenerator(latent=12, condition=3, size=16, width=4, attention=[8], embedding=6)
        discriminator = BigGANDiscriminator(size=16, width=4, condition=3, attention=[8])
    layers = {
        **{f"G {name}": layer for name, layer in generator.named_modules()},
        **{f"D {name}": layer for name, layer in discriminator.named_modules()},
    }
    found: dict[str, Any] = {name: layer for name, layer in layers.items() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    for name, layer in found.items():
        normalised = hasattr(layer, "parametrizations")
        assert normalised == (name != "G embedding"), name
        raw = (layer.parametrizations.weight.original if normalised else layer.weight).flatten(1)
        gram = raw @ raw.T if len(raw) <= raw.shape[1] else raw.T @ raw
        torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0, msg=name)
        if normalised:
            layer.parametrizations.weight.original.data *= 3
            for _ in range(30):
                _ = layer.train().weight
            singular = torch.linalg.svdvals(layer.eval().weight.flatten(1))
            assert singular[0].item() == pytest.approx(1, abs=1e-4), name


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: BigGANGenerator(latent=2, size=16, width=1),
            "each of 3 places takes a part of the latent; found a le",
        ),
        (lambda: BigGANGenerator(size=512, width=1), "no channels for 512 x 512; give 8 multiples"),
        (lambda: BigGANGenerator(size=32, width=1, multiples=[2]), "at 32 x 32 there are 4 multiples; found \\[2\\]"),
        (
            lambda: BigGANDiscriminator(size=8, width=1)(torch.zeros(1, 3, 16, 16)),
            "images of side 8, and found 16 x 16",
        ),
    ],
)
def test_what_cannot_be_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build()
