"""What of a method translating needs, and an image that it could be shown: for graphs and features alike."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from i2izoo.contracts.method import Method
from i2izoo.nn.label_maps import colours_of


def trimmed(method: Method) -> Method:
    """The same method, with the same tensors, without the parts that only training needs."""
    found = copy.copy(method)
    found._modules = {
        name: trimmed(part) if isinstance(part, Method) else part
        for name, part in method._modules.items()
        if name in method.inference_parts
    }
    return found


def example_image(method: Method, domain: str, height: int, width: int, count: int, seed: int) -> Tensor:
    """Images of a domain, N x C x H x W in [0, 1]: noise, or patches of the classes of a label map."""
    generator = torch.Generator().manual_seed(seed)
    if domain not in method.label_maps:
        return torch.rand(count, method.image_channels[domain], height, width, generator=generator)
    palette = method.label_maps[domain]
    patches = torch.randint(len(palette), (count, 1 + height // 16, 1 + width // 16), generator=generator)
    return (colours_of(patches.repeat_interleave(16, 1).repeat_interleave(16, 2)[:, :height, :width], palette) + 1) / 2
