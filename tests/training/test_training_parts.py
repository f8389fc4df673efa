"""The parts of the trainer, each against a closed form."""

import contextlib
import csv
import errno
import os
import signal

import pytest
import torch
from i2izoo_gan.pool import ReplayPool
from torch import nn

from i2izoo.errors import ConfigError, TrainingError, WriteError
from i2izoo.interfaces import Batch, Method, Update
from i2izoo.training.config import TrainingOptions, lay_over
from i2izoo.training.ema import EMA
from i2izoo.training.interrupt import Interrupt
from i2izoo.training.log import TrainingLog
from i2izoo.training.schedule import Schedule, linear_decay
from i2izoo.training.step import Stepper
from i2izoo.training.trackers import Trackers


class Toy(Method):
    """Two single weights; SGD, so that every step has a closed form."""

    directions = {"y": "x"}  # noqa: RUF012
    channels = {"x": 1, "y": 1}  # noqa: RUF012
    inference_parts = ("a", "norm")

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.ParameterList([torch.ones(())]), nn.ParameterList([torch.ones(())])
        self.norm = nn.BatchNorm2d(1)
        self.updates = []

    def translate(self, image, *, to, seeds):
        return image

    def training_step(self, batch):
        for update in self.updates:
            yield update(self, batch)

    def optimizers(self):
        return {n: torch.optim.SGD(getattr(self, n).parameters(), lr=0.1) for n in ("a", "b")}


def toy(*updates, max_grad_norm=None):
    method = Toy()
    method.updates = list(updates)
    return method, Stepper(method, contextlib.nullcontext, torch.amp.GradScaler("cpu", enabled=False), max_grad_norm)


def value(batch):
    return batch["x"].mean()


def data(*values):
    return [Batch({"x": torch.full((1, 1, 1, 1), float(v))}) for v in values]


# ------------------------------------------------------------------------------------------------------- the step


def test_an_update_moves_only_its_receivers():
    method, stepper = toy(lambda m, b: Update("a", {"loss": m.a[0] * m.b[0] * value(b)}))
    logged = stepper.run(data(3))
    assert method.a[0].item() == pytest.approx(1 - 0.1 * 3)
    assert method.b[0].item() == 1
    assert method.b[0].grad is None
    assert logged["loss"].item() == 3


def test_updates_follow_one_another():
    """The second sees what the first has done: b' = 1 - 0.1 a' with a' = 0.9."""
    first = lambda m, b: Update("a", {"one": m.a[0] * 1.0})  # noqa: E731
    method, stepper = toy(first, lambda m, b: Update("b", {"two": m.a[0].detach() * m.b[0]}))
    stepper.run(data(1))
    assert method.b[0].item() == pytest.approx(1 - 0.1 * 0.9)


def test_a_kept_gradient_steps_later_and_never_in_the_next_step():
    keep = lambda m, b: Update(("a", "b"), {"one": m.a[0] + m.b[0]}, step=False)  # noqa: E731
    more = lambda m, b: Update("a", {"two": 2 * m.a[0]}, step=("a", "b"))  # noqa: E731
    method, stepper = toy(keep, more)
    stepper.run(data(1))
    assert (method.a[0].item(), method.b[0].item()) == pytest.approx((1 - 0.1 * 3, 1 - 0.1))
    method, stepper = toy(keep)
    stepper.run(data(1))
    method.updates = [lambda m, b: Update(("a", "b"), {"two": m.a[0] + m.b[0]})]
    stepper.run(data(1))  # a checkpoint has no gradients, so none may outlive its step
    assert (method.a[0].item(), method.b[0].item()) == pytest.approx((0.9, 0.9))


def test_an_update_that_is_not_due_is_passed_over_and_costs_nothing():
    computed = []

    def losses(m, b):
        computed.append(b.step)
        return {"loss": m.a[0] * 1.0}

    method, stepper = toy(
        lambda m, b: Update("a", lambda: losses(m, b), every=3), lambda m, b: Update("b", {"each": m.b[0] * 1.0})
    )
    logged = [list(stepper.run([Batch({"x": torch.zeros(1, 1, 1, 1)}, step)])) for step in range(6)]
    assert computed == [2, 5]
    assert logged == [["each"], ["each"], ["loss", "each"]] * 2
    assert method.a[0].item() == pytest.approx(1 - 2 * 0.1)
    assert method.b[0].item() == pytest.approx(1 - 6 * 0.1)


