"""A dataset that makes its grey input from colour images."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.data.derived import DerivedDataset
from i2izoo.errors import DataError
from i2izoo.nn.colour import XYZ_OF_RGB
from i2izoo.nn.random import derive_seed
from i2izoo_tasks.degradations import Preset, degradation


class ColorizationDataset(DerivedDataset):
    """Pairs of a grey and a colour image, of which only the colour images have to be there.

    The grey image is the one of equal CIE lightness L*: a black-and-white photograph by the luminance of the colours.
    It is made of the colour image, unless the data has grey images of its own (a folder `grey` beside `colour`). In
    training it can be degraded, as age and scanning degrade old photographs; the colour image stays as it is, and so
    does everything in validation.

    Args:
        root: the colour images: a folder, the name of a dataset, or `{"root": ..., option: value}`; see `open_dataset`.
        domains: names of the grey and of the colour images. Where the data has domains (`photo` and `label`), the
            second is the one whose images are taken.
        degrade: what happens to the grey images in training: "none", "light", "strong", or strengths such as
            `{"noise": 0.05, "blur": 1.0}`, see `i2izoo_tasks.degradations.Degradation`.
        channels: of the grey images, 1 or 3 equal ones; alone or by domain. Those of colour are 3.

    Raises:
        DataError: the data has no domain of the second name, or cannot be used.
        ConfigError: a degradation that does not exist.

    >>> data = ColorizationDataset(
    ...     root={"name": "synthetic-facades", "count": 4, "size": 32}, domains=["grey", "photo"])
    >>> {domain: tuple(image.shape) for domain, image in data.sample(0, seed=1).items()}
    {'grey': (1, 32, 32), 'photo': (3, 32, 32)}
    """

    making = "grey made of the colours"
    tiny_options: ClassVar[dict[str, Any]] = {
        "root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["grey", "photo"],
        "degrade": "strong",
    }  # fmt: skip

    def __init__(
        self,
        *,
        root: str | dict[str, Any] | Dataset,
        domains: list[str] = ["grey", "colour"],  # noqa: B006  (recorded as a copy, never written)
        degrade: Preset | dict[str, Any] = "none",
        channels: int | dict[str, int] | None = None,
    ) -> None:
        self.open_images(root, domains, beside=True)
        wanted = channels if isinstance(channels, dict) else {self.source: channels}
        self._grey_channels = wanted.get(self.source) or 1
        if self._grey_channels not in (1, 3) or wanted.get(self.target, 3) != 3:
            raise DataError(f"grey images have 1 or 3 channels, colour images 3; found channels={channels}.")
        self.degradation = degradation(degrade)

    def made_of(self, found: dict[str, Tensor], index: int, seed: int | None) -> dict[str, Tensor]:
        grey = grey_of((found.get(self.source, found[self.target]).numpy() + 1) / 2)
        if seed is not None:
            grey = self.degradation(grey, derive_seed(seed, "degrade"))
        planes = torch.from_numpy(np.ascontiguousarray(grey * 2 - 1)).clamp_(-1, 1)
        return {self.source: planes.repeat(self._grey_channels, 1, 1), self.target: found[self.target]}


def grey_of(colour: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The grey image, H x W in [0, 1], of the same luminance and so the same L* as sRGB 3 x H x W in [0, 1].

    In numpy, as everything that runs in the loader's thread.

    >>> grey_of(np.array([1, 0, 0], np.float32).reshape(3, 1, 1)).round(3)
    array([[0.499]], dtype=float32)
    """
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    red, green, blue = XYZ_OF_RGB[1]
    luminance = red * linear[0] + green * linear[1] + blue * linear[2]
    encoded = np.where(luminance <= 0.0031308, luminance * 12.92, 1.055 * luminance ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)
