"""`i2izoo tiles` over MapProxy on loopback, which serves a cache of our tiles as WMTS and as XYZ."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import mercantile
import numpy as np
import pytest
import rasterio
import yaml
from geo.tile_server import client, noise
from i2izoo_geo.tiles.grid import MercatorGrid
from i2izoo_geo.tiles.layers import open_layers
from i2izoo_geo.tiles.make import estimate_tiles, make_tiles
from i2izoo_geo.tiles.wmts import wmts_grid, wmts_templates
from PIL import Image

from i2izoo.errors import ConfigError, DataError
from i2izoo.files.waiting import Head

wsgiapp = pytest.importorskip("mapproxy.wsgiapp")

BBOX = (8.0, 47.0, 9.0, 47.8)
TILES = list(mercantile.tiles(*BBOX, [10]))
LAYERS = ("ortho", "map")
GRIDS = {
    "web": {"base": "GLOBAL_WEBMERCATOR", "origin": "nw", "num_levels": 12},
    "utm32": {"srs": "EPSG:25832", "bbox": [400000, 5000000, 912000, 5512000], "origin": "nw", "res": [500, 250, 100]},
    "degrees": {"base": "GLOBAL_GEODETIC", "origin": "nw", "num_levels": 12},
}
CELLS = {"utm32": (1, 1, 2), "degrees": (9, 267, 61)}
"""Zoom, column and row of a tile that the source has there."""


@pytest.fixture(scope="module")
def mapproxy(tmp_path_factory: pytest.TempPathFactory):
    """The address of a MapProxy with two layers; of the second one tile is missing."""
    folder = tmp_path_factory.mktemp("mapproxy")
    for layer in LAYERS:
        for tile in TILES:
            place = folder / layer / "10" / str(tile.x) / f"{tile.y}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(noise(f"{layer}/{tile.x}/{tile.y}", side=256))
    (folder / "map" / "10" / str(TILES[0].x) / f"{TILES[0].y}.png").unlink()
    for grid, (z, x, y) in CELLS.items():
        place = folder / grid / str(z) / str(x) / f"{y}.png"
        place.parent.mkdir(parents=True)
        place.write_bytes(noise(f"{grid}/{x}/{y}", side=256))
    caches = {
        layer: {
            "grids": [layer if layer in GRIDS else "web"], "sources": [],
            "cache": {"type": "file", "directory": str(folder / layer), "directory_layout": "tms"},
        } for layer in (*LAYERS, *CELLS)
    }  # fmt: skip
    service = {"fees": "none", "access_constraints": "CC BY 4.0"}
    config = {
        "services": {"wmts": {"md": {"title": "Loopback", **service}}, "tms": {"use_grid_names": True, "origin": "nw"}},
        "layers": [{"name": layer, "title": layer, "tile_sources": [layer]} for layer in (*LAYERS, *CELLS)],
        "caches": caches,
        "grids": GRIDS,
        "globals": {"cache": {"base_dir": str(folder / "data"), "lock_dir": str(folder / "locks")}},
    }
    (folder / "mapproxy.yaml").write_text(yaml.safe_dump(config))
    app = wsgiapp.make_wsgi_app(str(folder / "mapproxy.yaml"))
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_wmts_and_xyz_give_the_tiles_of_their_addresses(mapproxy: str, tmp_path: Path) -> None:
    capabilities = f"{mapproxy}/wmts/1.0.0/WMTSCapabilities.xml"
    sources = [f"photo={capabilities}#ortho", f"map={mapproxy}/tiles/map/web/{{z}}/{{x}}/{{y}}.png"]
    settings = {"licence": "CC BY 4.0", "bbox": BBOX, "zoom": [10], "val": 0.0}
    made = make_tiles(sources, tmp_path / "data", client=client(rate=1000)[0], **settings)
    assert made.counts["kept"] == len(TILES) - 1
    assert made.counts["blank"] + made.counts["empty"] == 1  # MapProxy sends an empty image where it has nothing
    for tile in TILES[1:]:
        for domain, layer in (("photo", "ortho"), ("map", "map")):
            place = tmp_path / "data" / "train" / domain / f"10_{tile.x}_{tile.y}.png"
            assert place.read_bytes() == noise(f"{layer}/{tile.x}/{tile.y}", side=256)
            with rasterio.open(place) as image:
                assert np.allclose(image.bounds, mercantile.xy_bounds(tile), atol=1e-6)
    described = json.loads((tmp_path / "data" / "tiles.json").read_text())["described"]["photo"]
    assert described["kind"] == "wmts"
    assert described["layer"] == "ortho"


def test_key_value_pairs_are_asked_where_capabilities_have_no_address(mapproxy: str, tmp_path: Path) -> None:
    """MapProxy's other form of WMTS: `service?SERVICE=WMTS&REQUEST=GetTile`, with a parameter of the user's."""
    capabilities = f"{mapproxy}/service?SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0&map=main"
    settings = {"licence": "CC0", "bbox": BBOX, "zoom": [10], "val": 0.0}
    made = make_tiles([f"{capabilities}#ortho"], tmp_path / "data", client=client(rate=1000)[0], **settings)
    assert made.counts["kept"] == len(TILES)
    tile = TILES[3]
    with Image.open(tmp_path / "data" / "train" / f"10_{tile.x}_{tile.y}.png") as image:
        image.load()
        assert image.size == (256, 256)


def test_layers_and_zooms_that_are_not_there_are_named_and_a_key_is_hidden(mapproxy: str, monkeypatch) -> None:
    body = client()[0].get(f"{mapproxy}/wmts/1.0.0/WMTSCapabilities.xml", bytes)
    assert body is not None
    for layer in (None, "orto"):
        with pytest.raises(ConfigError, match=r"ortho, map, utm32, degrees"):
            wmts_templates(body, mapproxy, layer, [10])
    with pytest.raises(DataError, match="has zoom 0 to 11; found 17"):
        wmts_templates(body, mapproxy, "map", [17])
    templates, said = wmts_templates(body, f"{mapproxy}/caps?token={{key}}", "map", [10, 11])
    assert templates[11].endswith("/11/{x}/{y}.png?token={key}")
    assert said["access"] == "CC BY 4.0"
    monkeypatch.setenv("I2IZOO_TILES_KEY", "photo-key")
    echoing = body.replace(b"/wmts/map/", b"/wmts/photo-key/map/")  # as servers do that want a key
    polite, _ = client(ask=lambda *_: (item for item in (Head(200), echoing)))
    layer = open_layers(
        {"": f"{mapproxy}/caps?token={{key}}#map"}, MercatorGrid(BBOX, [10]), polite, contextlib.ExitStack(),
        size=256, channels=None, bands=None, value_range=None,
    )[""]  # fmt: skip
    address = layer.address(next(MercatorGrid(BBOX, [10]).tiles()))
    assert "/wmts/{key}/map/" in address
    assert address.endswith(".png?token={key}")
    assert "photo-key" not in json.dumps(layer.described)
    other = body.replace(b"3857", b"2056").replace(b"900913", b"2056")
    with pytest.raises(DataError, match="not offered in the grid of web maps"):
        wmts_templates(other, mapproxy, "map", [10])
    for damaged in (b"", b"<a/>", body[:1000], b"<!DOCTYPE a>" + body):
        with pytest.raises(DataError, match="no capabilities of a WMTS"):
            wmts_templates(damaged, mapproxy, "map", [10])


@pytest.mark.parametrize(
    ("grid", "crs", "bbox", "bounds"),
    [  # a point in the tile; 256 pixels of 250 m from (400000, 5512000); of 360 / 256 / 2**9 degrees from (-180, 90)
        ("utm32", 25832, (8.7, 48.3, 8.71, 48.31), (464000, 5320000, 528000, 5384000)),
        ("degrees", 4326, (8.1, 46.9, 8.2, 47.0), (7.734375, 46.40625, 8.4375, 47.109375)),
    ],
)
def test_other_grids_have_their_own_coordinates(
    mapproxy: str, tmp_path: Path, grid: str, crs: int, bbox: tuple[float, ...], bounds: tuple[float, ...]
) -> None:
    z, x, y = CELLS[grid]
    sources, settings = [f"{mapproxy}/wmts/1.0.0/WMTSCapabilities.xml#{grid}"], {"bbox": bbox, "zoom": [z]}
    said = estimate_tiles(sources, val=0.0, client=client(rate=1000)[0], matrix_set=grid, **settings)
    assert said.counts == {"train": 1}
    make_tiles(
        sources, tmp_path / "data", licence="CC0", val=0.0, matrix_set=grid, client=client(rate=1000)[0], **settings
    )
    place = tmp_path / "data" / "train" / f"{z}_{x}_{y}.png"
    assert place.read_bytes() == noise(f"{grid}/{x}/{y}", side=256)
    with rasterio.open(place) as image:
        assert image.crs.to_epsg() == crs
        assert np.allclose(image.bounds, bounds, atol=1e-6)


def test_what_other_grids_cannot_do_is_said(mapproxy: str, tmp_path: Path) -> None:
    capabilities = f"{mapproxy}/wmts/1.0.0/WMTSCapabilities.xml"
    for sources, settings, said in (
        ([f"{capabilities}#utm32"], {}, r"not offered in the grid of web maps .*utm32.*--matrix-set"),
        ([f"{capabilities}#utm32"], {"matrix_set": "degrees"}, "not offered in the grid 'degrees'; it is in utm32"),
        ([f"{capabilities}#utm32"], {"matrix_set": "utm32", "zoom": [3]}, "has zoom 0 to 2; found 3"),
        ([f"{capabilities}#utm32"], {"matrix_set": "utm32", "bbox": (100, 1, 101, 2)}, "lies outside of the grid"),
        ([f"{capabilities}#utm32"], {"matrix_set": "utm32", "zoom": None}, "wants zoom levels"),
        ([f"{mapproxy}/{{z}}/{{x}}/{{y}}.png"], {"matrix_set": "utm32"}, "has that of web maps"),
        ([f"a={capabilities}#utm32", f"b={capabilities}#ortho"], {"matrix_set": "utm32"}, "'ortho' .* not offered"),
    ):
        given = {"bbox": (8.4, 48.3, 8.41, 48.31), "zoom": [1], **settings}
        with pytest.raises((ConfigError, DataError), match=said):
            make_tiles(sources, tmp_path / "data", licence="CC0", val=0.0, client=client(rate=1000)[0], **given)
    body = client()[0].get(capabilities, bytes)
    assert body is not None
    with pytest.raises(DataError, match="99999, which rasterio does not know"):
        wmts_grid(body.replace(b"25832", b"99999"), mapproxy, "utm32", "utm32", (8, 48, 9, 49), [1])
