"""The loop that trains any method on any dataset."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import torch

from i2izoo.config import merge
from i2izoo.data.interface import Dataset
from i2izoo.data.loader import Loader
from i2izoo.errors import ConfigError, NonFiniteLossError, TrainingError, listing
from i2izoo.interfaces import Batch, Method
from i2izoo.nn.random import derive_seed
from i2izoo.storage import write_text
from i2izoo.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from i2izoo.training.config import TrainingOptions
from i2izoo.training.ema import EMA
from i2izoo.training.log import TrainingLog
from i2izoo.training.samples import sample_grid
from i2izoo.training.schedule import Plan
from i2izoo.training.step import Stepper


class Trainer:
    """Trains a model: device, precision, accumulation, processes, schedule, EMA, logs, samples, checkpoints.

    Files in `out`: `run.json` (all options), `log.csv`, `tensorboard/`, `samples/*.png`, `checkpoints/step-*/`, and
    at the end `model/`, the pretrained folder that `i2izoo.load` opens. Every checkpoint opens with it as well.

    Args:
        model: what `i2izoo.create` returns.
        data: a dataset, a name of one, or a path; see `i2izoo.open_dataset`.
        out: folder of the run; None writes nothing.
        resume: "auto" goes on from the last complete checkpoint in `out`, if there is one; a path from that checkpoint.
        progress: show a progress bar.
        options: see `TrainingOptions`; those not given come from the method's recipe.

    Raises:
        ConfigError: an option is unknown or not allowed.
        DataError: the data cannot be read or has other domains than the model.
        TrainingError: `out` holds another run, or the device cannot do what is asked.

    >>> import i2izoo
    >>> model = i2izoo.create(
    ...     "pix2pix", domains=["label", "photo"], generator={"name": "unet_256", "width": 4, "depth": 4})
    >>> data = {"name": "synthetic-facades", "count": 4, "size": 32}
    >>> trainer = i2izoo.Trainer(model, data, steps=2, load_size=36, crop_size=32, progress=False)
    >>> trainer.fit()
    >>> trainer.step
    2
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        *,
        out: str | os.PathLike[str] | None = None,
        resume: Literal["auto"] | str | os.PathLike[str] | None = None,
        progress: bool = True,
        **options: Any,
    ) -> None:
        from accelerate import Accelerator

        from i2izoo.data.open import open_dataset

        self.method: Method = model.method
        self.name: str = model.config["method"]
        self.model = model
        self.options = TrainingOptions(**merge(self._recipe(options), options))
        self.out = Path(out) if out is not None else None
        o = self.options
        if o.device is not None and o.device != "cpu" and not torch.device(o.device).type == _best_device():
            raise TrainingError(f"device {o.device!r} is not to be had here; the best is {_best_device()!r}.")
        self.accelerator = Accelerator(
            cpu=o.device == "cpu", mixed_precision="no" if o.precision == "fp32" else _precision(o.precision, o.device)
        )
        self.device = self.accelerator.device
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes

        self.data: Dataset = (
            data
            if isinstance(data, Dataset)
            else open_dataset(
                data, kind=self.method.data, split=o.split or "train", sides=o.sides, load_size=o.load_size, crop_size=o.crop_size,
                flip=o.flip, channels=self.method.channels,
            )
        )  # fmt: skip
        if lacking := set(self.method.domains) - set(self.data.domains):
            raise ConfigError(
                f"the model's domains are {listing(self.method.domains)}, the data's are {listing(self.data.domains)}: "
                f"{listing(sorted(lacking))} is missing; create the model with domains named as the data's."
            )

        self.method.to(self.device).train()
        if o.channels_last:
            self.method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.world > 1 and self.device.type == "cuda":
            self.method = torch.nn.SyncBatchNorm.convert_sync_batchnorm(self.method)
        scaler = torch.amp.GradScaler(self.device.type, enabled=o.precision == "fp16")
        self.stepper = Stepper(self.method, self.accelerator.autocast, scaler, o.clip)
        self.ema = EMA(self.method, o.ema) if o.ema else None

        self.step = 0
        if self.out is not None:
            self._open_run(resume)
        elif resume is not None:
            raise ConfigError("resume needs the folder of the run: give out=.")
        if self.world > 1:
            for tensor in self.method.state_dict().values():
                torch.distributed.broadcast(tensor, 0)
        if o.compile:
            for part in self.method.children():
                part.compile()
        self.loader = Loader(
            self.data, o.batch_size, seed=o.seed, rank=self.rank, world_size=self.world,
            start_step=self.step * o.accumulation,
        )  # fmt: skip
        self.plan = Plan.of(o, max(1, self.loader.steps_per_epoch // o.accumulation))
        self.log = TrainingLog(
            self.out if self.main else None, self.plan.total, self.step, tensorboard=o.tensorboard,
            progress=progress and self.main,
        )  # fmt: skip

    @property
    def main(self) -> bool:
        """Is this the process that writes?"""
        return self.accelerator.is_main_process

    def fit(self) -> Any:
        """Train to the end, and return the model, in eval mode.

        Raises:
            NonFiniteLossError: a loss is NaN or infinite; the last good checkpoint is named and stays.
        """
        o = self.options
        waited = self.loader.wait_seconds
        try:
            while self.step < self.plan.total:
                losses = self.train_step()
                self.log.add(losses, o.batch_size * o.accumulation * self.world)
                last = self.step == self.plan.total
                saving = last or self.step % o.checkpoint_every == 0
                if saving or self.step % o.log_every == 0:
                    means = self.log.write(
                        self.step, self.step * o.accumulation / self.loader.steps_per_epoch,
                        self.plan.factor(self.step - 1), self.loader.wait_seconds - waited,
                    )  # fmt: skip
                    waited = self.loader.wait_seconds
                    self._guard(means)
                if self.main and self.out and o.sample_every and (last or self.step % o.sample_every == 0):
                    self.sample()
                if self.main and self.out and saving:
                    self.save()
        finally:
            self.log.close()
            self.loader.close()
        self._finish()
        return self.model

    def train_step(self) -> dict[str, torch.Tensor]:
        """One optimiser step; returns the losses by name."""
        o = self.options
        batches = []
        for _ in range(o.accumulation):
            images = {
                domain: image.to(
                    self.device, memory_format=torch.channels_last if o.channels_last else torch.contiguous_format
                )
                for domain, image in next(self.loader).items()
            }
            batches.append(Batch(images, self.step, self.step / self.plan.total))
        self.stepper.set_rate(self.plan.factor(self.step))
        self.method.train()
        losses = self.stepper.run(
            batches, lambda micro: _seed_all(derive_seed(o.seed, "step", self.rank, self.step, micro))
        )
        if self.ema is not None:
            self.ema.update(self.method)
        self.step += 1
        return losses

    def sample(self) -> Path:
        """Write a grid of inputs, outputs and truths, made as `translate` makes them."""
        assert self.out is not None
        path = self.out / "samples" / f"step-{self.step:08d}.png"
        self.method.eval()
        with self._averaged(), torch.random.fork_rng(devices=[]):
            sample_grid(self.method, self.data, self.options.samples, self.device, path)
        self.method.train()
        return path

    def save(self) -> Path:
        """Write a checkpoint of this step."""
        assert self.out is not None
        return save_checkpoint(
            self.out / "checkpoints", self.step, name=self.name, method=self.method, stepper=self.stepper, ema=self.ema,
            keep=self.options.keep_last, provenance=self.provenance(),
        )  # fmt: skip

    def provenance(self) -> dict[str, Any]:
        """What is known about how the weights came about, for the card."""
        o = self.options
        return {
            "data": str(getattr(self.data, "title", "")) or type(self.data).__name__,
            "pictures": len(self.data),
            "steps": self.step,
            "images_seen": self.step * o.batch_size * o.accumulation * self.world,
            "batch_size": o.batch_size * o.accumulation * self.world,
            "crop_size": o.crop_size,
            "seed": o.seed,
            "precision": o.precision,
            "hardware": torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU",
            "torch": torch.__version__,
        }

    # ------------------------------------------------------------------------------------------------------ inner

    def _recipe(self, given: dict[str, Any]) -> dict[str, Any]:
        """The method's defaults, less what the given options make meaningless."""
        recipe = dict(self.method.recipe)
        crop = given.get("crop_size", recipe.get("crop_size"))
        if "load_size" not in given and "crop_size" in given and crop and recipe.get("load_size"):
            recipe["load_size"] = round(crop * recipe["load_size"] / recipe["crop_size"])  # 286 to 256, as they are
        return recipe

    def _open_run(self, resume: Literal["auto"] | str | os.PathLike[str] | None) -> None:
        assert self.out is not None
        folder = self.out / "checkpoints"
        found = checkpoints(folder) if folder.is_dir() else []
        if resume is None and found:
            raise TrainingError(
                f"{self.out} already holds a run with {len(found)} checkpoints; go on with resume='auto' "
                "(--resume auto), or name another folder."
            )
        place = (found[-1] if found else None) if resume == "auto" else Path(resume) if resume else None
        if place is not None:
            self.step = load_checkpoint(place, method=self.method, stepper=self.stepper, ema=self.ema)
        if self.main:
            for stray in folder.glob(".step-*") if folder.is_dir() else []:
                shutil.rmtree(stray, ignore_errors=True)
            self.out.mkdir(parents=True, exist_ok=True)
            run = {"method": self.name, "options": self.method.config, "training": self.options.config}
            write_text(self.out / "run.json", json.dumps(run, indent=2) + "\n")

    def _guard(self, means: dict[str, float]) -> None:
        bad = [name for name, value in means.items() if not torch.isfinite(torch.tensor(value))]
        if not bad:
            return
        found = checkpoints(self.out / "checkpoints") if self.out else []
        good = f"the last good checkpoint is {found[-1]}" if found else "there is no checkpoint yet"
        raise NonFiniteLossError(
            f"loss {listing(bad)} is not finite at step {self.step}; {good}. Lower the learning rate, set 'clip', or use "
            "fp32 or bf16 instead of fp16."
        )

    def _averaged(self) -> Any:
        from contextlib import nullcontext

        return self.ema.applied(self.method) if self.ema else nullcontext()

    def _finish(self) -> None:
        if self.ema is not None:
            with torch.no_grad():
                for name, value in self.method.inference_state().items():
                    value.copy_(self.ema.state[name])
        self.method.eval()
        self.model.config |= {"provenance": self.provenance()}
        if self.out is not None and self.main:
            self.model.save_pretrained(self.out / "model")
        self.accelerator.wait_for_everyone()


def _seed_all(seed: int) -> None:
    torch.manual_seed(seed)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _precision(name: str, device: str | None) -> str:
    if name == "fp16" and (device or _best_device()) == "cpu":
        raise TrainingError("precision 'fp16' wants a GPU; a CPU trains in 'bf16' or 'fp32'.")
    return name
