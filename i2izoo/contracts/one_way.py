"""What methods with one direction have in common."""

from __future__ import annotations

from i2izoo.contracts.label_maps import LabelMaps
from i2izoo.contracts.method import Method
from i2izoo.errors import ConfigError


def two_domains(method: str, domains: list[str]) -> tuple[str, str]:
    """The two domains of a method, which is named in the error.

    Raises:
        ConfigError: they are not two different names.
    """
    if len(domains) != 2 or domains[0] == domains[1]:
        raise ConfigError(f"{method} translates between two domains of different names; found {domains}.")
    return domains[0], domains[1]


class OneWayMethod(Method):
    """A method with one direction, from the first of the two `domains` to the second; base of most paired methods.

    A subclass calls `set_domains` first, and has the options `in_channels` and `out_channels` or its own `channels`.
    """

    source: str
    target: str

    def configure(self, *, label_maps: LabelMaps = {}) -> None:
        """Take the option of `Method`; its palettes are in `self.label_maps` before the constructor runs."""

    def set_domains(self, domains: list[str]) -> None:
        """Take source and target.

        Raises:
            ConfigError: they are not two different names.
        """
        self.source, self.target = two_domains(type(self).__name__, domains)

    @property
    def directions(self) -> dict[str, str]:
        return {self.target: self.source}

    @property
    def channels(self) -> dict[str, int]:
        return {self.source: self.config["in_channels"], self.target: self.config["out_channels"]}
