"""A raster over Ray: actors do rows of tiles, each with what it shares with its neighbours, and one process writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from i2izoo.errors import ImageError
from i2izoo.integrations.ray.cluster import Worker, connected, everywhere, share
from i2izoo.models.call_options import check_numbers
from i2izoo.rasters import translate
from i2izoo.rasters.blocks import Each, Part
from i2izoo.rasters.formats import readable


class BlockWorker:
    """An actor: loads the model and opens the raster once, and does blocks of it.

    Args:
        model: what `i2izoo.load` takes.
        worker: what it runs on.
        part: of the raster.
    """

    def __init__(self, model: str, worker: Worker, part: Part) -> None:
        self.raster = readable(part.source).open(part.source)
        self.blocks = part.blocks(worker.load(model), self.raster)

    def do(self, name: str, index: int, *common: Any) -> Any:
        """What a method of `Blocks` gives; of one that gives one thing after the other, a list."""
        found = getattr(self.blocks, name)(index, *common)
        return list(found) if isinstance(found, Iterator) else found


def translate_raster(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float | None = None,
    retries: int = 3,
    **options: Any,
) -> Path:
    """Translate a raster by the workers of a Ray cluster, to the bytes of `i2izoo.translate_raster`.

    The first pass is mapped over rows of tiles and reduced here (statistics "exact" and "dense"; those of "joint" are
    of few tiles in one pass, which one worker does). Then each worker reads the windows of a row of tiles, with their
    overlap, and translates them; this process blends the rows in their order and writes.

    Args:
        model: what `i2izoo.load` takes; a folder must be seen by all machines, and so must `source`.
        source: a raster.
        target: the file to write, on this machine.
        workers, cpus, gpus: as of `translate_dataset`.
        retries: of a row of tiles whose worker died.
        options: of `i2izoo.translate_raster`, and the method's own; `resume` goes on where a killed run stopped.

    Returns:
        The target.

    Raises:
        ConfigError: Ray is not installed, the cluster has no room for a worker, or an argument does not fit.
        ImageError: the source cannot be read, or its workers die; what is done stays for `resume=True`.
    """
    check_numbers(0, workers=workers)
    ray = connected()
    count, worker = share(ray, workers, cpus, gpus)
    place = everywhere(model)

    @contextmanager
    def spread(part: Part) -> Iterator[Each]:
        kind = ray.remote(BlockWorker).options(
            num_cpus=worker.cpus, num_gpus=worker.gpus, max_restarts=-1, max_task_retries=retries
        )
        actors = [kind.remote(place, worker, part) for _ in range(count)]

        def each(name: str, indices: Iterable[int], *common: Any) -> Iterator[Any]:
            shared = [ray.put(value) for value in common]
            pool = ray.util.ActorPool(actors)  # which gives a worker its next row when its last one was taken
            yield from pool.map(lambda actor, index: actor.do.remote(name, index, *shared), list(indices))

        try:
            yield each
        except ray.exceptions.RayActorError as error:
            raise ImageError(
                f"workers died {retries + 1} times at one row of tiles of {str(source)!r}; is there memory for it? "
                "What is done stays, and resume=True goes on."
            ) from error
        finally:
            for actor in actors:
                ray.kill(actor)

    return translate.translate_raster(place, Path(source).expanduser().absolute(), target, spread=spread, **options)
