"""`i2izoo tiles` over servers on loopback: pairs, what is left out, faults, kills, and no key anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import kills
import mercantile
import numpy as np
import pytest
import rasterio
from geo.tile_server import TileServer, client, encoded, flat, noise, tile_server
from i2izoo_geo.tiles.make import Summary, estimate_tiles, make_tiles
from PIL import Image

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, DataError, I2IZooWarning
from i2izoo.files.download import DownloadError

BBOX = (8.0, 47.0, 9.3, 47.9)
TILES = [f"10/{t.x}/{t.y}" for t in mercantile.tiles(*BBOX, [10])]
"""Four or five columns of as many rows."""


@pytest.fixture
def server():
    with tile_server() as found:
        yield found


def make(server: TileServer, out: Path, *names: str, **options) -> Summary:
    sources = [f"{name}={server.address}/{name}/{{z}}/{{x}}/{{y}}.png" for name in names or ("old", "new")]
    given = {"licence": "CC0", "bbox": BBOX, "zoom": [10], "block": 2, "client": client(rate=1000)[0]} | options
    return make_tiles(sources, out, **given)


def killed(address: str, out: str) -> None:
    """In a child."""
    sources = [f"{name}={address}/{name}/{{z}}/{{x}}/{{y}}.png" for name in ("old", "new")]
    made = make_tiles(sources, out, licence="CC0", bbox=BBOX, zoom=[10], block=2, client=client(rate=1000)[0])
    print(made)


def test_two_layers_are_pairs_that_open_without_options(server: TileServer, tmp_path: Path) -> None:
    made = make(server, tmp_path / "data", gap=0, val=0.2)
    assert made.counts["kept"] == len(TILES)
    for split in ("train", "val"):
        data = i2izoo.open_dataset(tmp_path / "data", split=split)
        assert (data.kind, data.domains, len(data)) == ("paired", ("new", "old"), made.counts[split])
        for i in range(len(data)):
            sample = data.sample(i, None)
            path = data.name(i).replace("_", "/")
            for domain in data.domains:
                wanted = np.asarray(Image.open(tmp_path / "data" / split / domain / f"{data.name(i)}.png"))
                assert encoded(wanted) == noise(f"{domain}/{path}.png")
                assert np.allclose((sample[domain].permute(1, 2, 0) + 1) * 127.5, wanted, atol=1e-3)


def test_each_tile_lies_where_its_address_says(server: TileServer, tmp_path: Path) -> None:
    make(server, tmp_path / "data", "old", gap=0)
    files = sorted((tmp_path / "data").rglob("*.png"))
    assert len(files) == len(TILES)
    for file in files:
        z, x, y = map(int, file.stem.split("_"))
        with rasterio.open(file) as image:
            assert image.crs.to_epsg() == 3857
            # the closed form of the grid: 2**z tiles of the world's width, from the upper left corner
            side = 2 * np.pi * 6378137 / 2**z
            left, top = x * side - np.pi * 6378137, np.pi * 6378137 - y * side
            assert np.allclose(image.bounds, (left, top - side, left + side, top), atol=1e-6)


def test_blank_duplicate_partial_and_missing_tiles_are_left_out_and_counted(server: TileServer, tmp_path: Path) -> None:
    clear = np.full((64, 64, 4), 255, np.uint8)
    clear[..., :3] = np.random.default_rng(0).integers(0, 255, (64, 64, 3))
    clear[:, :8, 3] = 0
    server.tiles[f"old/{TILES[0]}.png"] = flat((255, 255, 255))
    server.tiles[f"new/{TILES[1]}.png"] = flat((0, 0, 90, 0))
    server.tiles[f"new/{TILES[2]}.png"] = encoded(clear)
    server.tiles[f"new/{TILES[3]}.png"] = None
    sorry = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)  # "no imagery here"
    server.tiles[f"old/{TILES[4]}.png"] = encoded(sorry)
    server.tiles[f"old/{TILES[5]}.png"] = encoded(sorry)
    server.tiles[f"old/{TILES[6]}.png"] = encoded(np.dstack([sorry, np.full((64, 64), 255, np.uint8)]))
    made = make(server, tmp_path / "data", val=0.0)
    left = {"blank": 1, "empty": 1, "partial": 1, "missing": 1, "duplicate": 2}
    assert {state: made.counts[state] for state in left} == left
    assert made.counts["kept"] == len(TILES) - 6
    manifest = json.loads((tmp_path / "data" / "tiles.json").read_text())
    assert {state: manifest["counts"][state] for state in left} == left
    assert f"/new/{TILES[0]}.png" not in server.asked  # of a tile that is out anyway
    for state in left:
        assert f"{state} {left[state]}" in str(made)


def test_share_of_data_may_be_less(server: TileServer, tmp_path: Path) -> None:
    half = np.random.default_rng(0).integers(0, 255, (64, 64, 4), dtype=np.uint8)
    half[..., 3] = 255
    half[:16, :, 3] = 0
    server.tiles[f"old/{TILES[0]}.png"] = encoded(half)
    made = make(server, tmp_path / "data", "old", val=0.0, min_valid=0.75)
    assert made.counts["kept"] == len(TILES)
    found = i2izoo.open_dataset(tmp_path / "data", split="train", kind="single", domains=["old"])
    assert {tuple(found.sample(i, None)["old"].shape) for i in range(len(found))} == {(3, 64, 64)}


def test_a_server_that_is_busy_all_the_time_gives_the_same_files(server: TileServer, tmp_path: Path) -> None:
    calm = make(server, tmp_path / "calm")
    for i, place in enumerate(TILES):
        server.faults[f"old/{place}.png"] = [[(429, {"Retry-After": "30"})], [(503, {}), "cut"], ["html"], []][i % 4]
    polite, clock = client(rate=1000)
    made = make(server, tmp_path / "busy", client=polite)
    assert made.counts == calm.counts
    assert kills.tree(tmp_path / "busy") == kills.tree(tmp_path / "calm")
    assert sum(clock.slept) >= 30


def test_a_server_that_dies_in_the_middle_is_taken_up(server: TileServer, tmp_path: Path) -> None:
    whole = make(server, tmp_path / "whole")
    server.asked.clear()
    server.dies_after = 15
    with pytest.raises(DownloadError, match="6 times; call again to go on"):
        make(server, tmp_path / "data")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*.png")}
    assert before
    assert json.loads((tmp_path / "data" / "tiles.json").read_text())["finished"] is None
    server.dies_after = None
    assert make(server, tmp_path / "data").counts == whole.counts
    assert kills.tree(tmp_path / "data") == kills.tree(tmp_path / "whole")
    assert all(p.stat().st_mtime_ns == at for p, at in before.items())
    server.asked.clear()
    assert make(server, tmp_path / "data").counts == whole.counts  # it is all there: nobody is asked
    assert server.asked == []


@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_kill_9_at_any_change_of_files_and_the_same_call_ends_the_same(
    count: int, server: TileServer, tmp_path: Path
) -> None:
    done = kills.run(killed, server.address, str(tmp_path / "whole"), below=tmp_path / "whole")
    assert done.code == 0, done.said
    wanted = kills.tree(tmp_path / "whole")
    for moment in np.linspace(2, done.changes, count).astype(int):
        out = tmp_path / str(moment)
        assert kills.run(killed, server.address, str(out), below=out, kill_at=int(moment)).killed
        for image in (p for p in out.rglob("*.png") if p.name[0] != "."):
            Image.open(image).load()
        server.asked.clear()
        make(server, out)
        assert kills.tree(out) == wanted
        assert moment < done.changes / 2 or len(server.asked) < 1.5 * len(TILES)


def test_no_file_and_no_word_holds_the_key(server: TileServer, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("I2IZOO_TILES_KEY", "s3cr3t")
    monkeypatch.setenv("I2IZOO_DEBUG", "1")
    words = [
        "tiles",
        f"{server.address}/s3cr3t/old/{{z}}/{{x}}/{{y}}.png?token={{key}}",
        "--out",
        str(tmp_path / "data"),
    ]
    words += ["--bbox", ",".join(map(str, BBOX)), "--zoom", "10", "--block", "2", "--rate", "1000", "--licence", "CC0"]
    server.faults[f"s3cr3t/old/{TILES[-1]}.png"] = [(403, {})]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "/{key}/old/" in said
    assert main(words) == 0
    said += "".join(capsys.readouterr())
    assert all("token=s3cr3t" in asked for asked in server.asked)
    assert "s3cr3t" not in said
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert b"s3cr3t" not in file.read_bytes()


def test_the_manifest_says_where_all_came_from(server: TileServer, tmp_path: Path) -> None:
    make(server, tmp_path / "data", licence="CC BY 4.0, Land Survey")
    manifest = json.loads((tmp_path / "data" / "tiles.json").read_text())
    assert manifest["plan"]["licence"] == "CC BY 4.0, Land Survey"
    assert manifest["plan"]["bbox"] == list(BBOX)
    assert manifest["plan"]["zoom"] == [10]
    assert manifest["described"]["old"]["address"] == f"{server.address}/old/{{z}}/{{x}}/{{y}}.png"
    assert manifest["plan"]["split"]["val"]
    assert manifest["finished"] >= manifest["begun"]


def test_other_settings_in_the_same_folder_are_refused(server: TileServer, tmp_path: Path) -> None:
    make(server, tmp_path / "data")
    with pytest.raises(DataError, match=r"contrast was 8, now 9"):
        make(server, tmp_path / "data", contrast=9)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(DataError, match="not empty"):
        make(server, tmp_path / "mine")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"zoom": None}, "--zoom 17"),
        ({"bbox": None}, "--bbox WEST,SOUTH,EAST,NORTH"),
        ({"bbox": (47, 8, 200, 9)}, "in degrees"),
        ({"zoom": [25]}, "0 to 24"),
        ({"licence": " "}, "under which terms"),
        ({"workers": 0}, "'workers'"),
        ({"min_valid": 1.5}, "'min_valid'"),
    ],
)
def test_mistakes_are_sentences_and_ask_nobody(options, said: str, server: TileServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        make(server, tmp_path / "data", **options)
    assert server.asked == []


def test_layers_of_two_sizes_and_a_layer_without_tiles_are_named(server: TileServer, tmp_path: Path) -> None:
    server.tiles[f"new/{TILES[0]}.png"] = noise("large", side=128)
    with pytest.raises(DataError, match="old 64 x 64, new 128 x 128"):
        make(server, tmp_path / "data", val=0.0)
    server.tiles = {f"old/{place}.png": None for place in TILES}
    with pytest.raises(DataError, match="no tile is worth keeping"):
        make(server, tmp_path / "none", "old", val=0.0)


def test_grey_among_colour_is_warned_of_and_can_be_made_one(server: TileServer, tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    server.tiles[f"old/{TILES[0]}.png"] = encoded(grey)
    with pytest.warns(I2IZooWarning, match="of old are grey and some coloured"):
        make(server, tmp_path / "data", val=0.0)
    make(server, tmp_path / "three", val=0.0, channels=3)
    assert {Image.open(p).mode for p in (tmp_path / "three").rglob("*.png")} == {"RGB"}


def test_a_dry_run_counts_and_measures_and_fetches_nothing(server: TileServer, tmp_path: Path, capsys) -> None:
    """Area on a sphere: R² (east - west) (sin north - sin south); pixels at zoom 10: 2 pi R cos(latitude) / 2^18."""
    made = make(server, tmp_path / "data", val=0.2)
    server.asked.clear()
    sources = [f"{name}={server.address}/{name}/{{z}}/{{x}}/{{y}}.png" for name in ("old", "new")]
    found = estimate_tiles(sources, bbox=BBOX, zoom=[10], block=2, val=0.2)
    assert [found.counts.get(k, 0) for k in ("train", "val", "gap")] == [
        made.counts[k] for k in ("train", "val", "gap")
    ]
    everything = estimate_tiles(sources, bbox=BBOX, zoom=[10], val=0.0)
    boxes = [mercantile.bounds(t) for t in mercantile.tiles(*BBOX, [10])]
    west, south = min(b.west for b in boxes), min(b.south for b in boxes)
    east, north = max(b.east for b in boxes), max(b.north for b in boxes)
    area = 6371.009**2 * np.radians(east - west) * (np.sin(np.radians(north)) - np.sin(np.radians(south)))
    assert everything.area == pytest.approx(area, rel=1e-2)
    latitude = np.radians((south + north) / 2)
    assert everything.resolutions[10] == pytest.approx(2 * np.pi * 6371009 * np.cos(latitude) / 2**18, rel=1e-2)
    assert main(["tiles", *sources, "--bbox", ",".join(map(str, BBOX)), "--zoom", "10", "--val", "0", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"{len(TILES)} tiles" in said
    assert "a pixel" in said
    assert server.asked == []
    assert main(["tiles", *sources, "--bbox", ",".join(map(str, BBOX)), "--zoom", "10"]) == 2
    assert "--licence TEXT" in capsys.readouterr().err
