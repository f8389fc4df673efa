"""What made the images of a folder, as JSON beside them: another run of the same goes on with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import ImageError


def read_settings(place: Path) -> dict[str, Any] | None:
    """The settings in a file; None: there is no file.

    Raises:
        ImageError: it holds no JSON.
    """
    try:
        return parse_json(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ImageError(f"{place} cannot be read ({error}); remove it, or name another folder with -o.") from error
