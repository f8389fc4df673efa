"""Losses of the GAN family against values by hand and closed forms."""

import math

import pytest
import torch
from i2izoo_gan.losses import L1, L2, LSGAN, WGANGP, Hinge, Vanilla
from i2izoo_gan.patchgan import MultiScalePatchGAN, PatchGAN
from torch import nn

REAL = [torch.tensor([2.0, -0.5]).reshape(2, 1, 1, 1)]
FAKE = [torch.tensor([0.5, -3.0]).reshape(2, 1, 1, 1)]


def bce(logit, label):
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p if label else 1 - p)


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (
            Vanilla(),
            (bce(2, 1) + bce(-0.5, 1)) / 2 + (bce(0.5, 0) + bce(-3, 0)) / 2,
            (bce(0.5, 1) + bce(-3, 1)) / 2,
        ),
        (LSGAN(), (1**2 + 1.5**2) / 2 + (0.5**2 + 3**2) / 2, (0.5**2 + 4**2) / 2),
        (Hinge(), (0 + 1.5) / 2 + (1.5 + 0) / 2, (-0.5 + 3) / 2),
        (WGANGP(), -(2 - 0.5) / 2 + (0.5 - 3) / 2, (-0.5 + 3) / 2),
    ],
)
def test_values_by_hand(loss, discriminator, generator):
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, abs=1e-6)
    assert loss.generator(FAKE).item() == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize("loss", [Vanilla(), LSGAN(), Hinge(), WGANGP()])
def test_mean_over_patches_and_sum_over_scales(loss):
    torch.manual_seed(0)
    real = [torch.randn(2, 1, 5, 5), torch.randn(2, 1, 2, 2)]
    fake = [torch.randn(2, 1, 5, 5), torch.randn(2, 1, 2, 2)]
    apart = [loss.discriminator([r], [f]) for r, f in zip(real, fake, strict=True)]
    torch.testing.assert_close(loss.discriminator(real, fake), sum(apart))
    torch.testing.assert_close(loss.generator(fake), loss.generator(fake[:1]) + loss.generator(fake[1:]))
    tiled = [t.repeat(1, 1, 3, 3) for t in real], [t.repeat(1, 1, 3, 3) for t in fake]
    torch.testing.assert_close(loss.discriminator(*tiled), loss.discriminator(real, fake))


def test_distances():
    a, b = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, -1.0]]]])
    assert L1()(a, b).item() == pytest.approx((0.5 + 2) / 2)
    assert L2()(a, b).item() == pytest.approx((0.25 + 4) / 2)


@pytest.mark.parametrize("logit", [1000.0, -1000.0])
def test_vanilla_is_stable(logit):
    """-log sigmoid(x) tends to max(0, -x): no infinity where a sigmoid followed by a logarithm has one."""
    x = torch.full((1, 1, 2, 2), logit, requires_grad=True)
    loss = Vanilla().generator([x])
    loss.backward()
    assert loss.item() == pytest.approx(max(0.0, -logit))
    assert torch.isfinite(x.grad).all()
    assert Vanilla().discriminator([x], [x]).item() == pytest.approx(1000)


def test_losses_of_half_precision_logits_are_taken_in_float32():
    huge = [torch.full((1, 1, 8, 8), 400.0).half()]  # whose square does not fit float16
    assert LSGAN().generator(huge).item() == 399.0**2
    assert Vanilla().generator(huge).dtype == torch.float32


# ------------------------------------------------------------------------------------------------ gradient penalty


class Linear(nn.Module):
    """A discriminator that gives the map of logits w . x of an image, repeated for so many patches."""

    def __init__(self, weight, patches):
        super().__init__()
        self.weight, self.patches = nn.Parameter(weight), patches

    def forward(self, image):
        score = (image * self.weight).flatten(1).sum(1)
        return [score[:, None, None, None].expand(-1, 1, n, n) for n in self.patches]


