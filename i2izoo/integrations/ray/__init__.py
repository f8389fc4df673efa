"""Translating over Ray, on one machine or many: `pip install 'i2izoo[ray]'`.

`translate_dataset` does image files, `translate_raster` a raster; both write the bytes that one process writes.
"""

from i2izoo.integrations.ray.files import translate_dataset
from i2izoo.integrations.ray.rasters import translate_raster

__all__ = ["translate_dataset", "translate_raster"]
