"""Time and memory of a translation, against modules whose memory can be counted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_method
from torch import Tensor

from i2izoo.evaluation import costs
from i2izoo.evaluation.costs import device_name, measure, peak_memory, weight_bytes
from i2izoo.models import storage
from i2izoo.models.translator import Translator

CPU = torch.device("cpu")


def translator(ballast: int = 0) -> Translator:
    method = tiny_method(ballast)
    return Translator(method.eval(), storage.method_config(method, "tiny-method"))


def steps() -> None:
    a = torch.zeros(1000)
    b = torch.zeros(2000)
    del a
    c = torch.zeros(500)
    del b, c
    torch.zeros(100)


def test_peak_is_that_of_the_tensors_that_live_together():
    # 4 bytes each: 1000 and 2000 live together; 2000 and 500 do not reach that, 100 comes after all are freed
    assert peak_memory(steps, CPU) == 4 * 3000


def test_what_was_there_before_does_not_count():
    held = torch.zeros(50_000)
    assert peak_memory(lambda: held.add_(held), CPU) in (0, None)
    assert peak_memory(lambda: held + held, CPU) == 4 * 50_000


@pytest.mark.parametrize("keep", [True, False])
def test_a_chain_of_layers_frees_what_is_not_needed(keep):
    def run() -> None:
        x, kept = torch.ones(10_000), []
        for _ in range(5):
            y = x + x
            kept += [x] * keep
            x = y
            del y

    # the image and its successor, or the image and all five
    assert peak_memory(run, CPU) == 4 * 10_000 * (6 if keep else 2)


def test_peak_of_a_real_layer_is_at_least_its_output():
    layer, x = torch.nn.Linear(256, 512), torch.zeros(64, 256)
    with torch.inference_mode():
        found = peak_memory(lambda: layer(x), CPU)
    assert found is not None
    assert 64 * 512 * 4 <= found <= 4 * 64 * 512 * 4


def test_a_profiler_that_runs_already_is_left_alone():
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as outer:
        assert peak_memory(steps, CPU) is None
        torch.zeros(3)
    assert any(event.key == "aten::zeros" for event in outer.key_averages())


def test_memory_elsewhere_is_not_measured():
    assert peak_memory(lambda: None, torch.device("meta")) is None


def test_weights_count_parameters_and_buffers():
    # 3 x 3 x 3 x 3 weights and 3 biases, 1000 floats of ballast, one 64-bit counter
    assert weight_bytes(translator(ballast=1000)) == 4 * (81 + 3 + 1000) + 8


def test_memory_of_a_translation_includes_the_weights():
    image = torch.zeros(3, 32, 32)
    light, heavy = (measure(translator(ballast), image).memory for ballast in (0, 100_000))
    assert light is not None
    assert heavy is not None
    assert heavy - light == 4 * 100_000
    assert light > 4 * (3 * 32 * 32) * 2  # a convolution and its tanh live together


def test_memory_grows_with_the_image():
    small, large = (measure(translator(), torch.zeros(3, side, side)).memory for side in (32, 128))
    assert small is not None
    assert large is not None
    assert large - small > 4 * 3 * (128**2 - 32**2) * 2


def counted(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> list[int]:
    """Have each translation take so many seconds by a clock of our own; the last of `seconds` goes on."""
    calls: list[int] = []
    now = [0.0]
    original: Callable[..., Tensor] = Translator.__call__

    def call(self: Translator, *args: object, **options: object) -> Tensor:
        now[0] += seconds[min(len(calls), len(seconds) - 1)]
        calls.append(1)
        return original(self, *args, **options)

    monkeypatch.setattr(Translator, "__call__", call)
    monkeypatch.setattr(costs, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return calls


@pytest.mark.parametrize(
    ("seconds", "median", "calls"),
    [
        ([100.0, 0.01], 0.01, 1 + 20 + 1),  # the warm-up is not timed; 20 runs; one for the memory
        ([0.1, 0.9, 0.7, 0.3, 0.2, 9.0], 0.5, 1 + 4 + 1),  # 2.1 seconds after four: the budget is 2
        ([1.0, 40.0], 40.0, 1 + 1 + 1),  # past the limit after one
    ],
)
def test_time_is_the_median_after_a_warm_up(monkeypatch, seconds, median, calls):
    made = counted(monkeypatch, seconds)
    found = measure(translator(), torch.zeros(3, 8, 8))
    assert found.seconds == pytest.approx(median)
    assert len(made) == calls


def test_what_is_measured():
    model = translator()
    found = measure(model, torch.zeros(3, 8, 8), "photo")
    assert found.parameters == 84
    threads = torch.get_num_threads()
    assert found.device == f"cpu ({threads} thread{'s' * (threads != 1)})"


def test_options_reach_the_method():
    import i2izoo

    with pytest.raises(i2izoo.errors.ConfigError, match="no option 'steps'"):
        measure(translator(), torch.zeros(3, 8, 8), options={"steps": 3})


def test_one_thread_is_not_several(monkeypatch):
    for threads, words in ((1, "cpu (1 thread)"), (4, "cpu (4 threads)")):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=threads: number)
        assert device_name(torch.device("cpu")) == words
