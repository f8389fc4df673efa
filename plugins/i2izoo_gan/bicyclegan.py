"""BicycleGAN and its halves cVAE-GAN and cLR-GAN: one image, many translations, chosen by a latent vector
(Zhu et al., "Toward Multimodal Image-to-Image Translation", NIPS 2017, arXiv 1711.11586)."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.checkpoints import Checkpoints
from i2izoo.contracts.config import constructor
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Length, Number, Rate, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Discriminator,
    Encoder,
    Generator,
    Image,
    Latent,
    Part,
    PartSpec,
    ReconstructionLoss,
    Update,
)
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.latent import check_choice, draw_latent, kl_divergence, reparameterise, style_image
from i2izoo.nn.optim import adam
from i2izoo_gan.conditional import seen, seen_channels
from i2izoo_gan.import_bicyclegan import ROLES, bicyclegan_from_original

UNET: PartSpec = {"name": "unet_256", "norm": "instance", "dropout": 0.0, "latent_at": "all"}
ADAM_BETAS = [0.5, 0.999]
DOMAINS = ["source", "target"]


class BicycleGAN(OneWayMethod):
    """Learns many translations of one image from pairs, told apart by a latent vector z (section 3.3, eq. 9).

    Both ways round the cycle between z and a target B:

    - cVAE-GAN, B -> z -> B': the encoder reads z off B, and the generator makes B' of A and z. B' is like B (L1), is
      taken for real, and z is near N(0, I) (KL), so that at test time it can be drawn from there.
    - cLR-GAN, z -> B' -> z': the generator makes B' of A and a drawn z. B' is taken for real, and the encoder can read
      z off it again. This term trains the generator only: else the two agree to hide z in B', as section 4 warns.

    Args:
        domains: source A and target B, by the names that the data gives them.
        in_channels: channels of the source.
        out_channels: channels of the target.
        latent: length of z; the paper compares 2, 8 and 256.
        generator: any generator with an option `latent`; `latent_at` says where z enters it.
        encoder: any encoder to a vector; it sees the target only.
        discriminator: any discriminator; one of encoded, one of random translations.
        gan_loss: any adversarial loss; the paper's is "lsgan".
        gan_weight: weight of the adversarial term of encoded translations; 0 trains without that discriminator.
        random_gan_weight: the same for translations with a random z.
        reconstruction_loss: "l1" as in the paper, or any reconstruction loss.
        reconstruction_weight: lambda, of B' against B.
        latent_weight: lambda_latent, of z' against z (mean absolute difference).
        kl_weight: lambda_KL; the divergence is summed over z and, as in the authors' code, over the batch.
        conditional: show the source to the discriminators, as the paper's equations do. Its experiments and the
            authors' code do not, which section 4 finds better, so False is the default.
        half_batch: True gives each way half of the batch, as the authors' code: with pairs (A1, B1), (A2, B2), z is
            read off B1, both ways translate A1, and the random one is compared with B2. False gives both all of it.
        discriminator_steps: discriminator updates for each generator update.
        init: initialisation of the weights; the authors' code has "xavier".
        init_gain: its gain or standard deviation; theirs is 0.02, from which the encoder wakes slowly: short runs
            want 1.
        learning_rate: of Adam, for all.
        betas: of Adam.
        inference: "sample" draws z from N(0, I) by the seed; "zero" takes its mode, for one answer.

    >>> method = BicycleGAN(generator={"name": "unet_256", "width": 4, "depth": 3}, encoder={"name": "cnn_encoder"})
    >>> method(torch.zeros(1, 3, 20, 9), to="target", seeds=[0], latent=torch.zeros(1, 8)).shape
    torch.Size([1, 3, 20, 9])
    """

    data = "paired"
    samples = True
    inference_parts = ("generator", "encoder")
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 200, "decay_epochs": 200, "batch_size": 2, "load_size": 286, "crop_size": 256,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "latent": 4,
        "generator": {"name": "unet_256", "width": 4, "depth": 3, "norm": "instance", "dropout": 0.0},
        "encoder": {"name": "resnet_encoder", "width": 4, "blocks": 2},
        "discriminator": {"name": "multiscale", "width": 4, "layers": 1},
        "init_gain": 0.5,
    }

    def __init__(
        self,
        *,
        domains: list[str] = DOMAINS,
        in_channels: Channels = 3,
        out_channels: Channels = 3,
        latent: Length = 8,
        generator: Part[Generator] = UNET,
        encoder: Part[Encoder] = "resnet_encoder",
        discriminator: Part[Discriminator] = "multiscale",
        gan_loss: Part[AdversarialLoss] = "lsgan",
        gan_weight: Weight = 1.0,
        random_gan_weight: Weight = 1.0,
        reconstruction_loss: Part[ReconstructionLoss] = "l1",
        reconstruction_weight: Weight = 10.0,
        latent_weight: Weight = 0.5,
        kl_weight: Weight = 0.01,
        conditional: bool = False,
        half_batch: bool = True,
        discriminator_steps: Number = 1,
        init: Init = "xavier",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = ADAM_BETAS,
        inference: Literal["sample", "zero"] = "sample",
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        self.encodes = bool(gan_weight or reconstruction_weight)  # is there the way B -> z -> B'?
        self.draws = bool(random_gan_weight or latent_weight)  # is there the way z -> B' -> z'?
        if not self.encodes and not latent_weight:
            raise ConfigError("nothing trains the encoder: give it a reconstruction, a gan or a latent weight above 0.")
        self.latent_size = latent
        self.generator = self.part("generator", in_channels=in_channels, out_channels=out_channels, latent=latent)
        self.encoder = self.part("encoder", in_channels=out_channels, latent=latent)
        self.discriminator = nn.ModuleDict()
        for way, weight in (("encoded", gan_weight), ("random", random_gan_weight)):
            judged = seen_channels(in_channels, out_channels, conditional)
            built = self.part("discriminator", in_channels=judged)
            built.condition_channels = judged - out_channels
            if weight:
                self.discriminator[way] = built
        self.gan_loss = self.part("gan_loss")
        self.reconstruction_loss = self.part("reconstruction_loss")
        self.gan_weight = {"encoded": gan_weight, "random": random_gan_weight}
        self.reconstruction_weight, self.latent_weight, self.kl_weight = reconstruction_weight, latent_weight, kl_weight
        self.conditional, self.half_batch, self.discriminator_steps = conditional, half_batch, discriminator_steps
        self.learning_rate, self.betas, self.inference = learning_rate, betas, inference
        for network in (self.generator, self.encoder, self.discriminator):
            init_weights(network, init, init_gain)
        if not self.encodes and isinstance(spread := getattr(self.encoder, "log_variance", None), nn.Module):
            spread.requires_grad_(False)  # the latent term looks at the mean only

    # ---------------------------------------------------------------------------------------------------- learning

    def training_step(self, batch: Batch) -> Iterator[Update]:
        x, y = batch[self.source], batch[self.target]
        split = self.half_batch and self.encodes and self.draws and len(x) > 1  # one pair serves both ways
        half = len(x) // 2 if split else len(x)
        (a, b), other = (x[:half], y[:half]), (x[-half:], y[-half:])

        fakes: dict[str, Tensor] = {}
        if self.encodes:
            fakes["encoded"] = yield from self._encoded(a, b)
        if self.draws:
            fakes["random"] = yield from self._drawn(a)

        losses: dict[str, Tensor] = {}
        for way, real in (("encoded", (a, b)), ("random", other)):
            if way in self.discriminator:
                pairs = seen(*real, self.conditional), seen(a, fakes[way], self.conditional)
                losses |= self.gan_loss.discriminator_losses(self.discriminator[way], *pairs, of=way)
        if losses:
            yield Update("discriminator", losses)

    def _encoded(self, a: Tensor, b: Tensor) -> abc.Generator[Update, None, Tensor]:
        """B -> z -> B', cVAE-GAN (eq. 5); gives B'. With the other way, its gradient waits for that one's."""
        mean, log_variance = self.encoder(b)
        fake = self.generator(a, reparameterise(mean, log_variance))

        def losses() -> dict[str, Tensor]:
            terms = self._fooled("encoded", a, fake)
            if self.reconstruction_weight:
                terms["reconstruction"] = self.reconstruction_weight * self.reconstruction_loss(fake, b)
            if self.kl_weight:
                terms["kl"] = self.kl_weight * len(b) * kl_divergence(mean, log_variance)
            return terms

        yield Update(("encoder", "generator"), losses, step=not self.draws, every=self.discriminator_steps)
        return fake

    def _drawn(self, a: Tensor) -> abc.Generator[Update, None, Tensor]:
        """z -> B' -> z', cLR-GAN (eq. 7); gives B'. It trains the encoder only where nothing else does."""
        z = torch.randn(len(a), self.latent_size, device=a.device, dtype=a.dtype)
        fake = self.generator(a, z)

        def losses() -> dict[str, Tensor]:
            terms = self._fooled("random", a, fake)
            if self.latent_weight:
                terms["latent"] = self.latent_weight * F.l1_loss(self.encoder(fake)[0].to(z.dtype), z)
            return terms

        learners = "generator" if self.encodes else ("encoder", "generator")
        yield Update(learners, losses, step=("encoder", "generator"), every=self.discriminator_steps)
        return fake

    def _fooled(self, way: str, a: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The generator's adversarial term of a way, if that has a discriminator."""
        if way not in self.discriminator:
            return {}
        logits = self.discriminator[way](seen(a, fake, self.conditional))
        return {f"gan_{way}": self.gan_weight[way] * self.gan_loss.generator(logits)}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"encoder": self.encoder, "generator": self.generator, "discriminator": self.discriminator}
        return {
            name: adam(network.parameters(), self.learning_rate, self.betas)
            for name, network in networks.items()
            if list(network.parameters())
        }

    # ------------------------------------------------------------------------------------------------- translating

    def encode(self, image: Tensor) -> Tensor:
        """The latent that the encoder reads off images of the target domain: N x out x H x W to N x L, the mean.

        Raises:
            ConfigError: the images have another number of channels; one channel counts as grey.
        """
        return self.encoder(style_image(image, self.config["out_channels"], self.target))[0]

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        if options.get("style") is not None and options.get("latent") is None:
            options["latent"] = self.encode(options.pop("style"))  # before it would be padded as the image is
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
            seeds: one for each row; z is drawn from N(0, I) by them.
            latent: z itself, N x L, in place of a draw.
            style: an image of the target domain for each row, of any size; z is what the encoder reads off it.
            mode: "sample" or "zero", overrides the method's option `inference`.
        """
        mode = mode or self.inference
        check_choice(mode, latent, style)
        if style is not None:
            latent = self.encode(style)
        elif latent is None:
            latent = draw_latent(self.latent_size, seeds, image)
            if mode == "zero":
                latent = torch.zeros_like(latent)
        return self.generator(image, latent)

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ROLES

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What the authors' `..._net_G.pth`, `..._net_E.pth` and, if given, `..._net_D.pth` and `..._net_D2.pth` say.

        D judges encoded translations and D2 random ones.
        """
        weights = {"D": "gan_weight", "D2": "random_gan_weight"}
        judges = [role for role, w in weights.items() if options.get(w, constructor(cls)[w].default)]
        return bicyclegan_from_original(cls.__name__, files, judges)


