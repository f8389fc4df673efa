"""Writing PNG of 16 bits in several channels, which Pillow cannot (PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels to the colour type of the header: grey, grey with alpha, colour, colour with alpha (11.2.1)."""

UP = 2
"""The filter that stores each byte as its difference to the one above (9.2)."""


def write(path: Path, array: np.ndarray) -> None:
    """Write H x W x C of uint16, C from 1 to 4."""
    height, width, channels = array.shape
    rows = np.ascontiguousarray(array.astype(">u2")).view(np.uint8).reshape(height, -1)
    rows[1:] -= rows[:-1].copy()  # modulo 256, as the filter wants
    filtered = np.insert(rows, 0, UP, axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _chunk(file, b"IHDR", header)
        _chunk(file, b"IDAT", zlib.compress(filtered.tobytes()))
        _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
