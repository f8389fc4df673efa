"""What the metrics of single images share: range, channels and least sizes."""

from __future__ import annotations

from torch import Tensor

from i2izoo.errors import MetricError


def to_unit(images: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1] in float64, clamped. Variances of flat regions drown in float32.

    >>> import torch
    >>> to_unit(torch.tensor([-1.0, 0.0, 1.5])).tolist()
    [0.0, 0.5, 1.0]
    """
    if images.device.type == "mps":  # has no float64
        images = images.cpu()
    return ((images.double() + 1) / 2).clamp(0, 1)


def rgb(images: Tensor, metric: str) -> Tensor:
    """N x 3 x H x W for networks that were trained on RGB: one channel is repeated, three are kept.

    Args:
        images: N x C x H x W.
        metric: name for the message.

    Raises:
        MetricError: another number of channels.

    >>> import torch
    >>> rgb(torch.zeros(2, 1, 4, 5), "lpips").shape
    torch.Size([2, 3, 4, 5])
    """
    channels = images.shape[1]
    if channels not in (1, 3):
        raise MetricError(f"{metric} looks at images of 1 or 3 channels, found {channels}; choose psnr or ssim.")
    return images.expand(-1, 3, -1, -1)


def at_least(images: Tensor, side: int, metric: str) -> None:
    """Check that no side is below `side` pixels.

    Raises:
        MetricError: one is.

    >>> import torch
    >>> at_least(torch.zeros(1, 3, 8, 20), 11, "ssim")
    Traceback (most recent call last):
    ...
    i2izoo.errors.MetricError: ssim needs sides of at least 11 pixels, found 8 x 20; evaluate at a larger size.
    """
    height, width = images.shape[-2:]
    if min(height, width) < side:
        raise MetricError(
            f"{metric} needs sides of at least {side} pixels, found {height} x {width}; evaluate at a larger size."
        )
