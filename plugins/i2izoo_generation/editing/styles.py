"""Images as styles: drawn from seeds, kept in files, rendered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from i2izoo.contracts.styles import Noise, StyleGenerator, StyleMethod
from i2izoo.errors import ConfigError, StorageError
from i2izoo.files.writing import read_tensors, write_tensors
from i2izoo.nn.modes import modes_kept
from i2izoo.nn.random import derive_seed

if TYPE_CHECKING:
    from i2izoo import Translator


@dataclass(frozen=True)
class Styles:
    """N images as a generator of styles knows them.

    Attributes:
        w: N x layers x style, float32, on the CPU. Where all layers of an image have the same it lies in W, otherwise
            in W+.
        noise: of each layer that takes some, N x 1 x side x side; None: the constant noise of the generator.

    >>> styles = Styles(torch.zeros(2, 6, 8))
    >>> len(styles), styles[1].w.shape
    (2, torch.Size([1, 6, 8]))
    """

    w: Tensor
    noise: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        if self.w.ndim != 3:
            raise ConfigError(f"styles are w of N x layers x style; found {tuple(self.w.shape)}.")

    def __len__(self) -> int:
        return len(self.w)

    def __getitem__(self, place: int) -> Self:
        """One image of them."""
        rows = slice(place, place + 1 or None)
        return replace(self, w=self.w[rows], noise=self.noise and tuple(each[rows] for each in self.noise))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, which `load` and the command line read."""
        noise = {f"noise{place}": each for place, each in enumerate(self.noise or ())}
        write_tensors(Path(path), {"w": self.w, **noise}, {"format": "styles"})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            StorageError: it is missing, damaged, or holds something else.
        """
        tensors = read_tensors(Path(path))
        noise = tuple(tensors[name] for name in sorted(tensors.keys() - {"w"}, key=lambda name: (len(name), name)))
        if "w" not in tensors or tensors["w"].ndim != 3 or any(each.ndim != 4 for each in noise):
            raise StorageError(f"{path} holds no styles of images; `i2izoo project` and Styles.save write such files.")
        return cls(tensors["w"], noise or None)


def style_method(model: Translator) -> StyleMethod:
    """The model's method, which can be edited.

    Raises:
        ConfigError: it cannot.
    """
    method = model.method
    if isinstance(method, StyleMethod) and isinstance(method.generator, StyleGenerator):
        return method
    raise ConfigError(f"{model.name!r} makes its images of no styles that could be edited; take a stylegan2 model.")


def drawn(
    model: Translator, count: int = 1, *, seed: int = 0, label: int | None = None, truncation: float = 1.0
) -> Styles:
    """The styles of the images that `model.generate(count, seed=seed, noise="constant")` makes.

    Args:
        model: one whose images come of styles.
        count: how many.
        seed: of all of them.
        label: the class of all of them; None: each draws one, if there are any.
        truncation: see `truncate`.

    Raises:
        ConfigError: the model has no styles, or no classes.
    """
    method = style_method(model)
    seeds = [derive_seed(seed, place, 0) for place in range(count)]
    labels = None if label is None else torch.full((count,), label)
    with editing(model), torch.no_grad():
        w = method.generator.mapping.truncated(spread(method, method.mapped(seeds, label=labels)), truncation)
    return Styles(w.float().cpu())


def render(model: Translator, styles: Styles) -> Tensor:
    """The images of styles, N x C x H x W in [-1, 1], on the CPU.

    Raises:
        ConfigError: they are of another generator.

    >>> import i2izoo
    >>> from i2izoo_generation.stylegan2 import StyleGAN2
    >>> model = i2izoo.create("stylegan2", **StyleGAN2.tiny_options)
    >>> render(model, drawn(model, 2)).shape
    torch.Size([2, 3, 16, 16])
    """
    with editing(model), torch.no_grad():
        w, noise = on_device(model, styles)
        return style_method(model).generator.synthesis(w, noise).clamp(-1, 1).float().cpu()


@contextmanager
def editing(model: Translator) -> Iterator[None]:
    """Within it the method is in evaluation mode, and no weight asks for a gradient."""
    asked = [p for p in model.method.parameters() if p.requires_grad]
    with modes_kept(model.method):
        model.method.eval().requires_grad_(False)
        try:
            yield
        finally:
            for parameter in asked:
                parameter.requires_grad_()


def on_device(model: Translator, styles: Styles) -> tuple[Tensor, Noise]:
    """w and noise where the model computes.

    Raises:
        ConfigError: they are of another generator.
    """
    synthesis, mapping = style_method(model).generator.synthesis, style_method(model).generator.mapping
    wanted = (synthesis.layers, len(mapping.average))
    if tuple(styles.w.shape[1:]) != wanted:
        raise ConfigError(
            f"this model has {wanted[0]} layers with styles of {wanted[1]} numbers; found {tuple(styles.w.shape[1:])}: "
            "the styles are of another one."
        )
    device, dtype = model.device, model.dtype
    if styles.noise is None:
        return styles.w.to(device, dtype), "constant"
    if [each.shape[-1] for each in styles.noise] != list(synthesis.sides):
        raise ConfigError(f"the noise is of another model; this one has noise of the sides {list(synthesis.sides)}.")
    return styles.w.to(device, dtype), [each.to(device, dtype) for each in styles.noise]


def spread(method: StyleMethod, w: Tensor) -> Tensor:
    """w of N x style for each layer: N x layers x style."""
    return w[:, None].expand(-1, method.generator.synthesis.layers, -1)
