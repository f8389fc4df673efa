"""`i2izoo tiles FILE.tif`: windows of rasters, their places, bits and masks, and a raster beside a server's layer."""

from __future__ import annotations

from pathlib import Path

import mercantile
import numpy as np
import pytest
import rasterio
import tifffile
from geo.tile_server import client, tile_server
from i2izoo_geo.tiles.make import make_tiles
from rasterio.crs import CRS
from rasterio.transform import from_bounds, from_origin

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, ImageError
from i2izoo.images.reading import to_tensor

UTM = {"crs": "EPSG:32632", "transform": from_origin(465000, 5247000, 0.5, 0.5)}


def raster(place: Path, pixels: np.ndarray, **profile) -> Path:
    """Bands x height x width, in tiles of its own."""
    count, height, width = pixels.shape
    with rasterio.open(
        place, "w", driver="GTiff", count=count, height=height, width=width, dtype=pixels.dtype, **profile
    ) as file:
        file.write(pixels)
    return place


def cut(place: Path | str, out: Path, **options):
    return make_tiles([str(place)], out, **({"licence": "CC0", "size": 32, "val": 0.0} | options))


def random(dtype: str, bands: int, height: int = 96, width: int = 128) -> np.ndarray:
    high = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, high, (bands, height, width), dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_tiles_are_the_pixels_of_the_raster_with_all_bits(dtype: str, bands: int, tmp_path: Path) -> None:
    pixels = random(dtype, bands, 100, 130)  # the rest of less than a tile is left
    made = cut(raster(tmp_path / "a.tif", pixels, **UTM), tmp_path / "data")
    assert made.counts["kept"] == 4 * 3
    for x in range(4):
        for y in range(3):
            (file,) = (p for p in (tmp_path / "data" / "train").glob(f"0_{x}_{y}.*") if p.suffix != ".xml")
            window = pixels[:, 32 * y : 32 * y + 32, 32 * x : 32 * x + 32]
            found = (to_tensor(file).numpy().astype(np.float64) + 1) / 2 * np.iinfo(dtype).max
            assert np.abs(found - window).max() < 0.01
            with rasterio.open(file) as tile:
                assert tile.crs == CRS.from_epsg(32632)
                assert tile.transform == from_origin(465000 + 16 * x, 5247000 - 16 * y, 0.5, 0.5)


def test_nodata_and_masks_leave_tiles_out_and_opacity_is_no_colour(tmp_path: Path) -> None:
    pixels = random("uint8", 3) // 2 + 1
    pixels[:, :32, :32] = 0
    pixels[:, 40, 40] = 0
    made = cut(raster(tmp_path / "a.tif", pixels, nodata=0, **UTM), tmp_path / "data")
    assert (made.counts["missing"], made.counts["partial"], made.counts["kept"]) == (1, 1, 10)
    opacity = np.full((1, 96, 128), 255, np.uint8)
    opacity[:, :32, :32] = 0
    place = raster(tmp_path / "b.tif", np.concatenate([pixels, opacity]), photometric="RGB", alpha="YES", **UTM)
    made = cut(place, tmp_path / "more")
    assert (made.counts["missing"], made.counts["kept"]) == (1, 11)
    assert {len(to_tensor(p)) for p in (tmp_path / "more").rglob("*.png")} == {3}


def test_floats_want_a_range_and_are_written_in_16_bits(tmp_path: Path) -> None:
    heights = np.linspace(-10, 90, 96 * 128, dtype=np.float32).reshape(1, 96, 128)
    heights[0, :32, :32] = np.nan
    place = raster(tmp_path / "dsm.tif", heights, **UTM)
    with pytest.raises(ConfigError, match=r"float32.*--range LOW,HIGH"):
        cut(place, tmp_path / "data")
    made = cut(place, tmp_path / "data", value_range=(0.0, 80.0), contrast=0)
    assert (made.counts["missing"], made.counts["kept"]) == (1, 11)
    found = (to_tensor(tmp_path / "data" / "train" / "0_1_1.png").numpy() + 1) / 2 * 80
    assert np.abs(found - heights[:, 32:64, 32:64].clip(0, 80)).max() < 80 / 65535


