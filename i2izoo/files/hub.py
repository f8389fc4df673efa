"""Pretrained folders on the Hugging Face Hub: fetch one snapshot, push one commit.

Every failure is one `HubError` that names the repository, what happened and what to do next. Only JSON, safetensors
and the card are ever fetched, and a file is in the cache whole and checked, or not at all. Nothing that the Hub says
is used as a path before it was checked, and no answer may keep us waiting for ever (`i2izoo.files.waiting`).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from huggingface_hub import CommitOperationAdd, HfApi, constants
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import HubError, I2IZooWarning, listing, printable
from i2izoo.files.download import WrongContentError, download, file_sha256, may_fetch
from i2izoo.files.formats import OWN, components, foreign, foreign_index, needed_files
from i2izoo.files.hub_api import COMMIT, SHA256, RemoteFile, RemoteFiles, ask_hub, impatient, list_files
from i2izoo.files.hub_cache import CachedRepo
from i2izoo.files.hub_errors import clear_errors, explained, is_away, repo_name
from i2izoo.files.progress import download_bar
from i2izoo.files.waiting import Ask

REQUIRED = OWN
FETCHED = (*REQUIRED, "README.md", "*/scheduler_config.json")
"""What a translator needs. All else (what only training needs, pickles, code) stays on the Hub."""

NEVER_PUSHED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".py", ".pyc", ".tmp")

OF_SPACE = ("app.py", "requirements.txt", "README.md")
"""What makes a folder a Space."""

MOST_FILES = 1000
"""That a model may consist of."""


def parse_repo(text: str) -> tuple[str, str | None]:
    """Split `"owner/name"`, `"hf-hub:owner/name"` or `"hf-hub:owner/name@revision"`.

    Raises:
        HubError: it is not of that form.

    >>> parse_repo("hf-hub:me/my-facades@v1")
    ('me/my-facades', 'v1')
    >>> parse_repo("me/my-facades")
    ('me/my-facades', None)
    """
    repo_id, at, revision = text.removeprefix("hf-hub:").partition("@")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo_id, re.ASCII) or ".." in repo_id or (at and not revision):
        raise HubError(
            f"{text!r} is not a repository of the Hub: write 'owner/name', 'hf-hub:owner/name' or "
            "'hf-hub:owner/name@revision'."
        )
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(f"{repo_id!r} is not a name that the Hub allows: {error}") from error
    return repo_id, revision or None


def snapshot(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    files: Sequence[str] | None = None,
) -> Path:
    """Fetch what a translator needs from one commit of a repository, and return the folder in the cache.

    A branch or tag is resolved to its commit once; config, weights and scheduler are of that commit. What was fetched
    is checked against the sizes and hashes that the Hub gives. Without a connection the cached commit serves. Of a
    repository of another library (`i2izoo.files.formats`) all components are fetched, in one copy of the weights.

    Args:
        repo_id: `"owner/name"`.
        revision: branch, tag, `refs/pr/N` or 40-hex commit; None is the default branch.
        token: access token; None uses the stored one (`hf auth login` or `HF_TOKEN`), False none.
        cache_dir: None is the client's own cache (`HF_HOME`).
        local_files_only: ask nobody, use the cache.
        files: paths in the repository that are needed, in place of a translator's.

    Raises:
        HubError: see the module.
        StorageError: a repository of another library has weights as pickles only, or an unreadable index.
    """
    repo_id, inline = parse_repo(repo_id)
    revision = _checked_revision(repo_id, revision or inline)
    cache = Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
    repo, name = CachedRepo(cache, repo_id), repo_name(repo_id, revision)
    local_files_only = local_files_only or not may_fetch()
    kept = _cached(repo, revision, files)
    pinned = bool(COMMIT.fullmatch(revision or ""))
    if kept and (pinned or local_files_only):  # a commit never changes
        return kept
    if local_files_only:
        raise HubError(f"{name} is not in the cache {cache}: fetch it once without local_files_only.")
    try:
        there = list_files(repo_id, revision, token)
    except HubError:
        raise
    except Exception as error:
        if kept and is_away(error):
            if not isinstance(error, OfflineModeIsEnabled):  # who sets offline mode knows
                warnings.warn(
                    f"the Hub cannot be reached; using commit {kept.name[:12]} of {repo_id} from the cache",
                    I2IZooWarning,
                    stacklevel=2,
                )
            return kept
        raise explained(error, repo_id, revision, token) from error
    if kept and kept.name == there.commit:
        return kept
    _check_names(there.files, name, files)
    with clear_errors(repo_id, revision, token):
        fetched = _Fetching(there, repo, ask_hub(token)).run(files, name)
        for file, content in fetched.items():  # all is here: now let it be seen
            repo.link(there.commit, file, content)
        repo.remember(revision, there.commit)
    return repo.snapshot(there.commit)


def push_folder(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    method: str,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
    include_training: bool = False,
) -> str:
    """Push a pretrained folder in one commit and return the address of the commit (or of the pull request).

    Args:
        folder: what `save_pretrained` wrote; hidden and temporary files, pickles and code stay behind.
        repo_id: `"owner/name"`; created if it does not exist.
        method: name of the method in the folder, for the commit message.
        private: who sees a repository that is created now; None is the owner's default.
        token: access token with write permission; None uses the stored one.
        revision: branch, created if it does not exist; None is the default branch.
        create_pr: open a pull request instead of writing to the branch.
        commit_message: one line; None gives one.
        include_training: also push `training/`, which only a resumed training needs.

    Raises:
        HubError: see the module.
    """
    repo_id, inline = parse_repo(repo_id)
    revision = _checked_revision(repo_id, revision or inline)
    if create_pr and revision:
        raise HubError(
            f"a pull request to {repo_id} always goes to its default branch: leave revision={revision!r} out."
        )
    folder = Path(folder)
    files = sorted(_pushed(folder, include_training))
    index = foreign_index(f.relative_to(folder).as_posix() for f in files)
    if index is None and (missing := [name for name in REQUIRED if folder / name not in files]):
        raise HubError(f"{str(folder)!r} lacks {listing(missing)}: save the model before pushing it to {repo_id}.")
    message = commit_message or f"Upload {method} model with i2izoo"
    return _commit(repo_id, folder, files, message, private, token, revision, create_pr)


def push_space(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
) -> str:
    """Push the folder of a Space in one commit and return the address of the commit (or of the pull request).

    Args:
        folder: what `i2izoo app --space` wrote; of code, its app.py alone is pushed.

    The other arguments and errors are those of `push_folder`.
    """
    repo_id, inline = parse_repo(repo_id)
    folder, revision = Path(folder), _checked_revision(repo_id, revision or inline)
    if missing := [name for name in OF_SPACE if not (folder / name).is_file()]:
        raise HubError(f"{str(folder)!r} lacks {listing(missing)}: `i2izoo app NAME --space DIR` writes a Space.")
    files = sorted({*_pushed(folder, include_training=False), folder / "app.py"})
    message = commit_message or "Upload app with i2izoo"
    return _commit(repo_id, folder, files, message, private, token, revision, create_pr, kind="space")


def _commit(
    repo_id: str,
    folder: Path,
    files: Iterable[Path],
    message: str,
    private: bool | None,
    token: str | bool | None,
    revision: str | None,
    create_pr: bool,
    kind: Literal["model", "space"] = "model",
) -> str:
    """Create what is missing, and commit the files."""
    with clear_errors(repo_id, revision, token, writing=True), impatient():
        api = HfApi(token=token)
        sdk = "gradio" if kind == "space" else None
        api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        if revision and not revision.startswith("refs/"):
            api.create_branch(repo_id, repo_type=kind, branch=revision, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(f.relative_to(folder).as_posix(), f) for f in files],
            repo_type=kind,
            commit_message=message,
            revision=revision,
            create_pr=create_pr,
        )
    return commit.pr_url or commit.commit_url


# ------------------------------------------------------------------------------------------------------------ files


def _checked_revision(repo_id: str, revision: str | None) -> str | None:
    """A revision whose note in the cache lies where it belongs; git allows no other names, either."""
    parts = (revision or "main").split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.", revision or ""):
        raise HubError(f"{printable(repr(revision))} is no branch, tag or commit that {repo_id} could have.")
    return revision


def _cached(repo: CachedRepo, revision: str | None, files: Sequence[str] | None) -> Path | None:
    """The cached folder of a revision, if it is complete."""
    commit = repo.commit(revision)
    folder = repo.snapshot(commit) if commit else None
    for needed in (files,) if files else (REQUIRED, *([index] for index in foreign())):
        if folder and all((folder / name).is_file() for name in needed):
            return folder
    return None


class _Fetching:
    """Brings the files of a commit into the cache, and says where the content of each lies."""

    def __init__(self, there: RemoteFiles, repo: CachedRepo, ask: Ask) -> None:
        self.there, self.repo, self.ask = there, repo, ask

    def run(self, files: Sequence[str] | None, name: str) -> dict[str, Path]:
        """Name -> content, in the order in which they may be seen: by the last one a folder is known to be complete."""
        names = list(self.there.files)
        if files is not None:
            return self._all(files)
        if index := foreign_index(names):
            content = self._all([index])[index]
            return {**self._all(_foreign_files(content, index, names, name)), index: content}
        wanted = [n for n in names if any(fnmatchcase(n, p) for p in FETCHED) and not n.startswith("training/")]
        return self._all(sorted(wanted, key=lambda n: (n in REQUIRED, n)))

    def _all(self, names: Iterable[str]) -> dict[str, Path]:
        wanted = [self.there.files[name] for name in names]
        for file in wanted:
            if not file.name.isprintable() or file.size is None or file.content_hash is None:
                raise HubError(
                    f"{self.there.repo_id} has a file {printable(repr(file.name))} that is not fetched: names "
                    "must be printable, and the Hub must give size and hash."
                )
        if len(wanted) > MOST_FILES:
            raise HubError(f"{self.there.repo_id} wants {len(wanted)} files for one model: do not trust it.")
        self.repo.folder.mkdir(parents=True, exist_ok=True)
        missing = sum(file.size or 0 for file in wanted if not self._blob(file).is_file())
        if missing > (free := shutil.disk_usage(self.repo.folder).free):
            raise HubError(
                f"{self.there.repo_id} has {missing / 1e9:.1f} GB to fetch, and {self.repo.folder.parent} has "
                f"{free / 1e9:.1f} GB left: free the place or pass cache_dir=..."
            )
        return {file.name: self._content(file) for file in wanted}

    def _blob(self, file: RemoteFile) -> Path:
        return self.repo.blob(str(file.content_hash))

    def _content(self, file: RemoteFile) -> Path:
        """The content of a file, fetched if it is not here as the Hub says that it is."""
        blob, wanted = self._blob(file), str(file.content_hash)
        with self.repo.incoming(wanted) as place:
            if blob.is_file() and _hash_like(wanted, blob) == wanted:
                return blob
            if place.is_file():  # killed before it was checked
                place.replace(place.with_name(f"{place.name}.part"))
            try:
                with download_bar(file.name) as bar:
                    found = download(self.there.address(file.name), place, size=file.size, progress=bar, ask=self.ask)
                if not SHA256.fullmatch(wanted):
                    found = _hash_like(wanted, place)
                if found != wanted:
                    place.unlink()
                    raise WrongContentError("", f"it has the hash {found}, the Hub says {wanted}")
            except WrongContentError as error:
                raise HubError(
                    f"{file.name} of {self.there.repo_id} arrived damaged or incomplete ({error.reason}); it was "
                    "removed from the cache: try again."
                ) from error
            self.repo.keep(place, blob)
        return blob


def _hash_like(wanted: str, path: Path) -> str:
    """The SHA-256 of a file, or git's name of its content, as `wanted` is one or the other."""
    if SHA256.fullmatch(wanted):
        return file_sha256(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size)).hexdigest()