def test_accumulation_averages_and_clipping_follows_it():
    loss = lambda m, b: Update("a", {"loss": m.a[0] * value(b)})  # noqa: E731
    method, stepper = toy(loss)
    logged = stepper.run(data(1, 2, 6))
    assert method.a[0].item() == pytest.approx(1 - 0.1 * 3)
    assert logged["loss"].item() == pytest.approx(3)
    method, stepper = toy(loss, max_grad_norm=0.5)
    stepper.run(data(1, 2, 6))
    assert method.a[0].item() == pytest.approx(1 - 0.1 * 0.5, abs=1e-5)


def test_mistakes_of_a_method_are_named():
    _, stepper = toy(lambda m, b: Update("c", {"loss": m.a[0] * 1}))
    with pytest.raises(TrainingError, match=r"'c'.*a, b"):
        stepper.run(data(1))

    class Twice(Toy):
        def optimizers(self):
            return {n: torch.optim.SGD(self.a.parameters(), lr=0.1) for n in ("a", "b")}

    with pytest.raises(TrainingError, match="one parameter to two optimisers"):
        Stepper(Twice(), None, None)


def test_rates_are_set_from_the_initial_ones():
    _, stepper = toy()
    for factor in (0.5, 0.25, 1.0):
        stepper.set_rate(factor)
        assert stepper.optimizers["a"].param_groups[0]["lr"] == pytest.approx(0.1 * factor)


# ----------------------------------------------------------------------------------------------- schedule, options


def test_linear_decay_is_the_authors():
    """factor = 1 - max(0, e + 1 - N) / (N_decay + 1): 100 + 100 epochs."""
    for epoch in range(200):
        assert linear_decay(epoch, 100, 100) == pytest.approx(1 - max(0, epoch + 1 - 100) / 101)
    assert linear_decay(99, 100, 100) == 1
    assert linear_decay(199, 100, 100) == pytest.approx(1 / 101)


def test_a_schedule_counts_epochs_or_steps():
    schedule = Schedule.of(TrainingOptions(epochs=2, decay_epochs=3), steps_per_epoch=5)
    assert schedule.total == 25
    assert [schedule.factor(step) for step in (0, 9, 10, 14, 15, 24)] == [1, 1, 0.75, 0.75, 0.5, 0.25]
    schedule = Schedule.of(TrainingOptions(steps=2, decay_steps=3), steps_per_epoch=5)
    assert [schedule.factor(step) for step in range(schedule.total)] == [1, 1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epocs": 3}, "'epocs'; did you mean 'epochs'"),
        ({"batch_size": 0}, "'batch_size' .* from 1 to 1e9, found 0"),
        ({"batch_size": 1.5}, "wants int"),
        ({"ema": 1.0}, "from 0 to below 1, found 1.0"),
        ({"max_grad_norm": 0.0}, "'max_grad_norm' .* above 0 to 1e12 or None, found 0"),
        ({"decay_steps": 3}, "goes with 'steps'"),
        ({"epochs": 0}, "nothing to train"),
        ({"minutes": 0.0}, "'minutes' .* above 0 to 1e7 or None, found 0"),
        ({"minutes": 2, "decay_share": 1.5}, "'decay_share' .* from 0 to 1 or None, found 1.5"),
        ({"minutes": 2, "steps": 5}, "'minutes' and 'steps' both say how long to train"),
        ({"decay_share": 0.5}, "'decay_share' goes with 'minutes'"),
        ({"steps": 0}, "nothing to train"),
        ({"load_size": 8, "crop_size": 9}, "must not be smaller"),
        ({"ema": 0.9, "ema_half_life": 10}, "'ema' and 'ema_half_life' both say how weights are averaged"),
        ({"ema_half_life": 0}, "'ema_half_life' .* above 0 to 1e9 or None, found 0"),
        ({"ema_half_life": 1, "ema_ramp_up": 0}, "'ema_ramp_up' .* above 0 to 1 or None, found 0"),
        ({"precision": "fp8"}, "'fp32', 'bf16', 'fp16'"),
    ],
)
def test_impossible_options(options, words):
    with pytest.raises(ConfigError, match=words):
        TrainingOptions(**options)


