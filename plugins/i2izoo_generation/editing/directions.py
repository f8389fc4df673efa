"""Directions in W that mean something: learned from labels, or read off the generator."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from i2izoo.errors import ConfigError, StorageError
from i2izoo.files.writing import read_tensors, write_tensors
from i2izoo_generation.editing.paths import chosen
from i2izoo_generation.editing.separating import separating_normal
from i2izoo_generation.editing.styles import Styles, style_method

if TYPE_CHECKING:
    from i2izoo import Translator


@dataclass(frozen=True)
class Direction:
    """A way in W.

    Attributes:
        vector: of the length of a style, itself of length one.
        accuracy: share of the styles, not learned from, that lie on the side that their label says; None: unknown.
    """

    vector: Tensor
    accuracy: float | None = None

    def without(self, *others: Direction) -> Self:
        """The part of it along which the others do not change (Shen et al. 2020, arXiv 1907.10786, section 2.3).

        Raises:
            ConfigError: nothing is left of it.

        >>> a, b = Direction(torch.tensor([0.6, 0.8])), Direction(torch.tensor([1.0, 0.0]))
        >>> a.without(b).vector
        tensor([0., 1.])
        """
        basis, _ = torch.linalg.qr(torch.stack([other.vector for other in others], dim=1))
        rest = self.vector - basis @ (basis.T @ self.vector)
        if rest.norm() < 1e-4:
            raise ConfigError("this direction is made of the others; nothing is left of it without them.")
        return replace(self, vector=rest / rest.norm(), accuracy=None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file, which `load` and `i2izoo edit --direction` read."""
        write_tensors(Path(path), {"direction": self.vector}, {"format": "direction"})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            StorageError: it is missing, damaged, or holds something else.
        """
        tensors = read_tensors(Path(path))
        if "direction" not in tensors or tensors["direction"].ndim != 1:
            raise StorageError(f"{path} holds no direction; `i2izoo direction` and Direction.save write such files.")
        return cls(tensors["direction"])


def move(styles: Styles, direction: Direction, strength: float, layers: tuple[int, int] | None = None) -> Styles:
    """Styles moved along a direction: w + strength n.

    Args:
        styles: any number of images.
        direction: n.
        strength: how far; what is much and little, the distances between drawn styles say. Below 0: the other way.
        layers: first and behind the last of those that move, from 0; None: all.

    Raises:
        ConfigError: the direction is of another model, or there are no such layers.

    >>> move(Styles(torch.zeros(1, 2, 2)), Direction(torch.tensor([0.0, 1.0])), 3.0, layers=(1, 2)).w[0]
    tensor([[0., 0.],
            [0., 3.]])
    """
    if direction.vector.shape != styles.w.shape[2:]:
        raise ConfigError(
            f"the direction is of {len(direction.vector)} numbers and a style of {styles.w.shape[2]}: it is of another "
            "model."
        )
    w = styles.w.clone()
    w[:, chosen(layers, w.shape[1])] += strength * direction.vector
    return replace(styles, w=w)


def label_direction(styles: Styles, labels: Sequence[float] | Tensor, *, share: float = 0.5) -> Direction:
    """The normal of the plane in W that best separates images by a label (InterFaceGAN: Shen et al. 2020, section 3.1).

    A linear support vector machine learns from four of five images, and its accuracy is that of the fifth ones.

    Args:
        styles: N drawn images; their first layer's w counts, which is that of all of them.
        labels: of each, yes or no, or how much there is of something, such as a classifier's score.
        share: of the images with the highest labels that are taken for yes, and as many with the lowest for no; 0.02
            in the authors' code, which draws half a million. 0.5: all.

    Raises:
        ConfigError: there are not as many labels as images, or too few of either side.

    >>> w = torch.randn(100, 1, 4, generator=torch.Generator().manual_seed(0))
    >>> label_direction(Styles(w), (w[:, 0, 2] > 0).tolist()).vector[2] > 0.9
    tensor(True)
    """
    scores = torch.as_tensor(labels, dtype=torch.float64).flatten()
    if len(scores) != len(styles):
        raise ConfigError(f"each image has a label; found {len(scores)} of {len(styles)} images.")
    if not 0 < share <= 0.5 or not torch.isfinite(scores).all():
        raise ConfigError(f"share is above 0 and at most 0.5, and labels are finite; found a share of {share}.")
    yes, no = _both_ends(scores, share)
    if min(len(yes), len(no)) < 5:
        raise ConfigError(
            f"at least five images of each side are needed; found {len(yes)} with a high label and {len(no)} with a "
            "low one: draw more."
        )
    w = styles.w[:, 0].double()
    rows, truth = torch.cat([yes, no]), torch.cat([torch.ones(len(yes)), -torch.ones(len(no))]).double()
    held_out = torch.cat([torch.arange(len(yes)), torch.arange(len(no))]) % 5 == 4
    normal, offset = separating_normal(w[rows[~held_out]], truth[~held_out])
    right = (w[rows[held_out]] @ normal + offset) * truth[held_out] > 0
    return Direction((normal / normal.norm()).float(), right.double().mean().item())


def _both_ends(scores: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Places of the highest and of the lowest labels; of yes and no, of all of them."""
    if len(scores.unique()) == 2:
        return (scores == scores.max()).nonzero()[:, 0], (scores == scores.min()).nonzero()[:, 0]
    order, count = scores.argsort(), max(1, int(share * len(scores)))
    return order[-count:], order[:count]


def closed_form_directions(
    model: Translator, count: int = 5, *, layers: tuple[int, int] | None = None
) -> list[Direction]:
    """The directions that change most in some layers, without a single image (SeFa: Shen and Zhou 2021).

    The eigenvectors of the largest eigenvalues of A^T A, where the rows of A, brought to length one as in the authors'
    code, are what takes w into the layers (arXiv 2007.06600, eq. 6). What they mean is for you to see.

    Args:
        model: one whose images come of styles.
        count: how many, from the strongest.
        layers: first and behind the last, from 0; None: all.

    Raises:
        ConfigError: the model has no styles, or there are fewer directions, or no such layers.
    """
    synthesis = style_method(model).generator.synthesis
    places = range(synthesis.layers)[chosen(layers, synthesis.layers)]
    rows = torch.cat([synthesis.affine(place).detach().double().cpu() for place in places])
    if not 1 <= count <= rows.shape[1]:
        raise ConfigError(f"a style of {rows.shape[1]} numbers has as many directions at most; found {count}.")
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
    _, vectors = torch.linalg.eigh(rows.T @ rows)  # from the smallest eigenvalue on
    return [Direction(vectors[:, -1 - place].float()) for place in range(count)]
