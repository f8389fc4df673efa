"""What hooks that follow an image have in common."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from i2izoo.errors import ConfigError, OptionTypeError
from i2izoo_diffusion.sampling import Hook, Sampling


class Reference(Hook):
    """A hook with an image of the target domain.

    Args:
        image: C x H x W or N x C x H x W in [-1, 1], of the target's channels and the size of the translation; one
            image serves for every row.

    Raises:
        OptionTypeError: it is no tensor of such a shape.
    """

    def __init__(self, image: Tensor) -> None:
        self.image = as_batch(image, "the image of a hook")
        self._padded = self.image

    def pad(self, pad: Callable[[Tensor], Tensor]) -> None:
        self._padded = pad(self.image)

    def check(self, image: Tensor, channels: int) -> None:
        """Refuse an image that does not fit the translation.

        Raises:
            ConfigError: it has other channels, another size, or another number than 1 or N.
        """
        if self.image.shape[1] != channels:
            raise ConfigError(
                f"{type(self).__name__} wants an image of the target domain, of {channels} channels; found "
                f"{self.image.shape[1]}. Give one, as start= or to the hook."
            )
        check_fits(self.image, self._padded, image, type(self).__name__)

    def shown(self, run: Sampling) -> Tensor:
        """The image beside `run.x`: on its device, of its type and padded as it is."""
        return self._padded.to(run.x)


def as_batch(image: Tensor, name: str) -> Tensor:
    """C x H x W as 1 x C x H x W; N x C x H x W as it is.

    Raises:
        OptionTypeError: it is neither.
    """
    if not isinstance(image, Tensor) or image.ndim not in (3, 4) or not image.is_floating_point():
        found = f"{image.dtype} {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise OptionTypeError(
            f"{name} is a float tensor C x H x W or N x C x H x W in [-1, 1], such as i2izoo.images.reading.to_tensor "
            f"gives; found {found}."
        )
    return image[None] if image.ndim == 3 else image


def check_fits(given: Tensor, padded: Tensor, image: Tensor, name: str) -> None:
    """Refuse an image, once `padded`, that does not have the size of `image`, or as many rows or one.

    Raises:
        ConfigError: says what was found and what is wanted.
    """
    if padded.shape[-2:] != image.shape[-2:]:
        found, wanted = (f"{p.shape[-1]} x {p.shape[-2]}" for p in (given, image))
        raise ConfigError(
            f"the image of {name} is {found}, the translation {wanted} pixels (width x height, padded to what the "
            "network takes); give one of the translation's size."
        )
    if len(given) not in (1, len(image)):
        raise ConfigError(f"{name} wants one image, or one for each of the {len(image)} rows; found {len(given)}.")
