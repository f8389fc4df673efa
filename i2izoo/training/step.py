"""One training step of any method: run its updates in its order, and put each gradient where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
import torch.distributed as dist
from torch import Tensor

from i2izoo.contracts.method import Batch, Method, Update
from i2izoo.errors import TrainingError, listing
from i2izoo.training.averaging import Averaging, several


class Stepper:
    """Runs `Method.training_step` and owns its optimisers: accumulation, reduction, scaling, clipping, stepping.

    Args:
        method: on its device.
        autocast: context in which the method computes.
        scaler: gradient scaler for fp16, or one that is disabled.
        max_grad_norm: largest gradient norm of each optimiser; None does not clip.
    """

    def __init__(
        self,
        method: Method,
        autocast: Callable[[], AbstractContextManager[object]],
        scaler: torch.amp.GradScaler,
        max_grad_norm: float | None = None,
    ) -> None:
        self.method, self.autocast, self.scaler, self.max_grad_norm = method, autocast, scaler, max_grad_norm
        self.averaging: dict[str, Averaging] = {}
        """By optimiser, of gradients that are on their way."""
        self.optimizers = method.optimizers()
        self.speakers = {name: module for name, module in method.named_modules() if hasattr(module, "training_log")}
        self.parameters = {
            name: [p for group in optimizer.param_groups for p in group["params"]]
            for name, optimizer in self.optimizers.items()
        }
        self.rates = {n: [g["lr"] for g in o.param_groups] for n, o in self.optimizers.items()}
        owned = [id(p) for parameters in self.parameters.values() for p in parameters]
        if len(owned) != len(set(owned)):
            raise TrainingError(f"{type(method).__name__}.optimizers() gives one parameter to two optimisers.")

    def set_rate(self, factor: float) -> None:
        """Set every learning rate to `factor` times its initial value."""
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor

    def run(self, batches: Sequence[Batch], seed: Callable[[int], object] = lambda micro: None) -> dict[str, Tensor]:
        """One step over micro-batches; optimisers step in the last of them.

        Args:
            batches: the micro-batches.
            seed: called with the index of each micro-batch before it, to seed the random state.

        Returns:
            The losses by name, averaged over the micro-batches, detached; and what modules say of themselves in
            `training_log()`, by their place in the method: `discriminator.augment.p`.
        """
        self.averaging.clear()
        logged: dict[str, Tensor] = {}
        stepped: set[str] = set()
        for optimizer in self.optimizers.values():  # what an interrupted step or an update without a step has left
            optimizer.zero_grad(set_to_none=True)
        for micro, batch in enumerate(batches):
            seed(micro)
            updates = iter(self.method.training_step(batch))
            while True:
                with self.autocast():  # the method's code runs between the yields, and in the losses
                    update = next(updates, None)
                    if update is None:
                        break
                    if not update.due(batch.step):
                        continue
                    _ = update.losses
                if micro == len(batches) - 1 and stepped.intersection(update.steppers):
                    self.scaler.update()  # which has an optimiser step once before it
                    stepped.clear()
                self._backward(update, len(batches), last=micro == len(batches) - 1)
                for name, loss in update.losses.items():
                    logged[name] = logged.get(name, 0) + loss.detach().float() / len(batches)
                if micro == len(batches) - 1:
                    for name in update.steppers:
                        self._step(name)
                        stepped.add(name)
        if stepped:
            self.scaler.update()
        for owner, module in self.speakers.items():
            logged |= {f"{owner}.{name}": value for name, value in module.training_log().items()}
        return logged

    def _backward(self, update: Update, parts: int, last: bool = False) -> None:
        if unknown := [n for n in (*update.receivers, *update.steppers) if n not in self.optimizers]:
            raise TrainingError(
                f"{type(self.method).__name__} yields an update for {unknown[0]!r}; "
                f"its optimizers() are {listing(self.optimizers)}."
            )
        if not update.losses:
            return
        total = torch.stack([loss.float() for loss in update.losses.values()]).sum() / parts
        inputs = [p for name in update.receivers for p in self.parameters[name] if p.requires_grad]
        if last and several():  # no backward pass is to come before these step
            ready = [name for name in update.steppers if name in update.receivers]
            self.averaging = {name: Averaging(self.parameters[name], watch=True) for name in ready}
        try:
            # `inputs` keeps the gradient out of every other network that the graph passes through
            self.scaler.scale(total).backward(inputs=inputs, retain_graph=update.retain_graph)
        finally:
            for averaging in self.averaging.values():
                averaging.unwatch()

    def _step(self, name: str) -> None:
        optimizer, parameters = self.optimizers[name], self.parameters[name]
        if several():
            (self.averaging.pop(name, None) or Averaging(parameters)).finish()
        if self.max_grad_norm is not None:
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)


def average_over_processes(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """The means over all processes of numbers that each of them has under the same names."""
    if not values or not several():
        return values
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return dict(zip(values, (total / dist.get_world_size()).tolist(), strict=True))


def of_first_process(value: float) -> float:
    """A number as the first of all processes has it."""
    if not several():
        return value
    first = torch.tensor(value, dtype=torch.float64, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.broadcast(first, 0)
    return first.item()


def of_any_process(number: int) -> int:
    """The largest of the numbers that the processes have."""
    if not several():
        return number
    largest = torch.tensor(number, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest.item())
