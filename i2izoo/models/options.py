"""Options of a translation that may differ from image to image: checked, read, and stacked for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2izoo.contracts.roles import Role
from i2izoo.errors import ConfigError, OptionTypeError, listing, suggest
from i2izoo.images.reading import read


@dataclass(frozen=True)
class PerImage:
    """One option as the user gave it.

    Attributes:
        name: of the option.
        role: what it is.
        value: one for all images; or a list with one for each, of which images are read when their turn comes.
    """

    name: str
    role: Role
    value: Any

    @classmethod
    def of(cls, name: str, role: Role, value: Any, classes: Sequence[str] = ()) -> PerImage:
        """Check a value.

        Args:
            name, role, value: as above.
            classes: names of the class labels.

        Raises:
            ConfigError: it is not what the role asks for.
            ImageError: the one image for all cannot be read.
        """
        if role is Role.IMAGE:
            many = isinstance(value, (list, tuple))
            return cls(name, role, list(value) if many else read(value, name=f"option {name!r}")[0])
        if role is Role.LATENT:
            return cls(name, role, _latents(name, value))
        check = _text if role is Role.TEXT else lambda name, one: _label(name, one, classes)
        if isinstance(value, (list, tuple, np.ndarray, Tensor)) and np.ndim(value):
            return cls(name, role, [check(name, one) for one in value])
        return cls(name, role, check(name, value))

    def check_count(self, count: int) -> None:
        """Refuse a list of another length than `count`, the number of images."""
        if isinstance(self.value, list) and (found := len(self.value)) != count:
            raise ConfigError(
                f"option {self.name!r} has {found} value{'s' * (found != 1)} for {count} image{'s' * (count != 1)}; "
                "give one for all, or a list with one for each."
            )

    def at(self, index: int) -> Tensor | str:
        """The value for image number `index`: C x H x W, L, a text, or a class, an int64 scalar."""
        if not isinstance(self.value, list):
            return self.value
        if index >= len(self.value):
            raise ConfigError(f"option {self.name!r} has {len(self.value)} values, fewer than there are images.")
        value = self.value[index]
        return read(value, name=f"image {index} of option {self.name!r}")[0] if self.role is Role.IMAGE else value


def stacked(values: Sequence[Tensor | str], device: torch.device, dtype: torch.dtype) -> Tensor | list[str]:
    """What a batch is given of an option: tensors as one, texts as a list."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors:
        return [str(value) for value in values]
    batch = torch.stack(tensors)
    return batch.to(device, dtype if batch.is_floating_point() else None)


def _latents(name: str, value: Any) -> Tensor | list[Tensor]:
    """One vector (or map C x H x W) for all images, or a list with one for each."""
    try:
        numbers = torch.as_tensor(value, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise OptionTypeError(f"option {name!r} wants numbers, one vector or one for each image: {error}.") from error
    if numbers.ndim not in (1, 2, 3, 4) or not torch.isfinite(numbers).all():
        raise OptionTypeError(
            f"option {name!r} wants finite numbers: a vector of L or a map C x H x W, or with one more dimension one "
            f"for each image; found {tuple(numbers.shape)}."
        )
    return numbers if numbers.ndim in (1, 3) else list(numbers)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise OptionTypeError(f"option {name!r} wants a text, or a list with one for each image; found {value!r}.")
    return str(value)


def _label(name: str, value: Any, classes: Sequence[str]) -> Tensor:
    """The number of a class, int64, from that number or from its name."""
    if isinstance(value, (np.generic, Tensor)):
        value = value.item()
    if isinstance(value, str) and value in classes:
        value = list(classes).index(value)
    known = f" Classes: {listing(classes)}." if classes else ""
    if isinstance(value, str) and classes:
        raise ConfigError(f"option {name!r} has no class {value!r}{suggest(value, classes) or '.'}{known}")
    if isinstance(value, bool) or not isinstance(value, int):
        wanted = "the number of a class or its name" if classes else "the number of a class"
        raise OptionTypeError(
            f"option {name!r} wants {wanted}, or a list with one for each image; found {value!r}.{known}"
        )
    if value < 0 or (classes and value >= len(classes)):
        last = f" to {len(classes) - 1}" if classes else ""
        raise ConfigError(f"option {name!r} counts classes from 0{last}; found {value}.{known}")
    return torch.tensor(value)
