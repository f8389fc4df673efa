"""What is measured as JSON, which has no infinity, and read again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from i2izoo.contracts.plain import parse_json
from i2izoo.errors import EvaluationError


def finite(content: Any) -> Any:
    """The same with the floats that JSON cannot hold as strings.

    >>> finite({"mean": float("inf"), "p": [0.5, float("nan")]})
    {'mean': 'inf', 'p': [0.5, 'nan']}
    """
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    if isinstance(content, dict):
        return {k: finite(v) for k, v in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(v) for v in content]
    return content


def read_json(path: Path, kind: str, verb: str) -> Any:
    """The content of a file of an evaluation or comparison.

    Args:
        path: of the file.
        kind: what its folder should hold.
        verb: what makes one.

    Raises:
        EvaluationError: there is no such file, or it is damaged.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"{str(path.parent)!r} holds no {kind}: it has no {path.name}.") from error
    except ValueError as error:
        raise EvaluationError(f"{path} is not JSON ({error}); {verb} again.") from error
