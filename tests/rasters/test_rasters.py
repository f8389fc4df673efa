"""Rasters from file to file: values, bands, pixels that are none, parts, and a run that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from tiny import Negative

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.raster import Box
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, ImageError
from i2izoo.images.reading import to_tensor
from i2izoo.models.translator import Translator
from i2izoo.rasters import formats
from i2izoo.rasters.progress import Progress
from i2izoo.rasters.tiff import Tiff

SIZE = (90, 150)
GEO = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0), True)]


@pytest.fixture(autouse=True)
def _core_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The formats of the core, as without the extra `geo`."""
    names = [n for n in registry("rasters").names() if n != "gdal"]
    monkeypatch.setattr(registry("rasters"), "names", lambda: names)


@pytest.fixture
def negative() -> Translator:
    return Translator(Negative(), {"method": "negative"})


@pytest.fixture
def network() -> Translator:
    torch.manual_seed(0)
    return i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1})


def colours(dtype: str, top: int, height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    return np.random.default_rng(0).integers(1, top, (height, width, 3)).astype(dtype)


@pytest.mark.parametrize(("dtype", "ending"), [("uint8", "png"), ("uint16", "png"), ("uint8", "tif"), ("uint16", "tif"),
                                               ("float32", "tif"), ("uint16", "npy"), ("float64", "npy")])  # fmt: skip
def test_types_and_values_stay(negative: Translator, tmp_path: Path, dtype: str, ending: str) -> None:
    """Of a range from 0 to 100 the negative of v is 100 - v."""
    np.save(tmp_path / "a.npy", colours(dtype, 100))
    out = i2izoo.translate_raster(negative, tmp_path / "a.npy", tmp_path / f"b.{ending}", values=(0, 100), tile=64)
    if ending == "npy":
        found = np.load(out)
    elif ending == "tif":
        found = tifffile.imread(out)
    else:
        found = ((to_tensor(out).permute(1, 2, 0) + 1) / 2 * np.iinfo(dtype).max).round().numpy()
        assert Image.open(out).size == (SIZE[1], SIZE[0])
    assert found.dtype == dtype or ending == "png"
    assert np.allclose(found, 100.0 - colours(dtype, 100), atol=1e-3)


def test_the_range_is_the_files_and_not_a_tiles(negative: Translator, tmp_path: Path) -> None:
    """Percentiles 1 and 99 of 16 bits; a tile that is dark throughout stays so."""
    ramp = np.repeat(np.linspace(1000, 3000, 400)[None, :, None], 100, 0).repeat(3, 2).astype(np.uint16)
    np.save(tmp_path / "a.npy", ramp)
    found = np.load(i2izoo.translate_raster(negative, tmp_path / "a.npy", tmp_path / "b.npy", tile=64))
    low, high = np.percentile(ramp, (1, 99))
    assert np.abs(found - (low + high - ramp.clip(low, high))).max() <= 3
    whole = np.load(i2izoo.translate_raster(negative, tmp_path / "a.npy", tmp_path / "c.npy", values="dtype"))
    assert np.abs(65535 - ramp.astype(int) - whole).max() <= 1
    negative.config["values"] = {"positive": [0.25, 0.75]}  # the percentiles become these of [0, 1]
    learned = np.load(i2izoo.translate_raster(negative, tmp_path / "a.npy", tmp_path / "d.npy"))
    assert np.abs(low + high - ramp.astype(float) - learned).max() <= 3, "and what lies beyond them is not cut"


def test_bands_are_chosen(negative: Translator, tmp_path: Path) -> None:
    bands = np.arange(6, dtype=np.uint8) * 40 + np.zeros((20, 30, 1), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", bands, photometric="minisblack", planarconfig="contig")
    out = i2izoo.translate_raster(negative, tmp_path / "a.tif", tmp_path / "b.tif", bands=[6, 1, 3])
    assert tifffile.imread(out)[0, 0].tolist() == [55, 255, 175]
    with pytest.raises(ConfigError, match="bands are counted from 1 to 6; found 7"):
        i2izoo.translate_raster(negative, tmp_path / "a.tif", tmp_path / "b.tif", bands=[7, 1, 2])
    with pytest.raises(ConfigError, match="choose them: --bands 1,2,3"):
        i2izoo.translate_raster(negative, tmp_path / "a.tif", tmp_path / "b.tif", bands=[1, 2])


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_near_infrared_that_is_marked_as_opacity_is_a_band(negative: Translator, tmp_path: Path, planes: str) -> None:
    """As NAIP's aerial photographs have it; a band of 0 and full values is opacity."""
    infrared = np.random.default_rng(1).integers(0, 240, SIZE).astype(np.uint8)
    opacity = np.where(infrared > 40, 255, 0).astype(np.uint8)
    for name, band in (("naip", infrared), ("clear", opacity)):
        stored = np.concatenate([colours("uint8", 255), band[..., None]], axis=2)
        tifffile.imwrite(
            tmp_path / f"{name}.tif", np.moveaxis(stored, 2, 0) if planes == "separate" else stored, photometric="rgb",
            extrasamples=["unassalpha"], planarconfig=planes,
        )  # fmt: skip
    out = i2izoo.translate_raster(negative, tmp_path / "naip.tif", tmp_path / "b.tif", bands=[4, 2, 1])
    wanted = np.dstack([infrared, colours("uint8", 255)[..., 1], colours("uint8", 255)[..., 0]])
    assert np.array_equal(tifffile.imread(out), 255 - wanted)
    raster = Tiff().open(tmp_path / "clear.tif")
    assert (raster.info.bands, raster.info.masked) == (3, True)
    assert np.array_equal(raster.valid(Box(0, *SIZE[:1], 0, SIZE[1])), opacity > 0)
    raster.close()


@pytest.mark.parametrize("layout", [{}, {"tile": (32, 48)}, {"rowsperstrip": 7}, {"planarconfig": "separate"},
                                    {"planarconfig": "separate", "tile": (16, 64)}])  # fmt: skip
@pytest.mark.parametrize("packing", [{}, {"compression": "zlib", "predictor": True}])
def test_windows_of_a_tiff_are_its_pixels(tmp_path: Path, layout: dict[str, Any], packing: dict[str, Any]) -> None:
    array = colours("uint16", 60000)
    stored = np.moveaxis(array, 2, 0) if layout.get("planarconfig") == "separate" else array
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", **layout, **packing)
    raster = Tiff().open(tmp_path / "a.tif")
    assert (raster.info.height, raster.info.width, raster.info.bands, raster.info.dtype) == (*SIZE, 3, "uint16")
    for box in (Box(0, 90, 0, 150), Box(31, 33, 47, 49), Box(60, 90, 100, 150), Box(5, 6, 0, 150)):
        found = raster.read(box, [2, 0])
        assert np.array_equal(found, array[box.top : box.bottom, box.left : box.right][..., [2, 0]])
    raster.close()


def test_no_data_stays_and_does_not_bleed(network: Translator, tmp_path: Path) -> None:
    """What lies under nodata changes nothing, and a valid pixel never takes its value."""
    results = []
    for hidden in (0, 7):
        array = colours("uint8", 255)
        array[20:50, 30:70] = hidden
        tags = [(42113, "s", 0, str(hidden), True), *GEO]
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extratags=tags)
        assert (array == hidden).all(axis=2).sum() == 1200
        out = i2izoo.translate_raster(network, tmp_path / "a.tif", tmp_path / "b.tif", tile=64)
        found = tifffile.imread(out)
        inside = np.zeros(SIZE, bool)
        inside[20:50, 30:70] = True
        assert (found[inside] == hidden).all()
        assert (found[~inside] != hidden).all()
        with tifffile.TiffFile(out) as file:
            assert file.pages.first.tags[42113].value.strip("\0") == str(hidden)
        results.append(found[~inside].astype(int))
    assert np.abs(results[0] - results[1]).max() <= 1


def test_parts_keep_their_place(negative: Translator, tmp_path: Path) -> None:
    """Pixels of half a metre from (1000, 2000): x 1010 to 1030 are columns 20 to 60, y 1985 to 1995 rows 10 to 30."""
    array = colours("uint8", 255)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extratags=GEO)
    for part in ({"bounds": (1010, 1985, 1030, 1995)}, {"window": (20, 10, 40, 20)}):
        out = i2izoo.translate_raster(negative, tmp_path / "a.tif", tmp_path / "b.tif", **part)
        assert np.array_equal(tifffile.imread(out), 255 - array[10:30, 20:60])
        raster = Tiff().open(out)
        assert raster.info.transform == (0.5, 0.0, 1010.0, 0.0, -0.5, 1995.0)
        raster.close()
    with pytest.raises(ConfigError, match="nothing of the raster, 150 x 90 pixels, lies in columns 2000"):
        i2izoo.translate_raster(negative, tmp_path / "a.tif", tmp_path / "b.tif", window=(2000, 0, 5, 5))


