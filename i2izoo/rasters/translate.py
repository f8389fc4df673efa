"""Translate a raster of any size, from file to file, in the memory of a row of tiles."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from i2izoo.contracts.raster import Box, Raster, RasterInfo
from i2izoo.errors import ImageError
from i2izoo.files.locks import locked
from i2izoo.files.writing import hidden, replacing
from i2izoo.images.types import check_depth
from i2izoo.models.call_options import check_numbers
from i2izoo.models.translator import Translator, load
from i2izoo.rasters.blocks import Blocks, Each, Part, Spread, statistics
from i2izoo.rasters.first_pass import Statistics
from i2izoo.rasters.formats import readable, writer
from i2izoo.rasters.plan import TileSettings, check
from i2izoo.rasters.probing import tiling
from i2izoo.rasters.progress import Progress, Watcher, watching
from i2izoo.rasters.resolution import warn_of_resolution
from i2izoo.rasters.rows import translated_rows
from i2izoo.rasters.source import Source, box_of, choose_bands, raster_scale
from i2izoo.rasters.values import Scale, learned_range, of_type
from i2izoo.rasters.windows import Windows
from i2izoo.rasters.work import Work

ROWS = 32
"""Of pixels that are turned into values at a time."""


def translate_raster(
    model: Translator | str | os.PathLike[str],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    to: str | None = None,
    bands: Sequence[int] | None = None,
    values: Literal["dtype", "file", "model"] | Sequence[float] | None = None,
    window: Sequence[int] | None = None,
    bounds: Sequence[float] | None = None,
    tile: int = 512,
    overlap: int | None = None,
    statistics: Statistics = "joint",
    joint_tiles: int = 8,
    depth: Literal[8, 16] | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: bool | Watcher = False,
    spread: Spread | None = None,
    **options: Any,
) -> Path:
    """Translate a raster in tiles that leave no seams, and keep what it says of its place.

    Args:
        model: a translator, or what `i2izoo.load` takes.
        source: TIFF, GeoTIFF, PNG, JPEG or `.npy`; with the extra `geo`, what GDAL reads: COG, VRT, JP2.
        target: `.tif`, `.png` or `.npy`; with the extra `geo`, `.tif` is a COG. It is there when it is complete.
        to: target domain; None: the first.
        bands: that the model sees, counted from 1; None: red, green and blue, or the first.
        values: which values become -1 and 1 for the model, and back: "dtype", the range of the type; "file", the
            percentiles 1 and 99 of the raster; "model", these made to be those of the images that the model has
            learned from; or (low, high). None: "dtype" in 8 bits, otherwise "model", or "file" where the model does not
            say it. It is never the range of a tile.
        window: left, top, width and height in pixels: only this part.
        bounds: left, bottom, right and top in the raster's coordinates: only this part.
        tile, overlap, statistics, joint_tiles: see `TileSettings`.
        depth: bits of each band of the result, over their whole range; None: type and range are the source's.
        seed: of all randomness.
        resume: go on with what a killed run of the same arguments has left, to the same bytes.
        progress: show a bar on stderr, with megapixels a second and the time left; or a function that is called with
            each `i2izoo.rasters.progress.Progress`.
        spread: who does the blocks, such as `i2izoo.integrations.ray.translate_raster`; None: this process.
        options: the method's own.

    Returns:
        The target.

    Raises:
        ConfigError: the model cannot be run in tiles, or an argument does not fit.
        ImageError: the source cannot be read, or the target cannot hold the result.
        WriteError: the system refuses, or another process writes there.

    >>> import i2izoo, numpy as np, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "scan.npy", np.arange(40 * 60, dtype=np.uint16).reshape(40, 60))
    >>> unet = {"name": "unet_128", "depth": 2, "width": 4}
    >>> model = i2izoo.create("colorization", base={"name": "pix2pix", "generator": unet})
    >>> colour = np.load(translate_raster(model, folder / "scan.npy", folder / "colour.npy", tile=32))
    >>> colour.shape, colour.dtype
    ((40, 60, 3), dtype('uint16'))
    """
    check_numbers(seed)
    check_depth(depth)
    settings = TileSettings(tile=tile, overlap=overlap, statistics=statistics, joint_tiles=joint_tiles)
    model = model if isinstance(model, Translator) else load(model)
    source, target = Path(source).expanduser(), Path(target).expanduser()
    written, run = writer(target), Windows(model, to, seed, options)
    lock = hidden(target, "tiles.lock")
    with contextlib.closing(readable(source).open(source)) as raster, locked(target.parent, file=lock):
        _check_apart(source, target)
        box = box_of(raster.info, window, bounds)
        warn_of_resolution(model.config, raster.info, model.name)
        declared = tiling(model, to, **options)
        check(declared)  # before its bands, which are of no use then
        chosen = choose_bands(raster.info, bands, run.channels)
        scale = raster_scale(raster, chosen, values, learned_range(model.config, run.source), box)
        part = Part(source.absolute(), run.to, seed, options, box, chosen, scale, settings, declared)
        blocks, seen = part.blocks(model, raster), Source(raster, box, chosen, run.channels, scale)
        info = _info_of(raster, run, box, depth)
        back = scale if depth is None else of_type(info.dtype)
        assert back is not None
        if run.to in run.method.label_maps:  # colours of classes are no values of the source
            back = of_type(info.dtype) or back
        signature = {
            "source": [str(source.resolve()), source.stat().st_size, source.stat().st_mtime_ns],
            "model": model.fingerprint,
            "domain": run.to,
            "part": asdict(box),
            "bands": chosen,
            "values": asdict(scale),
            "tiles": asdict(settings),
            "type": info.dtype,
            "seed": seed,
            "options": repr(sorted(options.items())),
        }
        work = Work(target, info, signature, resume)
        try:
            with watching(progress) as tell:
                if work.done < len(blocks.plan.rows):
                    with contextlib.nullcontext(blocks.here) if spread is None else spread(part) as each:
                        _translate(blocks, each, seen, work, back, tell)
                tell(Progress("writing", 0.0, box.height * box.width / 1e6))
                with replacing(target, in_folder=True) as temporary:
                    written.write(temporary, work, raster.info, box, classes=run.to in run.method.label_maps)
        except BaseException:
            work.close()
            raise
        work.remove()
    return target


def _translate(blocks: Blocks, each: Each, seen: Source, work: Work, scale: Scale, tell: Watcher) -> None:
    """Fill the work with what is still missing."""
    planned, mega, total = blocks.plan, seen.box.width / 1e6, seen.box.height * seen.box.width / 1e6
    tell(Progress("statistics", 0.0, total))
    policy = work.statistics(lambda: statistics(planned, each))
    rows = translated_rows(
        blocks.run, planned.rows, planned.columns, lambda indices: each("tiles", indices, policy), work.done
    )
    tell(Progress("translating", planned.rows[work.done].counts[0] * mega if work.done else 0.0, total))
    for top, bottom, image in rows:
        for y in range(top, bottom, ROWS):  # in float64, which would be large for a whole row of tiles
            end = min(y + ROWS, bottom)
            pixels = scale.outside(image[:, y - top : end - top], work.info.dtype)
            valid = seen.valid(y, end)
            work.add(y, with_nodata(pixels, valid, work.info.nodata), valid)
        work.finish(work.done + 1)
        tell(Progress("translating", bottom * mega, total))


def with_nodata(pixels: np.ndarray, valid: np.ndarray | None, nodata: float | None) -> np.ndarray:
    """Pixels that are none get the value that says so, and the others get the next one where they have it.

    Args:
        pixels: H x W x C.
        valid: H x W; None: all are.
        nodata: the value; None: there is no such, and pixels that are none become 0.

    >>> with_nodata(np.array([[[0], [5], [7]]], np.uint8), np.array([[True, True, False]]), 0)[..., 0].tolist()
    [[1, 5, 0]]
    """
    if nodata is None:
        return pixels if valid is None else np.where(valid[..., None], pixels, 0).astype(pixels.dtype)
    value = np.array(nodata).astype(pixels.dtype)
    if pixels.dtype.kind == "f":
        beside = np.nextafter(value, np.array(np.inf, pixels.dtype))
    else:
        beside = value - 1 if value == np.iinfo(pixels.dtype).max else value + 1
    pixels = np.where(pixels == value, beside, pixels).astype(pixels.dtype)
    return pixels if valid is None else np.where(valid[..., None], pixels, value).astype(pixels.dtype)


def _info_of(raster: Raster, run: Windows, box: Box, depth: int | None) -> RasterInfo:
    """What the result is."""
    info, dtype = raster.info, raster.info.dtype if depth is None else f"uint{depth}"
    nodata = info.nodata
    if nodata is not None and np.dtype(dtype).kind != "f" and not _holds(dtype, nodata):
        nodata = 0.0
    return replace(
        info, height=box.height, width=box.width, bands=run.method.image_channels[run.to], dtype=dtype, nodata=nodata,
        masked=info.masked,
    )  # fmt: skip


def _holds(dtype: str, value: float) -> bool:
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max if np.isfinite(value) else False


def _check_apart(source: Path, target: Path) -> None:
    if target.exists() and source.resolve() == target.resolve():
        raise ImageError(f"{str(target)!r} is the raster that is read; name another target.")
