"""TransGAN's networks against plain loops and the sizes of the authors' code, and what its method minimises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from i2izoo_gan.losses import WGANGP
from i2izoo_generation.transgan import TransGAN
from i2izoo_generation.transgan_block import PixelNorm, Stage
from i2izoo_generation.transgan_discriminator import TransGANDiscriminator
from i2izoo_generation.transgan_generator import TransGANGenerator
from i2izoo_generation.windows import WindowAttention, merge, partition
from torch import Tensor, nn

from i2izoo.errors import ConfigError
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.training import batches, stepper_of


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    with seeded(seed):
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0, 0.3)
    return network.double().eval()


def test_windows_are_cut_in_reading_order() -> None:
    grid = torch.arange(2 * 6 * 4).view(2, 6, 4, 1)
    wanted = [
        [grid[image, top + y, left + x, 0] for y in range(2) for x in range(2)]
        for image in range(2)
        for top in range(0, 6, 2)
        for left in range(0, 4, 2)
    ]
    assert torch.equal(partition(grid, 2)[:, :, 0], torch.tensor(wanted))
    assert torch.equal(merge(partition(grid, 2), 6, 4), grid)


def attend(layer: WindowAttention, tokens: Tensor, biased: bool) -> Tensor:
    """Equation 2 for the tokens of one window of 3 x 3, pair by pair; the bias is that of (dy, dx)."""
    dim = tokens.shape[1]
    size = dim // layer.heads
    asked = tokens @ layer.qkv.weight.T
    rows = []
    for place in range(len(tokens)):
        heard = []
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            scores = []
            for other in range(len(tokens)):
                score = asked[place, :dim][part] @ asked[other, dim : 2 * dim][part] / size**0.5
                if biased:
                    down, right = place // 3 - other // 3, place % 3 - other % 3
                    score = score + layer.bias[(down + 2) * 5 + right + 2, head]
                scores.append(score)
            shares = torch.stack(scores).softmax(0)
            heard.append(sum(s * v[2 * dim :][part] for s, v in zip(shares, asked, strict=True)))
        rows.append(layer.output.weight @ torch.cat(heard) + layer.output.bias)
    return torch.stack(rows)


@pytest.mark.parametrize("window", [3, 0])
def test_attention_is_that_of_the_equation(window: int) -> None:
    layer = drawn(WindowAttention(8, 2, window))
    tokens = torch.randn(1, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(layer(tokens)[0], attend(layer, tokens[0], window > 0))  # type: ignore[arg-type]


def test_a_stage_works_in_its_windows_alone() -> None:
    """What lies in another window changes nothing, and in the same window it does."""
    stage = drawn(Stage(8, 6, [3, 3], 2, "layer"))
    x = torch.randn(1, 8, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[0, 0, 1, 1] += 1  # one number of a token, which no norm takes away
    with torch.no_grad():
        changed = (stage(other) - stage(x)).abs().amax(dim=1)[0] > 1e-9
    assert changed[:3, :3].all()
    assert not changed[3:].any()
    assert not changed[:, 3:].any()


def test_pixel_norm_is_a_mean_square_of_one() -> None:
    torch.testing.assert_close(
        PixelNorm()(torch.tensor([[[3.0, 3.0, 0.0, 0.0]]])), torch.tensor([[[2**0.5] * 2 + [0, 0]]])
    )


def test_the_generator_grows_tokens_to_pixels() -> None:
    """The stages of 32 x 32 written out: each doubling puts the channels 4 c + 2 y + x of a token at its (y, x)."""
    network = drawn(TransGANGenerator(latent=3, width=16, depths=[1, 1, 1], heads=1))
    z = torch.randn(1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = network.project(z).view(1, 64, 16)
        x = network.stages[0](tokens.transpose(1, 2).view(1, 16, 8, 8))
        for stage in list(network.stages)[1:]:
            channels, side = x.shape[1] // 4, x.shape[2]
            larger = x.new_zeros(1, channels, 2 * side, 2 * side)
            for y in range(2):
                for across in range(2):
                    larger[:, :, y::2, across::2] = x[:, 2 * y + across :: 4]
            x = stage(larger)
        image = torch.einsum("nchw,oc->nohw", x, network.to_image.weight) + network.to_image.bias[:, None, None]
        torch.testing.assert_close(network(z), image.clamp(-1, 1))
        network.train()
        torch.testing.assert_close(network(z), image)  # which the loss sees without a bound


def test_the_discriminator_sees_patches_of_two_sizes() -> None:
    network = drawn(TransGANDiscriminator(size=8, width=8, depths=[1, 1], heads=2))
    image = torch.rand(1, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def patches(layer: nn.Module, side: int) -> Tensor:
        rows = [
            [
                layer.weight.flatten(1) @ image[0, :, y : y + side, x : x + side].flatten() + layer.bias
                for x in range(0, 8, side)
            ]
            for y in range(0, 8, side)
        ]
        return torch.stack([torch.stack(row) for row in rows]).permute(2, 0, 1)[None]

    with torch.no_grad():
        x = network.stages[0](patches(network.from_image[0], 2))
        x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
        x = network.stages[1](torch.cat([x, patches(network.from_image[1], 4)], dim=1))
        tokens = torch.cat([network.class_token, x.flatten(2).transpose(1, 2)], dim=1)
        token = network.last(tokens)[:, 0]
        token = (token - token.mean()) / (token.var(unbiased=False) + 1e-5).sqrt()
        token = token * network.norm.weight + network.norm.bias
        torch.testing.assert_close(network(image)[0], token @ network.head.weight.T + network.head.bias)


# Sums over the tensors of the authors' code (VITA-Group/TransGAN, models_search): blocks with qkv without a bias, a
# table of biases for each head, two layer norms (none that is learned with pixel norm) and an MLP of 4 times the width.


def block(dim: int, window: int, norms: bool = True) -> int:
    table = 4 * (2 * window - 1) ** 2 if window else 0
    return 3 * dim**2 + dim**2 + dim + table + 8 * dim**2 + 5 * dim + (4 * dim if norms else 0)


def stages(plan: list[tuple[int, int, list[int]]], norms: bool = True) -> int:
    return sum(side**2 * dim + sum(block(dim, window, norms) for window in windows) for side, dim, windows in plan)


GENERATOR_32 = (  # ViT_custom_rp.Generator with the arguments of exps/cifar_train.py
    256 * 64 * 1024 + 64 * 1024 + (64 * 3 + 3)
    + stages([(8, 1024, [8] * 5), (16, 256, [16] * 4), (32, 64, [32] * 2)])
)  # fmt: skip
GENERATOR_256 = (  # ViT_custom_local544444_256_rp.Generator with those of exps/church_256_train.py, of pixel norm
    512 * 64 * 1024 + 64 * 1024 + (16 * 3 + 3)
    + stages([
        (8, 1024, [8] * 5), (16, 1024, [16] * 4), (32, 1024, [32] * 4),
        (64, 256, [16] * 4), (128, 64, [16] * 4), (256, 16, [16] * 4),
    ], norms=False)
)  # fmt: skip
ENDS = 384 + block(384, 0) + 2 * 384 + 384 + 1
DISCRIMINATOR_32 = (  # ViT_custom_scale2.Discriminator of exps/cifar_train.py
    (3 * 4 * 288 + 288) + (3 * 16 * 96 + 96) + stages([(16, 288, [16] * 3), (8, 384, [8] * 3)]) + ENDS
)
DISCRIMINATOR_256 = (  # ViT_scale3_local_new_rp.Discriminator of exps/church_256_train.py
    (3 * 16 * 288 + 288) + (3 * 64 * 48 + 48) + (3 * 256 * 48 + 48)
    + stages([(64, 288, [16, 16, 64]), (32, 336, [32] * 3), (16, 384, [16] * 4)]) + ENDS
)  # fmt: skip


@pytest.mark.parametrize(
    ("part", "options", "count"),
    [
        (TransGANGenerator, {}, GENERATOR_32),
        (TransGANGenerator, {"size": 256, "latent": 512, "norm": "pixel"}, GENERATOR_256),
        (TransGANDiscriminator, {}, DISCRIMINATOR_32),
        (TransGANDiscriminator, {"size": 256, "patch": 4, "depths": [3, 3, 4]}, DISCRIMINATOR_256),
    ],
)
def test_sizes_are_those_of_the_authors_code(part: Any, options: dict[str, Any], count: int) -> None:
    with only_shapes():
        network = part(**options)
    assert sum(p.numel() for p in network.parameters()) == count


def test_drift_holds_scores_near_zero() -> None:
    """1/2 of (1^2 + 3^2) beside the difference of the means, 1.5 - 2; a score is the mean of an image's logits."""
    real = [torch.tensor([[[[0.0, 2.0]]], [[[3.0, 3.0]]]])]
    fake = [torch.tensor([[[[1.5, 1.5]]], [[[1.5, 1.5]]]])]
    assert WGANGP(drift=0.1).discriminator(real, fake).item() == pytest.approx(1.5 - 2 + 0.1 * 5)
    assert WGANGP().discriminator(real, fake).item() == pytest.approx(1.5 - 2)