class _Killed(BaseException):
    pass


@pytest.mark.parametrize(("rows", "statistics"), [(0, "joint"), (1, "dense"), (2, "exact"), (4, "joint")])
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, statistics: Any
) -> None:
    from i2izoo.rasters import translate, work

    torch.manual_seed(0)
    network = i2izoo.create(
        "pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "instance"}
    )
    options: dict[str, Any] = {"tile": 48, "statistics": statistics}
    np.save(tmp_path / "a.npy", colours("uint16", 5000, height=200, width=100))
    whole = i2izoo.translate_raster(network, tmp_path / "a.npy", tmp_path / "whole.tif", **options).read_bytes()
    finish, done = work.Work.finish, []

    def killed(self: work.Work, count: int) -> None:
        done.append(count)
        if count > rows:
            raise _Killed
        finish(self, count)

    monkeypatch.setattr(work.Work, "finish", killed)
    before: list[Progress] = []
    after: list[Progress] = []
    with pytest.raises(_Killed):
        i2izoo.translate_raster(network, tmp_path / "a.npy", tmp_path / "b.tif", **options, progress=before.append)
    assert done == list(range(rows + 2))
    assert not (tmp_path / "b.tif").exists()
    done.clear()
    monkeypatch.setattr(work.Work, "finish", lambda self, count: (done.append(count), finish(self, count)))
    with pytest.raises(ConfigError, match="was of another seed; begin anew without --resume"):
        i2izoo.translate_raster(network, tmp_path / "a.npy", tmp_path / "b.tif", **options, seed=5, resume=True)
    monkeypatch.setattr(translate, "statistics", lambda *_: pytest.fail("the first pass is not made again"))
    i2izoo.translate_raster(
        network, tmp_path / "a.npy", tmp_path / "b.tif", **options, resume=True, progress=after.append
    )
    assert after[1] == before[-1]
    assert next(n for n in done if n) == rows + 1, "what was done is not done again"
    assert (tmp_path / "b.tif").read_bytes() == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npy", "b.tif", "whole.tif"]


