"""Which files become which: the plan of translating many image files, and the part of it that one process does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from i2izoo.errors import ConfigError, I2IZooError, ImageError, listing
from i2izoo.files.manifests import ImageFile


@dataclass(frozen=True)
class FileJob:
    """An image file and the files that its translations become.

    Attributes:
        name: what its randomness is a function of.
        source: the image.
        targets: one file for each sample.
    """

    name: str
    source: Path
    targets: tuple[Path, ...]

    @property
    def done(self) -> bool:
        """Are all of them there? Each is whole if it is."""
        return all(target.exists() for target in self.targets)


def plan_jobs(images: Iterable[ImageFile], out: str, samples: int | None = None, ending: str = ".png") -> list[FileJob]:
    """Where the translations of each image go.

    In a folder they are called as their images; images that differ in their endings alone keep these: `x.bmp.png`.

    Args:
        images: all of them, whichever part one process does: names depend on the others.
        out: a folder, or a file for one image.
        samples: of each image; None: its only translation.
        ending: of files in a folder.

    Raises:
        I2IZooError: two would go to one place, or `out` cannot be written as what it is named.

    >>> images = [ImageFile("a/1.jpg", Path("a/1.jpg")), ImageFile("b/1.jpg", Path("b/1.jpg"))]
    >>> [str(job.targets[0]) for job in plan_jobs(images, "out")]
    ['out/a/1.png', 'out/b/1.png']
    """
    images, place = list(images), Path(out).expanduser()
    single = is_file(out)
    if single and len(images) > 1:
        raise ImageError(f"{len(images)} images do not fit into the one file {out!r}; name a folder with -o.")
    if single:
        _check_format(place)
    stems = Counter(PurePosixPath(image.name).with_suffix("") for image in images)
    jobs: list[FileJob] = []
    origin: dict[Path, Path] = {}
    for image in images:
        stem = PurePosixPath(image.name).with_suffix("")
        first = place if single else place / f"{stem if stems[stem] == 1 else image.name}{ending}"
        numbered = [first.with_name(f"{first.stem}_{i}{first.suffix}") for i in range(samples or 0)]
        job = FileJob(image.name, image.path, (first,) if samples is None else tuple(numbered))
        for target in job.targets:
            if target in origin:
                both = f"{str(origin[target])!r} and {str(image.path)!r}"
                raise ImageError(f"{both} would both become {str(target)!r}; translate them one by one.")
            origin[target] = image.path
        jobs.append(job)
    folder = place.parent if single else place
    if folder.exists() and not folder.is_dir():
        raise ImageError(f"{str(folder)!r} is a file; name a folder with -o.")
    return jobs


def is_file(out: str) -> bool:
    """Is `out` the name of a file, and not of a folder?"""
    place = Path(out).expanduser()
    return bool(place.suffix) and not out.endswith("/") and not place.is_dir()


def parse_shard(shard: str) -> tuple[int, int]:
    """Which part of how many, counted from 1.

    >>> parse_shard("2/4")
    (2, 4)
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"a shard is I/N with I from 1 to N, such as 1/4; found {shard!r}.")
    return int(found[1]), int(found[2])


def of_shard(jobs: Sequence[FileJob], shard: str | None) -> list[FileJob]:
    """Every N-th job: the same for all processes that have the same list.

    >>> [job.name for job in of_shard([FileJob(n, Path(n), ()) for n in "abcde"], "2/2")]
    ['b', 'd']
    """
    number, count = (1, 1) if shard is None else parse_shard(shard)
    return list(jobs[number - 1 :: count])


def refuse_taken(jobs: Iterable[FileJob]) -> None:
    """Refuse to overwrite."""
    taken = [str(target) for job in jobs for target in job.targets if target.exists()]
    if taken:
        raise ImageError(f"{listing(taken, 3)} would be overwritten; use --force, --skip-existing, or another -o.")


def _check_format(path: Path) -> None:
    from PIL import Image

    known = {ending for ending, name in Image.registered_extensions().items() if name in Image.SAVE}
    if path.suffix.lower() not in known:
        raise I2IZooError(f"cannot write images that end in {path.suffix!r}; use .png, .jpg, .webp or .tif.")
