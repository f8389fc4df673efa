"""A checkpoint that somebody publishes in the format of other code: where it lies, and what is known of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from i2izoo.errors import ConfigError


@dataclass(frozen=True)
class CheckpointFile:
    """One file of a pretrained entry that is converted when it is first loaded.

    Attributes:
        url: http or https.
        member: path of the checkpoint in the tar or zip archive at `url`; None: the file is the checkpoint.
        size: bytes at `url`, where they are known: another length is refused.
        about: bytes at `url`, roughly, for listings where `size` is not known.
        sha256: of what lies at `url`, where it is known; None: it is noted on first use, and later ones must be equal.

    Raises:
        ConfigError: a value is none of these.

    >>> CheckpointFile("https://example.org/models/horse2zebra.pth?dl=1").name
    'horse2zebra.pth'
    >>> CheckpointFile("https://example.org/all.tar", member="checkpoints/horse2zebra/latest_net_G.pth").name
    'latest_net_G.pth'
    """

    url: str
    member: str | None = None
    size: int | None = None
    about: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        place = urlsplit(self.url)
        if place.scheme not in ("http", "https") or not place.netloc or not self.file:
            raise ConfigError(f"a checkpoint's url is http(s)://host/path/file; found {self.url!r}.")
        if self.member is not None and {"", ".", ".."} & set(re.split(r"[/\\]", self.member)):
            raise ConfigError(f"a member is the path of a file inside of its archive; found {self.member!r}.")
        if self.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ConfigError(f"a checkpoint's sha256 has 64 hex digits, lower case; found {self.sha256!r}.")
        for name, value in (("size", self.size), ("about", self.about)):
            if value is not None and (not isinstance(value, int) or value <= 0):
                raise ConfigError(f"{name} of a checkpoint is a number of bytes from 1 on; found {value!r}.")

    @property
    def file(self) -> str:
        """Name of what is fetched."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def name(self) -> str:
        """Name of the checkpoint itself."""
        return PurePosixPath(self.member).name if self.member else self.file
