"""The contracts: what a part and a method must offer, and what they may rely on.

Images are tensors N x C x H x W in [-1, 1], float. A *part* is one class behind one of these interfaces; a *method*
owns its parts by name, translates, and says in the paper's order how it learns.
"""

from i2izoo.contracts.annotations import Part, PartSpec
from i2izoo.contracts.augmentation import Augmentation
from i2izoo.contracts.command import Command
from i2izoo.contracts.config import Configurable
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Batch, Method, Update
from i2izoo.contracts.metric import ImageMetric, Metric, Score, SetMetric, Weights
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.parts import (
    AdversarialLoss,
    Discriminator,
    Encoder,
    FeatureExtractor,
    Generator,
    LatentGenerator,
    Loss,
    ReconstructionLoss,
    Scheduler,
    TextEncoder,
)
from i2izoo.contracts.roles import Image, Label, Latent, Text
from i2izoo.contracts.two_way import TwoWayMethod

__all__ = [
    "AdversarialLoss",
    "Augmentation",
    "Batch",
    "Command",
    "Configurable",
    "Dataset",
    "Discriminator",
    "Encoder",
    "FeatureExtractor",
    "Generator",
    "Image",
    "ImageMetric",
    "Label",
    "Latent",
    "LatentGenerator",
    "Loss",
    "Method",
    "Metric",
    "OneWayMethod",
    "Part",
    "PartSpec",
    "ReconstructionLoss",
    "Scheduler",
    "Score",
    "SetMetric",
    "Text",
    "TextEncoder",
    "TwoWayMethod",
    "Update",
    "Weights",
]
