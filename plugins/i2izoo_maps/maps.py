"""Satellite photographs with land-cover maps, from a local folder."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from i2izoo.contracts.ranges import Bytes, Channels, Number, Palette, Share, Side
from i2izoo.data.image_dataset import ImageDataset
from i2izoo.errors import DataError

PALETTE: dict[str, tuple[int, int, int]] = {
    "land": (132, 41, 246),
    "water": (226, 169, 41),
    "building": (60, 16, 152),
    "vegetation": (254, 221, 58),
    "road": (110, 193, 228),
}
"""Class -> colour in the maps. What the source leaves unlabelled (155, 155, 155) is no class: where a pixel has to be
of one, it takes that of its surroundings."""

PALETTES = {"map": [list(colour) for colour in PALETTE.values()]}
"""Palettes of the domains that are label maps."""


class Maps(ImageDataset):
    """Satellite photographs of Dubai and land-cover maps of five classes, paired by name.

    "Semantic segmentation of aerial imagery" of Humans in the Loop and the Mohammed Bin Rashid Space Center; CC0:
    Public Domain. These are not the maps of pix2pix, which are of Google Maps.

    Nothing is downloaded. `root` is a folder of windows of 256 x 256 that you cut from the source's 72 large images,
    `train/aerial/NAME.jpg` beside `train/map/NAME.png`; the same in `val` and `test`, where you have them.

    Args:
        root: the folder.
        split: which part of it.
        domains: "aerial" and "map", in the order wanted; one of them of kind "single".
        kind, load_size, crop_size, flip, jitter_until, channels, label_maps, limit, cache_bytes: see `ImageDataset`.

    Raises:
        DataError: no folder is named, or it is not laid out so.
    """

    palettes = PALETTES
    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str | None = None,
        split: Literal["train", "val", "test"] = "train",
        domains: list[str] | None = None,
        kind: Literal["paired", "unpaired", "single"] | None = None,
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        label_maps: dict[str, Palette] | None = None,
        limit: Number | None = None,
        cache_bytes: Bytes | None = None,
    ) -> None:
        if root is None:
            raise DataError(
                "'maps' is not downloaded: cut the images of 'Semantic segmentation of aerial imagery' (Humans in the "
                "Loop, CC0) into train/aerial/*.jpg and train/map/*.png of equal names, val and test alike, and name "
                "the folder (root=PATH, or --data PATH)."
            )
        super().__init__(
            root=root,
            domains=domains or ["aerial", "map"],
            split=split,
            kind=kind,
            load_size=load_size,
            crop_size=crop_size,
            flip=flip,
            jitter_until=jitter_until,
            channels=channels,
            label_maps=label_maps,
            limit=limit,
            cache_bytes=cache_bytes,
        )
