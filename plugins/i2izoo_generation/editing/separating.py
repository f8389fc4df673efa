"""A linear support vector machine."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PENALTY = 1.0
"""C, the weight of what lies on the wrong side of its margin, for points of unit deviation."""


def separating_normal(points: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Normal n and offset b of the plane n . x + b = 0 between two sets of points.

    The least of ||n||^2 / 2 + C sum max(0, 1 - y (n . x + b))^2: the margin with squared hinges, which is smooth and
    convex (Fan et al. 2008, LIBLINEAR, eq. 1). Points are brought to unit mean deviation first.

    Args:
        points: N x L, float64.
        sides: N, 1 or -1.

    >>> separating_normal(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]).double(), torch.tensor([-1.0, 1.0]).double())[0]
    tensor([0.4444, 0.0000], dtype=torch.float64)
    """
    from scipy.optimize import minimize

    middle = points.mean(dim=0)
    scale = (points - middle).square().mean().sqrt().clamp_min(1e-12)
    x, y = ((points - middle) / scale).numpy(), sides.numpy()

    def objective(unknown: np.ndarray) -> tuple[float, np.ndarray]:
        normal, offset = unknown[:-1], unknown[-1]
        missing = np.maximum(0, 1 - y * (x @ normal + offset))
        pull = -2 * PENALTY * missing * y
        value = normal @ normal / 2 + PENALTY * (missing**2).sum()
        return value, np.append(normal + pull @ x, pull.sum())

    found = torch.from_numpy(minimize(objective, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x)
    normal = found[:-1] / scale
    return normal, found[-1] - normal @ middle
