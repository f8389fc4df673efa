"""Photographs from the air: today's in colour and historical ones in grey, from local folders."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from i2izoo.contracts.ranges import Bytes, Channels, Number, Share, Side
from i2izoo.data.image_dataset import ImageDataset
from i2izoo.errors import DataError


class Aerial(ImageDataset):
    """Photographs from the air in colour (`colour`), of one domain.

    Those that the bundled models learned from are 961 windows of 256 x 256: 728 of 0.6 m per pixel of eight cities in
    California (USDA NAIP, as Ventura et al. 2024 prepared it, CC BY 4.0), 60 of 5 m of North Dakota (USDA NAIP), 141 of
    0.07 to 0.3 m of Kampala (OpenAerialMap, CC BY 4.0, contributors of Open Imagery Network) and 32 of 0.1 m (NEON
    airborne camera). Nothing is downloaded: `root` is a folder of images that you have, `train/*.jpg`, and `val` and
    `test` where it is divided.

    Args:
        root: the folder.
        split: which part of it.
        load_size, crop_size, flip, jitter_until, channels, limit, cache_bytes: see `ImageDataset`.

    Raises:
        DataError: no folder is named, or there are no images.
    """

    domains = ("colour",)
    kind = "single"
    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str | None = None,
        split: Literal["train", "val", "test"] = "train",
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        limit: Number | None = None,
        cache_bytes: Bytes | None = None,
    ) -> None:
        if root is None:
            raise DataError(
                "'aerial' is not downloaded: lay windows of colour photographs from the air into train/*.jpg, val and "
                "test alike, and name the folder (root=PATH, or --data PATH)."
            )
        super().__init__(
            root=root, domains=["colour"], split=split, kind="single", load_size=load_size, crop_size=crop_size,
            flip=flip, jitter_until=jitter_until, channels=channels, limit=limit, cache_bytes=cache_bytes,
        )  # fmt: skip


class AerialHistorical(ImageDataset):
    """Historical black-and-white photographs from the air (`grey`), alone or with today's in colour (`colour`).

    Those that the bundled models learned from are 831 windows of 256 x 256 of Osaka and around, 1936 to 1942, about
    0.98 and 0.49 m per pixel: tiles `ort_riku10` of the Geospatial Information Authority of Japan, usable with a
    mention of the source. Nothing is downloaded: `root` is a folder of images that you have, `train/*.jpg`, and `val`
    and `test` where it is divided. Of kind "unpaired" it holds both, `train/grey/*.jpg` and `train/colour/*.jpg`: links
    to two folders will do.

    Args:
        root: the folder.
        split: which part of it.
        kind: "single" or "unpaired".
        load_size, crop_size, flip, jitter_until, channels, limit, cache_bytes: see `ImageDataset`.

    Raises:
        DataError: no folder is named, or it is not laid out so.
    """

    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str | None = None,
        split: Literal["train", "val", "test"] = "train",
        kind: Literal["single", "unpaired"] = "single",
        load_size: Side | None = None,
        crop_size: Side | None = None,
        flip: bool = True,
        jitter_until: Share | None = None,
        channels: Channels | dict[str, Channels] | None = None,
        limit: Number | None = None,
        cache_bytes: Bytes | None = None,
    ) -> None:
        if root is None:
            raise DataError(
                "'aerial-historical' is not downloaded: lay windows of scanned photographs from the air into "
                "train/*.jpg, or into train/grey/*.jpg with colour ones in train/colour/*.jpg, val and test alike, and "
                "name the folder (root=PATH, or --data PATH)."
            )
        super().__init__(
            root=root, domains=["grey", "colour"] if kind == "unpaired" else ["grey"], split=split, kind=kind,
            load_size=load_size, crop_size=crop_size, flip=flip, jitter_until=jitter_until, channels=channels,
            limit=limit, cache_bytes=cache_bytes,
        )  # fmt: skip