def test_bands_are_chosen(tmp_path: Path) -> None:
    pixels = random("uint8", 4)
    place = raster(tmp_path / "rgbn.tif", pixels, photometric="MINISBLACK", **UTM)
    with pytest.raises(ConfigError, match="4 bands; choose 1, 3 or more than 4 with --bands"):
        cut(place, tmp_path / "data")
    with pytest.raises(ConfigError, match="bands 1 to 4; found 5"):
        cut(place, tmp_path / "data", bands=[5])
    words = ["tiles", str(place), "--out", str(tmp_path / "data"), "--licence", "CC0", "--size", "32", "--val", "0"]
    assert main([*words, "--bands", "4,2,1"]) == 0
    found = (to_tensor(tmp_path / "data" / "train" / "0_2_1.png").numpy() + 1) * 127.5
    assert np.abs(found - pixels[[3, 1, 0], 32:64, 64:96]).max() < 1e-3


def test_a_plain_tiff_has_no_place_and_is_cut_all_the_same(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "scan.tif", random("uint16", 1)[0])
    made = cut(tmp_path / "scan.tif", tmp_path / "data")
    assert made.counts["kept"] == 12
    assert list((tmp_path / "data").rglob("*.xml")) == []
    for options in ({"zoom": [17]}, {"bbox": (8, 47, 9, 48)}):
        with pytest.raises((ConfigError, DataError), match="does not say where it lies"):
            cut(tmp_path / "scan.tif", tmp_path / "other", **options)
    with pytest.raises(ImageError, match=r"test_tiles_raster\.py.*not recognized"):
        cut(Path(__file__), tmp_path / "other")
    with pytest.raises(ImageError, match="does not exist"):
        cut("nowhere.tif", tmp_path / "other")


def test_an_area_of_a_raster(tmp_path: Path) -> None:
    place = raster(tmp_path / "a.tif", random("uint8", 3), crs="EPSG:4326", transform=from_origin(8, 48, 0.01, 0.01))
    cut(place, tmp_path / "data", bbox=(8.3, 47.3, 8.97, 47.7))  # pixels 30 to 97 across, 30 to 70 down
    assert sorted(p.stem for p in (tmp_path / "data").rglob("*.png")) == ["0_1_1", "0_2_1"]


def test_a_raster_and_a_server_are_pairs_on_the_grid_of_tiles(tmp_path: Path) -> None:
    """A ramp over longitude, in pixels of another system, comes out at the longitudes of the tiles."""
    tile = mercantile.tile(8.55, 47.37, 14)
    west, south, east, north = mercantile.bounds(tile)
    margin = east - west
    side = 600
    ramp = np.broadcast_to(np.linspace(0, 65535, side), (1, side, side)).astype(np.uint16)
    box = (west - margin, south - margin, east + margin, north + margin)
    scan = raster(
        tmp_path / "scan.tif", np.ascontiguousarray(ramp), crs="EPSG:4326", transform=from_bounds(*box, side, side)
    )
    inner = (west + margin / 9, south + margin / 9, east - margin / 9, north - margin / 9)
    with tile_server() as server:
        make_tiles(
            [f"old={scan}", f"new={server.address}/new/{{z}}/{{x}}/{{y}}.png"], tmp_path / "data", licence="CC0",
            bbox=inner, zoom=[14], size=64, val=0.0, client=client(rate=1000)[0],
        )  # fmt: skip
    data = i2izoo.open_dataset(tmp_path / "data", split="train")
    assert (data.kind, data.name(0)) == ("paired", f"14_{tile.x}_{tile.y}")
    found = (data.sample(0, None)["old"].numpy()[0] + 1) / 2 * (side - 1)
    # pixel i of the tile lies at west + (i + 1/2) / 64 of its width; column j of the scan at box.west + (j + 1/2) / 600
    longitudes = west + (np.arange(64) + 0.5) / 64 * (east - west)
    wanted = (longitudes - box[0]) / (box[2] - box[0]) * side - 0.5
    assert np.abs(found - wanted).max() < 0.5


def test_a_second_raster_is_warped_to_the_first(tmp_path: Path) -> None:
    pixels = random("uint8", 3)
    first = raster(tmp_path / "a.tif", pixels, **UTM)
    larger = np.pad(pixels[::-1], ((0, 0), (7, 9), (5, 3)))
    shifted = {**UTM, "transform": from_origin(465000 - 2.5, 5247000 + 3.5, 0.5, 0.5)}
    second = raster(tmp_path / "b.tif", larger, **shifted)
    make_tiles([f"one={first}", f"two={second}"], tmp_path / "data", licence="CC0", size=32, val=0.0)
    data = i2izoo.open_dataset(tmp_path / "data", split="train")
    assert len(data) == 12
    for i in range(12):
        sample = data.sample(i, None)
        assert (sample["one"].flip(0) - sample["two"]).abs().max() < 1e-6
