"""The loop that trains any method on any dataset."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.method import Batch
from i2izoo.data.loader import Loader
from i2izoo.errors import ConfigError, TrainingError
from i2izoo.files.locks import refuse_if_locked
from i2izoo.images.types import sides
from i2izoo.models.config_file import read_config
from i2izoo.models.translator import Translator
from i2izoo.nn.random import derive_seed
from i2izoo.rasters.probing import declare
from i2izoo.training.checkpoint import checkpoints, keep_last, load_checkpoint, read_facts, save_checkpoint
from i2izoo.training.curves import draw_curves
from i2izoo.training.device import choose_device, choose_layout, networks
from i2izoo.training.ema import EMA
from i2izoo.training.finite import check_finite
from i2izoo.training.interrupt import Interrupt
from i2izoo.training.log import TrainingLog, check_name
from i2izoo.training.prepare import check_images, prepare, redraw
from i2izoo.training.provenance import provenance_of
from i2izoo.training.resume import check_same_run, claimed, start_from, write_run
from i2izoo.training.run_file import BEGIN, beginning
from i2izoo.training.samples import sample_grid
from i2izoo.training.schedule import Schedule
from i2izoo.training.screening import check, found_before, screen, sweep_up
from i2izoo.training.step import Stepper, average_over_processes, of_any_process
from i2izoo.training.trackers import check_trackers, trackers_of
from i2izoo.training.validation import validation_of
from i2izoo.training.values import value_ranges

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker


class Trainer:
    """Trains a model: device, precision, accumulation, processes, schedule, EMA, logs, samples, metrics, checkpoints.

    Files in `out`: `run.json` (all options), `log.csv`, `tensorboard/`, `samples/*.png`, `curves.png`,
    `checkpoints/step-*/`, and at the end `model/`, the pretrained folder that `i2izoo.load` opens. Every checkpoint
    opens with it as well. With metrics also `metrics.csv` and, for each of them, `best/METRIC/`, such a folder, too.

    Several processes are started by `accelerate launch` or `torchrun`; each trains on its share of the batch.

    Args:
        model: what `i2izoo.create` or `i2izoo.load` returns; or a method by name, `{"name": ..., option: value}`, which
            is made with the data's domains.
        data: a dataset, a name of one, or a path; see `i2izoo.open_dataset`.
        to: the target domain, of a method by name.
        val: held-out images for the metrics, in the forms of `data`; None: the split "val" of `data`.
        out: folder of the run; None writes nothing.
        resume: "auto" goes on from the last complete checkpoint in `out`, if there is one, with the same options; a
            path starts from that checkpoint, with options that may differ.
        progress: show a progress bar.
        trackers: objects of accelerate's `GeneralTracker` that the program made, beside those of `log_with`.
        options: see `TrainingOptions`; those not given come from the method's recipe.

    Raises:
        ConfigError: an option is unknown or not allowed, or the data has other domains or sizes than the model needs.
        DataError: the data cannot be read.
        StorageError: the checkpoint is not there, damaged, or of another model.
        TrainingError: `out` holds another run, the device cannot do what is asked, or no metric can be computed.
        UnknownNameError: there is no such metric.

    >>> import i2izoo
    >>> method = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 4, "depth": 4}}
    >>> data = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> trainer = i2izoo.Trainer(method, data, to="photo", steps=2, load_size=36, crop_size=32, progress=False)
    >>> model = trainer.fit()
    >>> trainer.step
    2
    """

    def __init__(
        self,
        model: Translator | PartSpec,
        data: Any,
        *,
        to: str | None = None,
        val: Any = None,
        out: str | os.PathLike[str] | None = None,
        resume: Literal["auto"] | str | os.PathLike[str] | None = None,
        progress: bool = True,
        trackers: Sequence[GeneralTracker] = (),
        **options: Any,
    ) -> None:
        from accelerate import PartialState  # type: ignore[import-untyped]

        self.model, self.data, self.options = prepare(model, data, options, to)
        self.method, self.name, o = self.model.method, self.model.name, self.options
        self.redraw: Callable[[int], Translator] | None = None
        """Makes the model as a run of a seed begins; None: the weights are given, and those of all seeds."""
        if not isinstance(model, Translator):
            self.redraw = lambda seed: redraw(self.model, seed)
        self.given, self.asked, self.resume, self.first_seed = (val, data), options, resume, o.seed
        self.out = Path(out) if out is not None else None
        self.progress, self.trackers = progress, trackers
        check_trackers(o.log_with)
        if self.out is None and resume is not None:
            raise ConfigError("resume needs the folder of the run: give out=.")

        # Accelerate finds the processes and their devices. Its Accelerator would keep the first device and precision of
        # a program for all later trainers, and wraps networks that methods call in any order (see averaging.py).
        self.device = choose_device(o.device, o.precision)
        self.processes = PartialState(cpu=o.device == "cpu" and int(os.environ.get("WORLD_SIZE", "1")) > 1)
        self.rank, self.world = self.processes.process_index, self.processes.num_processes
        if self.world > 1:
            self.device = self.processes.device
        self.trained_at: tuple[int, int] | None = None
        self.layout = choose_layout(o.channels_last, self.device)

        self.method.to(self.device, torch.float32).train()
        if self.world > 1:
            for tensor in self.method.state_dict().values():
                torch.distributed.broadcast(tensor, 0)
            if self.device.type == "cuda":  # which changes the layers of self.method in place
                torch.nn.SyncBatchNorm.convert_sync_batchnorm(self.method)
        self.method.to(memory_format=self.layout)  # type: ignore[call-overload]

        if self.out is not None and self.main:
            refuse_if_locked(self.out)
        self.facts: dict[str, Any] = {}
        """Further facts for the card."""
        self.screened: dict[str, Any] | None = None
        """What was found of each seed, and which was chosen."""
        place = None if self.out is None else start_from(self.out, resume)
        if o.screen_seeds > 1 and place is not None:
            self.screened = found_before(place)
            self.options = replace(o, seed=self.screened["chosen"])
        self.begin(place, same_run=resume == "auto")
        check(self)
        if o.compile:
            for network in networks(self.method):
                network.compile()

    def begin(self, place: Path | None, same_run: bool = False) -> None:
        """Make all that follows from seed and weights, or go on from the checkpoint `place`."""
        o = self.options
        self.loader = Loader(self.data, o.batch_size, seed=o.seed, rank=self.rank, world_size=self.world)
        self.schedule = Schedule.of(o, max(1, self.loader.steps_per_epoch // o.gradient_accumulation))
        schedule, micro_batches = self.schedule, o.gradient_accumulation
        self.loader.progress = lambda step: schedule.progress(step // micro_batches)
        decay = o.ema_decay(self.images_per_step)
        self.ema = None  # an old one is not to be there beside the new one
        self.ema = EMA(self.method, decay) if decay is not None else None
        self.ema_decay: float | None = None
        scaler = torch.amp.GradScaler(self.device.type, enabled=o.precision == "fp16")
        self.stepper = Stepper(self.method, self._autocast, scaler, o.max_grad_norm)
        self.step, self.rate = 0, 0.0
        if place is not None:
            self._load(place, same_run)
        self.loader.step = self.step * o.gradient_accumulation
        self.validation = validation_of(self, asked=self.asked)

    @property
    def images_per_step(self) -> int:
        """Images, or pairs, that one step of all processes sees."""
        return self.options.batch_size * self.options.gradient_accumulation * self.world

    @property
    def main(self) -> bool:
        """Is this the process that writes?"""
        return bool(self.processes.is_main_process)

    def fit(self) -> Any:
        """Train to the end, and return the model, in eval mode.

        A first Ctrl-C, SIGTERM or SIGHUP ends the step and saves a checkpoint before it stops the run; a second one
        stops it at once. Of several processes all stop after the same step.

        Raises:
            NonFiniteLossError: a loss or a weight is NaN or infinite; the last good checkpoint is named and stays.
            WriteError: the disk is full, say (the last good checkpoint is named and stays), or another process is
                training in `out`, which is named.
            KeyboardInterrupt: it was stopped by Ctrl-C.
            SystemExit: it was stopped by another signal; the code is 143 for SIGTERM, 129 for SIGHUP.
        """
        with contextlib.nullcontext() if self.out is None or not self.main else claimed(self.out, self.step):
            if self.options.screen_seeds > 1 and not self.step:
                screen(self)
            if self.out is not None and self.main:
                sweep_up(self.out)
                self._write_run()
            self.model.config |= {"values": value_ranges(self.method, self.data)}
            self.run()
            self._finish()
        return self.model

    def run(self, until: int | None = None, label: str = "") -> None:
        """Train and write, to the end, or to step `until`, which is saved; `label` is shown beside the progress."""
        o, writes = self.options, self.out if self.main else None
        if writes:
            check_name(writes)
            keep_last(writes / "checkpoints", o.keep_last)
        log = TrainingLog(
            writes, until or self.schedule.total, self.step, trackers=trackers_of(self, label),
            progress=self.progress and self.main and (not label or sys.stderr.isatty()), label=label,
        )  # fmt: skip
        waited = self.loader.wait_seconds
        try:
            with Interrupt(patient=self.world > 1) as interrupt:
                last = self.schedule.done(self.step)
                if self.validation and self.step and self.validation.due(self.step, last):  # it was stopped on the way
                    self._evaluate(log, last)
                while not last and self.step != until:
                    losses = self.train_step()
                    last = self.schedule.done(self.step)
                    done = self.step / until if until else self.schedule.progress(self.step)
                    log.add(losses, self.images_per_step, done)
                    asked = self._stops(interrupt)
                    saving = last or asked or self.step == until or self.step % o.checkpoint_every == 0
                    sampling = o.sample_every and (last or self.step % o.sample_every == 0)
                    evaluating = self.validation is not None and self.validation.due(self.step, last)
                    if saving or self.step % o.log_every == 0:
                        means = average_over_processes(log.means(), self.device)
                        log.write(
                            means,
                            step=self.step,
                            epoch=self.step * o.gradient_accumulation / self.loader.steps_per_epoch,
                            rate=self.rate,
                            waited=self.loader.wait_seconds - waited,
                            seconds=self.schedule.facts().get("seconds"),
                            ema_decay=self.ema_decay if o.ema_half_life else None,
                        )
                        waited = self.loader.wait_seconds
                        losses = {name: torch.tensor(mean) for name, mean in means.items()}
                        check_finite("loss", losses, self.step, self.out)
                    if saving or sampling or evaluating:
                        self._guard_weights()
                    if self.out and sampling and (grid := self.sample()) and log.trackers:
                        log.trackers.image(grid, self.step)
                    if writes and saving:
                        self.save()
                    if evaluating:
                        self._evaluate(log, last)
                    if self.world == 1 and interrupt.asked and not asked and not last:
                        asked = interrupt.asked  # it came after the step, while it was evaluating
                        if writes and not saving:
                            self._guard_weights()
                            self.save()
                    if asked and not last:
                        self.processes.wait_for_everyone()  # a launcher ends all when the first one goes
                        interrupt.stop(asked)
            if last:
                self._draw(log)  # also where a run was killed after its last step
        finally:
            log.close()
            self.loader.close()

    def train_step(self) -> dict[str, torch.Tensor]:
        """One optimiser step; returns the losses by name."""
        o = self.options
        batches = []
        for _ in range(o.gradient_accumulation):
            batch = next(self.loader)
            check_images(self.method, self.name, batch.images)
            height, width = next(iter(batch.images.values())).shape[-2:]
            self.trained_at = (height, width)
            images = {
                d: self.method.inside(image.to(self.device), d).to(memory_format=self.layout)
                for d, image in batch.images.items()
            }
            extras = {name: tensor.to(self.device) for name, tensor in batch.extras.items()}
            labels = None if batch.labels is None else batch.labels.to(self.device)
            progress = self.schedule.progress(self.step)
            batches.append(Batch(images, self.step, progress, extras, labels, batch.texts))
        self.rate = self.schedule.factor(self.step) * self.method.lr_scale(self.step)
        self.stepper.set_rate(self.rate)
        self.method.train()
        losses = self.stepper.run(
            batches, lambda micro: torch.manual_seed(derive_seed(o.seed, "step", self.rank, self.step, micro))
        )
        if self.ema is not None:
            self.ema_decay = self.ema.update(self.method)
        self.step += 1
        return losses

    def sample(self) -> Path | None:
        """Write a grid of inputs, outputs and truths; every process translates, since some layers want all of them."""
        path = self.out / "samples" / f"step-{self.step:08d}.png" if self.out and self.main else None
        with self._averaged():
            sample_grid(self.model, self.data, self.options.samples, path)
        return path

    def save(self) -> Path:
        """Write a checkpoint of this step.

        Raises:
            ConfigError: the run has no folder.
        """
        if self.out is None:
            raise ConfigError("a checkpoint needs the folder of the run: give out=.")
        return save_checkpoint(
            self.out / "checkpoints", self.step, name=self.name, method=self.method, stepper=self.stepper, ema=self.ema,
            keep=self.options.keep_last, run=self.run_facts(), schedule=self.schedule.facts(),
            provenance=self.provenance(),
        )  # fmt: skip

    def provenance(self) -> dict[str, Any]:
        """What is known about how the weights came about, and their metrics, for the card."""
        return provenance_of(self)

    # ------------------------------------------------------------------------------------------------------ inner

    def _stops(self, interrupt: Interrupt) -> int:
        """The signal that ends the training after this step; on GPUs, which it makes wait, not found out at each."""
        if self.world > 1 and self.device.type == "cuda" and self.step % 10:
            return 0
        return of_any_process(interrupt.asked)

    def _evaluate(self, log: TrainingLog, last: bool) -> None:
        """Metrics of what would be saved now."""
        assert self.validation is not None  # for the type checker
        with self._averaged():
            values = self.validation.run(self.step, self.provenance(), say=log.say, warn=self.warn)
        log.scalars({f"metric/{name}": value for name, value in values.items()}, self.step)
        if not last:
            self._draw(log)

    def _draw(self, log: TrainingLog) -> None:
        if self.out is not None and self.main:
            curves = self.validation.log.curves() if self.validation else {}
            draw_curves(self.out / "curves.png", log.losses(), curves, self.method.domains)

    def warn(self, sentence: str) -> None:
        if self.main:
            print(sentence, file=sys.stderr)

    def run_facts(self) -> dict[str, Any]:
        """What makes this run this run."""
        return {
            "method": self.name,
            "options": self.method.config,
            "training": {**self.options.config, "seed": self.first_seed},
            "images": len(self.data),
            "processes": self.world,
            **({"screening": self.screened} if self.screened else {}),
        }

    def _write_run(self) -> None:
        assert self.out is not None  # for the type checker
        facts = self.schedule.facts()
        begin = {BEGIN: beginning(self)}
        write_run(self.out, self.run_facts() | begin | ({"schedule": facts} if facts else {}))

    def _load(self, place: Path, same_run: bool) -> None:
        facts = read_facts(place)
        if same_run:
            check_same_run(place, facts["run"], self.run_facts())
        if self.schedule.total is not None and facts["step"] > self.schedule.total:
            raise TrainingError(
                f"{place} has done {facts['step']} steps and the run is to have {self.schedule.total}; give a longer "
                "one."
            )
        before = read_config(place, to_build=False).get("provenance") or {}
        self.trained_at = sides(before["image_size"]) if "image_size" in before else None  # where no step is left
        self.step = load_checkpoint(place, method=self.method, stepper=self.stepper, ema=self.ema)
        last = read_facts(checkpoints(place.parent)[-1]) if checkpoints(place.parent) else facts
        same = last["run"]["training"].get("minutes") == self.options.minutes
        self.schedule.go_on(facts["schedule"], last["schedule"].get("length") if same else None)

    def _guard_weights(self) -> None:
        """The last update may have spoilt the weights after a loss that was good."""
        check_finite("weight", self.method.state_dict(), self.step, self.out)
        check_finite("average of the weight", self.ema.state if self.ema else {}, self.step, self.out)

    def _autocast(self) -> torch.autocast:
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.options.precision)
        return torch.autocast(self.device.type, dtype=half, enabled=half is not None)

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        return self.ema.applied(self.method) if self.ema else contextlib.nullcontext()

    def _finish(self) -> None:
        if self.ema is not None:
            self.ema.copy_to(self.method)
        self.method.eval()
        self.model.config |= {"provenance": self.provenance()}
        if self.out is not None and self.main:
            self._write_run()
            if not self.options.compile:  # what is compiled would be so anew for the sides of a probe
                declare(self.model)
            self.model.save_pretrained(self.out / "model")
        self.processes.wait_for_everyone()
