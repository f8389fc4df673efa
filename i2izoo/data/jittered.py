"""Samples with jitter, for any dataset that can give whole images."""

from __future__ import annotations

import copy
import random
from abc import abstractmethod

from torch import Tensor

from i2izoo.contracts.dataset import Dataset
from i2izoo.data.cache import Pixels
from i2izoo.data.jitter import Jitter
from i2izoo.errors import DataError, listing


class JitteredDataset(Dataset):
    """Base of datasets of whole images: pairs or draws them, resizes, crops and flips.

    In training (`sample` with a seed) an image is resized to load_size x load_size (bicubic), cropped at random to
    crop_size x crop_size and flipped with probability 1/2; a pair shares crop and flip. Without a seed it is resized
    to crop_size x crop_size, neither cropped nor flipped: the protocol of pix2pix (Isola et al. 2017, section 6.2).

    Attributes:
        load_size: side in pixels before the crop; None keeps the images' own size.
        crop_size: side in pixels of a sample; None does not crop.
        flip: flip half of the training samples.
        jitter_until: share of the training after which images are resized to crop_size and no longer cropped (but
            still flipped), as the authors of CUT train while the learning rate falls; None: never.
    """

    jitter_until: float | None = None
    load_size: int | None
    crop_size: int | None
    flip: bool

    @abstractmethod
    def count(self, domain: str) -> int:
        """Number of images of a domain."""

    @abstractmethod
    def pixels(self, domain: str, index: int, size: int | None) -> Pixels:
        """Image `index` of a domain at size x size, or at its own size."""

    @abstractmethod
    def place(self, domain: str, index: int) -> str:
        """Where image `index` of a domain is, for messages."""

    def __len__(self) -> int:
        return max(map(self.count, self.domains))

    def at(self, progress: float) -> JitteredDataset:
        if self.jitter_until is None or progress < self.jitter_until or self.crop_size is None:
            return self
        late = copy.copy(self)  # of the same images
        late.load_size = self.crop_size
        return late

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of a dataset of {len(self)}")
        if seed is None:
            chosen = {d: index % self.count(d) for d in self.domains}
            arrays = {d: self.pixels(d, i, self.crop_size) for d, i in chosen.items()}
            self._check_pair(arrays, chosen)
            return {d: Jitter().apply(array, None) for d, array in arrays.items()}
        generator = random.Random(seed)
        chosen = {d: index % self.count(d) for d in self.domains}
        if self.kind == "unpaired":
            chosen |= {d: int(generator.random() * self.count(d)) for d in self.domains[1:]}
        arrays = {d: self.pixels(d, i, self.load_size) for d, i in chosen.items()}
        self._check_pair(arrays, chosen)
        self._check_crop(arrays, chosen)
        jitter = Jitter.draw(generator, self.flip)
        samples = {}
        for domain, array in arrays.items():
            samples[domain] = jitter.apply(array, self.crop_size)
            if self.kind == "unpaired":
                jitter = Jitter.draw(generator, self.flip)
        return samples

    def _check_pair(self, arrays: dict[str, Pixels], chosen: dict[str, int]) -> None:
        if self.kind == "paired" and len({array.shape[1:] for array in arrays.values()}) > 1:
            found = listing(f"{self.place(d, chosen[d])} is {a.shape[2]} x {a.shape[1]}" for d, a in arrays.items())
            raise DataError(f"the images of a pair differ in size: {found}. Set load_size, or mend them.")

    def _check_crop(self, arrays: dict[str, Pixels], chosen: dict[str, int]) -> None:
        for domain, array in arrays.items():
            if self.crop_size is not None and min(array.shape[1:]) < self.crop_size:
                raise DataError(
                    f"{self.place(domain, chosen[domain])} is {array.shape[2]} x {array.shape[1]}, smaller than "
                    f"crop_size={self.crop_size}; set load_size to at least that."
                )


def check_sizes(load_size: int | None, crop_size: int | None) -> None:
    """Refuse to crop more than there is."""
    if load_size is not None and crop_size is not None and load_size < crop_size:
        raise DataError(f"load_size={load_size} is smaller than crop_size={crop_size}; it should be at least that.")
