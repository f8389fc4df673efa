"""Pretrained folders on the Hugging Face Hub: fetch one snapshot, push one commit. Nothing else imports the client.

Every failure is one `HubError` that names the repository, what happened and what to do next. Only JSON, safetensors
and the card are ever fetched, and a file is in the cache whole and checked, or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of whichever httpx the client is built on: base of "unreachable" and "cut in the middle"
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from i2izoo.errors import HubError, listing
from i2izoo.files.formats import OWN, components, foreign, foreign_index, needed_files

REQUIRED = OWN
FETCHED = (*REQUIRED, "README.md", "*/scheduler_config.json")
"""What a translator needs. All else (what only training needs, pickles, code) stays on the Hub."""

NEVER_PUSHED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".py", ".pyc", ".tmp")

INFO_TIMEOUT = 10.0
"""Seconds to wait for the Hub's answer about a repository; the client alone would wait for ever."""


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
    revision = revision or inline
    cache = Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
    kept = _cached(repo_id, revision, cache, files)
    pinned = bool(re.fullmatch(r"[0-9a-f]{40}", revision or ""))
    if kept and (pinned or local_files_only):  # a commit never changes
        return kept
    if local_files_only:
        raise HubError(
            f"{_name(repo_id, revision)} is not in the cache {cache}: fetch it once without local_files_only."
        )
    try:
        info = HfApi(token=token).model_info(repo_id, revision=revision, files_metadata=True, timeout=INFO_TIMEOUT)
    except Exception as error:
        if kept and _is_away(error):
            if not isinstance(error, OfflineModeIsEnabled):  # who sets offline mode knows
                warnings.warn(
                    f"the Hub cannot be reached; using commit {kept.name[:12]} of {repo_id} from the cache",
                    stacklevel=2,
                )
            return kept
        raise _explained(error, repo_id, revision, token) from error
    if kept and kept.name == info.sha:
        return kept
    siblings = {s.rfilename: s for s in info.siblings or []}
    _check_names(siblings, repo_id, revision, files)
    if files is None and (index := foreign_index(siblings)):
        # the index comes last, so that a folder in the cache that has it is complete
        needed = _foreign_files(repo_id, info.sha or revision, index, list(siblings), token)
        with _clear_errors(repo_id, revision, token):
            _fetch(repo_id, revision, cache, needed, token=token)
        files = [*needed, index]
    with _clear_errors(repo_id, revision, token):
        folder = _fetch(repo_id, revision, cache, files, token=token)
    if folder.name != info.sha:
        raise HubError(f"{_name(repo_id, revision)} was changed while it was being fetched; try again.")
    for name, sibling in siblings.items():
        if (folder / name).is_file() and (files is None or name in files):
            _check_content(folder / name, sibling, repo_id)
    return folder


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
    revision = revision or inline
    if create_pr and revision:
        raise HubError(
            f"a pull request to {repo_id} always goes to its default branch: leave revision={revision!r} out."
        )
    folder = Path(folder)
    files = sorted(_pushed(folder, include_training))
    index = foreign_index(f.relative_to(folder).as_posix() for f in files)
    if index is None and (missing := [name for name in REQUIRED if folder / name not in files]):
        raise HubError(f"{str(folder)!r} lacks {listing(missing)}: save the model before pushing it to {repo_id}.")
    with _clear_errors(repo_id, revision, token, writing=True):
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision and not revision.startswith("refs/"):
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(f.relative_to(folder).as_posix(), f) for f in files],
            commit_message=commit_message or f"Upload {method} model with i2izoo",
            revision=revision,
            create_pr=create_pr,
        )
    return commit.pr_url or commit.commit_url


# ------------------------------------------------------------------------------------------------------------ files


def _fetch(repo_id: str, revision: str | None, cache: Path, files: Sequence[str] | None = None, **options: Any) -> Path:
    patterns: dict[str, Any] = {"allow_patterns": list(files or FETCHED), "ignore_patterns": ["training/*"]}
    return Path(snapshot_download(repo_id, revision=revision, cache_dir=cache, **patterns, **options))


def _cached(repo_id: str, revision: str | None, cache: Path, files: Sequence[str] | None) -> Path | None:
    """The cached folder of a revision, if it is complete."""
    for needed in (files,) if files else (None, *([index] for index in foreign())):
        try:
            folder = _fetch(repo_id, revision, cache, needed, local_files_only=True)
        except OSError:  # also the client's "not found" and "incomplete"
            continue
        if all((folder / name).is_file() for name in needed or REQUIRED):
            return folder
    return None


def _foreign_files(repo_id: str, revision: str | None, index: str, names: list[str], token: Any) -> list[str]:
    """What is needed of a repository of another library, by what its index says; the card first."""
    name = _name(repo_id, revision)
    with tempfile.TemporaryDirectory() as folder:
        with _clear_errors(repo_id, revision, token):
            path = hf_hub_download(repo_id, index, revision=revision, local_dir=folder, token=token)
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            components(content)
        except (ValueError, AttributeError) as error:
            raise HubError(f"{index} of {name} is not JSON of the kind that i2izoo reads ({error}).") from error
    return [*(card for card in ("README.md",) if card in names), *needed_files(content, names, name)]


