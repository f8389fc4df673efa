"""Rasters by GDAL: a COG that lies where its source lies, with all that it says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import Negative

import i2izoo
from i2izoo.errors import I2IZooWarning, ImageError
from i2izoo.models.translator import Translator

rasterio = pytest.importorskip("rasterio")

PLACE = rasterio.Affine(0.5, 0.0, 684000.0, 0.0, -0.5, 247000.0)
ARRAY = np.random.default_rng(0).integers(1, 255, (3, 700, 600)).astype(np.uint8)


@pytest.fixture
def negative() -> Translator:
    return Translator(Negative(), {"method": "negative"})


def write(path: Path, array: np.ndarray, mask: np.ndarray | None = None, **options: object) -> Path:
    profile = {"driver": "GTiff", "count": len(array), "height": array.shape[1], "width": array.shape[2]}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile, dtype=array.dtype, crs="EPSG:2056", transform=PLACE, **options) as file,
    ):
        file.write(array)
        file.update_tags(SURVEY="1946", AREA_OR_POINT="Area")
        file.descriptions = tuple(f"band {i}" for i in range(len(array)))
        if mask is not None:
            file.write_mask(mask)
    return path


def test_all_that_a_raster_says_is_kept(negative: Translator, tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", ARRAY, photometric="rgb")
    with rasterio.open(i2izoo.translate_raster(negative, source, tmp_path / "b.tif", tile=256)) as file:
        assert np.array_equal(file.read(), 255 - ARRAY)
        assert file.crs.to_epsg() == 2056
        assert file.transform == PLACE
        assert file.tags()["SURVEY"] == "1946"
        assert file.descriptions == ("band 0", "band 1", "band 2")
        assert [kind.name for kind in file.colorinterp] == ["red", "green", "blue"]
        assert file.nodata is None
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["tiled"]
        assert file.overviews(1) == [2]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_a_valid_pixel_never_becomes_nodata(negative: Translator, tmp_path: Path, dtype: str) -> None:
    """The negative of 255 would be 0, which means that there is no pixel."""
    array = ARRAY[:, :90, :120].astype(dtype)
    array[:, 10:20, 30:50] = 0
    array[:, 40, 40] = 255
    source = write(tmp_path / "a.tif", array, nodata=0)
    with rasterio.open(i2izoo.translate_raster(negative, source, tmp_path / "b.tif", values=(0, 255))) as file:
        assert file.nodata == 0
        assert file.dtypes[0] == dtype
        assert np.array_equal(file.dataset_mask() == 0, (array == 0).all(axis=0))


def test_masks_are_kept(negative: Translator, tmp_path: Path) -> None:
    mask = np.full((90, 120), 255, np.uint8)
    mask[30:60, 20:100] = 0
    source = write(tmp_path / "a.tif", ARRAY[:, :90, :120], mask)
    with rasterio.open(i2izoo.translate_raster(negative, source, tmp_path / "b.tif")) as file:
        assert np.array_equal(file.dataset_mask(), mask)
        assert np.array_equal(file.read()[:, mask > 0], 255 - ARRAY[:, :90, :120][:, mask > 0])


def test_vrt_jp2_and_bounds(negative: Translator, tmp_path: Path) -> None:
    """From (684010, 246990) to (684030, 247000): columns 20 to 60, rows 0 to 20."""
    from rasterio.shutil import copy

    source = write(tmp_path / "a.tif", ARRAY, photometric="rgb")
    copy(source, tmp_path / "a.vrt", driver="VRT")
    copy(source, tmp_path / "a.jp2", driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    for name in ("a.vrt", "a.jp2"):
        bounds = (684010, 246990, 684030, 247000)
        with rasterio.open(
            i2izoo.translate_raster(negative, tmp_path / name, tmp_path / "b.tif", bounds=bounds)
        ) as out:
            assert np.array_equal(out.read(), 255 - ARRAY[:, :20, 20:60])
            assert tuple(out.bounds) == bounds


def test_a_damaged_file_is_named(negative: Translator, tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", ARRAY)
    source.write_bytes(source.read_bytes()[:5000])
    with pytest.raises(ImageError, match=r"a\.tif"):
        i2izoo.translate_raster(negative, source, tmp_path / "b.tif")
    assert [p.name for p in tmp_path.iterdir() if "b.tif" in p.name and not p.name.startswith(".")] == []


def test_near_infrared_that_is_marked_as_opacity_is_a_band(negative: Translator, tmp_path: Path) -> None:
    """As NAIP's aerial photographs have it: their fourth band holds any value, also 0, and is no mask."""
    infrared = np.random.default_rng(1).integers(0, 240, (1, 700, 600)).astype(np.uint8)
    source = write(tmp_path / "a.tif", np.concatenate([ARRAY, infrared]), photometric="rgb", alpha="yes")
    with rasterio.open(source) as file:
        assert file.colorinterp[3].name == "alpha"
    with pytest.warns(I2IZooWarning, match=r"band 4 of a\.tif is marked as opacity"):
        made = i2izoo.translate_raster(negative, source, tmp_path / "b.tif", bands=[4, 2, 1])
    with rasterio.open(made) as file:
        assert file.count == 3
        assert np.array_equal(file.read(), 255 - np.concatenate([infrared, ARRAY[[1, 0]]]))
        assert (file.dataset_mask() == 255).all()
    opacity = np.where(infrared > 40, 255, 0).astype(np.uint8)
    source = write(tmp_path / "c.tif", np.concatenate([ARRAY, opacity]), photometric="rgb", alpha="yes")
    with rasterio.open(i2izoo.translate_raster(negative, source, tmp_path / "d.tif")) as file:
        assert np.array_equal(file.dataset_mask(), opacity[0])


@pytest.mark.parametrize("kind", ["colour", "grey in 16 bits", "float with nodata", "masked", "small"])
def test_what_is_written_is_a_valid_cog(negative: Translator, tmp_path: Path, kind: str) -> None:
    """By the validator of rio-cogeo, which is GDAL's own: overviews, tiles, and the order of both in the file."""
    from rio_cogeo import cog_validate

    array, mask, options = ARRAY, None, {}
    if kind == "grey in 16 bits":
        array = ARRAY[:1].astype(np.uint16) * 250
    elif kind == "float with nodata":
        array, options = ARRAY.astype(np.float32), {"nodata": -9999.0}
        array[:, :100, :300] = -9999
    elif kind == "masked":
        mask = np.where(ARRAY[0] > 9, 255, 0).astype(np.uint8)
    elif kind == "small":
        array = ARRAY[:, :90, :120]
    source = write(tmp_path / "a.tif", array, mask, **options)
    made = i2izoo.translate_raster(negative, source, tmp_path / "b.tif", tile=256)
    assert cog_validate(made, strict=True, quiet=True) == (True, [], [])
