"""Tile after tile: read by a few threads, judged and written in the order of the grid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from i2izoo.errors import DataError
from i2izoo.files.writing import write_bytes
from i2izoo_geo.tiles.georeference import write_georeference
from i2izoo_geo.tiles.grid import Grid, Tile
from i2izoo_geo.tiles.layers import Layer
from i2izoo_geo.tiles.pixels import Pixels
from i2izoo_geo.tiles.polite import Client
from i2izoo_geo.tiles.record import Record

Read = tuple[str, dict[str, Pixels]]
"""What becomes of a tile, and its pixels in each layer if it is kept so far."""


class Writer:
    """Writes the tiles of a folder.

    Args:
        folder: of the data set.
        layers: by domain.
        grid: of the tiles.
        record: of what is done.
        min_valid, contrast: see `Pixels.state`.
    """

    def __init__(
        self, folder: Path, layers: Mapping[str, Layer], grid: Grid, record: Record, min_valid: float, contrast: int
    ) -> None:
        self._folder, self._layers, self._grid, self._record = folder, layers, grid, record
        self._min_valid, self._contrast = min_valid, contrast

    def run(self, tiles: Iterable[tuple[Tile, str]], workers: int, client: Client) -> Iterator[None]:
        """Do the tiles, each with its part; a few are read ahead. Yields after each."""
        waiting: deque[tuple[Tile, str, Future[Read]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="i2izoo-tiles")
        try:
            for tile, part in tiles:
                waiting.append((tile, part, pool.submit(self._read, tile)))
                if len(waiting) >= 2 * workers:
                    self._finish(*waiting.popleft())
                    yield
            while waiting:
                self._finish(*waiting.popleft())
                yield
        except BaseException:
            client.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, tile: Tile) -> Read:
        found: dict[str, Pixels] = {}
        for name, layer in self._layers.items():  # a layer is not asked for a tile that another one lacks
            if (pixels := layer.read(tile)) is None:
                return "missing", {}
            if (state := pixels.state(self._min_valid, self._contrast)) != "kept":
                return state, {}
            found[name] = pixels
        return "kept", found

    def _finish(self, tile: Tile, part: str, read: Future[Read]) -> None:
        state, found = read.result()
        if state != "kept":
            self._record.note(tile=tile.name, state=state)
            return
        sizes = {name: pixels.array.shape[1::-1] for name, pixels in found.items()}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} {width} x {height}" for name, (width, height) in sizes.items())
            raise DataError(f"the tile {tile.name} differs in size: {said}; choose layers of one size (or --size).")
        prints = [pixels.fingerprint for pixels in found.values()]
        if self._record.repeats(prints):
            self._record.note(tile=tile.name, state="duplicate")
            return
        for name, pixels in found.items():
            self._write(self._folder / part / name / f"{tile.name}{pixels.ending}", pixels, tile)
        channels = [pixels.array.shape[-1] for pixels in found.values()]
        self._record.note(tile=tile.name, state="kept", part=part, pixels=prints, channels=channels)

    def _write(self, place: Path, pixels: Pixels, tile: Tile) -> None:
        height, width = pixels.array.shape[:2]
        if (transform := self._grid.transform(tile, width, height)) is not None:
            write_georeference(place, self._grid.crs, transform)
        if pixels.sent is not None:
            write_bytes(place, pixels.sent)
        else:
            from i2izoo.images.writing import save

            save(pixels.array, place)