@pytest.mark.parametrize("patches", [[1], [31], [5, 3]])
def test_penalty_in_closed_form(patches):
    """The slope of a linear discriminator is w everywhere: lambda (|w| - 1)^2 a scale, for any number of patches.

    A sum over the 31 x 31 patches would make the slope 961 times as steep.
    """
    weight = torch.tensor([[[3.0]], [[4.0]]]) / 2  # |w| = 2.5
    discriminator = Linear(weight, patches)
    penalty = WGANGP(penalty_weight=10.0).penalty(discriminator, torch.randn(4, 2, 1, 1), torch.randn(4, 2, 1, 1))
    assert penalty.item() == pytest.approx(len(patches) * 10 * (2.5 - 1) ** 2, rel=1e-5)
    penalty.backward()
    # d/dw lambda (|w| - 1)^2 = 2 lambda (|w| - 1) w / |w|
    expected = len(patches) * 2 * 10 * 1.5 * weight / 2.5
    torch.testing.assert_close(discriminator.weight.grad, expected, rtol=1e-5, atol=1e-5)


def test_penalty_takes_the_norm_of_each_image():
    """A discriminator sum(x^2) / 2 has the slope x at x: the norms of the images, not that of the batch."""

    class Square(nn.Module):
        def forward(self, image):
            return [image.square().flatten(1).sum(1)[:, None] / 2]

    image = torch.tensor([[3.0, 4.0], [0.0, 1.0]]).reshape(2, 2, 1, 1)
    penalty = WGANGP(penalty_weight=1.0).penalty(Square(), image, image)  # between equal images lies the image
    assert penalty.item() == pytest.approx(((5 - 1) ** 2 + 0) / 2)


def test_penalty_lies_between_real_and_fake_with_one_share_for_each_image():
    seen = []

    class Spy(Linear):
        def forward(self, image):
            seen.append(image.detach())
            return super().forward(image)

    real, fake = torch.ones(64, 3, 2, 2), torch.zeros(64, 3, 2, 2)
    WGANGP().penalty(Spy(torch.ones(3, 1, 1), [1]), real, fake)
    shares = seen[0].flatten(1)
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert shares.min() < 0.2
    assert shares.max() > 0.8
    assert shares[:, 0].unique().numel() == 64


@pytest.mark.parametrize("discriminator", [PatchGAN(width=2, layers=1), MultiScalePatchGAN(width=2, layers=1)])
def test_penalty_flows_into_every_weight_of_the_critic_and_into_nothing_else(discriminator):
    real, fake = torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32, requires_grad=True)
    WGANGP().penalty(discriminator, real, fake).backward()
    weights = {n: p for n, p in discriminator.named_parameters() if n.endswith("weight")}
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights.values())
    assert fake.grad is None


def test_penalty_in_half_precision_and_switched_off():
    discriminator, images = PatchGAN(width=2, layers=1), (torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16))
    torch.manual_seed(0)
    plain = WGANGP().penalty(discriminator, *images)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(WGANGP().penalty(discriminator, *images), plain)
    assert WGANGP(penalty_weight=0.0).penalty(discriminator, *images) is None
    assert LSGAN().penalty(discriminator, *images) is None


def test_one_call_gives_the_loss_of_a_discriminator_and_its_penalty():
    """As by hand, in the same order of draws; no gradient goes to what made the fakes."""
    discriminator = nn.Conv2d(2, 1, 3)
    real, fake = torch.randn(3, 2, 8, 8), torch.randn(3, 2, 8, 8, requires_grad=True)

    def judge(image):
        return [discriminator(image)]

    judge.forward = judge
    loss = WGANGP(penalty_weight=3.0)
    torch.manual_seed(5)
    found = loss.discriminator_losses(judge, real, fake, weight=0.5)
    torch.manual_seed(5)
    plain = discriminator(fake.detach()).mean() - discriminator(real).mean()
    assert torch.equal(found["d_gan"], 0.5 * plain)
    assert torch.equal(found["d_penalty"], 0.5 * loss.penalty(judge, real, fake.detach()))
    sum(found.values()).backward()
    assert fake.grad is None
    assert discriminator.weight.grad is not None
    assert list(loss.discriminator_losses(judge, real, fake, of="photo")) == ["d_photo", "d_penalty_photo"]
    assert list(LSGAN().discriminator_losses(judge, real, fake)) == ["d_gan"]
