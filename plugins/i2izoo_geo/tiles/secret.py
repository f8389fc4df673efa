"""The key of a server: it comes from the environment, goes into requests, and is shown nowhere."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, urlsplit

from i2izoo.errors import ConfigError

PLACE = "{key}"
VARIABLE = "I2IZOO_TILES_KEY"
NAMES = re.compile(r"(api[-_]?|access[-_]?|subscription[-_]?|auth[-_]?)?(key|token)|password|secret|signature", re.I)
"""Names of parameters that hold a secret."""


class Secret:
    """A key that stands as `{key}` in addresses.

    Args:
        variable: the environment variable that holds it.

    >>> os.environ["EXAMPLE_KEY"] = "a b"
    >>> secret = Secret("EXAMPLE_KEY")
    >>> secret.fill("https://example.org/1.png?key={key}")
    'https://example.org/1.png?key=a%20b'
    >>> secret.hide("no access to https://example.org/1.png?key=a%20b")
    'no access to https://example.org/1.png?key={key}'
    """

    def __init__(self, variable: str = VARIABLE) -> None:
        self.variable = variable
        self._value = os.environ.get(variable, "").strip()

    def fill(self, address: str) -> str:
        """The address with the key.

        Raises:
            ConfigError: it wants one, and the variable is not set.
        """
        if PLACE not in address:
            return address
        if not self._value:
            raise ConfigError(f"{address} wants a key; put it into the environment variable {self.variable}.")
        return address.replace(PLACE, quote(self._value, safe=""))

    def hide(self, text: str) -> str:
        """The text without the key, however it came in."""
        if not self._value:
            return text
        for shown in sorted({self._value, quote(self._value, safe=""), quote(self._value)}, key=len, reverse=True):
            text = text.replace(shown, PLACE)
        return text

    def refuse_open(self, address: str) -> None:
        """Refuse an address that holds a key itself: it would stand in files and in the shell's history.

        Raises:
            ConfigError: a parameter, or what is before the host, looks like a secret.
        """
        parts = urlsplit(address)
        inside = [name for name, value in parse_qsl(parts.query) if NAMES.fullmatch(name) and value != PLACE]
        if inside or "@" in parts.netloc:
            raise ConfigError(
                f"the address on {parts.hostname} holds a secret ({inside[0] if inside else 'name and password'}); "
                f"write {PLACE} in its place and put it into the environment variable {self.variable}."
            )
