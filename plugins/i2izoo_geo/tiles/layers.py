"""From what the user names to layers and the grid that they are cut along."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from i2izoo.errors import ConfigError, I2IZooError, listing
from i2izoo_geo.reading import GDALRaster
from i2izoo_geo.tiles.grid import Grid, MercatorGrid, RasterGrid, Tile
from i2izoo_geo.tiles.matrices import MatrixGrid
from i2izoo_geo.tiles.pixels import Pixels
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.raster import RasterLayer
from i2izoo_geo.tiles.secret import Secret
from i2izoo_geo.tiles.web import WebLayer, is_template
from i2izoo_geo.tiles.wmts import wmts_grid, wmts_templates

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


def make_grid(
    places: Mapping[str, str],
    bbox: Sequence[float] | None,
    zoom: Sequence[int] | None,
    size: int,
    matrix_set: str | None,
    client: Client,
) -> Grid:
    """The grid of web maps where zoom levels are given, otherwise the pixels of the first raster.

    Args:
        places: of the layers, by name.
        bbox, zoom, size: see `make_tiles`.
        matrix_set: name of another grid, of the first layer that is a WMTS; its capabilities are asked for.
        client: asks.

    Raises:
        ConfigError: servers without zoom, or no area; or there is no such grid.
        DataError: the raster cannot be used, or a service is no WMTS.
    """
    raster = next((Path(place).expanduser() for place in places.values() if not _is_web(place)), None)
    if zoom is not None:
        if bbox is None and raster is not None:
            bbox = _extent(raster)
        if bbox is None:
            raise ConfigError("tiles of a server want an area, --bbox WEST,SOUTH,EAST,NORTH in degrees.")
        return MercatorGrid(bbox, zoom) if matrix_set is None else _matrix_grid(places, matrix_set, bbox, zoom, client)
    if matrix_set is not None:
        raise ConfigError("a grid that is named wants zoom levels, counted from its coarsest: --zoom 12.")
    if raster is None or any(map(_is_web, places.values())):
        raise ConfigError("tiles of a server want zoom levels, such as --zoom 17.")
    return RasterGrid(raster, size, bbox)


def _matrix_grid(
    places: Mapping[str, str], matrix_set: str, bbox: Sequence[float], zoom: Sequence[int], client: Client
) -> Grid:
    web = [place for place in places.values() if _is_web(place)]
    if not web or any(map(is_template, web)):
        raise ConfigError(
            "the grid of a WMTS is for its layers and for rasters; an address with {z}, {x} and {y} has that of web "
            "maps (leave --matrix-set out)."
        )
    address, layer, body = _capabilities(web[0], client)
    with _hiding(client):
        return wmts_grid(body, address, layer, matrix_set, bbox, zoom)


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
            assert isinstance(grid, (MercatorGrid, MatrixGrid))
            layers[name] = _web_layer(place, grid, client, channels)
        else:
            path = Path(place).expanduser()
            own = isinstance(grid, RasterGrid) and grid.path == path
            layers[name] = RasterLayer(path, grid, size=size, bands=bands, value_range=value_range, own=own)
        closing.callback(layers[name].close)
    return layers


def _web_layer(place: str, grid: MercatorGrid | MatrixGrid, client: Client, channels: int | None) -> WebLayer:
    if is_template(place):
        return WebLayer({None: place}, client, channels, {"kind": "xyz", "address": place})
    address, layer, body = _capabilities(place, client)
    hide = client.secret.hide  # servers write the key into what they send
    with _hiding(client):
        own = grid if isinstance(grid, MatrixGrid) else None
        templates, said = wmts_templates(body, address, layer, grid.zooms, own)
    said = {name: hide(text) for name, text in said.items()}
    hidden: dict[int | None, str] = {zoom: hide(template) for zoom, template in templates.items()}
    return WebLayer(hidden, client, channels, {"kind": "wmts", "address": address, "layer": layer, **said})


def _capabilities(place: str, client: Client) -> tuple[str, str | None, bytes]:
    """Address, layer, and what the service says of itself, for which it is asked once."""
    address, _, layer = place.partition("#")
    return address, layer or None, client.get_once(address) or b""


@contextlib.contextmanager
def _hiding(client: Client) -> Iterator[None]:
    """What is wrong with a service is said without the key."""
    try:
        yield
    except I2IZooError as error:
        raise type(error)(client.secret.hide(str(error))) from None
