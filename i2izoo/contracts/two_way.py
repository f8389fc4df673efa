"""What methods with two directions have in common."""

from __future__ import annotations

from i2izoo.contracts.label_maps import LabelMaps
from i2izoo.contracts.method import Method
from i2izoo.contracts.one_way import two_domains
from i2izoo.errors import ConfigError


class TwoWayMethod(Method):
    """A method between the two `domains`, in both directions; base of unpaired methods with cycles.

    A subclass has the options `domains` and `channels`, the channels of the images of each, and calls `set_domains`
    first. Modules of a domain stand in an `nn.ModuleDict` under `to_<domain>` or `of_<domain>`, since a domain may be
    called as a method of it is.
    """

    x: str
    y: str

    def configure(self, *, label_maps: LabelMaps = {}) -> None:
        """Take the option of `Method`; its palettes are in `self.label_maps` before the constructor runs."""

    def set_domains(self, domains: list[str], channels: list[int]) -> None:
        """Take the domains.

        Raises:
            ConfigError: they are not two of different names, or not each has its channels.
        """
        self.x, self.y = two_domains(type(self).__name__, domains)
        if len(channels) != 2:
            raise ConfigError(f"{type(self).__name__} has channels for each of two domains; found {channels}.")

    @property
    def directions(self) -> dict[str, str]:
        return {self.y: self.x, self.x: self.y}

    @property
    def channels(self) -> dict[str, int]:
        return dict(zip((self.x, self.y), self.config["channels"], strict=True))