class CVAEGAN(BicycleGAN):
    """The half B -> z -> B' alone (section 3.2, eq. 5): every z that it was trained with was read off an image.

    Args: those of `BicycleGAN` that have a meaning here.

    >>> method = CVAEGAN(generator={"name": "unet_256", "width": 4, "depth": 3}, encoder={"name": "cnn_encoder"})
    >>> list(method.discriminator)
    ['encoded']
    """

    recipe: ClassVar[dict[str, Any]] = {**BicycleGAN.recipe, "batch_size": 1}
    fixed: ClassVar[dict[str, Any]] = {"random_gan_weight": 0.0, "latent_weight": 0.0, "half_batch": False}


class CLRGAN(BicycleGAN):
    """The half z -> B' -> z' alone (section 3.2, eq. 7): nothing compares B' with B, so colours may be wrong.

    Its encoder is trained by the latent term, for nothing else trains it.

    Args: those of `BicycleGAN` that have a meaning here.

    >>> method = CLRGAN(generator={"name": "unet_256", "width": 4, "depth": 3}, encoder={"name": "cnn_encoder"})
    >>> list(method.discriminator)
    ['random']
    """

    recipe: ClassVar[dict[str, Any]] = {**BicycleGAN.recipe, "batch_size": 1}
    fixed: ClassVar[dict[str, Any]] = {
        "gan_weight": 0.0,
        "reconstruction_loss": "l1",
        "reconstruction_weight": 0.0,
        "kl_weight": 0.0,
        "half_batch": False,
    }
