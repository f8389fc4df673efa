"""What the data sets here have in common: images that lie in something else than files, decoded one by one."""

from __future__ import annotations

import copy
import io
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from PIL import Image

from i2izoo.contracts.config import check_options
from i2izoo.contracts.dataset import GIVEN
from i2izoo.contracts.ranges import Palette
from i2izoo.data.cache import Pixels, check_label_map, prepare, read_grey
from i2izoo.data.jittered import JitteredDataset, check_sizes
from i2izoo.errors import DataError, ImageError, listing, suggest
from i2izoo.images.reading import to_tensor

READING = {"load_size", "crop_size", "flip", "jitter_until", "channels", "label_maps"}
"""The options that say how images are read, and not which."""


class StoredDataset(JitteredDataset):
    """Base of data sets whose images are bytes in a table or an archive. Nothing is kept in memory.

    A subclass calls `choose` and `read_as`, and implements `encoded` and `items`.
    """

    def choose(
        self,
        found: Sequence[str],
        wanted: Sequence[str] | None,
        kind: Literal["paired", "unpaired", "single"] | None,
        where: str,
    ) -> None:
        """Set `domains` and `kind`.

        Args:
            found: the names of what there are images of.
            wanted: those that the user wants, in this order; None: all.
            kind: that the user wants; None: "single" of one domain, else "paired".
            where: the images are, for messages.

        Raises:
            DataError: there are no images, not those, or one too many.
        """
        if not found:
            raise DataError(f"{where} holds no images.")
        chosen = list(wanted or found)
        for name in chosen:
            if name not in found:
                raise DataError(f"{where} has no images {name!r}{suggest(name, found) or ';'} it has {listing(found)}.")
        if kind == "single" and wanted is None:
            if len(found) > 1:
                raise DataError(f"{where} has the images {listing(found)}; choose one with domains=[{found[0]!r}].")
        elif kind is not None and (len(chosen) == 1) != (kind == "single"):
            raise DataError(f"data of kind {kind!r} cannot have the domains {listing(chosen)}, which are in {where}.")
        self.domains = tuple(chosen)
        self.kind = kind or ("single" if len(chosen) == 1 else "paired")

    def read_as(
        self,
        load_size: int | None,
        crop_size: int | None,
        flip: bool,
        jitter_until: float | None,
        channels: int | Mapping[str, int] | None,
        label_maps: Mapping[str, Palette] | None,
    ) -> None:
        """Say how images are read.

        Raises:
            DataError: the sizes do not fit, or an option names a domain that is none.
        """
        check_sizes(load_size, crop_size)
        self.load_size, self.crop_size, self.flip, self.jitter_until = load_size, crop_size, flip, jitter_until
        self._channels = channels if isinstance(channels, Mapping) else dict.fromkeys(self.domains, channels)
        self._palettes = label_maps or {}
        for option, named in (("channels", self._channels), ("label_maps", self._palettes)):
            if unknown := set(named) - set(self.domains):
                raise DataError(f"{option}= names {listing(sorted(unknown))}; the domains are {listing(self.domains)}.")

    def with_options(self, **changes: Any) -> Self:
        options = check_options(type(self), {**self.config, **changes})
        if not changes.keys() <= READING:
            return super().with_options(**changes)
        other = copy.copy(self)  # which is not looked through again
        other.config = options
        reading: dict[str, Any] = {name: options.get(name, GIVEN.get(name)) for name in READING}
        other.read_as(**reading)
        return other

    @abstractmethod
    def items(self) -> int:
        """Number of items."""

    @abstractmethod
    def encoded(self, domain: str, index: int) -> bytes:
        """The bytes of a file: image `index` of a domain.

        Raises:
            DataError: there is none.
        """

    def count(self, domain: str) -> int:
        return self.items()

    def pixels(self, domain: str, index: int, size: int | None) -> Pixels:
        place = self.place(domain, index)
        try:
            with Image.open(io.BytesIO(self.encoded(domain, index))) as image:
                channels, palette = self._channels.get(domain), self._palettes.get(domain)
                tensor = read_grey(image) if channels == 1 else to_tensor(image, channels)
        except (ImageError, OSError) as error:
            said = " ".join(str(error).split()).rstrip(".")
            raise ImageError(f"{place} is no image that can be read: {said}.") from error
        if palette is not None:
            check_label_map(tensor, palette, place)
        return prepare(tensor, size, palette)
