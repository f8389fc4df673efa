"""A data set of tiles: of servers and rasters, whole tiles only, each with its place, divided by area."""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from i2izoo.contracts.annotations import check_value
from i2izoo.contracts.ranges import Channels, Count, Number, Range, Seed, Share, Side
from i2izoo.errors import ConfigError, DataError, I2IZooWarning
from i2izoo.files.locks import locked
from i2izoo_geo.tiles.estimate import Estimate, estimated
from i2izoo_geo.tiles.grid import Grid
from i2izoo_geo.tiles.layers import make_grid, named, open_layers
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.record import DROPPED, Record
from i2izoo_geo.tiles.secret import Secret
from i2izoo_geo.tiles.split import AreaSplit
from i2izoo_geo.tiles.writer import Writer

Byte = Annotated[int, Range(0, 255)]
Workers = Annotated[int, Range(1, 16)]


@dataclass(frozen=True)
class Summary:
    """What became of the tiles.

    Attributes:
        folder: of the data set.
        domains: its domains; of a single layer without a name, none.
        counts: tiles that were kept, those in each part, those left out, by reason, and those in the gap.
    """

    folder: Path
    domains: tuple[str, ...]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        many = len(self.domains) > 1
        what = f"{'pairs' if len(self.domains) == 2 else 'tuples'} of {' and '.join(self.domains)}" if many else "tiles"
        parts = [f"{part} {self.counts[part]}" for part in ("train", "val", "test") if self.counts.get(part)]
        left = [f"{state} {self.counts[state]}" for state in (*DROPPED, "gap") if self.counts.get(state)]
        kept = f"{self.counts.get('kept', 0)} {what} in {self.folder} ({', '.join(parts) or 'none'})"
        return f"{kept}; left out: {', '.join(left) or 'none'}"


