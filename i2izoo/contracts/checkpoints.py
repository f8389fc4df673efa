"""Checkpoints of a method's original code: what each file holds, what they say, and the method that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.options import flat, laid_over, sort_options
from i2izoo.errors import ConfigError, I2IZooError, listing, printable
from i2izoo.nn.state import misfit

if TYPE_CHECKING:
    from i2izoo.contracts.method import Method

M = TypeVar("M", bound="Method")


@dataclass(frozen=True)
class Checkpoints:
    """What the files of a method's original code say.

    Attributes:
        options: of the method, as the tensors tell them.
        weights: sub-module of the method -> its state dict, under our names.
        assumed: further options, which leave no trace in tensors, with the value that the original code has unless
            told otherwise: dotted key -> value.
    """

    options: dict[str, Any]
    weights: dict[str, dict[str, Tensor]]
    assumed: dict[str, Any] = field(default_factory=dict)


def role_of(file: str, roles: Sequence[str]) -> str | None:
    """Which of the roles a file's name ends in; the last one counts, and letters and digits beside it hide it.

    >>> role_of("latest_net_G_A.pth", ["G_A", "G_B"]), role_of("BIG_A_net_G_B.pth", ["G_A", "G_B"])
    ('G_A', 'G_B')
    """
    found = re.findall(rf"(?<![A-Za-z0-9])({'|'.join(roles)})(?![A-Za-z0-9])", file)
    return found[-1] if found else None


def named_as(file: str, role: str) -> str:
    """What a file is called of which the user says what it holds.

    >>> role_of(named_as("B.pth", "G_A"), ["G_A", "G_B"])
    'G_A'
    """
    return f"{file} (as {role})"


def by_role(
    method: str, files: Mapping[str, Mapping[str, Tensor]], roles: Sequence[str], needed: Sequence[str]
) -> dict[str, tuple[str, Mapping[str, Tensor]]]:
    """What each file holds, by its name; one whose name says nothing is taken for the first role.

    Args:
        method: for messages.
        files: file name -> its tensors.
        roles: all that the method imports.
        needed: those it cannot do without.

    Returns:
        role -> (file name, tensors).

    Raises:
        ConfigError: two files have one role, more than one file has none, or a needed one is missing.
    """
    named = f"{method} imports files named ..._{', _'.join(roles)}, at most one each"
    said = "; name them so, or say what they hold: --as ROLE=FILE"
    found: dict[str, tuple[str, Mapping[str, Tensor]]] = {}
    for file, state in files.items():
        role = role_of(file, roles) or roles[0]
        if role in found:
            raise ConfigError(f"{named}; found {found[role][0]} and {file}, both taken for {role}{said}.")
        found[role] = (file, state)
    if not set(needed) <= found.keys():
        raise ConfigError(f"{named}, and needs {' and '.join(needed)}; found {listing(files)}{said}.")
    return found


def read(kind: type[Method], files: Mapping[str, Mapping[str, Tensor]], given: Mapping[str, Any]) -> Checkpoints:
    """What checkpoints say of a method of this kind, with the user's options laid over it.

    Args:
        kind: the method's class.
        files: file name -> its tensors.
        given: options, nested; those of a part without its `name` are of the part that the tensors show.

    Raises:
        ConfigError: the method imports nothing, or the files are not those of its original code.
    """
    try:
        found = kind.read_checkpoints(files, given)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, I2IZooError):
            raise
        raise ConfigError(  # a reader takes for granted what it has recognised
            f"{printable(listing(files))}: not the tensors that {kind.__name__} imports ({printable(str(error))})."
        ) from error
    assumed = {key: value for key, value in found.assumed.items() if key not in dict(flat(given, "options"))}
    options: Any = found.options
    for key, value in assumed.items():
        for step in reversed(key.split(".")):
            value = {step: value}
        options = laid_over(options, value, key)
    options = laid_over(options, dict(given), "options")
    # parts that no file shows are the default ones, of which options may be given, too
    (options,) = sort_options(flat(options, "options"), schema(kind), where=kind.__name__)
    return Checkpoints(options, found.weights, assumed)


def build(kind: type[M], found: Checkpoints) -> M:
    """The method that the checkpoints make.

    Raises:
        ConfigError: the tensors do not fit the method of these options; or the options are bad.
    """
    method = kind(**found.options)
    for place, tensors in found.weights.items():
        module = method.get_submodule(place)
        counted = "num_batches_tracked"  # which PyTorch before 0.4.1 did not store, and load_state_dict knows that
        wanted = {k: v for k, v in module.state_dict().items() if k in tensors or not k.endswith(counted)}
        if wrong := misfit(wanted, tensors):
            raise ConfigError(
                f"the tensors of {place} do not fit {kind.__name__} with these options: {printable(wrong)}."
            )
        module.load_state_dict(tensors)
    return method
