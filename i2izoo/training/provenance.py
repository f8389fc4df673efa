"""How the weights of a run came about, for the card of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from i2izoo.training.screening import in_words

if TYPE_CHECKING:
    from i2izoo.training.trainer import Trainer


def provenance_of(trainer: Trainer) -> dict[str, Any]:
    """The facts of `config["provenance"]`: data, length, sizes, seed, device and metrics."""
    o = trainer.options
    metrics = trainer.validation.facts(trainer.step) if trainer.validation else {}
    seconds = trainer.schedule.facts().get("seconds")
    return {
        "data": str(getattr(trainer.data, "title", "")) or type(trainer.data).__name__,
        "images": len(trainer.data),
        "steps": trainer.step,
        **({} if seconds is None else {"minutes": round(seconds / 60, 1)}),
        "images_seen": trainer.step * trainer.images_per_step,
        "batch_size": trainer.images_per_step,
        "crop_size": trainer.data.option("crop_size"),
        **({"image_size": list(trainer.trained_at)} if trainer.trained_at else {}),
        "seed": o.seed,
        **({"screening": in_words(trainer.screened)} if trainer.screened else {}),
        "precision": o.precision,
        **({"ema_half_life": o.ema_half_life} if o.ema_half_life else {}),
        "hardware": torch.cuda.get_device_name() if trainer.device.type == "cuda" else trainer.device.type.upper(),
        "torch": torch.__version__,
        **trainer.facts,
        **({"metrics": metrics} if metrics else {}),
        **({"call": trainer.method.required_options} if trainer.method.required_options else {}),
    }