def make_tiles(
    sources: Sequence[str],
    out: str | os.PathLike[str],
    *,
    licence: str,
    bbox: Sequence[float] | None = None,
    zoom: Sequence[int] | None = None,
    size: int = 256,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    channels: int | None = None,
    block: int = 8,
    gap: int = 1,
    val: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
    min_valid: float = 1.0,
    contrast: int = 8,
    workers: int = 2,
    matrix_set: str | None = None,
    client: Client | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write tiles as a data set that `open_dataset(out, split="train")` reads: OUT/train/DOMAIN/Z_X_Y.png.

    Beside each file lies its place (`.aux.xml`, for GDAL and QGIS); `tiles.json` says where all came from, and
    `tiles.jsonl` what became of each tile. A run that was killed is taken up by the same call.

    Args:
        sources: layers, each `NAME=ADDRESS`, or one without a name, whose tiles then lie directly in OUT/train. An
            address is one of tiles (`https://.../{z}/{x}/{y}.png`), that of a WMTS with the layer behind `#`, or the
            path of a raster. Several layers at once make pairs: tiles that all of them have.
        out: the folder.
        licence: terms and attribution of the images; they are stored, and hold for whoever uses the data.
        bbox: west, south, east, north in degrees; None: all of the first raster.
        zoom: levels of web tiles; None: the pixels of the first raster, which others are warped to. Of another grid
            (`matrix_set`) they are counted from its coarsest, which is 0.
        size: side of a tile that is cut from a raster; a server's have their own.
        bands, value_range: of rasters, see `RasterLayer`.
        channels: 1 or 3 for what servers send; None keeps it.
        block, gap, val, test, seed: the split by area, see `AreaSplit`.
        min_valid: share of a tile that has to have data, in [0, 1].
        contrast: tiles whose values differ by less, in 255ths of their range, are blank and left out.
        workers: requests at a time.
        matrix_set: identifier of a tile matrix set of the WMTS, in any coordinate system that rasterio knows; None: the
            grid of web maps.
        client: asks the servers.
        progress: is told the tiles that are done, and all.

    Returns:
        How many tiles were kept and left out.

    Raises:
        ConfigError: settings that do not go together.
        DataError: a source cannot be used, or the folder holds something else; or no tile is kept.
        ImageError: a raster cannot be read.
        DownloadError: a server refuses or is away; what is there is kept, and the same call goes on.
    """
    if not licence.strip():
        raise ConfigError("say under which terms the images may be used, such as 'CC BY 4.0, Land Survey 2024'.")
    for option, value, kind in (
        ("channels", channels or 1, Channels), ("min_valid", min_valid, Share), ("contrast", contrast, Byte),
        ("workers", workers, Workers),
    ):  # fmt: skip
        check_value(value, kind, f"option {option!r} of tiles")
    client = client or Client(Secret())
    places, grid, split = _planned(
        sources, client, bbox=bbox, zoom=zoom, size=size, matrix_set=matrix_set, block=block, gap=gap, val=val,
        test=test, seed=seed,
    )  # fmt: skip
    plan = {
        "sources": places, "licence": licence, "bbox": bbox and list(bbox), "zoom": zoom and list(zoom), "size": size,
        "bands": bands and list(bands), "range": value_range and list(value_range), "channels": channels,
        **({"matrix_set": matrix_set} if matrix_set else {}),
        "min_valid": min_valid, "contrast": contrast, "split": {"val": val, "test": test, **split.described},
    }  # fmt: skip
    parts = Counter(split.part(tile.place) for tile in grid.tiles())
    gaps = parts.pop(None, 0)
    folder, date = Path(out).expanduser(), datetime.now(UTC).date().isoformat()
    with locked(folder), contextlib.ExitStack() as closing:
        record = Record(folder, plan, date)
        if not record.complete:
            layers = open_layers(
                places, grid, client, closing, size=size, channels=channels, bands=bands, value_range=value_range
            )
            described = {name: layer.described for name, layer in layers.items()}
            record.write(crs=grid.crs, described=described)
            wanted = ((tile, part) for tile in grid.tiles() if (part := split.part(tile.place)) is not None)
            writer = Writer(folder, layers, grid, record, min_valid, contrast)
            rest = itertools.islice(wanted, record.done, None)
            for done, _ in enumerate(writer.run(rest, workers, client), record.done + 1):
                if progress is not None:
                    progress(done, parts.total())
            record.write(finished=date, crs=grid.crs, described=described)
        _warn_of_mixed(record, tuple(places))
    if not record.counts["kept"]:
        left = ", ".join(f"{state} {record.counts[state]}" for state in DROPPED if record.counts[state])
        raise DataError(f"no tile is worth keeping ({left}); check the address, the area and the zoom.")
    counts = {**dict.fromkeys(DROPPED, 0), **record.counts, "gap": gaps}
    return Summary(folder, tuple(filter(None, places)), counts)


def estimate_tiles(
    sources: Sequence[str],
    *,
    bbox: Sequence[float] | None = None,
    zoom: Sequence[int] | None = None,
    size: int = 256,
    bands: Sequence[int] | None = None,
    block: int = 8,
    gap: int = 1,
    val: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
    matrix_set: str | None = None,
    client: Client | None = None,
) -> Estimate:
    """Say what `make_tiles` of the same arguments would make: number of tiles, area, ground resolution, bytes.

    No tile is fetched. Where `matrix_set` names a grid, the capabilities of the WMTS are asked for, once.

    Raises:
        ConfigError, DataError: as of `make_tiles`.
    """
    client = client or Client(Secret())
    places, grid, split = _planned(
        sources, client, bbox=bbox, zoom=zoom, size=size, matrix_set=matrix_set, block=block, gap=gap, val=val,
        test=test, seed=seed,
    )  # fmt: skip
    tiles = ((tile, split.part(tile.place)) for tile in grid.tiles())
    return estimated(tiles, grid, places, size=size, bands=bands)


def _planned(
    sources: Sequence[str],
    client: Client,
    *,
    bbox: Sequence[float] | None,
    zoom: Sequence[int] | None,
    size: int,
    matrix_set: str | None,
    **split: Any,
) -> tuple[dict[str, str], Grid, AreaSplit]:
    """The places of the layers, the grid, and the split of its tiles."""
    kinds = {"block": Number, "gap": Count, "val": Share, "test": Share, "seed": Seed}
    for option, value, kind in (("size", size, Side), *((name, split[name], kind) for name, kind in kinds.items())):
        check_value(value, kind, f"option {option!r} of tiles")
    places = named(sources, client.secret)
    grid = make_grid(places, bbox, zoom, size, matrix_set, client)
    return places, grid, AreaSplit((tile.place for tile in grid.tiles()), **split)


def _warn_of_mixed(record: Record, names: Sequence[str]) -> None:
    for name, found in zip(names, record.channels, strict=False):
        if len(found) > 1:
            warnings.warn(
                f"some tiles{f' of {name}' * bool(name)} are grey and some coloured; open the data with channels=3 "
                "or 1, or fetch anew with --channels.",
                I2IZooWarning,
                stacklevel=3,
            )
