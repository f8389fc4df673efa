"""Paired translation by conditional denoising: DDPM (Ho et al. 2020) and DDIM (Song et al., ICLR 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from i2izoo.contracts.one_way import two_domains
from i2izoo.contracts.ranges import Channels, Guidance, Number, Range, Rate, Share
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Generator, Part, ReconstructionLoss, Scheduler
from i2izoo_diffusion.diffusion import Diffusion
from i2izoo_diffusion.prediction import Prediction
from i2izoo_diffusion.schedulers import check_levels, completed, explained


class DDIM(Diffusion):
    """Learns to remove noise from the target, told the source, and makes images of noise in deterministic steps.

    E |e - e_theta(alpha y + sigma e, x, t)|^2 (Ho et al., eq. 14), the source x concatenated as SR3 does (Saharia et
    al., arXiv 2104.07636), sampled by the steps of DDIM (Song et al., eq. 12).

    Args:
        domains: source and target, by the names that the data gives them; for generation the last one alone counts.
        in_channels: channels of the source.
        out_channels: channels of the target.
        task: "translation", or "generation": an unconditional model of the target domain, which guidance, inversion
            and editing start from.
        generator: any generator that takes the time; "unet2d" is diffusers' U-Net.
        scheduler: the noise levels, and the sampler; those of diffusers by name, "trailing" unless said otherwise.
        prediction: what the network predicts: "epsilon" (the papers), "sample" or "v_prediction" (Salimans and Ho,
            arXiv 2202.00512); with the last two the noisiest step of training is pure noise.
        condition_dropout: share of training images whose source is hidden, for classifier-free guidance.
        loss: "l2" as in the papers, "l1", or any reconstruction loss.
        sampling_steps: steps of sampling, unless a translation says otherwise.
        sampling_guidance: weight of guidance, unless a translation says otherwise; 1: none.
        sampling_eta: noise of each step, unless a translation says otherwise; 0: deterministic, 1: as DDPM.
        learning_rate: of AdamW.
        weight_decay: of AdamW.

    >>> import torch
    >>> method = DDIM(**DDIM.tiny_options)
    >>> method(torch.zeros(1, 3, 20, 9), to="target", steps=2).shape
    torch.Size([1, 3, 20, 9])
    """

    data = "paired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 400, "batch_size": 16, "load_size": 72, "crop_size": 64, "ema": 0.9999, "max_grad_norm": 1.0,
        "warmup_steps": 500,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {
            "name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4,
        },
        "sampling_steps": 2,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"generation": {"task": "generation"}}

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        task: Literal["translation", "generation"] = "translation",
        generator: Part[Generator] = "unet2d",
        scheduler: Part[Scheduler] = "ddim",
        prediction: Prediction = "epsilon",
        condition_dropout: Annotated[float, Range(0, 1, without="high")] = 0.1,
        loss: Part[ReconstructionLoss] = "l2",
        sampling_steps: Number = 50,
        sampling_guidance: Guidance = 1.0,
        sampling_eta: Share = 0.0,
        learning_rate: Rate = 1e-4,
        weight_decay: Rate = 0.0,
    ) -> None:
        super().__init__()
        unconditional = task == "generation"
        if not domains:
            raise ConfigError("generation needs the name of its domain; domains is empty.")
        self.source, self.target = (None, domains[-1]) if unconditional else two_domains(type(self).__name__, domains)
        self.data = "single" if unconditional else "paired"  # type: ignore[misc]
        self.dropout, self.sampling_steps = 0.0 if unconditional else condition_dropout, sampling_steps
        self.sampling_guidance, self.sampling_eta = sampling_guidance, sampling_eta
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.check_options()
        seen = self.input_channels(0 if unconditional else in_channels, out_channels, self.dropout)
        self.generator = self.part("generator", in_channels=seen, out_channels=out_channels)
        with explained("option 'scheduler'"):
            self.scheduler = self.part("scheduler", completed(scheduler, prediction), prediction_type=prediction)
            check_levels(self.scheduler)
        self.loss = self.part("loss")

    @classmethod
    def data_kind(cls, options: Mapping[str, Any]) -> str:
        return "single" if options.get("task") == "generation" else cls.data


class DDPM(DDIM):
    """The same method with the sampler of DDPM (Ho et al., algorithm 2): every step draws noise.

    See `DDIM` for the arguments; 1000 steps as in the paper, whose noise leaves nothing to `eta`.

    >>> import torch
    >>> method = DDPM(**{**DDPM.tiny_options, "task": "generation"})
    >>> method(torch.zeros(2, 3, 16, 16), to="target", steps=2).shape
    torch.Size([2, 3, 16, 16])
    """

    defaults: ClassVar[dict[str, Any]] = {"scheduler": "ddpm", "sampling_steps": 1000}
    fixed: ClassVar[dict[str, Any]] = {"sampling_eta": 0.0}
