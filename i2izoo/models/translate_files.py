"""Translate image files to image files: to the same bytes in one process, in shards and on many machines."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from i2izoo.errors import ConfigError, ImageError, listing
from i2izoo.files.manifests import ImageFile
from i2izoo.files.settings import read_settings
from i2izoo.files.writing import write_text
from i2izoo.images.writing import find_images, save
from i2izoo.models.call_options import check_own_options
from i2izoo.models.file_jobs import FileJob, is_file, of_shard, plan_jobs, refuse_taken
from i2izoo.models.translator import Translator, load

SETTINGS = "translate.json"
"""What made the files of a folder that several processes or several runs fill, beside them."""


@dataclass(frozen=True)
class Translated:
    """What has become of one image.

    Attributes:
        job: its files.
        before: they were there already.
        error: why they are not there; None: they are.
    """

    job: FileJob
    before: bool = False
    error: str | None = None

    def rows(self, folder: Path) -> Iterator[dict[str, str | int | None]]:
        """Lines for `write_manifest`, a line for each file, with paths relative to `folder`."""
        for sample, target in enumerate(self.job.targets):
            yield {
                "name": (PurePosixPath(self.job.name).parent / target.name).as_posix(),
                "path": None if self.error else Path(os.path.relpath(target, folder)).as_posix(),
                "source": str(self.job.source),
                "sample": sample if len(self.job.targets) > 1 else None,
                "sha256": None if self.error else hashlib.sha256(target.read_bytes()).hexdigest(),
                "error": self.error,
            }


def named(images: Any) -> list[ImageFile]:
    """Image files with their names: of a file, folder or glob, or of a list of these, the names of the files."""
    if isinstance(images, (str, os.PathLike)):
        images = [images]
    found = [
        image
        for given in images
        for image in ([given] if isinstance(given, ImageFile) else [ImageFile(p.name, p) for p in find_images(given)])
    ]
    return list({image.path: image for image in found}.values())


def translate_files(
    model: Translator | str | os.PathLike[str],
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str] | ImageFile],
    out: str | os.PathLike[str],
    *,
    samples: int | None = None,
    shard: str | None = None,
    skip_existing: bool = False,
    force: bool = False,
    **options: Any,
) -> list[Translated]:
    """Translate image files into a folder; what a file becomes depends on no other, nor on who does it.

    Randomness is a function of the seed and the name of the file, and batches do not round in another way with other
    images beside it (see `Translator.stream`): on machines of one kind, with one number of threads and one
    `batch_size`, the bytes are the same whichever process makes them.

    Args:
        model: a translator, or what `i2izoo.load` takes.
        images: a file, folder or glob; a list of these; or what `i2izoo.files.manifests.read_manifest` gives.
        out: a folder, or a file for one image.
        samples: so many different translations of each image: `x_0.png`, `x_1.png`, ...
        shard: "2/4" does the second of four parts; all parts want the same images, in the same order.
        skip_existing: leave out what is there, which is whole: so a killed run goes on.
        force: overwrite files.
        options: those of a call of the model, `to`, `size`, `seed`, `batch_size`, `depth` and `progress`, and the
            method's own.

    Returns:
        What has become of the images of this part, in order; an image that cannot be read has its error there, and
        does not end the others.

    Raises:
        ImageError: files would be overwritten, two would go to one place, or those there were made in another way.
        ConfigError: an option does not fit, or has a list with one value for each image.
        WriteError: a disk is full, say.

    >>> import i2izoo, tempfile
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4})
    >>> place = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     _ = save(np.zeros((8, 8, 3), np.uint8), place / name)
    >>> [done.job.name for done in translate_files(model, place, place / "out", shard="2/2")]
    ['b.png']
    """
    part: dict[str, Any] = {"samples": samples, "shard": shard, "skip_existing": skip_existing, "force": force}
    return list(prepared(model, images, out, in_parts=skip_existing or shard is not None, **part, **options)[1])


def prepared(
    model: Translator | str | os.PathLike[str],
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str] | ImageFile],
    out: str | os.PathLike[str],
    *,
    in_parts: bool,
    samples: int | None = None,
    skip_existing: bool = False,
    force: bool = False,
    shard: str | None = None,
    **options: Any,
) -> tuple[list[FileJob], Iterator[Translated]]:
    """What `translate_files` has to do, all of it checked, and what does it as it is asked for.

    Args:
        in_parts: more than one process or run fills `out`.
    """
    found, place = named(images), os.fspath(out)
    part: dict[str, Any] = {"samples": samples, "shard": shard, "skip_existing": skip_existing, "force": force}
    jobs = planned(found, place, **part)
    model = model if isinstance(model, Translator) else load(model)
    if target_channels(model, options.get("to")) > 4:  # more than a PNG has
        jobs = planned(found, place, **part, ending=".tif")
    if in_parts:
        one_for_all(model, options)
    results = translated(model, jobs, samples=samples, skip_existing=skip_existing, **options)
    if not is_file(place):
        claim(Path(place).expanduser(), settings(model, **options), in_parts, force)
    return jobs, results


def planned(
    images: Sequence[ImageFile],
    out: str,
    *,
    samples: int | None = None,
    shard: str | None = None,
    skip_existing: bool = False,
    force: bool = False,
    ending: str = ".png",
) -> list[FileJob]:
    """What this part has to do, checked as a whole before anything is computed; errors as of `translate_files`."""
    jobs = of_shard(plan_jobs(images, out, samples, ending), shard)
    if not (skip_existing or force):
        refuse_taken(jobs)
    return jobs


def translated(
    model: Translator, jobs: Sequence[FileJob], *, samples: int | None, skip_existing: bool, **options: Any
) -> Iterator[Translated]:
    """Do the jobs, in order, as they are asked for; mistakes in options are raised at once."""
    before = [skip_existing and job.done for job in jobs]
    todo = [job for job, there in zip(jobs, before, strict=True) if not there]
    results = model.stream(
        [job.source for job in todo], names=[job.name for job in todo], samples=samples, on_error="give", **options
    )

    def outcome(job: FileJob, there: bool) -> Translated:
        if there:
            return Translated(job, before=True)
        _, result = next(results)
        if isinstance(result, Exception):
            return Translated(job, error=str(result))
        try:
            for image, target in zip([result] if samples is None else result, job.targets, strict=True):
                save(image, target)
        except ImageError as error:
            return Translated(job, error=str(error))
        return Translated(job)

    return map(outcome, jobs, before)


def target_channels(model: Translator, to: str | None) -> int:
    """Of what it makes; 0: there is no such domain, which is said later."""
    return model.method.image_channels.get(to or next(iter(model.directions)), 0)


def one_for_all(model: Translator, options: Mapping[str, Any]) -> None:
    """Refuse options with a value for each image: which image is which differs from part to part."""
    own = {name: value for name, value in options.items() if name in model.method.translate_options()}
    _, each = check_own_options(own, model.method, model.name, from_nothing=False)
    for name, option in each.items():
        if isinstance(option.value, list):
            raise ConfigError(f"option {name!r} has a value for each image; files are translated with one for all.")


def settings(model: Translator, *, to: str | None = None, **options: Any) -> dict[str, Any]:
    """All that decides what an image becomes, as JSON; options that say how it runs are left out."""
    made = {k: v for k, v in options.items() if v is not None and k not in ("progress", "batch_size")}
    return {"model": model.fingerprint, "to": model.target(to), "seed": 0} | json.loads(
        json.dumps(made, default=_digest, sort_keys=True)
    )


def _digest(value: Any) -> str:
    data = np.asarray(value)
    return hashlib.sha256(data.tobytes() if data.dtype != object else repr(value).encode()).hexdigest()


def claim(folder: Path, wanted: dict[str, Any], several: bool, force: bool) -> None:
    """Write beside the files what makes them, or see that those that are there were made so.

    Args:
        folder: theirs.
        wanted: the settings.
        several: more than one process or run fills the folder; otherwise only settings that are there are replaced.
        force: they are replaced whatever they are.

    Raises:
        ImageError: those there are others.
    """
    place = folder / SETTINGS
    before = read_settings(place)
    if before == wanted or (before is None and not several):
        return
    if before is not None and not force:
        differ = [k for k in sorted({*before, *wanted}) if before.get(k) != wanted.get(k)]
        raise ImageError(f"{str(folder)!r} is being filled with another {listing(differ)}; use --force, or another -o.")
    write_text(place, json.dumps(wanted, indent=2) + "\n")
