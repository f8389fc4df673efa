"""R1: the closed form of a linear discriminator, its laziness, and that every loss and discriminator has it."""

import pytest
import torch
from i2izoo_gan.diffaugment import DiffAugment
from i2izoo_gan.losses import LSGAN, WGANGP, Hinge, Vanilla
from i2izoo_gan.patchgan import MultiScalePatchGAN, PatchGAN
from torch import nn

from i2izoo.contracts.ranges import Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import AdversarialLoss, Discriminator

REAL, FAKE = torch.randn(4, 2, 1, 1), torch.randn(4, 2, 1, 1)
WEIGHT = torch.tensor([3.0, 4.0]).reshape(2, 1, 1) / 2  # |w| = 2.5


class Linear(Discriminator):
    """The logit w . x of an image, in maps of n x n patches for each n. Options: in_channels."""

    def __init__(self, *, in_channels: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(WEIGHT.clone())
        self.patches = [1]

    def forward(self, image):
        score = (self.weight * image).flatten(1).sum(1)
        return [score[:, None, None, None].expand(-1, 1, n, n) for n in self.patches]


@pytest.mark.parametrize("loss", [Vanilla, LSGAN, Hinge, WGANGP])
@pytest.mark.parametrize("patches", [[1], [31], [5, 3]])
def test_closed_form_of_a_linear_discriminator(loss, patches):
    """gamma / 2 |w|^2 for each scale, for any number of patches and any images, k times as strong every k-th time."""
    judge = Linear()
    judge.patches = patches
    found = loss(r1=0.7, r1_every=5).discriminator_losses(judge, REAL, FAKE, weight=0.5)["d_r1"]
    assert found.item() == pytest.approx(len(patches) * 0.5 * 5 * 0.7 / 2 * 2.5**2, rel=1e-5)
    found.backward()  # d/dw gamma / 2 |w|^2 = gamma w
    expected = len(patches) * 0.5 * 5 * 0.7 * WEIGHT
    torch.testing.assert_close(judge.weight.grad, expected, rtol=1e-5, atol=1e-5)


def test_it_is_the_mean_over_real_images_of_the_squared_norm():
    """A discriminator |x|^2 / 2 has the slope x at x; fake images do not count."""

    class Square(Linear):
        def forward(self, image):
            return [image.square().flatten(1).sum(1)[:, None] / 2]

    real = torch.tensor([[3.0, 4.0], [0.0, 1.0]]).reshape(2, 2, 1, 1)
    found = LSGAN(r1=1.0, r1_every=1).discriminator_losses(Square(), real, 100 * FAKE)["d_r1"]
    assert found.item() == pytest.approx((25 + 1) / 2 / 2)


def test_it_is_lazy_for_each_discriminator_and_goes_on_after_a_checkpoint():
    loss, judge = LSGAN(r1=1.0, r1_every=3), Linear()

    def due(of):
        found = loss.discriminator_losses(judge, REAL, FAKE, of=of)
        assert found.keys() <= {f"d_{of}", f"d_r1_{of}"}
        return f"d_r1_{of}" in found

    assert [due("photo") for _ in range(7)] == [True, False, False, True, False, False, True]
    assert [due("label") for _ in range(2)] == [True, False]
    state = loss.training_state()
    loss = LSGAN(r1=1.0, r1_every=3)
    loss.load_training_state(state, torch.device("cpu"))
    assert [due("photo") for _ in range(3)] == [False, False, True]
    assert [due("label") for _ in range(2)] == [False, True]


def test_switched_off_it_leaves_no_trace():
    loss = LSGAN()
    assert list(loss.discriminator_losses(Linear(), REAL, FAKE)) == ["d_gan"]
    assert (loss.config, loss.training_state()) == ({}, {})
    assert LSGAN(r1=1.0).config == {"r1": 1.0}
    assert WGANGP().config == {"penalty_weight": 10.0, "target": 1.0, "drift": 0.0}


def test_a_loss_with_a_constructor_of_its_own_has_it_too():
    class Own(LSGAN):
        """Options: scale."""

        def __init__(self, *, scale: Weight = 1.0) -> None:
            super().__init__()

    found = Own(scale=2.0, r1=0.4, r1_every=1).discriminator_losses(Linear(), REAL, FAKE)
    assert found["d_r1"].item() == pytest.approx(0.2 * 2.5**2)
    with pytest.raises(ConfigError, match=r"r1' of Own wants float from 0 to .*found -1"):
        Own(r1=-1.0)


@pytest.mark.parametrize("discriminator", [PatchGAN, MultiScalePatchGAN])
def test_it_is_float32_and_flows_into_every_weight(discriminator):
    torch.manual_seed(0)
    judge = discriminator(width=2, layers=1)
    real, fake = torch.randn(2, 3, 32, 32, requires_grad=True), torch.randn(2, 3, 32, 32)
    loss: AdversarialLoss = Vanilla(r1=1.0, r1_every=1)
    plain = loss.discriminator_losses(judge, real, fake)["d_r1"]
    with torch.autocast("cpu", torch.bfloat16):
        half = loss.discriminator_losses(judge, real.bfloat16(), fake)["d_r1"]
        exact = loss.discriminator_losses(judge, real, fake)["d_r1"]
    assert torch.equal(exact, plain)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(plain.item(), rel=0.05)
    plain.backward()
    weights = [p for n, p in judge.named_parameters() if n.endswith("weight")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)
    assert real.grad is None


def test_the_slope_is_that_of_the_discriminator_and_its_augmentation():
    """A quarter of the image is cut out, or less where the square hangs over the edge: there the slope is 0."""

    class Mean(Discriminator):
        """Options: in_channels."""

        def __init__(self, *, in_channels: int = 1) -> None:
            super().__init__()

        def forward(self, image):
            return [image.flatten(1).sum(1, keepdim=True)]

    judge = Mean(augment={"name": "diffaugment", "policy": ["cutout"]})
    assert isinstance(judge.augment, DiffAugment)
    images = torch.ones(8, 1, 16, 16)
    torch.manual_seed(3)
    third = [judge(images) for _ in range(3)][2][0]  # after those for the real and the fake images
    torch.manual_seed(3)
    found = LSGAN(r1=2.0, r1_every=1).discriminator_losses(judge, images, images)["d_r1"]
    assert found.item() == pytest.approx(third.mean().item())  # the slope is 1 where something is left
    assert 0.75 * 256 <= found.item() < 256
