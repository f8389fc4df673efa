"""Conditional variational autoencoder: one image, many translations, without a discriminator
(Sohn, Lee and Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NIPS 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Length, Rate, Share, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch, Encoder, Generator, Image, Latent, Part, PartSpec, ReconstructionLoss, Update
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.latent import check_choice, draw_latent, reparameterise, style_image
from i2izoo.nn.optim import adam

UNET: PartSpec = {"name": "unet_256", "norm": "instance", "dropout": 0.0, "latent_at": "all"}


class CVAE(OneWayMethod):
    """Learns many translations of one image from pairs, without a discriminator.

    -log p(y | x) <= E_q(z|x,y)[-log p(y | x, z)] + KL(q(z | x, y) || p(z | x)), minimised (section 4.1).

    The encoder is q, the generator the mean of p(y | x, z). In training z is a draw from q; at test time, where there
    is no y, it is one from the prior.

    Args:
        domains: source x and target y, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        latent: length of z.
        generator: the decoder: any generator with an option `latent`; `latent_at` says where z enters it.
        encoder: any encoder to a vector.
        posterior: what the encoder sees: "both" images, q(z | x, y), as in the paper; or the "target" alone, q(z |
            y), whose z can be taken from the target of another source.
        prior: "normal" is N(0, I) for every x, the paper's relaxation (section 4.1); "learned" is p(z | x), a second
            encoder, which sees the source.
        reconstruction_loss: -log p(y | x, z) but for constants: "l1" (Laplace, scale 1), "l2" (Gaussian, variance 1/2),
            "bce" (Bernoulli, on values mapped to [0, 1]), or any reconstruction loss; all average over all values.
        reduction: of the reconstruction loss. "sum" over the values of an image, C x H x W, and mean over the batch,
            as the divergence is: with beta = 1 the two make the paper's bound. "mean" over all values, as BicycleGAN
            and much public code: a beta of 0.001 with "mean" is one of 0.001 x C x H x W with "sum", 197 at 256 x 256.
        beta: weight of the divergence, which is summed over z and averaged over the batch.
        warmup: share of the run over which beta rises linearly from 0 (Sonderby et al., NIPS 2016, arXiv 1602.02282),
            so that the generator learns to use z before that costs; 0: none, as in the paper.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam.
        betas: of Adam.
        inference: "sample" draws z from the prior by the seed; "zero" takes the prior's mode (z = 0 for "normal").

    >>> method = CVAE(generator={"name": "unet_256", "width": 4, "depth": 3}, encoder={"name": "cnn_encoder"})
    >>> method(torch.zeros(1, 3, 20, 9), to="target", mode="zero").shape
    torch.Size([1, 3, 20, 9])
    """

    data = "paired"
    samples = True
    inference_parts = ("generator", "encoder", "prior")
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "decay_epochs": 100, "batch_size": 4, "load_size": 286, "crop_size": 256,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "latent": 4,
        "generator": {"name": "unet_256", "width": 4, "depth": 3, "norm": "instance", "dropout": 0.0},
        "encoder": {"name": "resnet_encoder", "width": 4, "blocks": 2},
        "init_gain": 0.2,
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        latent: Length = 8,
        generator: Part[Generator] = UNET,
        encoder: Part[Encoder] = "resnet_encoder",
        posterior: Literal["both", "target"] = "both",
        prior: Literal["normal", "learned"] = "normal",
        reconstruction_loss: Part[ReconstructionLoss] = "l1",
        reduction: Literal["sum", "mean"] = "sum",
        beta: Weight = 1.0,
        warmup: Share = 0.1,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = [0.9, 0.999],
        inference: Literal["sample", "zero"] = "sample",
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        self.latent_size = latent
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels, latent=latent)
        seen = out_channels + (in_channels if posterior == "both" else 0)
        self.encoder = self.part("encoder", in_channels=seen, latent=latent)
        self.prior = (
            self.part("encoder", in_channels=in_channels, latent=latent)
            if prior == "learned"
            else StandardNormal(latent)
        )
        self.reconstruction_loss = self.part("reconstruction_loss")
        self.posterior, self.reduction, self.beta, self.warmup = posterior, reduction, beta, warmup
        self.learning_rate, self.betas, self.inference = learning_rate, betas, inference
        for network in (self.generator, self.encoder, self.prior):
            init_weights(network, init, init_gain)

    # ---------------------------------------------------------------------------------------------------- learning

    def training_step(self, batch: Batch) -> Iterator[Update]:
        x, y = batch[self.source], batch[self.target]
        q, p = self._posterior(x, y), self.prior(x)
        reconstruction = self.reconstruction_loss(self.generator(x, reparameterise(*q)), y)
        if self.reduction == "sum":
            reconstruction = reconstruction * y[0].numel()
        beta = self.beta * (min(1.0, batch.progress / self.warmup) if self.warmup else 1.0)
        yield Update("cvae", {"reconstruction": reconstruction, "kl": beta * gaussian_kl(*q, *p)})

    def _posterior(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q, each N x L."""
        return self.encoder(torch.cat([x, y], dim=1) if self.posterior == "both" else y)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = nn.ModuleList([self.generator, self.encoder, self.prior])
        return {"cvae": adam(networks.parameters(), self.learning_rate, self.betas)}

    # ------------------------------------------------------------------------------------------------- translating

    def encode(self, style: Tensor, image: Tensor) -> Tensor:
        """The latent of images of the target domain, the mean of q: N x out x H x W to N x L.

        Args:
            style: of the target domain; one channel counts as grey.
            image: the source; with posterior "both" of the same size.

        Raises:
            ConfigError: channels or sizes do not fit.
        """
        style = style_image(style, self.config["out_channels"], self.target)
        if self.posterior == "both" and style.shape[-2:] != image.shape[-2:]:
            raise ConfigError(
                f"this encoder reads source and style together (posterior='both'), so style must have the size of the "
                f"source, {tuple(image.shape[-2:])}; found {tuple(style.shape[-2:])}."
            )
        return self._posterior(image, style)[0]

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        if options.get("style") is not None and options.get("latent") is None:
            options["latent"] = self.encode(options.pop("style"), image)  # before either is padded
        return super().forward(image, to=to, seeds=seeds, **options)

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        latent: Latent | None = None,
        style: Image | None = None,
        mode: Literal["sample", "zero"] | None = None,
    ) -> Tensor:
        """N x in x H x W to N x out x H x W.

        Args:
            image: the batch.
            to: the target domain.
            seeds: one for each row; z is drawn from the prior by them.
            latent: z itself, N x L, in place of a draw.
            style: an image of the target domain for each row; z is the mean of q for it.
            mode: "sample" or "zero" (the mode of the prior), overrides the method's option `inference`.

        Raises:
            ConfigError: an unknown mode, latent and style together, or either does not fit.
        """
        mode = mode or self.inference
        check_choice(mode, latent, style)
        if style is not None:
            latent = self.encode(style, image)
        elif latent is None:
            latent, log_variance = self.prior(image)
            if mode == "sample":
                latent = latent + draw_latent(self.latent_size, seeds, image) * (0.5 * log_variance).exp()
        return self.generator(image, latent)


class StandardNormal(nn.Module):
    """N(0, I) as a prior p(z | x) that does not look at x: mean and log variance, each N x `latent`, are zeros."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        zeros = image.new_zeros(len(image), self.latent)
        return zeros, zeros


def gaussian_kl(mean: Tensor, log_variance: Tensor, prior_mean: Tensor, prior_log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(prior_mean, exp(prior_log_variance))): summed over L, mean over the batch.

    All are N x L; the result is a scalar, taken in float32 at least.

    >>> zeros = torch.zeros(2, 8)
    >>> gaussian_kl(zeros + 1, zeros, zeros, zeros)
    tensor(4.)
    """
    m, s, prior_m, prior_s = (
        x if x.dtype == torch.float64 else x.float() for x in (mean, log_variance, prior_mean, prior_log_variance)
    )
    terms = prior_s - s + (s.exp() + (m - prior_m).square()) * (-prior_s).exp() - 1
    return 0.5 * terms.sum(dim=1).mean()