def test_the_command_tells_rasters_from_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1, "norm": "none"})
    model.save_pretrained(tmp_path / "model")
    array = colours("uint8", 255)
    tifffile.imwrite(tmp_path / "plain.tif", array, photometric="rgb")
    tifffile.imwrite(tmp_path / "geo.tif", array, photometric="rgb", extratags=GEO)
    words = ["translate", str(tmp_path / "model")]
    assert main([*words, str(tmp_path / "geo.tif"), "-o", str(tmp_path / "a.tif")]) == 0
    assert "translated the raster" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "plain.tif"), "-o", str(tmp_path / "b.tif")]) == 0
    assert "translated 1 image" in capsys.readouterr().out
    assert np.abs(tifffile.imread(tmp_path / "a.tif").astype(int) - tifffile.imread(tmp_path / "b.tif")).max() <= 1
    assert main([*words, str(tmp_path / "plain.tif"), "-o", str(tmp_path / "a.tif"), "--tile", "64"]) == 2
    assert "--force" in capsys.readouterr().err
    part = ["--window", "10,20,30,40", "--bands", "3,2,1", "--values", "0,255", "--tile", "64"]
    assert main([*words, str(tmp_path / "plain.tif"), "-o", str(tmp_path / "c.png"), *part]) == 0
    assert Image.open(tmp_path / "c.png").size == (30, 40)


