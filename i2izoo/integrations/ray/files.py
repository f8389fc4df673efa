"""Image files over Ray Data: actors that load the model once, and are started again where they die."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2izoo.errors import I2IZooError
from i2izoo.files.manifests import ImageFile
from i2izoo.integrations.ray.cluster import Worker, connected, everywhere, share
from i2izoo.models.call_options import check_numbers
from i2izoo.models.file_jobs import FileJob
from i2izoo.models.translate_files import Translated, prepared, translated


class FileWorker:
    """An actor: loads the model once and translates the files of its tasks.

    Args:
        model: what `i2izoo.load` takes.
        worker: what it runs on.
        options: of `i2izoo.models.translate_files.translated`.
    """

    def __init__(self, model: str, worker: Worker, options: dict[str, Any]) -> None:
        self.model, self.options = worker.load(model), options

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        columns = (batch[name] for name in ("name", "source", "targets"))
        jobs = [FileJob(n, Path(s), tuple(map(Path, t))) for n, s, t in zip(*columns, strict=True)]
        try:
            errors = [done.error for done in translated(self.model, jobs, **self.options)]
        except I2IZooError as error:  # a disk of this machine is full, say; the others go on
            errors = [None if job.done else str(error) for job in jobs]
        return {"number": batch["number"], "error": [error or "" for error in errors]}


def translate_dataset(
    model: str | os.PathLike[str],
    images: str | os.PathLike[str] | Iterable[str | os.PathLike[str] | ImageFile],
    out: str | os.PathLike[str],
    *,
    samples: int | None = None,
    skip_existing: bool = False,
    force: bool = False,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float | None = None,
    images_per_task: int = 16,
    retries: int = 3,
    progress: bool = False,
    **options: Any,
) -> list[Translated]:
    """Translate image files into a folder by the workers of a Ray cluster, to the bytes of `i2izoo.translate_files`.

    A worker that dies is started again and its task repeated, which leaves out the files that are there. An image whose
    task has killed its worker in every try is run by itself, and has its error in the result if it does so again.

    Args:
        model: what `i2izoo.load` takes; a folder must be seen by all machines, and so must `images` and `out`.
        images, out, samples, skip_existing, force, options: as of `translate_files`.
        workers: at most; None: as many as there is room for.
        cpus: cores of each worker, and so its threads; other runs write the same bytes with `OMP_NUM_THREADS` of that.
        gpus: of each worker; 0.5 lets two share one; None: one where the cluster has any, otherwise none.
        images_per_task: that a worker is given at a time.
        retries: of a task whose worker died.
        progress: show Ray's progress bars.

    Returns:
        What has become of the images, in order.

    Raises:
        ConfigError: Ray is not installed, the cluster has no room for a worker, or an option does not fit.
        ImageError: files would be overwritten, two would go to one place, or those there were made in another way.
    """
    check_numbers(0, samples=samples, workers=workers, images_per_task=images_per_task)
    ray = connected()
    count, worker = share(ray, workers, cpus, gpus)
    name = everywhere(model)
    jobs, _ = prepared(
        name, images, Path(out).expanduser().absolute(), samples=samples, skip_existing=skip_existing, force=force,
        in_parts=True, **options,
    )  # fmt: skip
    jobs = [replace(job, source=job.source.absolute()) for job in jobs]
    options |= {"samples": samples, "skip_existing": not force}
    before = [skip_existing and job.done for job in jobs]
    errors: dict[int, str] = {number: "" for number, there in enumerate(before) if there}
    for size in (images_per_task, 1):
        todo = [number for number in range(len(jobs)) if number not in errors]
        if todo:
            table = _table(ray, jobs, todo, progress)
            strategy = ray.data.ActorPoolStrategy(
                min_size=1,
                max_size=min(count, -(-len(todo) // size)),
                max_tasks_in_flight_per_actor=None if size > 1 else 1,  # what waits for a worker dies with it
            )
            with warnings.catch_warnings():  # Ray has no other way to say it than the one that it warns of
                warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
                done = table.map_batches(
                    FileWorker, fn_constructor_args=(name, worker, options), batch_size=size, compute=strategy,
                    num_cpus=worker.cpus, num_gpus=worker.gpus, max_task_retries=retries,
                )  # fmt: skip
            errors |= {row["number"]: row["error"] for row in done.iter_rows()}
    gone = f"its worker died {retries + 1} times while it translated this image alone; is there memory for it?"
    return [
        Translated(job, before=there, error=errors.get(number, "" if job.done else gone) or None)
        for number, (job, there) in enumerate(zip(jobs, before, strict=True))
    ]


def _table(ray: Any, jobs: Sequence[FileJob], numbers: Sequence[int], progress: bool) -> Any:
    """The jobs with their numbers as a data set of Ray's, which goes on where a task of it is lost for good."""
    rows = [
        {"number": n, "name": jobs[n].name, "source": str(jobs[n].source), "targets": list(map(str, jobs[n].targets))}
        for n in numbers
    ]
    table = ray.data.from_items(rows)
    table.context.max_errored_blocks, table.context.enable_progress_bars = -1, progress
    return table