def test_as_in_the_paper_it_is_a_wasserstein_gan() -> None:
    """Its own loss, whose penalty differentiates twice, and four updates of one player for each of the other."""
    method = TransGAN(**{**TransGAN.tiny_options, "gan_loss": {"name": "wgangp", "drift": 0.001}})
    assert (method.discriminator_steps, method.betas) == (4, [0.0, 0.99])
    assert method.learning_rates == {"generator": 1e-4, "discriminator": 1e-4}
    stepper = stepper_of(method)
    terms = [set(stepper.run([batch])) for batch in batches(method, 4)]
    assert terms == [{"d_gan", "d_penalty"}] * 3 + [{"d_gan", "d_penalty", "gan"}]


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        (TransGANGenerator, {"width": 24, "heads": 1}, "quarter the channels"),
        (TransGANGenerator, {"width": 64, "heads": 3}, "heads divide the channels"),
        (TransGANGenerator, {"width": 64, "depths": [1, 1]}, r"sides \[8, 16, 32\]"),
        (TransGANDiscriminator, {"patch": 3}, "patches of 3 to 6 divide the side"),
        (TransGANDiscriminator, {"width": 20, "depths": [1, 1, 1]}, "8 the width"),
    ],
)
def test_what_does_not_fit_is_said(part: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        part(**options)


def test_it_judges_images_of_its_size() -> None:
    with pytest.raises(ConfigError, match="of side 16, and found 32 x 32"):
        TransGANDiscriminator(size=16, width=16)(torch.zeros(1, 3, 32, 32))
