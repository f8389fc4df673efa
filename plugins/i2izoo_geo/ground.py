"""How large a pixel is on the ground."""

from __future__ import annotations

from typing import Any

import numpy as np

EARTH = 6_371_009.0
"""Its mean radius, in metres."""


def pixel_on_ground(crs: Any, transform: Any, column: float, row: float) -> tuple[float, float] | None:
    """Width and height of a pixel in metres on the ground; None: it has no place on the earth.

    That a pixel is measured on the earth, and not by its CRS, is for maps whose metres are not those of the ground (Web
    Mercator's are 1.2 m where they are 1 m in Osaka) and for those in degrees.

    Args:
        crs: rasterio's; None: not known.
        transform: affine, from columns and rows to coordinates.
        column, row: of the pixel's corner.
    """
    from rasterio.crs import CRS
    from rasterio.warp import transform as transformed

    if crs is None or not (crs.is_projected or crs.is_geographic) or transform.is_identity:
        return None
    corners = [transform @ (column + x, row + y) for x, y in ((0, 0), (1, 0), (0, 1))]
    found = np.radians(transformed(crs, CRS.from_epsg(4326), *map(list, zip(*corners, strict=True))))
    if not np.isfinite(found).all():
        return None
    longitude, latitude = found
    east, north = (longitude[1:] - longitude[0]) * np.cos(latitude[0]), latitude[1:] - latitude[0]
    across, down = EARTH * np.hypot(east, north)
    return float(across), float(down)
