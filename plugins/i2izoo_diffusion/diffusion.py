"""What the diffusion methods have in common: a denoising network with its condition, learned and sampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import Parameter
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from i2izoo.contracts.label_maps import LabelMaps
from i2izoo.contracts.ranges import Guidance, Number, Range, Share
from i2izoo.contracts.stepwise import Row, Step, Stepwise
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Generator, Image, Latent, Method, ReconstructionLoss, Update
from i2izoo.nn.padding import pad_to_valid
from i2izoo.nn.random import derive_seed, noise_like, randn
from i2izoo_diffusion.guidance.blending import Blending
from i2izoo_diffusion.guidance.classifier_free import classifier_free
from i2izoo_diffusion.guidance.ilvr import ILVR
from i2izoo_diffusion.guidance.sdedit import SDEdit
from i2izoo_diffusion.prediction import clean_of, target
from i2izoo_diffusion.sampling import Denoise, Hook, Sampling
from i2izoo_diffusion.schedulers import clip_range, sampler, training_levels
from i2izoo_diffusion.step_table import step_table


class Diffusion(Stepwise, Method):
    """Base of the methods that translate by denoising; a subclass sets the attributes in its constructor.

    Attributes:
        source, target: the domains; source is None for an unconditional model.
        generator: predicts from noisy image, source image and flag, concatenated, and the time.
        scheduler: a diffusers scheduler: the noise levels of training, and the sampler unless another is asked for.
        loss: between prediction and what should be predicted.
        dropout: share of training images whose source is hidden, for classifier-free guidance. Above 0 a plane of
            ones (or zeros) tells the network that the source is there (or not): a hidden source is all zeros, which
            is also a legal grey image.
        sampling_steps: steps of sampling, unless a translation says otherwise.
        sampling_guidance, sampling_eta: the same of the options `guidance` and `eta`.
    """

    samples: ClassVar[bool] = True
    source: str | None
    target: str
    generator: Generator
    scheduler: Any
    loss: ReconstructionLoss
    dropout: float
    sampling_steps: int
    sampling_guidance: float = 1.0
    sampling_eta: float = 0.0
    learning_rate: float
    weight_decay: float

    def configure(self, *, label_maps: LabelMaps = {}) -> None:
        """Take the option of `Method`; its palettes are in `self.label_maps` before the constructor runs."""

    @property
    def directions(self) -> Mapping[str, str | None]:
        return {self.target: self.source}

    @property
    def channels(self) -> dict[str, int]:
        outside = {self.target: self.config["out_channels"]}
        return outside if self.source is None else {self.source: self.config["in_channels"], **outside}

    @property
    def kind(self) -> str:
        """What the network predicts: "epsilon", "sample" or "v_prediction"."""
        return str(self.scheduler.config.prediction_type)

    @staticmethod
    def input_channels(source: int, target: int, dropout: float) -> int:
        """Channels that the generator gets: noisy image, source image (0: none), flag."""
        return target + source + (1 if source and dropout else 0)

    def check_options(self) -> None:
        """Refuse what is out of range.

        Raises:
            ConfigError: says what.
        """
        if self.sampling_guidance != 1 and not self.dropout:
            raise ConfigError(
                f"sampling_guidance ({self.sampling_guidance}) wants a model that learns to do without its source; "
                "give condition_dropout=0.1, too, or leave sampling_guidance at 1."
            )

    # --------------------------------------------------------------------------------------------------- training

    def training_step(self, batch: Batch) -> Iterator[Update]:
        y = batch[self.target]
        x = None if self.source is None else batch[self.source]
        timesteps = torch.randint(self.scheduler.config.num_train_timesteps, (len(y),), device=y.device)
        alpha, sigma = (level.to(y.dtype) for level in training_levels(self.scheduler, timesteps))
        noise = noise_like(y)
        present = torch.rand(len(y), device=y.device) >= self.dropout
        prediction = self.predict(alpha * y + sigma * noise, timesteps.float(), x, present)
        yield Update("generator", {"denoising": self.loss(prediction, target(self.kind, y, noise, alpha, sigma))})

    @property
    def guided(self) -> bool:
        """Is the network told the guidance weight? Distillation teaches it to obey that in one call."""
        return bool(getattr(self.generator, "guidance_embedding", False))

    def predict(
        self, noisy: Tensor, time: Tensor, source: Tensor | None, present: Tensor, guidance: Tensor | None = None
    ) -> Tensor:
        """What the network says of N noisy images.

        Args:
            noisy: N x C x H x W with alpha^2 + sigma^2 = 1.
            time: N, as the generator counts it.
            source: N x C' x H x W, or None.
            present: N, bool: False hides the source.
            guidance: N, the weight of guidance that a `guided` network is told; None: 1, no guidance.
        """
        told: tuple[Tensor, ...] = (time,)
        if self.guided:
            told = (time, torch.ones_like(time) if guidance is None else guidance)
        if source is None:
            return self.generator(noisy, *told)
        shown = present.to(noisy.dtype).view(-1, 1, 1, 1)
        planes = [noisy, source.to(noisy.dtype) * shown]
        if self.dropout:
            planes.append(shown.expand(-1, 1, *noisy.shape[-2:]))
        return self.generator(torch.cat(planes, dim=1), *told)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        adamw = torch.optim.AdamW(
            self.generator.parameters(), self.learning_rate, weight_decay=self.weight_decay, fused=True
        )
        return {"generator": adamw}

    # --------------------------------------------------------------------------------------------------- sampling

    def time(self, run: Sampling) -> Tensor:
        """The time of a step of sampling as the generator counts it, a scalar."""
        return run.timestep

    def denoiser(self, source: Tensor | None, guidance: float = 1.0, rescale: float = 0.0) -> Denoise:
        """`guided_denoiser`, whose time is that of the state of a sampling."""
        denoise = self.guided_denoiser(source, guidance, rescale)
        return lambda noisy, run: denoise(noisy, self.time(run))

    def guided_denoiser(
        self, source: Tensor | None, guidance: float = 1.0, rescale: float = 0.0
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The network with its source image bound, under classifier-free guidance; see `classifier_free`.

        It takes noisy images and their time, a scalar.

        Raises:
            ConfigError: the model never learned to do without its source, or a number is out of range.
        """
        if not 0 <= rescale <= 1:
            raise ConfigError(f"rescale is a share in [0, 1]; found {rescale}.")
        if not math.isfinite(guidance):
            raise ConfigError(f"guidance is a finite number, 1 meaning none; found {guidance}.")
        if guidance != 1 and (source is None or not self.dropout) and not self.guided:
            raise ConfigError(
                "guidance exaggerates what the source image says, and this model "
                + ("has none" if source is None else "was trained with condition_dropout=0, never without it")
                + "; leave guidance out."
            )

        def denoise(noisy: Tensor, at: Tensor) -> Tensor:
            count = noisy.shape[0]  # of which an export keeps a symbol
            time = at.to(noisy.device, torch.float32).expand(count)  # bfloat16 takes 999 for 1000
            if self.guided:
                everywhere = torch.ones_like(time, dtype=torch.bool)
                return self.predict(noisy, time, source, everywhere, torch.full_like(time, guidance))
            if guidance in (0, 1):
                return self.predict(noisy, time, source, noisy.new_full((count,), guidance, dtype=torch.bool))
            assert source is not None  # for the type checker
            shown = torch.arange(2 * count, device=noisy.device) < count
            both = self.predict(noisy.repeat(2, 1, 1, 1), time.repeat(2), source.repeat(2, 1, 1, 1), shown)
            conditional, unconditional = both.unflatten(0, (2, -1)).unbind()
            return classifier_free(conditional, unconditional, guidance, rescale)

        return denoise

    def draw_noise(self, image: Tensor, seeds: Sequence[int]) -> Tensor:
        """The noise that sampling starts from, of the target's channels and the size of `image`."""
        shape = (self.config["out_channels"], *image.shape[-2:])
        return randn(shape, [derive_seed(seed, "noise") for seed in seeds], image.device).to(image.dtype)

    def sampling(
        self,
        noise: Tensor,
        source: Tensor | None,
        seeds: Sequence[int],
        *,
        steps: int | None = None,
        scheduler: str | None = None,
        guidance: float = 1.0,
        rescale: float = 0.0,
    ) -> Sampling:
        """The loop, ready to run from `noise`, N x C x H x W; the other arguments are those of `translate`."""
        denoise = self.denoiser(source, guidance, rescale)
        steps = self.sampling_steps if steps is None else steps
        return Sampling(denoise, sampler(self.scheduler, scheduler), noise, steps=steps, seeds=seeds)

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        steps: Number | None = None,
        eta: Share | None = None,
        guidance: Guidance | None = None,
        rescale: Share = 0.0,
        scheduler: str | None = None,
        strength: Annotated[float, Range(0, 1, without="low")] | None = None,
        start: Image | None = None,
        noise: Latent | None = None,
        ilvr: Annotated[int, Range(2, 65536)] | None = None,
        mask: Image | None = None,
        hooks: Sequence[Hook] = (),
        preview: Callable[[Sampling], None] | None = None,
        step: Step | None = None,
        progress: bool = False,
    ) -> Tensor:
        """N x in x H x W to N x out x H x W.

        Args:
            image: the batch; of an unconditional model, whose `generate` calls this, only its size counts, unless
                `strength` or a hook looks at it.
            to: the target domain.
            seeds: one for each row: all noise of a row is a function of its seed.
            steps: of sampling; None: the method's own.
            eta: noise of each step of the scheduler "ddim": 0 deterministic, 1 as DDPM; None: the method's own, or 0 of
                another scheduler than its own.
            guidance: weight of classifier-free guidance, about 1 to 2 for translation; 1: none; None: the method's own.
            rescale: share by which the contrast of guided predictions is put right, 0 to 1.
            scheduler: another sampler by its name in the registry, such as "dpmsolver++" or "unipc".
            strength: above 0, at most 1: start from `start` with so much noise, not from noise alone (SDEdit).
            start: the image that `strength`, `ilvr` and `mask` mean, N x out x H x W (an alpha channel may follow,
                and does not count); None: the input itself.
            noise: the noise to start from, N x C x H x W of the target's channels and the (padded) size of the input,
                such as `i2izoo_diffusion.inversion.invert` finds; None: drawn from the seeds.
            ilvr: keep what `start` shows when it is scaled down by this factor, from 2 (ILVR).
            mask: N x any x H x W, 1 (white) where a pixel is to be found, 0 or less (mid-grey to black) where that of
                `start` stays, to the bit (blended diffusion).
            hooks: what changes the steps on the way, see `i2izoo_diffusion.sampling.Hook`.
            preview: called after each step with the state of the sampling, whose `clean` is the image so far.
            step: do this step alone, and give the clean image that the network sees: what is exported.
            progress: show a progress bar of the steps.

        Raises:
            ConfigError: an option is out of range, or the model cannot do it.
        """
        source = None if self.source is None else image
        guidance = self.sampling_guidance if guidance is None else guidance
        if step is not None:
            if strength is not None or ilvr is not None or noise is not None or hooks:
                raise ConfigError("a step by itself has no strength, ilvr, noise or hooks; leave them out.")
            known = image if start is None else start
            step.clean = self.clean_at(step, source, guidance, rescale, known[:, : self.config["out_channels"]], mask)
            return step.clean.clamp(-1, 1)
        eta = self._eta(eta, scheduler)
        if noise is None:
            noise = self.draw_noise(image, seeds)
        elif noise.shape[1:] != (wanted := (self.config["out_channels"], *image.shape[-2:])):
            raise ConfigError(f"noise is of shape {wanted} for each image; found {tuple(noise.shape[1:])}.")
        elif strength is not None:
            raise ConfigError("noise and strength both say what sampling starts from; give one of them.")
        run = self.sampling(
            noise, source, seeds, steps=steps, scheduler=scheduler, guidance=guidance,
            rescale=rescale,
        )  # fmt: skip
        hooks = self._with_options(hooks, image if start is None else start, strength, ilvr, mask)
        if start is not None and strength is None and ilvr is None and mask is None:
            raise ConfigError("start is the image that strength, ilvr or mask mean; give one of them, too.")
        pad = partial(pad_to_valid, multiple=self.size_multiple(to), minimum=self.min_size(to))
        for hook in hooks:
            hook.pad(pad)
            hook.check(image, self.config["out_channels"])
        return run.run(eta=eta, hooks=hooks, preview=preview, progress=progress).clamp(-1, 1)

    def _eta(self, eta: float | None, scheduler: str | None) -> float:
        if eta is not None:
            return eta
        return self.sampling_eta if scheduler is None else 0.0

    def clean_at(
        self, step: Step, source: Tensor | None, guidance: float, rescale: float, known: Tensor, mask: Tensor | None
    ) -> Tensor:
        """The clean image that the network sees in `step.noisy`, as the scheduler clips it."""
        if mask is not None:
            raise ConfigError(f"{type(self).__name__} keeps known pixels by fresh noise, which one step does not have.")
        prediction = self.guided_denoiser(source, guidance, rescale)(step.noisy, step.time)
        clean = clean_of(self.kind, prediction, step.noisy, step.alpha, step.sigma)
        bound = clip_range(self.scheduler)
        return clean if bound is None else clean.clamp(-bound, bound)

    def step_table(
        self, *, steps: int | None = None, eta: float | None = None, scheduler: str | None = None, **others: Any
    ) -> list[Row]:
        pixel = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
        run = self.sampling(pixel, None, [0], steps=steps, scheduler=scheduler)
        if run.scheduler.config.get("thresholding"):
            raise ConfigError("a scheduler with thresholding looks at all pixels, which no table of numbers says.")
        return step_table(run, self.time, self._eta(eta, scheduler))

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int], **options: Any) -> Tensor:
        """N x out x H x W from noise, or by the options of `translate` from the image `start`."""
        if self.source is not None:
            return super().generate(to=to, seeds=seeds, size=size)
        given = [name for name in ("strength", "ilvr", "mask") if options.get(name) is not None]
        if given and options.get("start") is None:
            raise ConfigError(f"{given[0]} is about an image that is there already; give it, too: start=.")
        canvas = next(self.parameters()).new_zeros(len(seeds), self.channels[to], *size)
        return self.translate(canvas, to=to, seeds=seeds, **options)

    def generate_options(self) -> dict[str, Parameter]:
        return self.translate_options()

    def _with_options(
        self, hooks: Sequence[Hook], image: Tensor, strength: float | None, ilvr: int | None, mask: Tensor | None
    ) -> list[Hook]:
        """`hooks` and those that the options of `translate` mean; a mask has the last word."""
        channels = self.config["out_channels"]
        image = image[:, :channels] if image.shape[1] == channels + 1 else image
        first: list[Hook] = [] if strength is None else [SDEdit(image, strength)]
        second = [] if ilvr is None else [ILVR(image, ilvr)]
        return [*first, *second, *hooks, *([] if mask is None else [self.keeping(image, mask)])]

    def keeping(self, image: Tensor, mask: Tensor) -> Hook:
        """The hook that keeps the known pixels of an image, where a mask is 0."""
        return Blending(image, mask)
