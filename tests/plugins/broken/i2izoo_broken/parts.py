"""Classes that are not what the entry points say."""

from torch import Tensor

from i2izoo.interfaces import Generator, ReconstructionLoss


class NotAGenerator(ReconstructionLoss):
    """A loss that is declared as a generator."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).mean()


class Unfinished(Generator):
    """A generator without forward."""


class Clash(Generator):
    """Works, but under a name that i2izoo itself has."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return image
