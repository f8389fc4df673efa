"""The CMP facades in the layout of pix2pix, from a local folder or downloaded once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Literal

from i2izoo.contracts.ranges import Bytes, Channels, Number, Palette, Share, Side
from i2izoo.data.folders import images_in
from i2izoo.data.image_dataset import ImageDataset
from i2izoo.errors import DataError
from i2izoo.files.download import cache_folder, download, extract_tar
from i2izoo.files.writing import write_text
from i2izoo_facades.plan import PALETTES

URL = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/facades.tar.gz"
SIZE = 30_168_306
"""Bytes of the archive, as public records of the download have it (2022 to 2026)."""
COUNTS = {"train": 400, "val": 100, "test": 106}


class Facades(ImageDataset):
    """606 facades with label maps: CMP Facade Database (Tylecek and Sara, GCPR 2013), as pix2pix prepared it.

    Images of 512 x 256, the photograph on the left, the label map on the right. For research; cite both papers.

    Without `root` the archive (30 MB) is downloaded from the address that the authors' own script uses, into the
    folder of the environment variable I2IZOO_CACHE or ~/.cache/i2izoo. Its authors publish no checksum: unless you
    give `sha256`, what arrives is taken as genuine if it has 30,168,306 bytes, unpacks, and holds 400, 100 and 106
    images. Its SHA-256 is then written to `facades.tar.gz.sha256` beside them, so that it can be compared.

    Args:
        root: a folder with train, val and (or) test in it; None downloads.
        split: which of them.
        sha256: checksum that a downloaded archive must have.
        domains: "photo" and "label", in the order wanted; one of them of kind "single".
        kind, load_size, crop_size, flip, jitter_until, channels, label_maps, limit, cache_bytes: see `ImageDataset`.

    Raises:
        DataError: the folder is not there or cannot be downloaded; a partial download is kept and taken up.
    """

    palettes = PALETTES
    tiny_options: ClassVar[dict[str, Any] | None] = None

    def __init__(
        self,
        *,
        root: str | None = None,
        split: Literal["train", "val", "test"] = "train",
        sha256: str | None = None,
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
        folder = fetch_facades(sha256=sha256) if root is None else Path(root)
        super().__init__(
            root=str(folder),
            domains=domains,
            split=split,
            kind=kind,
            sides=["photo", "label"],
            load_size=load_size,
            crop_size=crop_size,
            flip=flip,
            jitter_until=jitter_until,
            channels=channels,
            label_maps=label_maps,
            limit=limit,
            cache_bytes=cache_bytes,
        )


def fetch_facades(
    folder: Path | None = None, *, url: str = URL, sha256: str | None = None, size: int | None = SIZE
) -> Path:
    """The folder of the facades in `folder` (None: the cache), downloaded and unpacked unless it is there."""
    from filelock import FileLock  # torch brings it

    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    place, archive = folder / "facades", folder / "facades.tar.gz"
    with FileLock(folder / ".facades.lock"):  # of several training processes one downloads
        for stray in folder.glob(".facades.*/"):  # what a killed process was unpacking
            shutil.rmtree(stray, ignore_errors=True)
        if place.is_dir():
            return place
        digest = download(url, archive, sha256=sha256, size=size)
        with tempfile.TemporaryDirectory(prefix=".facades.", dir=folder) as temporary:
            unpacked = extract_tar(archive, Path(temporary), member="facades")
            found = {s: len(images_in(unpacked / s)) if (unpacked / s).is_dir() else 0 for s in COUNTS}
            if found != COUNTS:
                archive.unlink()
                raise DataError(f"the archive from {url} holds {found} images, not {COUNTS}; it was removed.")
            write_text(archive.with_name(archive.name + ".sha256"), f"{digest}  {archive.name}\n")
            unpacked.replace(place)
        archive.unlink()
    return place
