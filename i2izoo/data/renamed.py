"""A data set whose domains go by other names: the names of a model, where the data has its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.ranges import Palette
from i2izoo.errors import ConfigError, DataError, listing, suggest


class RenamedDataset(Dataset):
    """Another data set under other names of its domains; `open_dataset(rename=...)` makes it.

    Attributes:
        data: the data set with its own names.
        names: own name -> the name here, of those that differ.
    """

    data: Dataset
    names: dict[str, str]

    @classmethod
    def of(cls, data: Dataset, names: Mapping[str, str]) -> Self:
        """Rename the domains of an open data set.

        Raises:
            DataError: it has no such domain, or two would have one name.
        """
        for name in names:
            if name not in data.domains:
                raise DataError(
                    f"the data has no domain {name!r} to rename{suggest(name, data.domains) or ';'} "
                    f"it has {listing(data.domains)}."
                )
        made = cls.__new__(cls)
        made.data, made.names = data, dict(names)
        made.domains, made.kind = tuple(names.get(domain, domain) for domain in data.domains), data.kind
        if len(set(made.domains)) < len(made.domains):
            raise DataError(
                f"renamed, two domains of the data would have one name: {listing(made.domains)}; rename both, such as "
                "A=photo,B=label."
            )
        made.config = {**in_other_names(data.config, names), "rename": made.names}
        return made

    def own_name(self, domain: str) -> str:
        """What the data itself calls a domain."""
        return own_name(self.names, domain)

    def __len__(self) -> int:
        return len(self.data)

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {self.names.get(name, name): found for name, found in self.data.sample(index, seed).items()}

    def name(self, index: int) -> str:
        return self.data.name(index)

    def count(self, domain: str) -> int:
        return self.data.count(self.own_name(domain))

    def label(self, index: int) -> int | None:
        return self.data.label(index)

    def text(self, index: int) -> str | None:
        return self.data.text(index)

    @property
    def palettes(self) -> Mapping[str, Palette]:  # type: ignore[override]
        return {self.names.get(domain, domain): palette for domain, palette in self.data.palettes.items()}

    @property
    def classes(self) -> Sequence[str]:  # type: ignore[override]
        return self.data.classes

    def order(self, generator: torch.Generator) -> Sequence[int] | None:
        return self.data.order(generator)

    def at(self, progress: float) -> Dataset:
        data = self.data.at(progress)
        return self if data is self.data else self.of(data, self.names)

    def option(self, name: str) -> Any:
        return self.names if name == "rename" else in_other_names({name: self.data.option(name)}, self.names)[name]

    def with_options(self, **changes: Any) -> Self:
        back = {name: own for own, name in self.names.items()}
        return self.of(self.data.with_options(**in_other_names(changes, back)), self.names)


def own_name(names: Mapping[str, str], domain: str) -> str:
    """What data calls a domain that goes by another name: `names` has own name -> other name."""
    return next((own for own, name in names.items() if name == domain), domain)


def in_other_names(options: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The options of a data set with its domains renamed; `sides` are the names that the data itself has.

    >>> in_other_names({"domains": ["edges", "photo"], "channels": {"edges": 1}, "limit": 4}, {"edges": "label"})
    {'domains': ['label', 'photo'], 'channels': {'label': 1}, 'limit': 4}
    """
    found = dict(options)
    if isinstance(domains := found.get("domains"), (list, tuple)):
        found["domains"] = [names.get(domain, domain) for domain in domains]
    for option in ("channels", "label_maps"):
        if isinstance(by_domain := found.get(option), Mapping):
            found[option] = {names.get(domain, domain): value for domain, value in by_domain.items()}
    return found


def check_names(names: Any) -> dict[str, str]:
    """The names of `rename=`, own name -> other name.

    Raises:
        ConfigError: they are no such names, or two are one.
    """
    if not isinstance(names, Mapping) or not all(isinstance(n, str) and n for n in [*names, *names.values()]):
        raise ConfigError(
            f"rename wants the data's names of domains and yours, such as {{'edges': 'label'}}; found {names!r}."
        )
    if len(set(names.values())) < len(names):
        raise ConfigError(f"rename gives one name to two domains: {listing(f'{a}={b}' for a, b in names.items())}.")
    return {own: name for own, name in names.items() if own != name}


def with_those_it_has(data: Dataset, options: Mapping[str, Any]) -> Dataset:
    """The same data with those of the options that its class declares; a renamed one is asked for what it renames."""
    declared = schema(type(data.data if isinstance(data, RenamedDataset) else data))
    had = {name: value for name, value in options.items() if name in declared}
    return data.with_options(**had) if had else data


def unrenamed(data: Dataset, domain: str) -> tuple[Dataset, str]:
    """The data set behind a renamed one, and its own name of a domain; of others themselves."""
    return (data.data, data.own_name(domain)) if isinstance(data, RenamedDataset) else (data, domain)
