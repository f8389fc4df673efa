"""From what the user names to layers and the grid that they are cut along."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from i2izoo.errors import ConfigError, I2IZooError, listing
from i2izoo_geo.reading import GDALRaster
from i2izoo_geo.tiles.grid import Grid, MercatorGrid, RasterGrid, Tile
from i2izoo_geo.tiles.pixels import Pixels
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.raster import RasterLayer
from i2izoo_geo.tiles.secret import Secret
from i2izoo_geo.tiles.web import WebLayer, is_template
from i2izoo_geo.tiles.wmts import wmts_templates

PARTS = ("train", "val", "test")


class Layer(Protocol):
    """Where tiles come from."""

    described: dict[str, Any]
    """What `tiles.json` says about it."""

    def read(self, tile: Tile) -> Pixels | None:
        """The pixels of a tile; None: there are none."""

    def close(self) -> None:
        """Let go of files."""


def named(sources: Sequence[str], secret: Secret) -> dict[str, str]:
    """Domain -> address or path, without the key; a single source may have no name, which is "".

    >>> named(["old=https://example.org/{z}/{x}/{y}.png?layer=a", "new=colour.tif"], Secret())
    {'old': 'https://example.org/{z}/{x}/{y}.png?layer=a', 'new': 'colour.tif'}

    Raises:
        ConfigError: names are missing, there twice or none for a folder, or an address holds a secret.
    """
    found: dict[str, str] = {}
    for source in sources:
        given = re.fullmatch(r"([\w-]+)=(.+)", source, re.DOTALL)
        name, place = (given[1], given[2]) if given else ("", source)
        if (not name and len(sources) > 1) or name in found or name in PARTS:
            raise ConfigError(
                f"several layers have a name each, NAME=ADDRESS, other than {listing(PARTS)}; found {name or place!r}"
                f"{' twice' if name in found else ''}."
            )
        place = secret.hide(place)
        if "://" in place:
            secret.refuse_open(place)
        found[name] = place
    if not found:
        raise ConfigError("name an address of tiles, a WMTS or a raster.")
    return found


def _is_web(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def make_grid(places: Mapping[str, str], bbox: Sequence[float] | None, zoom: Sequence[int] | None, size: int) -> Grid:
    """The grid of web maps where zoom levels are given, otherwise the pixels of the first raster.

    Raises:
        ConfigError: servers without zoom, or no area.
        DataError: the raster cannot be used.
    """
    raster = next((Path(place).expanduser() for place in places.values() if not _is_web(place)), None)
    if zoom is not None:
        if bbox is None and raster is not None:
            bbox = _extent(raster)
        if bbox is None:
            raise ConfigError("tiles of a server want an area, --bbox WEST,SOUTH,EAST,NORTH in degrees.")
        return MercatorGrid(bbox, zoom)
    if raster is None or any(map(_is_web, places.values())):
        raise ConfigError("tiles of a server want zoom levels, such as --zoom 17.")
    return RasterGrid(raster, size, bbox)


def _extent(path: Path) -> tuple[float, ...]:
    from rasterio.warp import transform_bounds

    with contextlib.closing(GDALRaster(path)) as raster:
        source = raster.file
        if not source.crs:
            raise ConfigError(f"{path} does not say where it lies, so no --zoom of web maps can be cut from it.")
        return tuple(transform_bounds(source.crs, "EPSG:4326", *source.bounds))


def open_layers(
    places: Mapping[str, str],
    grid: Grid,
    client: Client,
    closing: contextlib.ExitStack,
    *,
    size: int,
    channels: int | None,
    bands: Sequence[int] | None,
    value_range: tuple[float, float] | None,
) -> dict[str, Layer]:
    """A layer for each name; of a WMTS the capabilities are asked for."""
    layers: dict[str, Layer] = {}
    for name, place in places.items():
        if _is_web(place):
            assert isinstance(grid, MercatorGrid)
            layers[name] = _web_layer(place, grid, client, channels)
        else:
            path = Path(place).expanduser()
            own = isinstance(grid, RasterGrid) and grid.path == path
            layers[name] = RasterLayer(path, grid, size=size, bands=bands, value_range=value_range, own=own)
        closing.callback(layers[name].close)
    return layers


def _web_layer(place: str, grid: MercatorGrid, client: Client, channels: int | None) -> WebLayer:
    if is_template(place):
        return WebLayer({None: place}, client, channels, {"kind": "xyz", "address": place})
    address, _, layer = place.partition("#")
    body = client.get(address, bytes)
    hide = client.secret.hide  # servers write the key into what they send
    try:
        templates, said = wmts_templates(body or b"", address, layer or None, grid.zooms)
    except I2IZooError as error:
        raise type(error)(hide(str(error))) from None
    said = {name: hide(text) for name, text in said.items()}
    hidden: dict[int | None, str] = {zoom: hide(template) for zoom, template in templates.items()}
    return WebLayer(hidden, client, channels, {"kind": "wmts", "address": address, "layer": layer or None, **said})
