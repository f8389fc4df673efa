"""A training is stopped between two steps, by whatever asks; and a folder is trained in by one process."""

import os
import re
import signal
import socket

import pytest
from training_run import trainer
from two_processes import launch

from i2izoo.errors import TrainingError, WriteError
from i2izoo.files.locks import LOCK
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.interrupt import end, ending

SIGNALS = [(signal.SIGINT, None), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture(autouse=True)
def handlers():
    """Those of the system, whatever started the tests; and all are as before in the end."""
    numbers = [number for number, _ in SIGNALS]
    before = {number: signal.getsignal(number) for number in numbers}
    mine = [signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL]
    for number, handler in zip(numbers, mine, strict=True):
        signal.signal(number, handler)
    yield
    assert [signal.getsignal(number) for number in numbers] == mine
    for number, handler in before.items():
        signal.signal(number, handler)


def stopping(run, *signals, at=2):
    """Send signals within the step that follows step `at`."""
    training_step = run.method.training_step

    def step(batch):
        if batch.step == at:
            for number in signals:
                signal.raise_signal(number)
        yield from training_step(batch)

    run.method.training_step = step
    return run


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_ends_the_step_and_leaves_a_checkpoint(number, code, tmp_path, capsys):
    run = stopping(trainer("regression", tmp_path), number)
    with pytest.raises(SystemExit if code else KeyboardInterrupt) as stopped:
        run.fit()
    assert getattr(stopped.value, "code", None) == code
    assert [p.name for p in checkpoints(tmp_path / "checkpoints")] == ["step-00000003"]
    assert "stopping after this step" in capsys.readouterr().err
    assert not (tmp_path / LOCK).exists()
    again = trainer("regression", tmp_path, resume="auto")
    assert again.step == 3
    again.loader.close()


def test_a_second_signal_stops_at_once(tmp_path):
    run = stopping(trainer("regression", tmp_path), signal.SIGTERM, signal.SIGTERM)
    with pytest.raises(SystemExit):
        run.fit()
    assert run.step == 2
    assert checkpoints(tmp_path / "checkpoints") == []


def test_signals_that_mean_something_else_keep_their_meaning(tmp_path):
    """As under nohup, or in a program that has its own way to end."""
    seen = []
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
        with ending():
            run = stopping(trainer("regression", tmp_path), signal.SIGHUP, signal.SIGTERM)
            run.fit()
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert (run.step, seen) == (4, [signal.SIGTERM])


def test_a_training_within_a_command_is_stopped_as_any(tmp_path):
    with ending():
        run = stopping(trainer("regression", tmp_path), signal.SIGTERM)
        with pytest.raises(SystemExit):
            run.fit()
        assert signal.getsignal(signal.SIGTERM) is end
    assert [p.name for p in checkpoints(tmp_path / "checkpoints")] == ["step-00000003"]


def test_all_processes_stop_after_the_same_step(tmp_path):
    """Gloo on the CPU; the second process alone gets the signal, twice, as from a launcher."""
    done = launch(
        tmp_path,
        """
        import signal
        run = training_run.trainer("regression", sys.argv[1], steps=9)
        training_step = run.method.training_step

        def step(batch):
            if batch.step == 2 and run.rank == 1:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGTERM)
            yield from training_step(batch)

        run.method.training_step = step
        try:
            run.fit()
        except SystemExit as stopped:
            print(f"rank {run.rank} stopped after step {run.step} with {stopped.code}", flush=True)
        """,
        tmp_path / "out",
    )
    # two processes write to one pipe, and their line ends may come after both lines
    assert sorted(re.findall(r"rank \d stopped after step \d+ with \d{3}", done.stdout)) == [
        "rank 0 stopped after step 3 with 143",
        "rank 1 stopped after step 3 with 143",
    ]
    assert [p.name for p in checkpoints(tmp_path / "out/checkpoints")] == ["step-00000003"]


# ------------------------------------------------------------------------------------------------------------ two runs


def test_a_second_training_in_one_folder_is_refused_and_the_first_goes_on(tmp_path):
    run = trainer("regression", tmp_path)
    training_step, refused = run.method.training_step, []

    def step(batch):
        if batch.step == 1:
            for resume in (None, "auto"):
                with pytest.raises(WriteError) as error:
                    trainer("regression", tmp_path, resume=resume)
                refused.append(str(error.value))
        yield from training_step(batch)

    run.method.training_step = step
    run.fit()
    who = f"process {os.getpid()} on {socket.gethostname()} has been writing into {str(tmp_path)!r}"
    assert len(refused) == 2
    assert all(sentence.startswith(who) for sentence in refused)
    assert (tmp_path / "model/model.safetensors").is_file()


def test_a_trainer_that_another_has_overtaken_says_so(tmp_path):
    early, late = (trainer("regression", tmp_path, resume="auto") for _ in range(2))
    early.fit()
    with pytest.raises(TrainingError, match=r"has been trained to step-00000004 meanwhile; make the trainer anew"):
        late.fit()
