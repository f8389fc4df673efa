"""Refuse configs that ask for code or reach outside their folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import KINDS, part_kind, registry
from i2izoo.errors import I2IZooError, StorageError

CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipeline", "custom_code", "_target_", "__reduce__"})
"""Keys by which other libraries let a config name code to run; nothing of ours ever writes them."""

FREE_TEXT = frozenset({"provenance", "plugin", "plugins"})
"""Top-level keys of config.json whose strings are shown and never used as a name or a place."""


def check_safe(config: Mapping[str, Any], where: str) -> None:
    """Refuse a config that asks for code, or that names a part or a file by a path.

    Parts are only ever looked up in the registries, so such a config could run nothing; but it was made to, and the
    user should hear of it.

    Raises:
        StorageError: names the key and the value.
    """
    for key, value in config.items():
        _walk(value, key, where, free_text=key in FREE_TEXT)
    _check_parts({**config.get("options", {}), "name": config.get("method")}, "methods", "method", where)


def _walk(value: Any, key: str, where: str, free_text: bool) -> None:
    if key.rpartition(".")[2] in CODE_KEYS:
        raise StorageError(f"{where} asks for code to run ({key!r}), which i2izoo never does; do not trust its source.")
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, f"{key}.{name}", where, free_text)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, key, where, free_text)
    elif isinstance(value, str) and not free_text:
        parts = re.split(r"[/\\]", value)
        if ".." in parts or (parts[0] == "" and len(parts) > 1) or re.match(r"~|[A-Za-z]:[/\\]|file:", value):
            raise StorageError(f"{where} names a place outside its folder ({key!r}: {value!r}), which is refused.")


def _check_parts(spec: Any, kind: str, key: str, where: str) -> None:
    """`package.module:Class` and `package.module.Class` are no names, unless a plugin registered just that one.

    Of a method inside a method the parts are looked at, too.
    """
    name = spec.get("name") if isinstance(spec, Mapping) else spec
    if not re.fullmatch(r"[\w+-]*", str(name)) and not any(str(name) in registry(kind) for kind in KINDS):
        raise StorageError(
            f"{where} asks for code by its import path ({key!r}: {name!r}); a part is named as in `i2izoo list`, "
            "and comes from an installed plugin."
        )
    if kind != "methods" or not isinstance(spec, Mapping):
        return
    try:
        options = schema(registry(kind).get(str(name)))
    except I2IZooError:  # which building it will say
        return
    for option, parameter in options.items():
        if option in spec and (inner := part_kind(parameter.annotation)):
            _check_parts(spec[option], inner, f"{key}.{option}".removeprefix("method."), where)
