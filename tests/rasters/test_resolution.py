"""The ground resolution of a raster, and the warning where a model has learned another."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import Negative

import i2izoo
from i2izoo.contracts.raster import RasterInfo
from i2izoo.errors import I2IZooWarning
from i2izoo.models.cards import render_card
from i2izoo.models.translator import Translator
from i2izoo.rasters.formats import readable
from i2izoo.rasters.resolution import warn_of_resolution


@pytest.mark.parametrize(
    ("learned", "metres", "warned"),
    [
        (60, 0.6, False), (60, 0.31, False), (60, 1.19, False), (60, 0.29, True), (60, 1.21, True),
        ([49, 98], 0.25, False), ([98, 49], 1.9, False), ([49, 98], 0.24, True), ([49, 98], 2.0, True),
        (60, None, False), (None, 5.0, False), ("60", 5.0, False), ([60], 5.0, False), (-60, 5.0, False),
    ],
)  # fmt: skip
def test_a_warning_beyond_a_factor_of_two(learned: Any, metres: float | None, warned: bool) -> None:
    info = RasterInfo(8, 8, 3, "uint8", resolution=metres)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warn_of_resolution({"provenance": {"ground_resolution": learned}}, info, "a-model")
    assert [w.category for w in said] == [I2IZooWarning] * warned
    assert all("'a-model' has learned from images of" in str(w.message) for w in said)


def geotiff(path: Path, crs: str | None, *transform: float) -> Path:
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "count": 3, "height": 32, "width": 32, "dtype": "uint8", "crs": crs}
    with rasterio.open(path, "w", **profile, transform=rasterio.Affine(*transform)) as file:
        file.write(np.full((3, 32, 32), 90, np.uint8))
    return path


def test_pixels_are_measured_on_the_ground(tmp_path: Path) -> None:
    """Metres of UTM near its middle are 0.9996 of the ground's; those of Web Mercator are 1 / cos(latitude) of them."""
    zone = 2 * math.pi * 6378137 / 256 / 2**17  # a pixel of zoom 17
    y = math.asinh(math.tan(math.radians(35))) * 6378137
    places: list[tuple[str | None, tuple[float, ...], float | None]] = [
        ("EPSG:32632", (0.6, 0, 500000, 0, -0.6, 5247000), 0.6 / 0.9996),
        ("EPSG:32632", (0, 0.6, 500000, 0.6, 0, 5247000), 0.6 / 0.9996),  # turned by 90 degrees
        ("EPSG:3857", (zone, 0, 15e6, 0, -zone, y), zone * math.cos(math.radians(35))),
        ("EPSG:4326", (1e-5, 0, 8, 0, -1e-5, 60), 1e-5 * math.pi / 180 * 6371009 * math.cos(math.radians(60)) ** 0.5),
        (None, (0.6, 0, 500000, 0, -0.6, 5247000), None),
    ]
    for number, (crs, transform, expected) in enumerate(places):
        raster = readable(path := geotiff(tmp_path / f"{number}.tif", crs, *transform)).open(path)
        raster.close()
        if expected is None:
            assert raster.info.resolution is None
        else:  # the ellipsoid is up to a half per cent nearer or farther than the sphere
            assert raster.info.resolution == pytest.approx(expected, rel=7e-3)


def test_translating_says_so(tmp_path: Path) -> None:
    source = geotiff(tmp_path / "a.tif", "EPSG:32632", 5, 0, 500000, 0, -5, 5247000)
    model = Translator(Negative(), {"method": "negative", "provenance": {"ground_resolution": 60}})
    with pytest.warns(I2IZooWarning, match="60 cm per pixel, and this raster has 500 cm"):
        i2izoo.translate_raster(model, source, tmp_path / "b.tif")


@pytest.mark.parametrize(("found", "text"), [(60, "60 cm per pixel"), ([49, 98], "49 to 98 cm per pixel")])
def test_it_is_on_the_card(found: Any, text: str) -> None:
    card = render_card({"method": "pix2pix", "provenance": {"ground_resolution": found}})
    assert f"| Ground resolution | {text} |" in card
