"""Batches as a function of (seed, step), prepared in the background."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from i2izoo.contracts.dataset import Dataset
from i2izoo.contracts.method import Batch
from i2izoo.errors import DataError, listing
from i2izoo.nn.random import derive_seed

PREFETCH = 2


class Loader(Iterator[Batch]):
    """An endless iterator of batches: images by domain, N x C x H x W in [-1, 1], labels and texts where there are any.

    Epoch e is a permutation that follows from (seed, e), by the data set where it has an `order`, and an item's jitter
    follows from (seed, e, position in the epoch). Rank r takes rows r * batch_size to (r + 1) * batch_size of the
    global batch, so several ranks together see what one rank with the whole batch sees. The next batches are prepared
    by a thread.

    Args:
        dataset: where the samples come from.
        batch_size: rows of one rank.
        seed: of order and jitter.
        rank: number of this process.
        world_size: number of processes.
        start_step: continue as if so many batches had been drawn.
        drop_last: leave out what does not fill a batch at the end of an epoch; False fills the last batch with the
            epoch's first items.
        progress: the share of the training that is done before a step, a function of the step alone: a data set may
            change on the way, see `Dataset.at`. None: 0 for all.

    Attributes:
        step: the global step of the next batch.
        wait_seconds: how long the consumer has waited for batches, in all.

    Raises:
        DataError: the dataset is smaller than one global batch, or an image cannot be used.

    >>> from i2izoo.data.open import open_dataset
    >>> with Loader(open_dataset("synthetic-facades", crop_size=32, limit=4), 2, seed=0) as loader:
    ...     batch = next(loader)
    >>> batch["photo"].shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        start_step: int = 0,
        drop_last: bool = True,
        progress: Callable[[int], float] | None = None,
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world_size or start_step < 0:
            raise DataError(
                "a loader wants batch_size >= 1, 0 <= rank < world_size and start_step >= 0; "
                f"found {batch_size}, {rank}, {world_size} and {start_step}."
            )
        total = batch_size * world_size
        if drop_last and len(dataset) < total:
            raise DataError(
                f"the data has {len(dataset)} items, fewer than a batch of {total} (batch_size {batch_size} x "
                f"{world_size} process{'es' * (world_size > 1)}); use a smaller batch_size, or more data."
            )
        steps_per_epoch = len(dataset) // total if drop_last else -(-len(dataset) // total)
        self._epochs = _Epochs(dataset, batch_size, seed, rank, world_size, steps_per_epoch, progress)
        self.step = start_step
        self.wait_seconds = 0.0
        self._close: Callable[[], Any] | None = None
        self._queue: queue.Queue[Batch | BaseException]

    @property
    def progress(self) -> Callable[[int], float] | None:
        """The share of the training that is done before a step; to be set before the first batch is drawn."""
        return self._epochs.progress

    @progress.setter
    def progress(self, progress: Callable[[int], float] | None) -> None:
        self._epochs.progress = progress

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, at least 1."""
        return self._epochs.steps_per_epoch

    def __next__(self) -> Batch:
        if self._close is None:
            self._start()
        start = time.perf_counter()
        item = self._queue.get()
        self.wait_seconds += time.perf_counter() - start
        if isinstance(item, BaseException):
            self.close()
            raise item
        self.step += 1
        return item

    def close(self) -> None:
        """Stop the thread. A later `next` starts a new one at the same place."""
        if self._close is not None:
            self._close()
            self._close = None

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> None:
        self._queue, stop = queue.Queue(PREFETCH), threading.Event()
        # the thread holds no reference to the loader, so a forgotten loader is collected and stops its thread
        thread = threading.Thread(
            target=_work, args=(self._epochs, self.step, self._queue, stop), name="i2izoo-loader", daemon=True
        )
        thread.start()
        self._close = weakref.finalize(self, _stop, thread, self._queue, stop)


class _Epochs:
    """What is in the batch of each step; the thread's own, apart from the loader."""

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
        steps_per_epoch: int,
        progress: Callable[[int], float] | None,
    ) -> None:
        self.progress = progress
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.rank, self.world_size, self.steps_per_epoch = rank, world_size, steps_per_epoch
        self._epoch: int = -1
        self._order: Sequence[int] = [0]

    def rows(self, step: int) -> list[tuple[int, int]]:
        """Item and jitter seed of each of this rank's rows."""
        epoch, step = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", epoch))
            order = self.dataset.order(generator)
            if order is None:
                order = torch.randperm(len(self.dataset), generator=generator).tolist()
            self._epoch, self._order = epoch, order
        first = (step * self.world_size + self.rank) * self.batch_size
        positions = range(first, first + self.batch_size)
        return [(self._order[p % len(self._order)], derive_seed(self.seed, "jitter", epoch, p)) for p in positions]

    def batch(self, step: int) -> Batch:
        rows = self.rows(step)
        progress = self.progress(step) if self.progress else 0.0
        data = self.dataset.at(progress)
        samples = [data.sample(index, seed) for index, seed in rows]
        for domain in samples[0]:
            shapes = {s[domain].shape: self.dataset.name(index) for s, (index, _) in zip(samples, rows, strict=True)}
            if len(shapes) > 1:
                found = listing(f"{name!r} is {' x '.join(map(str, shape))}" for shape, name in shapes.items())
                raise DataError(
                    f"the images of domain {domain!r} in one batch differ in channels x height x width: {found}. "
                    "Set load_size and crop_size (and channels), or batch size 1."
                )
        if len(samples) == 1:
            tensors = {name: tensor[None] for name, tensor in samples[0].items()}  # no copy
        else:
            tensors = {name: torch.stack([s[name] for s in samples]) for name in samples[0]}
        images = {name: tensor for name, tensor in tensors.items() if name in data.domains}
        extras = {name: tensor for name, tensor in tensors.items() if name not in images}
        labels = [label for index, _ in rows if (label := data.label(index)) is not None]
        texts = [text for index, _ in rows if (text := data.text(index)) is not None]
        return Batch(images, step, progress, extras, torch.tensor(labels) if labels else None, texts or None)


def _work(epochs: _Epochs, step: int, batches: queue.Queue[Batch | BaseException], stop: threading.Event) -> None:
    try:
        while not stop.is_set():
            batches.put(epochs.batch(step))
            step += 1
    except BaseException as error:  # whatever it is, the consumer must hear of it
        batches.put(error)


def _stop(thread: threading.Thread, batches: queue.Queue[Batch | BaseException], stop: threading.Event) -> None:
    stop.set()
    while thread.is_alive():  # the thread may be about to put one more batch: make room until it is gone
        while not batches.empty():
            batches.get_nowait()
        thread.join(timeout=0.05)
