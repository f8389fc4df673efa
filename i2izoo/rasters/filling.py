"""What a network sees where a raster has no pixels: the valid area, reflected at its edge."""

from __future__ import annotations

import numpy as np


def reflected(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Fill the pixels that are none with those that lie as far on the other side of the nearest valid pixel.

    Args:
        image: H x W x C.
        valid: H x W, bool, not all False.

    Returns:
        H x W x C, a copy.

    >>> image = np.array([[9, 1, 2, 3, 9]])[..., None]
    >>> reflected(image, np.array([[False, True, True, True, False]]))[..., 0].tolist()
    [[2, 1, 2, 3, 2]]
    """
    from scipy.ndimage import distance_transform_edt

    rows, columns = np.nonzero(~valid)
    nearest = distance_transform_edt(~valid, return_distances=False, return_indices=True)[:, rows, columns]
    mirrored = 2 * nearest - np.stack([rows, columns])
    inside = ((mirrored >= 0) & (mirrored < np.array(valid.shape)[:, None])).all(axis=0)
    inside[inside] = valid[tuple(mirrored[:, inside])]
    source = np.where(inside, mirrored, nearest)
    filled = image.copy()
    filled[rows, columns] = image[tuple(source)]
    return filled
