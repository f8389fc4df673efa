"""Many files at once: each translated as it is, rasters in tiles, and all of them in one zip."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2izoo.app.jobs import Job, Limits, check_pixels, in_tiles, is_raster, needs_tiles
from i2izoo.app.sessions import without_paths
from i2izoo.app.work import Work
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.images.writing import save
from i2izoo.models.translator import Translator


@dataclass(frozen=True)
class Batch:
    """What became of some files.

    Attributes:
        file: the one result, or a zip of all; None: there is none.
        done: how many were translated.
        failed: a sentence for each that was not.
    """

    file: Path | None
    done: int
    failed: tuple[str, ...] = ()


def translate_files(
    model: Translator, files: Sequence[Path], folder: Path, job: Job, limits: Limits, work: Work
) -> Batch:
    """Translate files into a folder; one that cannot be read is reported, and the others are done.

    Args:
        model: what translates.
        files: images and rasters; results are called as they are.
        folder: an empty one.
        job: what is asked for; without samples.
        limits: of the app.
        work: who watches.

    Raises:
        ConfigError: there are none, or too many.
        StoppedError: it was cancelled.
    """
    if not 1 <= len(files) <= limits.files:
        raise ConfigError(f"between 1 and {limits.files} files are translated at once; found {len(files)}.")
    job.check(limits)
    places: list[Path] = []
    failed: list[str] = []
    for number, path in enumerate(files):
        work.tell(f"file {number + 1} of {len(files)}: {path.name}", number / len(files))
        try:
            places.append(_translate(model, path, folder, job, limits, work, {one.stem for one in places}))
        except I2IZooError as error:
            work.check()  # raises where this was not about the file
            failed.append(f"{path.name}: {without_paths(str(error))}")
    if len(places) < 2:
        return Batch(places[0] if places else None, len(places), tuple(failed))
    work.tell("packing", 1.0)
    archive = folder / "translated.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # images are compressed already
        for place in places:
            packed.write(place, place.name)
    return Batch(archive, len(places), tuple(failed))


def _translate(
    model: Translator, path: Path, folder: Path, job: Job, limits: Limits, work: Work, taken: set[str]
) -> Path:
    tiled = job.size is None and (is_raster(path) or needs_tiles(path, job, limits))
    raster = path.suffix.lower() in (".tif", ".tiff", ".npy", ".jp2", ".vrt")
    many = model.method.image_channels[job.to] > 4  # more than a PNG has
    target = folder / f"{_free(path.stem, taken)}{'.tif' if (raster and tiled) or many else '.png'}"
    if tiled:
        return in_tiles(model, path, target, job, work)
    check_pixels(path, job, limits)
    with work.watching(model.method):
        save(model(path, to=job.to, seed=job.seed, size=job.size, **job.options), target)
    return target


def _free(stem: str, taken: set[str]) -> str:
    """A name that is not taken.

    >>> _free("x", {"x", "x_2"})
    'x_3'
    """
    names = (f"{stem}_{number}" if number > 1 else stem for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
