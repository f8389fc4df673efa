"""A distance between images that is quadratic near zero and linear far away."""

from typing import Annotated

from torch import Tensor

from i2izoo.contracts.ranges import Range
from i2izoo.interfaces import ReconstructionLoss


class Charbonnier(ReconstructionLoss):
    """Mean of sqrt(d^2 + eps^2), as in LapSRN (Lai et al., CVPR 2017, arXiv 1704.03915, eq. 2).

    Args:
        eps: where it changes from quadratic to linear, in units of the images ([-1, 1]).
    """

    def __init__(self, *, eps: Annotated[float, Range(0, 1, without="low")] = 1e-3) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return ((prediction.float() - target.float()).square() + self.eps**2).sqrt().mean()
