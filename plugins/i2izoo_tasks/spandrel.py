"""Restoration and super-resolution networks of others as translators, through spandrel."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from i2izoo.contracts.checkpoints import Checkpoints
from i2izoo.contracts.one_way import two_domains
from i2izoo.contracts.ranges import Betas, Rate
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Batch, Method, Update
from i2izoo.nn.optim import adam
from i2izoo.nn.padding import cropped, pad_to_valid


class Spandrel(Method):
    """A network that spandrel knows by its tensors: ESRGAN, SwinIR, HAT, DAT, NAFNet, SCUNet and some forty others.

    `i2izoo import spandrel FILE.pth --out DIR` finds architecture and arguments in the file, of which it reads tensors
    alone. The translation is `scale` times as large as the image. Such a network can be trained on, by L1 as most of
    them were: where it enlarges, from the source made smaller by its scale, so that it meets the target.

    Args:
        architecture: name of an architecture of spandrel.
        network: name of the class in it.
        arguments: of that class, JSON.
        domains: the images as they are, and restored.
        alpha: images have four channels (two of grey networks), and the last, opacity, goes through the network as a
            grey image of its own; else opacity is left out, as everywhere.
        learning_rate: of Adam.
        betas: of Adam.

    Attributes:
        scale: how many times larger the translation is.

    >>> compact = {"num_feat": 4, "num_conv": 1, "upscale": 2}
    >>> Spandrel(arguments=compact)(torch.zeros(1, 3, 7, 9), to="restored").shape
    torch.Size([1, 3, 14, 18])
    """

    inference_parts = ("network",)
    recipe: ClassVar[dict[str, Any]] = {"epochs": 100, "crop_size": 128}
    tiny_options: ClassVar[dict[str, Any]] = {"arguments": {"num_feat": 4, "num_conv": 1, "upscale": 1}}

    def __init__(
        self,
        *,
        architecture: str = "Compact",
        network: str = "SRVGGNetCompact",
        arguments: dict[str, Any] = {},
        domains: list[str] = ["image", "restored"],
        alpha: bool = False,
        learning_rate: Rate = 1e-4,
        betas: Betas = [0.9, 0.99],
    ) -> None:
        super().__init__()
        self.source, self.target = two_domains("spandrel", domains)
        # spandrel finds size, scale and the way to call a network in its tensors alone
        found = _described(architecture, _class(architecture, network)(**arguments).state_dict())
        self.network: nn.Module = found.model.requires_grad_(True)
        self.scale, self.alpha = int(found.scale), alpha
        self._call, self._sides = found._call_fn, found.size_requirements
        # where an architecture has a way of its own to call its network, it is for one image at a time
        self._one_by_one = not self._call.__qualname__.startswith("ImageModelDescriptor.")
        self._channels = (int(found.input_channels), int(found.output_channels))
        self.learning_rate, self.betas = learning_rate, betas

    @property
    def directions(self) -> dict[str, str]:
        return {self.target: self.source}

    @property
    def channels(self) -> dict[str, int]:
        of_source, of_target = (count + self.alpha for count in self._channels)
        return {self.source: of_source, self.target: of_target}

    def size_multiple(self, to: str) -> int:
        return int(self._sides.multiple_of)

    def min_size(self, to: str) -> int:
        return max(1, int(self._sides.minimum))

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        """`translate` at any size; the result is `scale` times as high and wide."""
        height, width = image.shape[-2:]
        least = max(height, width, self.min_size(to)) if self._sides.square else self.min_size(to)
        padded = pad_to_valid(image, self.size_multiple(to), least)
        output = self.translate(padded, to=to, seeds=seeds or [0] * len(image))
        return cropped(output, height * self.scale, width * self.scale)

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.restored(image).clamp(-1, 1)

    def restored(self, image: Tensor) -> Tensor:
        """N x C x H x W in [-1, 1] to what the network makes of it, which may go beyond."""
        if not self.alpha:
            return self._colours(image)
        opacity = image[:, -1:].expand(-1, self._channels[0], -1, -1)
        return torch.cat([self._colours(image[:, :-1]), self._colours(opacity).mean(1, keepdim=True)], 1)

    def _colours(self, image: Tensor) -> Tensor:
        images = (image + 1) / 2
        rows = images.split(1) if self._one_by_one else [images]
        return torch.cat([self._call(self.network, row) for row in rows]) * 2 - 1

    def training_step(self, batch: Batch) -> Iterator[Update]:
        image, target = batch[self.source], batch[self.target]
        if self.scale > 1:
            image = nn.functional.interpolate(
                image, scale_factor=1 / self.scale, mode="bicubic", antialias=True, align_corners=False
            )
        output = self.restored(image)
        yield Update("network", {"l1": nn.functional.l1_loss(output, target)})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"network": adam(self.network.parameters(), self.learning_rate, self.betas)}

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("network",)

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """One file, of any network that spandrel knows."""
        if len(files) != 1:
            raise ConfigError(f"spandrel reads one file, which is one network; found {listing(files)}.")
        ((file, tensors),) = files.items()
        kind, architecture = _recognised(file, dict(tensors))
        own = {"architecture": architecture, "network": type(kind.model).__name__, "arguments": _arguments(kind.model)}
        return Checkpoints(own, {"network": dict(kind.model.state_dict())})


def _library() -> Any:
    """spandrel.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module("spandrel")
    except ImportError as error:
        raise ConfigError("this needs spandrel: pip install 'i2izoo[spandrel]'.") from error


