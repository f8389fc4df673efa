"""The gradient of a score at an image, in the middle of inference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from i2izoo.errors import ConfigError


def gradient(score: Callable[[Tensor], Tensor], image: Tensor, name: str = "a score") -> Tensor:
    """Of each row's score by its own pixels: N x C x H x W, under no_grad and inference_mode, too.

    Args:
        score: N x C x H x W to N; a row's score may depend on that row alone.
        image: where.
        name: of the score, for messages.

    Raises:
        ConfigError: the score does not give a number for each row, or cannot be differentiated by the image.

    >>> with torch.inference_mode():
    ...     gradient(lambda x: x.square().sum((1, 2, 3)), torch.full((1, 1, 1, 2), 3.0)).tolist()
    [[[[6.0, 6.0]]]]
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = image.detach().clone().requires_grad_()
        try:
            values = score(x)
        except RuntimeError as error:
            if "Inference tensors" not in str(error):
                raise
            raise ConfigError(
                f"{name} works with tensors that were made under torch.inference_mode(), which cannot be "
                "differentiated; load its network, and that of the model, outside."
            ) from error
        if not isinstance(values, Tensor) or values.shape != image.shape[:1]:
            found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ConfigError(f"{name} gives one number for each of {len(image)} images; found {found}.")
        if not values.requires_grad:
            raise ConfigError(f"{name} cannot be differentiated by the image; compute it with torch, without detach.")
        return torch.autograd.grad(values.sum(), [x])[0]
