"""Refuse configs that ask for code or reach outside their folder. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from i2izoo.contracts.registry import KINDS, registry
from i2izoo.errors import StorageError

CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipeline", "custom_code", "_target_", "__reduce__"})
"""Keys by which other libraries let a config name code to run; nothing of ours ever writes them."""

PART_WORDS = ("generator", "discriminator", "encoder", "scheduler", "loss", "metric", "method")
"""An option whose name holds one of these, and whose value is a string, names a part."""

FREE_TEXT = frozenset({"provenance", "plugin"})
"""Top-level keys of config.json whose strings are shown and never used as a name or a place."""


def check_safe(config: Mapping[str, Any], where: str) -> None:
    """Refuse a config that asks for code, or that names a part or a file by a path.

    Parts are only ever looked up in the registries, so such a config could run nothing; but it was made to, and the
    user should hear of it.

    Raises:
        StorageError: names the key and the value.
    """
    _check_part_name(config.get("method"), "method", where)
    for key, value in config.items():
        _walk(value, key, where, free_text=key in FREE_TEXT, inside_options=key == "options")


def _walk(value: Any, key: str, where: str, free_text: bool, inside_options: bool) -> None:
    last = key.rpartition(".")[2]
    if last in CODE_KEYS:
        raise StorageError(f"{where} asks for code to run ({key!r}), which i2izoo never does; do not trust its source.")
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, f"{key}.{name}", where, free_text, inside_options)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, key, where, free_text, inside_options)
    elif isinstance(value, str) and not free_text:
        parts = re.split(r"[/\\]", value)
        if ".." in parts or (parts[0] == "" and len(parts) > 1) or re.match(r"~|[A-Za-z]:[/\\]|file:", value):
            raise StorageError(f"{where} names a place outside its folder ({key!r}: {value!r}), which is refused.")
        if inside_options and (last == "name" or any(word in last for word in PART_WORDS)):
            _check_part_name(value, key, where)


def _check_part_name(name: Any, key: str, where: str) -> None:
    """`package.module:Class` and `package.module.Class` are no names, unless a plugin registered just that one."""
    if re.fullmatch(r"[\w+-]*", str(name)) or any(name in registry(kind) for kind in KINDS):
        return
    raise StorageError(
        f"{where} asks for code by its import path ({key!r}: {name!r}); a part is named as in `i2izoo list`, "
        "and comes from an installed plugin."
    )
