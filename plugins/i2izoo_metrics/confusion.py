"""Confusion matrices, and the three measures of segmentation that Long et al. (CVPR 2015, section 5) define on them."""

from __future__ import annotations

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.interfaces import Score
from i2izoo_metrics.palette import IGNORED

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")


def confusion_matrix(truth: Tensor, found: Tensor, classes: int) -> Tensor:
    """Count pixels by true class (row) and found class (column): N x H x W twice to N x K x K, int64.

    Args:
        truth: classes from 0 to K - 1; pixels that are `IGNORED` do not count.
        found: classes from 0 to K - 1.
        classes: K.

    >>> confusion_matrix(torch.tensor([[[0, 0, 1, -1]]]), torch.tensor([[[0, 1, 1, 1]]]), 2).tolist()
    [[[1, 1], [0, 1]]]
    """
    truth, found = truth.flatten(1), found.flatten(1)
    known = truth != IGNORED
    counts = []
    for row, (t, f) in enumerate(zip(truth, found, strict=True)):
        cell = t[known[row]] * classes + f[known[row]]
        counts.append(torch.bincount(cell, minlength=classes**2).reshape(classes, classes))
    return torch.stack(counts)


def measures(confusion: Tensor) -> Tensor:
    """... x K x K counts to ... x 3, float64, in [0, 1]: pixel accuracy, class accuracy and class IoU.

    With n_ij pixels of class i found to be j, and t_i = sum_j n_ij: sum_i n_ii / sum_i t_i; the mean over classes of
    n_ii / t_i; and the mean of n_ii / (t_i + sum_j n_ji - n_ii). The means run over the classes that occur in the truth
    (t_i > 0), so where all do, these are the figures of pix2pix' own evaluation. NaN where there is no pixel at all.

    >>> measures(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.875, 0.875, 0.775]
    """
    n = confusion.double()
    hit, truth, found = n.diagonal(dim1=-2, dim2=-1), n.sum(-1), n.sum(-2)
    occurs = truth > 0
    total = occurs.sum(-1)
    accuracy = torch.where(occurs, hit / truth, 0).sum(-1) / total
    iou = torch.where(occurs, hit / (truth + found - hit), 0).sum(-1) / total
    return torch.stack([hit.sum(-1) / truth.sum(-1), accuracy, iou], dim=-1)


def bootstrap(confusions: Tensor, resamples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """95 % percentile intervals of the `measures` of a set of images, which are drawn anew with replacement.

    Args:
        confusions: N x K x K, one matrix for each image.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        Lower and upper ends, 3 each.
    """
    images = len(confusions)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(images, (resamples, images), generator=generator)
    times = torch.zeros(resamples, images, dtype=torch.float64)
    times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    values = measures((times @ confusions.double().flatten(1)).unflatten(1, confusions.shape[1:]))
    low, high = values.nanquantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    return low, high


def scores(
    found: list[Tensor], pixels: int, resamples: int, reference: list[Tensor] | None = None, notes: tuple[str, ...] = ()
) -> dict[str, Score]:
    """`pixel_accuracy`, `class_accuracy` and `class_iou`, in [0, 1], over all pixels of all images.

    Each has a 95 % interval, from drawing images anew, where there are two or more.

    Args:
        found: a confusion matrix for each image, K x K.
        pixels: number of all their pixels, the ignored ones too.
        resamples: draws of the bootstrap.
        reference: the matrices of the true images, where there are any.
        notes: of the scores, before those about classes and pixels that do not count.

    Raises:
        MetricError: there is no image, or no pixel counts.
    """
    if not found:
        raise MetricError("no image was added.")
    confusions = torch.stack(found)
    values = measures(confusions.sum(0))
    if values.isnan().any():
        raise MetricError("no pixel of the label maps has a colour of the palette.")
    ends = bootstrap(confusions, resamples) if len(found) > 1 else None
    references = None if reference is None else measures(torch.stack(reference).sum(0))
    counts = confusions.sum((0, 2))
    absent, left_out = int((counts == 0).sum()), 1 - counts.sum().item() / pixels
    if absent:
        notes += (f"{absent} of {len(counts)} classes do not occur in these label maps and do not count",)
    if left_out >= 0.005:
        notes += (f"{left_out:.0%} of the pixels, whose colour is no class's, do not count",)
    return {
        name: Score(
            values[i].item(),
            None if ends is None else ends[0][i].item(),
            None if ends is None else ends[1][i].item(),
            n=len(found),
            reference=None if references is None else references[i].item(),
            notes=notes,
        )
        for i, name in enumerate(MEASURES)
    }
