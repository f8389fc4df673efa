"""Source and target: which of a dataset's domains a method translates."""

from __future__ import annotations

from i2izoo.contracts.dataset import Dataset
from i2izoo.errors import ConfigError, listing, suggest


def choose_domains(data: Dataset, to: str | None, wanted: list[str] | None) -> list[str]:
    """Source and target for a method, by the names that the data gives them.

    Args:
        data: the data.
        to: the target that the user asked for.
        wanted: the option `domains` if the user gave it.

    Raises:
        ConfigError: a domain is not in the data, or the direction of paired data is not said.
    """
    found = list(data.domains)
    for domain in [*(wanted or []), *([to] if to else [])]:
        if domain not in found:
            halves = "; name the halves with --sides LEFT,RIGHT" if found == ["A", "B"] else ""
            raise ConfigError(
                f"the data has no domain {domain!r}{suggest(domain, found)}; it has {listing(found)}{halves}."
            )
    if wanted:
        if to not in (None, wanted[-1]):
            raise ConfigError(f"--to {to} and domains={','.join(wanted)} disagree: the last domain is the target.")
        return wanted
    if to:
        return [*(d for d in found if d != to), to]
    if data.kind == "paired":  # a folder's order is the alphabet's, and a long run the wrong way round is dear
        choices = " or ".join(f"--to {domain}" for domain in found)
        raise ConfigError(f"the data has the domains {listing(found)}; say which is the target: {choices}.")
    return found