def _check_names(names: Any, repo_id: str, revision: str | None, files: Sequence[str] | None) -> None:
    """Refuse a repository that has no model, or a file that would be written elsewhere."""
    for name in names:
        outside = ".." in re.split(r"[/\\]", name) or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor
        if outside:
            raise HubError(
                f"{_name(repo_id, revision)} has a file named {name!r}, outside its folder: do not trust it."
            )
    known = files is None and foreign_index(names) is not None
    if not known and (missing := [name for name in files or REQUIRED if name not in names]):
        raise HubError(
            f"{_name(repo_id, revision)} has no {listing(missing)}{'' if files else ', so it is no model of i2izoo'}; "
            f"it holds {listing(sorted(names), 5)}."
        )


def _check_content(path: Path, sibling: Any, repo_id: str) -> None:
    """Compare a fetched file with the size and hash that the Hub gives; remove it if they differ."""
    size = path.stat().st_size
    if sibling.lfs is not None:
        digest, wanted = hashlib.sha256(), sibling.lfs.sha256
    else:  # git's own name of a blob
        digest, wanted = hashlib.sha1(f"blob {size}\0".encode()), sibling.blob_id
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    if (sibling.size is not None and size != sibling.size) or (wanted and digest.hexdigest() != wanted):
        blob = path.resolve()
        path.unlink()
        blob.unlink(missing_ok=True)
        raise HubError(
            f"{path.name} of {repo_id} arrived damaged ({size} bytes, the Hub says {sibling.size}, or another hash); "
            "it was removed from the cache: try again."
        )


def _pushed(folder: Path, include_training: bool) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "__pycache__")) for part in parts)
        wanted = include_training or parts[0] != "training"
        if wanted and not hidden and path.is_file() and path.suffix.lower() not in NEVER_PUSHED:
            yield path


# ----------------------------------------------------------------------------------------------------------- errors


def _name(repo_id: str, revision: str | None) -> str:
    return f"{repo_id}@{revision}" if revision else repo_id


def _is_away(error: Exception) -> bool:
    """Is this about the connection or the Hub's health, rather than about what was asked?"""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500
    return isinstance(error, (HTTPError, OfflineModeIsEnabled, ConnectionError, TimeoutError))


@contextlib.contextmanager
def _clear_errors(
    repo_id: str, revision: str | None, token: str | bool | None, writing: bool = False
) -> Iterator[None]:
    try:
        yield
    except HubError:
        raise
    except (HTTPError, OSError, EntryNotFoundError, ValueError, RuntimeError) as error:
        raise _explained(error, repo_id, revision, token, writing) from error


def _explained(
    error: BaseException, repo_id: str, revision: str | None, token: str | bool | None, writing: bool = False
) -> HubError:
    """Say a failure of the client in one sentence: what happened to which repository, and what to do next."""
    # an upload's failure is wrapped, and so is what made the client look into its cache in vain
    while isinstance(error, (RuntimeError, LocalEntryNotFoundError)) and error.__cause__ is not None:
        error = error.__cause__
    has_token = token is not False and (isinstance(token, str) or get_token() is not None)
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    name, verb = _name(repo_id, revision), "write to" if writing else "read"
    log_in = "log in with `hf auth login`, set HF_TOKEN, or pass token=..."
    first_line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    if isinstance(error, OfflineModeIsEnabled):
        text = f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to ask the Hub: unset it and fetch once."
    elif isinstance(error, GatedRepoError):
        page = f"{constants.ENDPOINT}/{repo_id}"
        text = f"{name} is gated ({status}): ask for access on {page}, then {log_in}."
    elif isinstance(error, RevisionNotFoundError):
        text = f"{repo_id} has no revision {revision or 'main'!r} (404): name a branch, a tag or a 40-hex commit."
    elif status == 401 and has_token:
        text = f"the Hub refused the token for {name} (401): check that it is right and not expired, or {log_in}."
    elif status == 401:
        text = f"{name} does not exist, or is private and wants a token (401): check the name, or {log_in}."
    elif isinstance(error, RepositoryNotFoundError):
        text = f"there is no repository {repo_id} on the Hub (404), or this token may not see it: check the name."
    elif isinstance(error, EntryNotFoundError) and status == 404:
        text = f"a file of {name} is missing on the Hub (404): push the model again. ({first_line})"
    elif status == 403:
        text = f"this token may not {verb} {name} (403): use one with that permission, or another owner's name."
    elif status == 429:
        text = f"the Hub says that there are too many requests (429) for {name}: wait some minutes, or {log_in}."
    elif status >= 500:
        text = f"the Hub has a fault ({status}) and cannot {verb} {name}: try again later."
    elif status:
        text = f"the Hub would not {verb} {name} ({status}): {first_line}"
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
        text = f"{name} cannot be stored in the cache ({error.strerror}): free the place or pass cache_dir=..."
    elif isinstance(error, (HTTPError, ConnectionError, TimeoutError)):
        text = (
            f"the connection to {constants.ENDPOINT} failed or was cut while {name} was "
            f"{'being sent' if writing else 'being fetched'} ({first_line}): check the network and try again."
        )
    elif isinstance(error, LocalEntryNotFoundError):
        text = f"{name} cannot be reached and is not in the cache: check the network and try again."
    elif "Consistency check failed" in str(error):
        text = f"a file of {name} arrived incomplete and was thrown away ({first_line}): try again."
    else:
        text = f"the Hub's answer about {name} cannot be used ({type(error).__name__}: {first_line})."
    return HubError(text)
