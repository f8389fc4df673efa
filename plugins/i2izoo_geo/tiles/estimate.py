"""What a data set of tiles would be, before anything is fetched."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from i2izoo_geo.ground import pixel_on_ground
from i2izoo_geo.reading import GDALRaster
from i2izoo_geo.tiles.grid import Grid, Tile

SIDE = 256
"""Of a server's tiles in pixels, which it says with the first one."""
LOSSLESS, LOSSY = 0.6, 0.1
"""Bytes of each byte of a photograph in colour, as PNG and as JPEG or WebP of the usual quality."""


@dataclass(frozen=True)
class Estimate:
    """What would be made.

    Attributes:
        counts: tiles in each part, and those in the gap, which are not fetched.
        area: km² on the ground of the tiles that are; None: they have no place.
        resolutions: metres on the ground of a pixel, by zoom.
        size: bytes of all files of all layers, about.
    """

    counts: Mapping[str, int]
    area: float | None
    resolutions: Mapping[int, float]
    size: float

    def __str__(self) -> str:
        parts = [f"{part} {self.counts[part]}" for part in ("train", "val", "test") if self.counts.get(part)]
        wanted = sum(self.counts.get(part, 0) for part in ("train", "val", "test"))
        lines = [f"{wanted} tiles ({', '.join(parts) or 'none'}); left out: gap {self.counts.get('gap', 0)}"]
        if self.area is not None:
            lines.append(f"{self.area:.3g} km²")
        many = len(self.resolutions) > 1
        lines += [f"{f'zoom {zoom}: ' * many}{_length(size)} a pixel" for zoom, size in self.resolutions.items()]
        return "\n".join([*lines, f"about {_bytes(self.size)}, and no tile was fetched"])


def estimated(
    tiles: Iterable[tuple[Tile, str | None]],
    grid: Grid,
    places: Mapping[str, str],
    *,
    size: int,
    bands: Sequence[int] | None,
) -> Estimate:
    """Look at tiles, each with its part of the split.

    Args:
        tiles: None as part: in the gap.
        grid: of the tiles.
        places: address or path of each layer.
        size: side of tiles that are cut from rasters.
        bands: of them that are used; None: all.
    """
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    crs = None if grid.crs is None else CRS.from_user_input(grid.crs)
    web = [place for place in places.values() if "://" in place]
    side = SIDE if web else size
    counts, area, resolutions = Counter[str](), 0.0, dict[int, list[float]]()
    for tile, part in tiles:
        counts[part or "gap"] += 1
        if part is None or (numbers := grid.transform(tile, side, side)) is None:
            continue
        pixel = pixel_on_ground(crs, Affine.from_gdal(*numbers), side / 2, side / 2)
        if pixel is not None:
            area += pixel[0] * pixel[1] * side * side / 1e6
            resolutions.setdefault(tile.z, []).append((pixel[0] * pixel[1]) ** 0.5)
    wanted = counts.total() - counts["gap"]
    each = sum(
        _of_web(place) if place in web else _of_raster(Path(place).expanduser(), bands) for place in places.values()
    )
    means = {zoom: sum(found) / len(found) for zoom, found in resolutions.items()}
    return Estimate(dict(counts), area or None, means, wanted * each * side * side)


def _of_web(address: str) -> float:
    """Bytes of a pixel; what a WMTS sends is not known before its capabilities are, and taken for JPEG."""
    png = Path(urlsplit(address).path).suffix.lower() == ".png" or "image/png" in address.lower()
    return 3 * (LOSSLESS if png else LOSSY)


def _of_raster(path: Path, bands: Sequence[int] | None) -> float:
    with contextlib.closing(GDALRaster(path)) as raster:
        return LOSSLESS * len(bands or range(raster.info.bands)) * (1 if raster.info.dtype == "uint8" else 2)


def _length(metres: float) -> str:
    """A length, as people say it.

    >>> _length(0.298), _length(38.2), _length(1200.0)
    ('29.8 cm', '38.2 m', '1.2 km')
    """
    if metres < 1:
        return f"{metres * 100:.3g} cm"
    return f"{metres:.3g} m" if metres < 1000 else f"{metres / 1000:.3g} km"


def _bytes(size: float) -> str:
    """A number of bytes, as people say it.

    >>> _bytes(2_300_000), _bytes(999.0)
    ('2.3 MB', '0.999 kB')
    """
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.3g} {unit}"
    return f"{size / 1000:.3g} TB"
