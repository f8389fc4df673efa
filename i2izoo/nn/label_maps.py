"""Label maps: painted images to classes, classes to the planes that a network sees, and back to paint."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

Colours: TypeAlias = Sequence[Sequence[int]]
"""RGB colours in 8 bits; the k-th is that of class k."""

UNDECIDED = -1
"""Class of a pixel whose colour is none of the palette's."""
RINGS = 8
"""Of undecided pixels that an exported graph fills, of two pixels each; beyond them the nearest colour counts."""


def is_grey(palette: Colours) -> bool:
    """Are all colours of a palette greys, so that its label maps have one channel?

    >>> is_grey([[0, 0, 0], [1, 1, 1]]), is_grey([[0, 0, 222], [0, 48, 255]])
    (True, False)
    """
    return all(len(set(colour)) == 1 for colour in palette)


def tolerance_of(palette: Colours) -> float:
    """How far a colour may be from one of the palette's and still be taken for it: half of the way to the next colour.

    At most 32 of 255, in 8-bit units: JPEG moves colours inside a region by less, and along its edges by more.

    >>> tolerance_of([[0, 0, 0], [10, 0, 0], [255, 255, 255]])
    5.0
    """
    nearest = min((math.dist(a, b) for a, b in itertools.combinations(palette, 2)), default=math.inf)
    return min(32.0, nearest / 2)


def nearest_classes(image: Tensor, palette: Colours, tolerance: float) -> tuple[Tensor, Tensor]:
    """The class of the nearest colour, pixel by pixel, and which of them are near enough to be sure.

    Args:
        image: label maps, N x 1 or 3 x H x W, in [-1, 1].
        palette: a colour for each class.
        tolerance: Euclidean distance in 8-bit units up to which a pixel is sure.

    Returns:
        N x H x W, int64, and N x H x W, bool.
    """
    least, classes = colour_distance(image, palette).min(dim=1)
    return classes, least <= tolerance


def colour_distance(image: Tensor, palette: Colours) -> Tensor:
    """Euclidean distance of every pixel's colour from those of a palette in 8-bit units, N x K x H x W."""
    pixels = (image.float().expand(-1, 3, -1, -1) + 1) * 127.5
    colours = torch.tensor(palette, dtype=torch.float32, device=image.device)[:, :, None, None]
    return torch.stack([(pixels - colour).square().sum(1).sqrt() for colour in colours], dim=1)


def to_classes(image: Tensor, palette: Colours) -> Tensor:
    """The class of every pixel of label maps; where JPEG or resizing has mixed colours, the neighbours decide.

    A mixed colour can lie near that of a third class, so a pixel far from all colours takes one of the classes that
    decided pixels of the 5 x 5 around it have: the nearest in colour, and of two that are as near the more frequent;
    ring by ring from the decided regions inwards.

    Args:
        image: N x 1 or 3 x H x W in [-1, 1].
        palette: a colour for each class.

    Returns:
        N x H x W, int64.

    >>> edge = torch.tensor([[0, 0, 0], [0, 0, 0], [120, 120, 0], [255, 255, 255]]).T.reshape(1, 3, 1, 4) / 127.5 - 1
    >>> to_classes(edge, [[0, 0, 0], [255, 255, 255], [128, 128, 0]])
    tensor([[[0, 0, 2, 1]]])
    >>> to_classes(edge, [[0, 0, 0], [255, 255, 255]])
    tensor([[[0, 0, 0, 1]]])
    """
    distance = colour_distance(image, palette)
    least, nearest = distance.min(dim=1)
    classes = nearest.masked_fill(least > tolerance_of(palette), UNDECIDED)
    if torch.compiler.is_exporting():  # a graph has no loop of unknown length
        for _ in range(RINGS):
            classes = _next_ring(classes, distance)
        return torch.where(classes == UNDECIDED, nearest, classes)
    while bool((classes == UNDECIDED).any()):
        further = _next_ring(classes, distance)
        if torch.equal(further, classes):  # no pixel at all is decided
            return torch.where(classes == UNDECIDED, nearest, classes)
        classes = further
    return classes


def _next_ring(classes: Tensor, distance: Tensor) -> Tensor:
    """The classes, N x H x W, with undecided pixels of which a neighbour within 5 x 5 is decided as their votes say."""
    votes = (F.avg_pool2d(_one_hot(classes, distance.shape[1]), 5, 1, 2) * 25).round()  # ONNX has no other divisor
    best, winner = (votes - distance / 2).masked_fill(votes == 0, -torch.inf).max(dim=1)
    return torch.where((classes == UNDECIDED) & best.isfinite(), winner, classes)


def cleaned(image: Tensor, palette: Colours) -> Tensor:
    """One label map, C x H x W, in the colours of its palette alone: C is 3, or 1 where all are greys."""
    return colours_of(to_classes(image[None], palette), palette)[0]


def to_planes(image: Tensor, palette: Colours) -> Tensor:
    """Label maps as a network sees them: a plane for each class, 1 where a pixel is of it and -1 elsewhere.

    Args:
        image: N x 1 or 3 x H x W in [-1, 1].
        palette: a colour for each of K classes.

    Returns:
        N x K x H x W, float32.
    """
    return _one_hot(to_classes(image, palette), len(palette)) * 2 - 1


def paint(scores: Tensor, palette: Colours) -> Tensor:
    """The class of the highest score in its colour: N x K x H x W to N x 3 x H x W (1 if all are greys) in [-1, 1].

    >>> paint(torch.tensor([0.2, -0.7]).view(1, 2, 1, 1), [[255, 0, 0], [0, 0, 255]]).flatten()
    tensor([ 1., -1., -1.])
    """
    return colours_of(scores.argmax(dim=1), palette)


def colours_of(classes: Tensor, palette: Colours) -> Tensor:
    """Classes N x H x W in the colours of a palette: N x 3 x H x W (1 if all are greys) in [-1, 1]."""
    colours = torch.tensor(palette, dtype=torch.float32, device=classes.device) / 127.5 - 1
    painted = rearrange(colours[classes], "n h w c -> n c h w")
    return painted[:, :1] if is_grey(palette) else painted


def _one_hot(classes: Tensor, count: int) -> Tensor:
    """N x H x W to N x K x H x W of 0 and 1; an undecided pixel is of no class."""
    planes = torch.zeros(classes.shape[0], count, *classes.shape[1:], device=classes.device)
    return planes.scatter_(1, classes.clamp(min=0).unsqueeze(1), (classes != UNDECIDED).float().unsqueeze(1))
