"""The adversarial losses, and the pixel distances that go with them.

Logits come as one tensor for each scale; a loss is the mean over patches, summed over scales. Every adversarial loss
is non-saturating for the generator and takes raw logits, in float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2izoo.contracts.parts import Judge, eager
from i2izoo.contracts.ranges import Weight
from i2izoo.interfaces import AdversarialLoss, ReconstructionLoss
from i2izoo.nn.slopes import slopes


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum()


class Vanilla(AdversarialLoss):
    """Binary cross-entropy on logits (Goodfellow et al. 2014, arXiv 1406.2661), non-saturating for the generator.

    >>> Vanilla().generator([torch.zeros(1, 1, 2, 2)])
    tensor(0.6931)
    """

    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        return _total(
            [F.softplus(-r.float()).mean() + F.softplus(f.float()).mean() for r, f in zip(real, fake, strict=True)]
        )

    def generator(self, fake: list[Tensor]) -> Tensor:
        return _total([F.softplus(-f.float()).mean() for f in fake])


class LSGAN(AdversarialLoss):
    """Least squares with codes 0, 1, 1 (Mao et al. 2017, arXiv 1611.04076, eq. 9).

    Its best discriminator is p_real / (p_real + p_fake), so an image that is as likely real as generated has 1/2: what
    0 is to a logit.
    """

    boundary = 0.5

    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        return _total(
            [(r.float() - 1).square().mean() + f.float().square().mean() for r, f in zip(real, fake, strict=True)]
        )

    def generator(self, fake: list[Tensor]) -> Tensor:
        return _total([(f.float() - 1).square().mean() for f in fake])


class WGANGP(AdversarialLoss):
    """Wasserstein discriminator with a gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028, eq. 3).

    The score of an image is the mean of its logits for each scale, so the penalty does not grow with the number of
    patches; the norm is taken for each image. Use it with a discriminator without batch norm, trained several steps
    for each of the generator. Its scores are compared, not classified: they have no zero, so no `boundary`.

    Args:
        penalty_weight: lambda; 0 switches the penalty off (what several public codes do without saying so).
        target: gradient norm that is aimed for.
        drift: weight of E D(x)^2 at real images, which holds scores, whose zero means nothing, near it (Karras et al.
            2018, arXiv 1710.10196, appendix A.1): 0.001 there; 0: none.
    """

    boundary = None

    def __init__(self, *, penalty_weight: Weight = 10.0, target: Weight = 1.0, drift: Weight = 0.0) -> None:
        super().__init__()
        self.penalty_weight = penalty_weight
        self.target, self.drift = target, drift

    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        loss = _total([f.float().mean() - r.float().mean() for r, f in zip(real, fake, strict=True)])
        if self.drift:
            loss = loss + self.drift * _total([r.float().flatten(1).mean(dim=1).square().mean() for r in real])
        return loss

    def generator(self, fake: list[Tensor]) -> Tensor:
        return _total([-f.float().mean() for f in fake])

    def penalty(self, discriminator: Judge, real: Tensor, fake: Tensor) -> Tensor | None:
        if not self.penalty_weight:
            return None
        mix = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = torch.lerp(fake.detach().float(), real.detach().float(), mix)
        norms = [slope.flatten(1).norm(dim=1) for slope in slopes(eager(discriminator), between)]
        return self.penalty_weight * _total([(norm - self.target).square().mean() for norm in norms])


class Hinge(AdversarialLoss):
    """Margin loss (Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, eq. 16-17)."""

    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        return _total(
            [F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean() for r, f in zip(real, fake, strict=True)]
        )

    def generator(self, fake: list[Tensor]) -> Tensor:
        return _total([-f.float().mean() for f in fake])


class L1(ReconstructionLoss):
    """Mean absolute difference.

    >>> L1()(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))
    tensor(1.)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(prediction.float(), target.float())


class L2(ReconstructionLoss):
    """Mean squared difference; blurrier than L1 as a reconstruction term (pix2pix, section 3.1)."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(prediction.float(), target.float())
