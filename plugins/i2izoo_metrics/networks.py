"""The feature extractors that come with i2izoo: Inception, VGG-16, any network of timm, and plain pixels."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Side
from i2izoo.errors import MetricError
from i2izoo.files.weights import find, locate
from i2izoo.interfaces import FeatureExtractor, Weights
from i2izoo_metrics.resizing import Resize, describe, resize, to_bytes, to_levels

INCEPTION = Weights(
    "weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "6726825d",
    "Apache-2.0",
    95_628_359,
)
VGG16_WEIGHTS = Weights(
    "vgg16-397923af.pth",
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af",
    "BSD-3-Clause",
    553_433_881,
)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Inception(FeatureExtractor):
    """Inception v3 of 2015-12-05, 2048 features: the network of FID, KID and the inception score.

    torch-fidelity's port of TensorFlow's graph, which the published values were computed with; torchvision's Inception
    has other weights and gives other values. Heusel et al. 2017, arXiv 1706.08500.

    Args:
        resize: to 299 x 299: "clean" is clean-fid's antialiased bicubic in floating point, "legacy" the bilinear of
            TensorFlow 1, without antialiasing, as in TF-FID, pytorch-fid and torch-fidelity. State it with the value.
    """

    size = (299, 299)

    def __init__(self, *, resize: Resize = "clean") -> None:
        super().__init__()
        self.how, self.preprocessing = resize, describe(self.size, resize)

    def weights(self) -> tuple[Weights, ...]:
        return (INCEPTION,)

    def prepare(self, device: torch.device) -> None:
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ImportError as error:
            raise MetricError("needs torch-fidelity: pip install i2izoo[eval]") from error
        # torch-fidelity unpickles the file that it is given; a copy of bare tensors can do no harm
        safe = io.BytesIO()
        torch.save(read_state(find(INCEPTION), INCEPTION), safe)
        safe.seek(0)
        network = built(INCEPTION, lambda: FeatureExtractorInceptionV3("inception", ["2048"], safe))
        *trunk, self.classifier = network.children()  # in the order of its forward; only the resizing is left out
        self.trunk = nn.Sequential(*trunk, nn.Flatten()).to(memory_format=torch.channels_last)  # twice as fast
        super().prepare(device)

    def forward(self, image: Tensor) -> Tensor:
        pixels = resize(to_bytes(image), self.size, self.how)
        return self.trunk(((pixels - 128) / 128).contiguous(memory_format=torch.channels_last)).float()

    def logits(self, features: Tensor) -> Tensor:
        """N x 1008, without the bias of the last layer, as the inception score has always been computed."""
        return features @ self.classifier.weight.T


class VGG16(FeatureExtractor):
    """VGG-16 after the second fully connected layer and its ReLU, 4096 features: the network of precision and recall.

    Kynkaanniemi et al. 2019, arXiv 1904.06991, section 3; with torchvision's weights and ImageNet's mean and standard
    deviation. The paper's own file has other weights, so values are close to the paper's, not equal.

    Args:
        resize: to 224 x 224, see `Inception`.
    """

    size = (224, 224)

    def __init__(self, *, resize: Resize = "clean") -> None:
        super().__init__()
        self.how, self.preprocessing = resize, describe(self.size, resize)

    def weights(self) -> tuple[Weights, ...]:
        return (VGG16_WEIGHTS,)

    def prepare(self, device: torch.device) -> None:
        state = read_state(find(VGG16_WEIGHTS), VGG16_WEIGHTS)
        from torchvision.models import vgg16

        with torch.device("meta"):
            network = vgg16(weights=None)
        built(VGG16_WEIGHTS, lambda: network.load_state_dict(state, assign=True))
        *layers, _, self.classifier = network.classifier  # without the last dropout and the classes
        self.trunk = nn.Sequential(network.features, network.avgpool, nn.Flatten(), *layers)
        super().prepare(device)

    def forward(self, image: Tensor) -> Tensor:
        return self.trunk(normalised(resize(to_bytes(image), self.size, self.how), *IMAGENET)).float()

    def logits(self, features: Tensor) -> Tensor:
        """N x 1000 classes of ImageNet."""
        return self.classifier(features)

    def maps(self, image: Tensor) -> list[Tensor]:
        """relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3: what each max pooling is given."""
        x, maps = normalised(resize(to_levels(image), self.size, self.how), *IMAGENET), []
        for layer in self.trunk[0].children():
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        return maps


class Timm(FeatureExtractor):
    """Any network of timm without its classifier, at the size, mean and standard deviation of its own config.

    `features="resnet18"` of a metric is this one with `model="resnet18"`. The weights are those that timm takes; a file
    NAME.safetensors or NAME.pth in a folder of weights goes first.

    Args:
        model: a name of `timm.list_models(pretrained=True)`, with or without a tag: `resnet18.a1_in1k`.
        resize: to the network's size, see `Inception`.
    """

    tiny_options = None

    def __init__(self, *, model: str, resize: Resize = "clean") -> None:
        super().__init__()
        self.model, self.how = model, resize

    def settings(self) -> Any:
        """timm's config of the pretrained network."""
        from timm.models import get_pretrained_cfg

        found = get_pretrained_cfg(self.model)
        if found is None or not found.has_weights:
            raise MetricError(f"needs pretrained weights, which timm does not have for {self.model!r}")
        return found

    def weights(self) -> tuple[Weights, ...]:
        found = self.settings()
        if found.hf_hub_id:
            repository, _, revision = found.hf_hub_id.partition("@")
            file = found.hf_hub_filename or "model.safetensors"
            url = f"https://huggingface.co/{repository}/resolve/{revision or 'main'}/{file}"
        else:
            url, file = found.url, found.url.rpartition("/")[2]
        return (Weights(file, url, "", found.license or "licence not stated by timm"),)

    def prepare(self, device: torch.device) -> None:
        import timm

        [weights] = self.weights()
        named = (locate(Weights(f"{self.model}.{end}", "", "", "")) for end in ("safetensors", "pth"))
        path = next(filter(None, named), None) or find(weights)
        overlay = {"file": str(path)}  # before all other places that timm looks in
        # with the classifier, which is taken off later: without it timm would take a file that lacks half the network
        self.trunk = built(
            weights, lambda: timm.create_model(self.model, pretrained=True, pretrained_cfg_overlay=overlay)
        )
        self.trunk.reset_classifier(0)
        data = timm.data.resolve_model_data_config(self.trunk)
        self.size, self.mean, self.std = data["input_size"][-2:], data["mean"], data["std"]
        self.preprocessing = describe(self.size, self.how)
        super().prepare(device)

    def forward(self, image: Tensor) -> Tensor:
        return self.trunk(normalised(resize(to_bytes(image), self.size, self.how), self.mean, self.std)).float()

    def maps(self, image: Tensor) -> list[Tensor]:
        """What timm calls intermediates: the end of each stage, or of each block of a transformer."""
        if not hasattr(self.trunk, "forward_intermediates"):
            return super().maps(image)
        x = normalised(resize(to_levels(image), self.size, self.how), self.mean, self.std)
        return list(self.trunk.forward_intermediates(x, intermediates_only=True))


