"""What goes wrong with the Hub, as one `HubError` that names the repository, what happened and what to do next."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # of whichever httpx the client is built on: base of "unreachable" and "cut in the middle"
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from i2izoo.errors import HubError, I2IZooError, printable
from i2izoo.files.download import DownloadError, Refused

NOT_WRITTEN = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
}  # fmt: skip
"""What the system says of a place that cannot be written."""


def repo_name(repo_id: str, revision: str | None) -> str:
    return f"{repo_id}@{revision}" if revision else repo_id


def is_away(error: BaseException) -> bool:
    """Is this about the connection or the Hub's health, rather than about what was asked?"""
    if isinstance(error, HfHubHTTPError):
        return bool(error.response.status_code >= 500)
    return isinstance(error, (HTTPError, OfflineModeIsEnabled, ConnectionError, TimeoutError))


@contextlib.contextmanager
def clear_errors(repo_id: str, revision: str | None, token: str | bool | None, writing: bool = False) -> Iterator[None]:
    """Whatever fails in it is a HubError: what a server sends may break the client anywhere."""
    try:
        yield
    except DownloadError as error:
        raise explained(error, repo_id, revision, token, writing) from error
    except I2IZooError:
        raise
    except Exception as error:
        raise explained(error, repo_id, revision, token, writing) from error


def explained(
    error: BaseException, repo_id: str, revision: str | None, token: str | bool | None, writing: bool = False
) -> HubError:
    """Say a failure in one sentence: what happened to which repository, and what to do next."""
    # an upload's failure is wrapped, and so is what ended a download
    reason = error.reason if isinstance(error, DownloadError) else ""
    while isinstance(error, (RuntimeError, DownloadError, Refused)) and error.__cause__ is not None:
        error = error.__cause__
    has_token = token is not False and (isinstance(token, str) or get_token() is not None)
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    name, verb = printable(repo_name(repo_id, revision)), "write to" if writing else "read"
    log_in = "log in with `hf auth login`, set HF_TOKEN, or pass token=..."
    first_line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    first_line = printable(reason or first_line)
    if isinstance(error, OfflineModeIsEnabled):
        text = f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to ask the Hub: unset it and fetch once."
    elif isinstance(error, LocalTokenNotFoundError):
        text = f"there is no token stored to {verb} {name} with: {log_in}."
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
        text = f"the Hub says that there are too many requests (429) for {name}: {_wait(error)}, or {log_in}."
    elif status >= 500:
        text = f"the Hub has a fault ({status}) and cannot {verb} {name}: try again later."
    elif status:
        text = f"the Hub would not {verb} {name} ({status}): {first_line}"
    elif isinstance(error, OSError) and error.errno in NOT_WRITTEN:
        text = f"{name} cannot be stored in the cache ({error.strerror}): free the place or pass cache_dir=..."
    elif reason or isinstance(error, (HTTPError, ConnectionError, TimeoutError)):
        text = (
            f"the connection to {constants.ENDPOINT} failed or was cut while {name} was "
            f"{'being sent' if writing else 'being fetched'} ({first_line}): check the network and try again."
        )
    else:
        text = f"the Hub's answer about {name} cannot be used ({type(error).__name__}: {first_line})."
    return HubError(text)


def _wait(error: BaseException) -> str:
    """How long to wait, where the Hub says so. i2izoo never does by itself: it may be said to wait for years."""
    seconds = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return f"wait {seconds} s" if seconds.isdecimal() and len(seconds) < 5 else "wait some minutes"
