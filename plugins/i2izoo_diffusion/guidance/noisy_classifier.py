"""A classifier of noisy images, which classifier guidance needs (Dhariwal and Nichol 2021, arXiv 2105.05233)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2izoo.contracts.classifying import Classifying
from i2izoo.contracts.ranges import Channels, Items, Layers, Number, Range, Rate
from i2izoo.errors import ConfigError, listing, suggest
from i2izoo.interfaces import Batch, Method, Part, Scheduler, Update
from i2izoo.nn.random import noise_like
from i2izoo_diffusion.guidance.gradients import gradient
from i2izoo_diffusion.schedulers import check_levels, completed, training_levels


class NoisyClassifier(Classifying, Method):
    """Learns which domain an image belongs to, under noise of every level: log p(domain | alpha y + sigma e, t).

    `ClassifierGuidance` leads a diffusion model by it. Alone, it translates by climbing log p from an image (Santurkar
    et al., "Image synthesis with a single (robust) classifier", NeurIPS 2019, arXiv 1906.09453).

    Args:
        domains: the labels, two or more, by the names that the data gives them.
        in_channels: channels of the images of all domains.
        widths: channels of each level of the network, from the full resolution down: the half of `unet2d` that goes
            down (section 4, "the downsampling trunk of the UNet"), with a mean over what is left.
        attention: levels with self-attention, counted from 0.
        layers: residual blocks for each level.
        norm_groups: groups of the normalisation; divides every entry of `widths`.
        head_channels: channels of an attention head; divides the widths that have attention, and the last.
        scheduler: the noise levels; those of the model to be guided need not be the same.
        learning_rate: of AdamW.
        weight_decay: of AdamW.

    >>> method = NoisyClassifier(**NoisyClassifier.tiny_options)
    >>> method.log_probability(torch.zeros(4, 3, 16, 16), 0.8, 0.6, "B").shape
    torch.Size([4])
    """

    data = "unpaired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "batch_size": 16, "load_size": 72, "crop_size": 64, "warmup_steps": 100,
    }  # fmt: skip
    inference_parts = ("trunk", "head")
    tiny_options: ClassVar[dict[str, Any]] = {
        "widths": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4, "head_channels": 8,
    }  # fmt: skip

    def __init__(
        self,
        *,
        domains: list[str] = ["A", "B"],
        in_channels: Channels = 3,
        widths: Annotated[list[Channels], Items(1, 16)] = [64, 128, 256, 256],
        attention: list[Annotated[int, Range(0, 15)]] = [3],
        layers: Layers = 2,
        norm_groups: Channels = 32,
        head_channels: Channels = 64,
        scheduler: Part[Scheduler] = "ddpm",
        learning_rate: Rate = 3e-4,
        weight_decay: Rate = 0.05,
    ) -> None:
        super().__init__()
        if len(domains) < 2 or len(set(domains)) < len(domains):
            raise ConfigError(f"a classifier has two domains or more, of different names; found {domains}.")
        with_heads = {width for level, width in enumerate(widths) if level in (*attention, len(widths) - 1)}
        if wrong := [width for width in sorted(with_heads) if head_channels < 1 or width % head_channels]:
            raise ConfigError(
                f"head_channels divides the widths of levels with attention, and the last; found {head_channels} and "
                f"{wrong[0]}."
            )
        self.labels = list(domains)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.scheduler = self.part("scheduler", completed(scheduler, "epsilon"))
        check_levels(self.scheduler)
        self.trunk = Trunk(in_channels, widths, attention, layers, norm_groups, head_channels)
        self.head = nn.Linear(widths[-1], len(domains))

    @property
    def directions(self) -> dict[str, str]:
        return {self.labels[i]: self.labels[i - 1] for i in reversed(range(len(self.labels)))}

    @property
    def channels(self) -> dict[str, int]:
        return dict.fromkeys(self.labels, self.config["in_channels"])

    @property
    def answers(self) -> list[str]:
        return self.labels

    def logits(self, noisy: Tensor, time: Tensor) -> Tensor:
        """N x C x H x W with alpha^2 + sigma^2 = 1, at the times N of the noise, to N x domains."""
        return self.head(self.trunk(noisy, time))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        y = torch.cat([batch[label] for label in self.labels])
        truth = torch.cat([torch.full((len(batch[label]),), i) for i, label in enumerate(self.labels)]).to(y.device)
        timesteps = torch.randint(self.scheduler.config.num_train_timesteps, (len(y),), device=y.device)
        alpha, sigma = (level.to(y.dtype) for level in training_levels(self.scheduler, timesteps))
        logits = self.logits(alpha * y + sigma * noise_like(y), timesteps.to(y.dtype))
        yield Update("classifier", {"cross_entropy": F.cross_entropy(logits.float(), truth)})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        adamw = torch.optim.AdamW(self.parameters(), self.learning_rate, weight_decay=self.weight_decay, fused=True)
        return {"classifier": adamw}

    # ---------------------------------------------------------------------------------------------------- answering

    def log_probabilities(self, image: Tensor) -> Tensor:
        """log p(label | image), N x domains, of N x C x H x W in [-1, 1] without noise."""
        return self._log_probabilities(image, 0.0)  # no time has less noise

    def log_probability(self, noisy: Tensor, alpha: float, sigma: float, label: str) -> Tensor:
        """log p(label | image), N, of N x C x H x W = alpha y + sigma e; one that is clean has alpha 1, sigma 0.

        Raises:
            ConfigError: there is no such label.
        """
        index = self.labels.index(self.known(label))
        return self._log_probabilities(noisy, self._time(alpha))[:, index]

    def _log_probabilities(self, noisy: Tensor, time: float) -> Tensor:
        dtype = self.head.weight.dtype
        times = torch.full((noisy.shape[0],), time, dtype=dtype, device=noisy.device)
        return F.log_softmax(self.logits(noisy.to(dtype), times).float(), dim=1)

    def known(self, label: str | None) -> str:
        """`label`, if it is one.

        Raises:
            ConfigError: it is none.
        """
        if label not in self.labels:
            raise ConfigError(
                f"the classifier has no label {label!r}{suggest(str(label), self.labels) or ';'} It knows "
                f"{listing(self.labels)}."
            )
        return label

    def _time(self, alpha: float) -> float:
        """At which time of the own noise levels an image has this share of the signal."""
        kept = self.scheduler.alphas_cumprod.double().numpy()
        return float(np.interp(alpha**2, kept[::-1], np.arange(len(kept))[::-1]))

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        steps: Number = 10,
        step_size: Annotated[float, Range(0, 2, without="low")] = 0.02,
    ) -> Tensor:
        """N x C x H x W changed until the classifier takes it for an image of `to`; no diffusion model takes part.

        Args:
            image: the batch.
            to: the domain.
            seeds: do not count.
            steps: of climbing log p(to | image).
            step_size: the root of the mean square over the pixels, in units of [-1, 1].

        Raises:
            ConfigError: steps or step_size is not above 0.
        """
        if steps < 1 or not step_size > 0:
            raise ConfigError(f"steps is at least 1, and step_size above 0; found {steps} and {step_size}.")
        for _ in range(steps):
            found = gradient(lambda x: self.log_probability(x, 1.0, 0.0, to), image, "the classifier")
            length = found.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            image = (image + step_size * found / length.clamp_min(torch.finfo(found.dtype).tiny)).clamp(-1, 1)
        return image


class Trunk(nn.Module):
    """The half of diffusers' `UNet2DModel` that goes down: N x C x H x W and the time N to N x widths[-1]."""

    def __init__(
        self,
        in_channels: int,
        widths: list[int],
        attention: list[int],
        layers: int,
        groups: int,
        head_channels: int,
    ) -> None:
        from i2izoo_diffusion.unet2d import UNet2D

        super().__init__()
        net = UNet2D(
            in_channels=in_channels, channels=widths, attention=attention, layers=layers, norm_groups=groups,
            head_channels=head_channels,
        ).net  # fmt: skip
        self.time_proj, self.time_embedding, self.conv_in = net.time_proj, net.time_embedding, net.conv_in
        self.down_blocks, self.mid_block = net.down_blocks, net.mid_block
        self.norm = nn.GroupNorm(groups, widths[-1])

    def forward(self, image: Tensor, time: Tensor) -> Tensor:
        """See the class."""
        embedding = self.time_embedding(self.time_proj(time).to(image.dtype))
        x = self.conv_in(image)
        for block in self.down_blocks:
            x, _ = block(x, embedding)
        return F.silu(self.norm(self.mid_block(x, embedding))).mean(dim=(2, 3))
