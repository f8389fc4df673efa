"""Palette: image-to-image diffusion models (Saharia et al., SIGGRAPH 2022, arXiv 2111.05826)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from i2izoo.contracts.config import schema
from i2izoo.contracts.one_way import two_domains
from i2izoo.contracts.ranges import Channels, Items, Number, Range, Rate, Timesteps
from i2izoo.contracts.stepwise import Step
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Generator, Part, PartSpec, ReconstructionLoss, Scheduler, Update
from i2izoo.nn.random import noise_like
from i2izoo_diffusion.diffusion import Diffusion
from i2izoo_diffusion.guidance.blending import Blending
from i2izoo_diffusion.prediction import Prediction, target
from i2izoo_diffusion.sampling import Hook, Sampling
from i2izoo_diffusion.schedulers import check_levels, completed, explained

TIME = 1000.0
"""What the network is told is gamma times this: its sinusoids are made for times from 0 to 1000, and cannot tell
numbers from 0 to 1 apart."""

PAPER_SCHEDULER: PartSpec = {
    "name": "ddpm",
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.09,
    "variance_type": "fixed_large",
}


class Palette(Diffusion):
    """Learns to remove noise from the target, told the source and how much there is; of unknown pixels, where some are.

    E |f(x, sqrt(gamma) y + sqrt(1 - gamma) e, gamma) - e|^p (eq. 1), the mean over the unknown pixels.

    The network is told gamma itself, the share of the image's variance in what it sees (alpha-bar of DDPM), not the
    number of a step, so that it is sampled by any schedule.

    Tasks (`--task inpainting`) say what is unknown by a mask: in training `Batch.extras["mask"]`, N x 1 x H x W, 1
    where a pixel is unknown; in translation `mask=`, whose known pixels come out as they are in the source.

    Args:
        domains: source and target, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        generator: any generator that takes the time; "unet2d" is diffusers' U-Net.
        scheduler: the sampler and its noise levels, any of diffusers by name; the paper's are 1000 steps of DDPM, beta
            from 1e-4 to 0.09, of the larger variance.
        prediction: what the network predicts: "epsilon" (the paper), "sample" or "v_prediction" (Salimans and Ho, arXiv
            2202.00512), which give short trainings images that hold together: epsilon says little of what is broad.
        train_steps: T, steps of the noise levels of training.
        train_betas: beta of the first and of the last of them, linear in between.
        known_pixels: of the noisy image, where there is a mask: "clean", the same in training and in all steps of
            sampling, as in the public reimplementation; "noisy" as the others, as in blended diffusion. The paper says
            no more than that they come out as they were.
        loss: "l2", "l1" (as good in the paper, but less diverse), or any reconstruction loss.
        loss_mean: where there is a mask, the loss is the mean over "unknown" pixels, or over "all", the known ones
            counting 0, as in the public reimplementation: small holes then teach little.
        condition_dropout: share of training images whose source is hidden, for classifier-free guidance; the paper
            has none.
        sampling_steps: steps of sampling, unless a translation says otherwise.
        learning_rate: of Adam.
        weight_decay: of AdamW, which is Adam at 0.

    >>> method = Palette(**Palette.tiny_options)
    >>> image, mask = torch.full((1, 3, 20, 9), 0.5), torch.zeros(1, 1, 20, 9)
    >>> mask[..., :4] = 1
    >>> output = method(image, to="target", mask=mask)
    >>> output.shape, bool((output[..., 4:] == 0.5).all())
    (torch.Size([1, 3, 20, 9]), True)
    """

    source: str
    data = "paired"
    recipe: ClassVar[dict[str, Any]] = {
        "steps": 1_000_000, "warmup_steps": 10_000, "batch_size": 16, "load_size": 256, "crop_size": 256, "ema": 0.9999,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {
            "name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4,
        },
        "sampling_steps": 2,
    }  # fmt: skip

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        generator: Part[Generator] = "unet2d",
        scheduler: Part[Scheduler] = PAPER_SCHEDULER,
        prediction: Prediction = "epsilon",
        train_steps: Timesteps = 2000,
        train_betas: Annotated[list[Annotated[float, Range(0, 1, without="both")]], Items(2)] = [1e-6, 0.01],
        known_pixels: Literal["clean", "noisy"] = "clean",
        loss: Part[ReconstructionLoss] = "l2",
        loss_mean: Literal["unknown", "all"] = "unknown",
        condition_dropout: Annotated[float, Range(0, 1, without="high")] = 0.0,
        sampling_steps: Number = 1000,
        learning_rate: Rate = 1e-4,
        weight_decay: Rate = 0.0,
    ) -> None:
        super().__init__()
        if train_betas[0] > train_betas[1]:
            raise ConfigError(f"train_betas does not fall from the first to the last; found {train_betas}.")
        self.source, self.target = two_domains("palette", domains)
        self.dropout, self.sampling_steps = condition_dropout, sampling_steps
        self.known_pixels, self.loss_mean = known_pixels, loss_mean
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.check_options()
        seen = self.input_channels(in_channels, out_channels, self.dropout)
        self.generator = self.part("generator", in_channels=seen, out_channels=out_channels)
        with explained("option 'scheduler'"):
            self.scheduler = self.part("scheduler", completed(scheduler, prediction), prediction_type=prediction)
            check_levels(self.scheduler)
        self.loss = self.part("loss")
        self.gammas = training_gammas(train_steps, *train_betas)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        x, y = batch[self.source], batch[self.target]
        mask = batch.extras.get("mask")
        gamma = draw_gammas(self.gammas, len(y))
        alpha, sigma = (level.sqrt().to(y.device, y.dtype).view(-1, 1, 1, 1) for level in (gamma, 1 - gamma))
        noise = noise_like(y)
        noisy = alpha * y + sigma * noise
        if mask is not None and self.known_pixels == "clean":
            noisy = torch.lerp(y, noisy, mask.to(y.dtype).expand_as(y))
        present = torch.rand(len(y), device=y.device) >= self.dropout
        prediction = self.predict(noisy, (TIME * gamma).to(y.device, torch.float32), x, present)
        loss = self.masked_loss(prediction, target(self.kind, y, noise, alpha, sigma), mask)
        yield Update("generator", {"denoising": loss})

    def masked_loss(self, prediction: Tensor, wanted: Tensor, mask: Tensor | None) -> Tensor:
        """The loss between two tensors N x C x H x W where a mask, N x 1 x H x W, is 1; everywhere without one."""
        if mask is None:
            return self.loss(prediction, wanted)
        summed = self.loss(mask * prediction, mask * wanted)
        return summed if self.loss_mean == "all" else summed / mask.float().mean().clamp_min(1e-6)

    def time(self, run: Sampling) -> Tensor:
        return torch.tensor(TIME * run.level[0] ** 2)

    def sampling(self, noise: Tensor, source: Tensor | None, seeds: Sequence[int], **options: Any) -> Sampling:
        run = super().sampling(noise, source, seeds, **options)
        kind: Any = type(run.scheduler)
        known = schema(kind)  # its config also holds options of the class that it was made from
        clips = any(o in known and run.scheduler.config[o] for o in ("clip_sample", "thresholding"))
        first, last = run.levels[0][0] ** 2, float(self.gammas[-1])
        if self.kind == "epsilon" and not clips and first < 0.1 * last:
            raise ConfigError(
                f"{kind.__name__} does not clip the clean image to its range, and goes astray from "
                f"noise levels such as this model's first, gamma = {first:.0e}, where training ended at {last:.0e}; "
                "take 'ddim' or 'ddpm', or a model whose scheduler has beta_end=0.02."
            )
        return run

    def clean_at(
        self, step: Step, source: Tensor | None, guidance: float, rescale: float, known: Tensor, mask: Tensor | None
    ) -> Tensor:
        if mask is None or self.known_pixels != "clean":
            return super().clean_at(step, source, guidance, rescale, known, mask)
        unknown = mask.mean(dim=1, keepdim=True).clamp(0, 1).expand_as(known)
        step.noisy = torch.lerp(known, step.noisy, unknown)
        return torch.lerp(known, super().clean_at(step, source, guidance, rescale, known, None), unknown)

    def keeping(self, image: Tensor, mask: Tensor) -> Hook:
        return KnownPixels(image, mask) if self.known_pixels == "clean" else super().keeping(image, mask)


class KnownPixels(Blending):
    """Known pixels are those of the clean image before and after each step, in what the network sees, too.

    See `Blending` for the arguments. Where the mask is 0, the result is the known image, bit for bit.
    """

    def begin(self, run: Sampling) -> None:
        run.x = self._kept(run, run.x, run.levels[run.first])

    def guide(self, run: Sampling, prediction: Tensor) -> Tensor:
        # so that previews, and samplers that look back at what was predicted, see the known image
        return self._mixed(run.prediction_of(self.shown(run)), prediction)

    def after(self, run: Sampling, x: Tensor) -> Tensor:
        return self._kept(run, x, run.next_level)

    def _kept(self, run: Sampling, x: Tensor, level: tuple[float, float]) -> Tensor:
        return self._mixed(run.scaled(self.shown(run), level), x)

    def _mixed(self, known: Tensor, found: Tensor) -> Tensor:
        return torch.lerp(known.expand_as(found), found, self._padded_mask.to(found).expand_as(found))


def training_gammas(steps: int, first: float, last: float) -> Tensor:
    """gamma_0 = 1 to gamma_T, T + 1 numbers in float64: the products of 1 - beta_t, beta linear from first to last.

    Raises:
        ConfigError: see `Palette`.

    >>> [round(gamma, 3) for gamma in training_gammas(2, 0.1, 0.2).tolist()]
    [1.0, 0.9, 0.72]
    """
    kept = 1 - torch.linspace(first, last, steps, dtype=torch.float64)
    return torch.cat([kept.new_ones(1), kept]).cumprod(0)


def draw_gammas(gammas: Tensor, count: int) -> Tensor:
    """Noise levels for training: t is one of 1 to T, and gamma uniform from gamma_(t-1) to gamma_t, as in SR3.

    SR3: Saharia et al., arXiv 2104.07636, section 2.4. In float64, for 1 - gamma is 1e-6 where there is least noise.

    Args:
        gammas: gamma_0 to gamma_T.
        count: N; drawn from torch's global random state.

    Returns:
        gamma, N, on the CPU.
    """
    t = torch.randint(1, len(gammas), (count,))
    return torch.lerp(gammas[t - 1], gammas[t], torch.rand(count, dtype=gammas.dtype))
