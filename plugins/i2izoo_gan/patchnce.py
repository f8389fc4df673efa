"""PatchNCE, the contrastive loss of CUT (Park et al., ECCV 2020, arXiv 2007.15651, sections 3.1 and 3.2): a patch of
the translation shall be recognised by its source patch among other patches of the same image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from einops import rearrange
from torch import Tensor, nn

Negatives: TypeAlias = Literal["image", "batch"]


class PatchSampler(nn.Module):
    """H of the paper: features at given positions of each layer, through a two-layer MLP of that layer, to unit length.

    All sizes are fixed here and not by the first batch, so that optimisers and checkpoints hold it from the start.

    Args:
        channels: channels of each layer's features.
        projection: length of the vectors.

    >>> sampler = PatchSampler([3, 8], projection=16)
    >>> features = [torch.rand(2, 3, 9, 9), torch.rand(2, 8, 4, 4)]
    >>> [vectors.shape for vectors in sampler(features, random_positions(features, 64))]
    [torch.Size([2, 64, 16]), torch.Size([2, 16, 16])]
    """

    def __init__(self, channels: Sequence[int], projection: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(c, projection), nn.ReLU(), nn.Linear(projection, projection)) for c in channels
        )

    def forward(self, features: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
        """For each layer, N x C x H x W at P of its H x W positions to N x P x projection, of length 1."""
        vectors = []
        for head, feature, position in zip(self.heads, features, positions, strict=True):
            patches = rearrange(feature, "n c h w -> n (h w) c").index_select(1, position)
            vector = _at_least_single(head(patches))
            vectors.append(vector / (torch.linalg.vector_norm(vector, dim=2, keepdim=True) + 1e-7))
        return vectors


def random_positions(features: Sequence[Tensor], count: int) -> list[Tensor]:
    """`count` different positions of the H x W of each layer, or all of them where there are fewer; one draw for all
    rows of the batch."""
    sizes = [f.shape[2] * f.shape[3] for f in features]
    return [torch.randperm(s)[:count].to(f.device) for s, f in zip(sizes, features, strict=True)]


def patch_nce(query: Tensor, key: Tensor, temperature: float = 0.07, negatives: Negatives = "image") -> Tensor:
    """-log exp(v.v+ / tau) / (exp(v.v+ / tau) + sum_n exp(v.v-_n / tau)) of every patch (eq. 3).

    Args:
        query: v, unit vectors of the translation's patches, N x P x D.
        key: v+ in the same place, and v- in all others: unit vectors of the source's patches, N x P x D. They are
            constants: no gradient goes there.
        temperature: tau.
        negatives: "image": the other P - 1 patches of the same image, as in the paper; "batch": also those of the
            other images of the batch.

    Returns:
        N x P, at least 0; log(1 + number of negatives) where all patches look alike.

    >>> patch_nce(torch.eye(2)[None], torch.eye(2)[None], temperature=1.0)
    tensor([[0.3133, 0.3133]])
    """
    rows, patches, _ = query.shape
    if negatives == "batch":
        query, key = query.flatten(0, 1)[None], key.flatten(0, 1)[None]
    with torch.autocast(query.device.type, enabled=False):  # 1 / tau makes much of little
        similarity = _at_least_single(query) @ _at_least_single(key.detach()).transpose(1, 2) / temperature
    loss = similarity.logsumexp(dim=2) - similarity.diagonal(dim1=1, dim2=2)
    return loss.view(rows, patches)


def _at_least_single(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