class Pixels(FeatureExtractor):
    """The image itself, made small: no network and no weights, so no perception either.

    Distances then are those of colours at their places; the bins of NDB were defined so (Richardson and Weiss 2018).

    Args:
        size: height and width in pixels; 3 x size x size features in [-1, 1].
        resize: to that size, see `Inception`.

    >>> Pixels(size=4)(torch.ones(2, 3, 9, 7)).shape
    torch.Size([2, 48])
    """

    tiny_options: ClassVar[dict[str, Any]] = {"size": 4}

    def __init__(self, *, size: Side = 32, resize: Resize = "clean") -> None:
        super().__init__()
        self.size, self.how = (size, size), resize
        self.preprocessing = describe(self.size, resize)

    def forward(self, image: Tensor) -> Tensor:
        return resize(to_bytes(image), self.size, self.how).flatten(1) / 127.5 - 1


def normalised(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """N x 3 x H x W from 0 to 255, less the mean and over the standard deviation, which are of values in [0, 1]."""
    shift, scale = (pixels.new_tensor(v).view(1, -1, 1, 1) for v in (mean, std))
    return (pixels / 255 - shift) / scale


def read_state(path: Path, weights: Weights) -> Mapping[str, Tensor]:
    """The tensors of a `.pth`; nothing else in it is unpickled."""
    return built(weights, lambda: torch.load(path, map_location="cpu", weights_only=True))


def built(weights: Weights, make: Any) -> Any:
    """`make()`, which reads weights; what is wrong with them becomes one sentence."""
    try:
        return make()
    except MetricError:
        raise
    except Exception as error:  # libraries raise anything between KeyError and UnpicklingError
        first = str(error).strip().partition("\n")[0]
        raise MetricError(
            f"needs {weights.file} from {weights.url}, but the file that is there cannot be used "
            f"({type(error).__name__}: {first})"
        ) from error
