"""What a translation costs: parameters, time, memory."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from i2izoo.evaluation.result import Costs
from i2izoo.models.translator import Translator

REPEATS = (3, 20)
"""Least and greatest number of timed translations."""
BUDGET = 2.0
"""Seconds after which no further translation is timed, once there are enough."""
LIMIT = 30.0
"""Seconds after which none is timed, enough or not."""


def measure(model: Translator, image: Any, to: str | None = None, options: Mapping[str, Any] | None = None) -> Costs:
    """Translate one image again and again, alone: what a user waits for, and the memory that it takes.

    The time is that of a call of the translator, from an image in memory to its translation in memory: the median
    of 3 to 20 runs after one that warms up. The memory is the peak of what one translation allocates, on top of the
    weights that it needs; on CUDA as the allocator counts it, on the CPU as torch's profiler sees it (numpy's few
    copies of an image are not in it).

    Args:
        model: a translator.
        image: what it takes as one image, such as a tensor C x H x W in [-1, 1]; of what is made from nothing only its
            size counts.
        to: target domain; None: the model's first.
        options: the method's own options of translation.

    >>> import i2izoo
    >>> model = i2izoo.create("pix2pix", generator={"name": "resnet_6blocks", "width": 4})
    >>> costs = measure(model, torch.zeros(3, 32, 32))
    >>> costs.parameters == model.num_parameters, costs.seconds > 0, costs.memory > 4 * costs.parameters
    (True, True, True)
    """

    def run() -> None:
        if model.directions[model.target(to)] is None:
            model.generate(1, to=to, size=(image.shape[-2], image.shape[-1]), **(options or {}))
            return
        model(image, to=to, **(options or {}))

    run()
    times: list[float] = []
    while len(times) < REPEATS[0] or (sum(times) < BUDGET and len(times) < REPEATS[1]):
        start = time.perf_counter()
        run()  # waits for the device: the translation comes back to the CPU
        times.append(time.perf_counter() - start)
        if sum(times) > LIMIT:
            break
    extra = peak_memory(run, model.device)
    memory = None if extra is None else extra + weight_bytes(model)
    return Costs(model.num_parameters, statistics.median(times), memory, device_name(model.device))


def weight_bytes(model: Translator) -> int:
    """Bytes of the parameters and buffers that translation needs."""
    tensors: dict[int, Tensor] = {t.data_ptr(): t for t in model.method.inference_state().values()}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def peak_memory(run: Callable[[], object], device: torch.device) -> int | None:
    """The most bytes that `run` holds at a time on `device`, on top of what was there before; None: not measurable."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    return _profiled(run) if device.type == "cpu" else None


def _profiled(run: Callable[[], object]) -> int | None:
    """The running sum of the allocations and frees that the profiler records."""
    from torch.profiler import ProfilerActivity, profile

    if torch.autograd._profiler_enabled():  # two at a time would spoil both
        return None
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it writes its stages to stderr
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            run()
        events = profiler.profiler.kineto_results.events()  # type: ignore[union-attr]
    except (RuntimeError, AttributeError):  # a torch with another profiler
        return None
    changes = sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns())
    return max(itertools.accumulate(e.nbytes() for e in changes), default=None)


def device_name(device: torch.device) -> str:
    """The device in words: "cpu (4 threads)", or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' * (threads != 1)})" if device.type == "cpu" else str(device)
