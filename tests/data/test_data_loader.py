"""Batches are a function of (seed, step), the same for any number of processes, and resume exactly."""

import gc
import threading

import pytest
import torch

from i2izoo.contracts.dataset import Dataset
from i2izoo.data.loader import Loader
from i2izoo.errors import DataError


class Numbers(Dataset):
    """Item i is the pair (i, seed of the jitter)."""

    def __init__(self, *, count: int = 10, broken: int = -1, ragged: bool = False) -> None:
        self.domains, self.kind = ("index", "seed"), "paired"
        self._count, self._broken, self._ragged = count, broken, ragged

    def __len__(self):
        return self._count

    def name(self, index):
        return f"item{index}"

    def sample(self, index, seed):
        if index == self._broken:
            raise DataError(f"item {index} is broken")
        side = 1 + (index if self._ragged else 0)
        return {"index": torch.full((1, side, 1), index), "seed": torch.full((1, side, 1), seed)}


def draw(loader: Loader, steps: int) -> list[tuple[list[int], list[int]]]:
    with loader:
        batches = [next(loader) for _ in range(steps)]
    return [(b["index"].flatten().tolist(), b["seed"].flatten().tolist()) for b in batches]


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "i2izoo-loader"]


def test_an_epoch_is_a_permutation_and_the_next_another():
    batches = draw(Loader(Numbers(count=12), 3, seed=0), 8)
    epochs = [[i for index, _ in part for i in index] for part in (batches[:4], batches[4:])]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1]
    assert epochs[0] != list(range(12))


def test_every_row_has_its_own_jitter_seed():
    seeds = {s for _, seed in draw(Loader(Numbers(), 2, seed=0), 20) for s in seed}
    assert len(seeds) == 40


def test_order_and_jitter_follow_from_the_seed():
    first, again, other = (draw(Loader(Numbers(), 2, seed=s), 6) for s in (1, 1, 2))
    assert first == again != other


def test_two_processes_see_what_one_with_the_whole_batch_sees():
    whole = draw(Loader(Numbers(count=11), 4, seed=3), 7)
    ranks = [draw(Loader(Numbers(count=11), 2, seed=3, rank=r, world_size=2), 7) for r in (0, 1)]
    together = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(*ranks, strict=True)]
    assert together == whole


@pytest.mark.parametrize("start", [1, 3, 7])
def test_resuming_is_the_same_as_going_on(start):
    assert (
        draw(Loader(Numbers(), 3, seed=0, start_step=start), 5)
        == draw(Loader(Numbers(), 3, seed=0), 12)[start : start + 5]
    )


def test_closing_and_going_on_loses_nothing():
    expected = draw(Loader(Numbers(), 2, seed=0), 6)
    loader = Loader(Numbers(), 2, seed=0)
    assert draw(loader, 2) + draw(loader, 4) == expected
    assert loader.step == 6


def test_what_does_not_fill_a_batch_is_left_out_or_filled_up():
    assert Loader(Numbers(count=10), 4, seed=0).steps_per_epoch == 2
    filled = Loader(Numbers(count=10), 4, seed=0, drop_last=False)
    assert filled.steps_per_epoch == 3
    (first, _), _, (last, _) = draw(filled, 3)
    assert len(last) == 4
    assert last[2:] == first[:2]


def test_too_few_items_for_one_batch():
    with pytest.raises(DataError, match=r"3 items, fewer than a batch of 4 \(batch_size 2 x 2 processes\)"):
        Loader(Numbers(count=3), 2, seed=0, world_size=2)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"rank": 2, "world_size": 2}, {"start_step": -1}])
def test_impossible_options(wrong):
    with pytest.raises(DataError, match="a loader wants"):
        Loader(Numbers(), **{"batch_size": 1, "seed": 0, **wrong})


def test_an_error_in_the_thread_reaches_the_consumer_and_ends_the_thread():
    loader = Loader(Numbers(broken=4), 1, seed=0)
    with pytest.raises(DataError, match="item 4 is broken"):
        list(loader)
    assert not threads()
    with pytest.raises(DataError, match="item 4 is broken"):  # not skipped by trying again
        next(loader)


def test_images_of_other_sizes_in_a_batch_are_named():
    with (
        Loader(Numbers(count=2, ragged=True), 2, seed=0) as loader,
        pytest.raises(DataError, match=r"'item1' is 1 x 2 x 1"),
    ):
        next(loader)


def test_the_thread_ends_on_close_and_with_a_forgotten_loader():
    loader = Loader(Numbers(), 1, seed=0)
    next(loader)
    loader.close()
    assert not threads()
    next(loader)
    (thread,) = threads()
    del loader
    gc.collect()
    assert not thread.is_alive()


def test_the_main_thread_keeps_its_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        draw(Loader(Numbers(), 1, seed=0), 3)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_waiting_is_counted():
    loader = Loader(Numbers(), 1, seed=0)
    assert loader.wait_seconds == 0
    draw(loader, 1)
    assert loader.wait_seconds > 0


class Masked(Numbers):
    """With a tensor that is no image of a domain."""

    def sample(self, index, seed):
        return super().sample(index, seed) | {"mask": torch.full((1, 1, 1), -index)}


def test_further_tensors_of_a_sample_are_extras():
    with Loader(Masked(), 3, seed=0) as loader:
        batch = next(loader)
    assert list(batch.images) == ["index", "seed"]
    assert torch.equal(batch.extras["mask"], -batch["index"])
    assert (batch.labels, batch.texts) == (None, None)
