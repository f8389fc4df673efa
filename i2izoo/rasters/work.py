"""What has been translated so far, in a hidden folder beside the target: killed at any moment, it goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from i2izoo.contracts.raster import Pixels, RasterInfo
from i2izoo.errors import ConfigError
from i2izoo.files.refusal import naming
from i2izoo.files.writing import hidden, read_tensors, write_tensors, write_text
from i2izoo.nn.statistics import Policy
from i2izoo.rasters.first_pass import as_tensors, of_tensors

STATE, STATISTICS = "state.json", "statistics.safetensors"


class Work(Pixels):
    """Rows of pixels in a plain file, how many rows of tiles are in it, and the statistics that all tiles take.

    Args:
        target: the file that it will become.
        info: of what is written.
        signature: of all that decides the bytes; work of another one cannot be gone on with.
        resume: go on with what is there.

    Raises:
        ConfigError: what is there is of another signature.
        WriteError: the system refuses.
    """

    def __init__(self, target: Path, info: RasterInfo, signature: dict[str, Any], resume: bool) -> None:
        self.folder, self.info, self.signature = hidden(target, "tiles"), info, signature
        self.done = 0
        self._row = info.width * info.bands * np.dtype(info.dtype).itemsize
        if resume and (self.folder / STATE).is_file():
            self.done = self._read_state(target)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        with naming(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in ("pixels", "mask"):
                (self.folder / name).touch()
            self._pixels, self._mask = ((self.folder / name).open("r+b") for name in ("pixels", "mask"))
        if not self.done:
            self.finish(0)  # from here on `resume` knows what this is

    def statistics(self, find: Callable[[], Policy | None]) -> Policy | None:
        """What `find` finds in the first pass, or what it has found before it was killed, to the same bits."""
        place = self.folder / STATISTICS
        if place.is_file():
            return of_tensors(read_tensors(place), torch.device("cpu"))
        if (found := find()) is not None:
            write_tensors(place, as_tensors(found))
        return found

    def _read_state(self, target: Path) -> int:
        state = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        before = state["signature"]
        if before != json.loads(json.dumps(self.signature)):
            differ = [key for key in self.signature if before.get(key) != self.signature[key]]
            raise ConfigError(
                f"what was begun for {str(target)!r} was of another {', '.join(differ)}; begin anew without --resume."
            )
        return int(state["done"])

    def add(self, top: int, pixels: np.ndarray, valid: np.ndarray | None) -> None:
        """Write rows, which are on the disk before `finish` counts them."""
        with naming(self.folder):
            self._pixels.seek(top * self._row)
            self._pixels.write(np.ascontiguousarray(pixels).tobytes())
            if self.info.masked:
                mask = np.ones(pixels.shape[:2], bool) if valid is None else valid
                self._mask.seek(top * self.info.width)
                self._mask.write(np.ascontiguousarray(mask, dtype=np.uint8).tobytes())

    def finish(self, done: int) -> None:
        """So many rows of tiles are there."""
        with naming(self.folder):
            for file in (self._pixels, self._mask):
                file.flush()
                os.fsync(file.fileno())
            write_text(self.folder / STATE, json.dumps({"signature": self.signature, "done": done}))
        self.done = done

    def read(self, top: int, bottom: int) -> np.ndarray:
        self._pixels.seek(top * self._row)
        data = self._pixels.read((bottom - top) * self._row)
        return np.frombuffer(data, self.info.dtype).reshape(bottom - top, self.info.width, self.info.bands)

    def valid(self, top: int, bottom: int) -> np.ndarray | None:
        if not self.info.masked:
            return None
        self._mask.seek(top * self.info.width)
        data = self._mask.read((bottom - top) * self.info.width)
        return np.frombuffer(data, np.uint8).reshape(bottom - top, self.info.width).astype(bool)

    def close(self) -> None:
        """Close the files, which stay for whoever goes on."""
        for file in (self._pixels, self._mask):
            file.close()

    def remove(self) -> None:
        """All of it is in its target."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