# ------------------------------------------------------------------------------------------------------------- EMA


def test_ema_in_closed_form():
    """Parameters: avg <- d avg + (1 - d) w with d = min(decay, (1 + n) / (10 + n)); buffers are the last ones."""
    method, average = Toy(), 1.0
    ema = EMA(method, 0.3)
    for n in range(6):
        with torch.no_grad():
            method.a[0].fill_(float(n))
            method.norm.running_mean.fill_(10.0 + n)
            method.norm.num_batches_tracked.fill_(n)
        ema.update(method)
        decay = min(0.3, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * n
    assert ema.state["a.0"].item() == pytest.approx(average)
    assert ema.state["norm.running_mean"].item() == 15.0
    assert ema.state["norm.num_batches_tracked"].item() == 5
    assert "b.0" not in ema.state
    with ema.applied(method):
        assert method.a[0].item() == pytest.approx(average)
    assert method.a[0].item() == 5.0


def test_a_weight_counts_half_after_the_half_life_whatever_the_batch():
    """Weights are 1 at first and 0 from then on: after 6,000 images of a half-life of 3,000 a quarter is left."""
    for batch in (1, 3, 250, 4000):
        method = Toy()
        with torch.no_grad():
            method.a[0].fill_(1.0)
        ema = EMA(method, TrainingOptions(ema_half_life=3, ema_ramp_up=None).ema_decay(batch))
        with torch.no_grad():
            method.a[0].zero_()
        steps = 6000 // batch
        for _ in range(steps):
            ema.update(method)
        assert ema.state["a.0"].item() == pytest.approx(0.5 ** (steps * batch / 3000), abs=1e-3)


def test_the_half_life_grows_with_the_images_seen():
    """The rule of EDM's public training loop: at first the average is the weights; beyond 20 half-lives nothing holds
    it."""
    decay = TrainingOptions(ema_half_life=2).ema_decay(50)
    for steps in (0, 1, 7, 400, 799, 800, 10_000):
        half_life = min(2 * 1000, steps * 50 * 0.05)
        assert decay(steps) == pytest.approx(0.5 ** (50 / max(half_life, 1e-8)), abs=1e-15), steps


def test_of_two_averages_the_one_that_is_asked_for():
    assert lay_over({"ema": 0.9999}, {"ema_half_life": 10.0}) == {"ema_half_life": 10.0}
    assert lay_over({"ema_half_life": 10.0}, {"ema": 0.9}) == {"ema": 0.9}
    assert lay_over({"ema": 0.9}, {"ema_half_life": None}) == {"ema": 0.9, "ema_half_life": None}
    with pytest.raises(ConfigError, match="give one of them"):
        TrainingOptions.of({"ema": 0.9}, {"ema": 0.9, "ema_half_life": 10.0})


# ------------------------------------------------------------------------------------------------------------ pool


def numbered(*numbers):
    return torch.tensor([float(n) for n in numbers]).reshape(-1, 1, 1, 1)


def test_pool_fills_first_and_returns_what_it_stores():
    pool = ReplayPool(3)
    assert pool(numbered(0, 1)).flatten().tolist() == [0, 1]
    assert pool(numbered(2)).flatten().tolist() == [2]
    assert [image.item() for image in pool.images] == [0, 1, 2]


def test_full_pool_swaps_half_of_the_images():
    torch.manual_seed(0)
    pool, swapped = ReplayPool(50), 0
    for n in range(2050):
        stored = {image.item() for image in pool.images}
        (out,) = pool(numbered(n)).flatten().tolist()
        after = {image.item() for image in pool.images}
        if n < 50:
            continue
        if out == n:  # passed on, and not stored
            assert after == stored
        else:  # an older one, whose place the new one takes
            swapped += 1
            assert after == stored - {out} | {n}
    assert 900 < swapped < 1100  # 1000 of 2000; 4.5 standard deviations


def test_pool_of_nothing_and_gradients():
    image = torch.ones(2, 1, 1, 1, requires_grad=True)
    for size in (0, 5):
        out = ReplayPool(size)(image)
        assert torch.equal(out, image)
        assert not out.requires_grad


def test_pool_stores_copies_and_goes_on_from_its_state():
    pool = ReplayPool(2)
    image = numbered(1, 2)
    pool(image).zero_()
    image.zero_()
    other = ReplayPool(2)
    other.load_training_state({k: v.clone() for k, v in pool.training_state().items()}, torch.device("cpu"))
    assert [i.item() for i in other.images] == [1, 2]
    for n in range(3, 30):
        torch.manual_seed(n)
        expected = pool(numbered(n))
        torch.manual_seed(n)
        assert torch.equal(other(numbered(n)), expected)


def test_pool_keeps_the_memory_format_of_what_it_is_given():
    """Or a resumed run, whose stored images are plain, would round differently."""
    pool = ReplayPool(1)
    pool.load_training_state({"image0": torch.zeros(3, 4, 4)}, torch.device("cpu"))
    for seed in range(4):
        torch.manual_seed(seed)
        assert pool(torch.ones(1, 3, 4, 4).to(memory_format=torch.channels_last)).stride() == (48, 1, 12, 3)


# ------------------------------------------------------------------------------------------------------------- log


def write(log, step, **losses):
    log.add({k: torch.tensor(v) for k, v in losses.items()}, images=2)
    log.write(log.means(), step=step, epoch=step / 4, rate=0.5, waited=0.0)


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def open_log(folder, start=0):
    return TrainingLog(folder, 10, start, progress=False)


def test_log_means_and_late_columns(tmp_path):
    log = open_log(tmp_path)
    log.add({"a": torch.tensor(1.0)}, 2)
    log.add({"a": torch.tensor(2.0), "b": torch.tensor(8.0)}, 2)
    assert log.means() == {"a": 1.5, "b": 8.0}  # b over the one step that had it
    log = open_log(tmp_path)
    write(log, 1, a=1.0)
    write(log, 2, a=2.0)
    write(log, 3, a=3.0, b=7.0)
    write(log, 4, a=4.0)
    log.close()
    found = rows(tmp_path)
    assert [row["a"] for row in found] == ["1.0", "2.0", "3.0", "4.0"]
    assert [row["b"] for row in found] == ["", "", "7.0", ""]
    assert [row["epoch"] for row in found] == ["0.25", "0.5", "0.75", "1.0"]
    assert {"learning_rate_factor", "images_per_second", "data_wait_share"} <= found[0].keys()


def test_log_goes_on_where_the_checkpoint_is(tmp_path):
    log = open_log(tmp_path)
    for step in (20, 30, 40, 100):
        write(log, step, a=float(step))
    path = tmp_path / "log.csv"
    path.write_text(path.read_text() + "12")  # killed while it wrote 120
    write(open_log(tmp_path, start=30), 40, a=-1.0)
    assert [(row["step"], row["a"]) for row in rows(tmp_path)] == [("20", "20.0"), ("30", "30.0"), ("40", "-1.0")]
    write(open_log(tmp_path), 5, a=5.0)  # begun anew
    assert [row["step"] for row in rows(tmp_path)] == ["5"]


def test_tensorboard_and_progress_bar(tmp_path, capsys):
    log = TrainingLog(tmp_path, 10, 0, trackers=Trackers(["tensorboard"], tmp_path), progress=True)
    write(log, 1, a=1.0)
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss/a")] == [(1, 1.0)]
    assert capsys.readouterr().out == ""  # a progress bar is for stderr


# ------------------------------------------------------------------------------------------------------- interrupt


def test_a_first_interrupt_waits_and_a_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert not interrupt.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with Interrupt(patient=True) as interrupt:  # of several processes
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert interrupt.asked == signal.SIGINT


def test_events_that_find_no_room_are_one_sentence(tmp_path, monkeypatch):
    """TensorBoard's thread writes; what it could not write it raises at a later call, without the name of a file."""
    log = TrainingLog(tmp_path, 9, 0, trackers=Trackers(["tensorboard"], tmp_path), progress=False)

    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    events = log.trackers.running[0].tracker
    monkeypatch.setattr(events, "add_scalar", full)
    monkeypatch.setattr(events, "close", full)
    with pytest.raises(WriteError, match=r"tensorboard' cannot be written: no space left on device"):
        log.scalars({"a": 1.0}, 1)
    log.close()