def _class(architecture: str, network: str) -> type[nn.Module]:
    """The class of a network, which is one of spandrel's own.

    Raises:
        ConfigError: there is no such architecture, or no such network in it.
    """
    known = {str(one.architecture.id): one.architecture for one in _library().MAIN_REGISTRY.architectures()}
    if architecture not in known:
        raise ConfigError(
            f"spandrel has no architecture {architecture!r}{suggest(architecture, known) or ';'} it has "
            f"{listing(known, 60)}."
        )
    module = importlib.import_module(type(known[architecture]).__module__)
    classes = {
        found.__name__: found
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, nn.Module) and found.__module__.startswith("spandrel.")
    }
    if network not in classes:
        raise ConfigError(f"the architecture {architecture!r} has no network {network!r}; it has {listing(classes)}.")
    return classes[network]


def _described(architecture: str, tensors: dict[str, Tensor]) -> Any:
    """What spandrel says of tensors of an architecture, with the network that they make.

    Raises:
        ConfigError: the network wants more than an image.
    """
    found = _library().MAIN_REGISTRY[architecture].architecture.load(tensors)
    if not isinstance(found, _library().ImageModelDescriptor):
        raise ConfigError(f"a network of {architecture} wants a mask beside the image, which is not supported.")
    return found


def _recognised(file: str, tensors: dict[str, Tensor]) -> tuple[Any, str]:
    """What spandrel says of a file, and the name of the architecture.

    Raises:
        ConfigError: it knows no network of these tensors, or one that wants more than an image.
    """
    library = _library()
    tensors = dict(library.canonicalize_state_dict(tensors))
    for support in library.MAIN_REGISTRY:
        if support.detect(tensors):
            name = str(support.architecture.id)
            return _described(name, tensors), name
    raise ConfigError(f"{file}: spandrel knows no network of these tensors; its first keys are {list(tensors)[:3]}.")


def _arguments(network: nn.Module) -> dict[str, Any]:
    """What a network was made with, as JSON; classes and functions among them have to be the defaults.

    Raises:
        ConfigError: one is not.
    """
    defaults = {name: option.default for name, option in inspect.signature(type(network)).parameters.items()}
    found = {}
    for name, value in dict(network.hyperparameters).items():  # type: ignore[arg-type, call-overload]
        try:
            found[name] = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            if value is not defaults.get(name):
                raise ConfigError(f"the argument {name}={value!r} of {type(network).__name__} is no JSON.") from error
    return found