def _foreign_files(path: Path, index: str, names: list[str], where: str) -> list[str]:
    """What is needed of a repository of another library, by what its index says; the card first."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        components(content)
    except (ValueError, AttributeError) as error:
        raise HubError(f"{index} of {where} is not JSON of the kind that i2izoo reads ({error}).") from error
    return [*(card for card in ("README.md",) if card in names), *needed_files(content, names, where)]


def _check_names(names: Iterable[str], where: str, files: Sequence[str] | None) -> None:
    """Refuse a repository that has no model, or a file that would be written elsewhere."""
    for name in names:
        parts = re.split(r"[/\\]", name)
        if {"", ".", ".."} & {*parts} or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
            raise HubError(f"{where} has a file named {printable(repr(name))}, outside its folder: do not trust it.")
    names = set(names)
    known = files is None and foreign_index(names) is not None
    if not known and (missing := [name for name in files or REQUIRED if name not in names]):
        raise HubError(
            f"{where} has no {listing(missing)}{'' if files else ', so it is no model of i2izoo'}; "
            f"it holds {printable(listing(sorted(names), 5))}."
        )


def _pushed(folder: Path, include_training: bool) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "__pycache__")) for part in parts)
        wanted = include_training or parts[0] != "training"
        if wanted and not hidden and path.is_file() and path.suffix.lower() not in NEVER_PUSHED:
            yield path
