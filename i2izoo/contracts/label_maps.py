"""Domains that are label maps: classes inside a method, painted images outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeAlias

from i2izoo.contracts.ranges import Palette, Range
from i2izoo.errors import ConfigError, listing, suggest

LabelMaps: TypeAlias = dict[str, Palette | Annotated[int, Range(2, 256)]] | list[str]
"""Domain -> palette, or number of classes whose numbers are the grey values; or names of domains whose palettes are
found in the data that a method learns from."""


def check_palette(palette: Palette) -> None:
    """Refuse a palette with a colour twice.

    Raises:
        ConfigError: names the colour.
    """
    twice = [colour for place, colour in enumerate(palette) if colour in palette[:place]]
    if twice:
        raise ConfigError(f"each class of a palette has a colour of its own; {twice[0]} is there twice.")


def check_domains(named: Iterable[str], domains: Sequence[str]) -> None:
    """Refuse label maps in a domain that is none of the method's.

    Raises:
        ConfigError: names it.
    """
    for domain in named:
        if domain not in domains:
            raise ConfigError(
                f"label_maps names {domain!r}{suggest(domain, domains) or ';'} the domains are {listing(domains)}."
            )


def with_label_maps(options: dict[str, Any]) -> dict[str, Any]:
    """A method's options with palettes in full, and with a channel for each class of a domain that is a label map.

    Args:
        options: `label_maps` and `domains`; and `in_channels` and `out_channels`, or `channels` of both domains, which
            are set. A method that has other options sets its channels itself.

    Raises:
        ConfigError: there is no such domain, or a palette is still to be found or has a colour twice.
    """
    maps = options.get("label_maps")
    if not maps:
        return options
    domains = options["domains"]
    check_domains(maps, domains)
    if isinstance(maps, list):
        raise ConfigError(
            f"label_maps={maps} leaves the colours to be found in data, which only training can do; give the palette: "
            f"label_maps={{{maps[0]!r}: [[R, G, B], ...]}}, or a number of classes that are grey values."
        )
    palettes = {d: [[k] * 3 for k in range(said)] if isinstance(said, int) else said for d, said in maps.items()}
    for palette in palettes.values():
        check_palette(palette)
    changed = {**options, "label_maps": palettes}
    for place, domain in enumerate(domains):
        if domain not in palettes:
            continue
        if isinstance(options.get("channels"), list):
            changed["channels"] = [*changed["channels"]]
            changed["channels"][place] = len(palettes[domain])
        else:
            option = "out_channels" if domain == domains[-1] else "in_channels"
            changed |= {option: len(palettes[domain])} if option in options else {}
    return changed
