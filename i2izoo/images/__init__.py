"""Images of any kind to tensors and back: read, write, scale, pad and arrange."""

from i2izoo.images.reading import read, to_tensor
from i2izoo.images.types import Form, ImageSource
from i2izoo.images.writing import EXTENSIONS, find_images, give_back, grid, resize, save, to_array, to_pil
from i2izoo.nn.padding import pad_to_valid

__all__ = [
    "EXTENSIONS",
    "Form",
    "ImageSource",
    "find_images",
    "give_back",
    "grid",
    "pad_to_valid",
    "read",
    "resize",
    "save",
    "to_array",
    "to_pil",
    "to_tensor",
]