def test_what_cannot_be_read_or_written_is_said(negative: Translator, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no raster")
    np.save(tmp_path / "a.npy", colours("uint8", 255))
    for source, target, said in (
        ("a.txt", "b.tif", "in no format that is read here"), ("c.tif", "b.tif", "does not exist"),
        ("a.npy", "b.jpg", "written as .tif, .png or .npy"), ("a.npy", "a.npy", "name another target"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=said):
            i2izoo.translate_raster(negative, tmp_path / source, tmp_path / target)
    assert formats.reader(tmp_path / "a.txt") is None


def test_progress_goes_from_stage_to_stage(network: Translator, tmp_path: Path) -> None:
    """Rows of tiles of 48 with an overlap of 6 end 42 pixels apart: of 200 rows those of 42, 84, 126, 168 and 200."""
    np.save(tmp_path / "a.npy", colours("uint8", 255, height=200, width=100))
    seen: list[Progress] = []
    i2izoo.translate_raster(network, tmp_path / "a.npy", tmp_path / "b.tif", tile=48, progress=seen.append)
    assert [p.stage for p in seen] == ["statistics", *["translating"] * (len(seen) - 2), "writing"]
    assert {p.total for p in seen} == {0.02}
    done = [p.done for p in seen if p.stage == "translating"]
    assert done[0] == 0
    assert done[-1] == 0.02
    assert done == sorted(done)
    assert len(done) == 6


def test_progress_for_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of stdout is JSON, the last says where the raster is; a mistake is still a sentence on stderr."""
    model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4, "blocks": 1})
    model.save_pretrained(tmp_path / "model")
    Image.fromarray(colours("uint8", 255)).save(tmp_path / "a.png")
    words = ["translate", str(tmp_path / "model"), str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]
    assert main([*words, "--progress", "bar", "--tile", "64"]) == 0
    assert "writing" in capsys.readouterr().err
    assert main([*words, "--progress", "json", "--tile", "64", "--force"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == {"stage": "statistics", "done": 0.0, "total": 0.0135}
    assert said[-2:] == [{"stage": "writing", "done": 0.0, "total": 0.0135},
                         {"stage": "done", "target": str(tmp_path / "b.png")}]  # fmt: skip
    assert main([*words, "--progress", "json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_a_model_that_cannot_be_run_in_tiles_says_so_whatever_the_bands_are(tmp_path: Path) -> None:
    """It sees four bands, of which choosing would be of no use."""
    np.save(tmp_path / "scan.npy", np.zeros((64, 64), np.uint8))
    unet = {"name": "unet_128", "depth": 2, "width": 4}
    noisy = i2izoo.create("inpainting", base={"name": "pix2pix", "generator": unet})
    with pytest.raises(ConfigError, match="cannot be run in tiles: it wants mask"):
        i2izoo.translate_raster(noisy, tmp_path / "scan.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_dense_statistics_where_tiles_have_no_pixels(network: Translator, tmp_path: Path) -> None:
    """A gap wider than tiles stays one, and what is far from it does not see what lies behind it."""
    scan = colours("float32", 100)
    scan[:, 60:] = np.nan
    np.save(tmp_path / "a.npy", scan)
    scan[:, 120:] = colours("float32", 50)[:, 120:]
    np.save(tmp_path / "b.npy", scan)
    made = [
        np.load(i2izoo.translate_raster(network, tmp_path / f"{name}.npy", tmp_path / f"{name}-made.npy", tile=32,
                                        overlap=0, statistics="dense", values=(0, 100)))
        for name in "ab"
    ]  # fmt: skip
    assert (made[0][:, :60] != 0).mean() > 0.95
    assert (made[0][:, 60:] == 0).all()
    assert (made[1][:, 60:120] == 0).all()
    assert (made[1][:, 120:] != 0).mean() > 0.95
    assert np.allclose(made[0][:, :20], made[1][:, :20], atol=1e-3)
