"""Layers of servers: addresses with {z}, {x} and {y}, and layers of a WMTS."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import mercantile

from i2izoo.errors import ConfigError
from i2izoo_geo.tiles.grid import Tile
from i2izoo_geo.tiles.pixels import Pixels, decoded
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.secret import PLACE

FIELDS = ("{z}", "{x}", "{y}", "{-y}", "{q}", PLACE)
"""What an address may hold: `{-y}` counts rows from the south (TMS), `{q}` is the quadkey."""


def is_template(address: str) -> bool:
    """Is this the address of tiles, and not of the capabilities of a WMTS?"""
    return "{q}" in address or ("{x}" in address and "{z}" in address)


class WebLayer:
    """A layer of a server.

    Args:
        templates: address with `FIELDS` for each zoom; under None for all.
        client: asks.
        channels: 1 or 3; None: as sent.
        described: what `tiles.json` says about it.

    Raises:
        ConfigError: an address holds something else in braces, or a secret.
    """

    def __init__(
        self, templates: Mapping[int | None, str], client: Client, channels: int | None, described: Mapping[str, Any]
    ) -> None:
        for template in templates.values():
            if unknown := [f for f in re.findall(r"\{[^}]*\}", template) if f not in FIELDS]:
                raise ConfigError(f"{unknown[0]} in an address of tiles is not known; it may hold {', '.join(FIELDS)}.")
        self._templates, self._client, self.described = templates, client, dict(described)
        self._read = functools.partial(decoded, channels=channels)

    def read(self, tile: Tile) -> Pixels | None:
        """The pixels of a tile; None: the server has none."""
        return self._client.get(self.address(tile), self._read)

    def address(self, tile: Tile) -> str:
        """Where a tile is, with `{key}` in the place of the key."""
        template = self._templates.get(tile.z, self._templates.get(None, ""))
        values = {
            "{z}": str(tile.z), "{x}": str(tile.x), "{y}": str(tile.y), "{-y}": str(2**tile.z - 1 - tile.y),
        }  # fmt: skip
        if "{q}" in template:
            values["{q}"] = mercantile.quadkey(tile.x, tile.y, tile.z)
        for field, value in values.items():
            template = template.replace(field, value)
        return template

    def close(self) -> None:
        """There is nothing to let go."""
