"""UNIT: unpaired translation through a shared latent space (Liu, Breuel and Kautz, NIPS 2017, arXiv 1703.00848)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from i2izoo.contracts.ranges import Betas, Channels, Count, Gain, Items, Number, Rate, Weight
from i2izoo.errors import ConfigError, listing
from i2izoo.interfaces import AdversarialLoss, Batch, Discriminator, Part, ReconstructionLoss, TwoWayMethod, Update
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.optim import adam
from i2izoo.nn.random import noise_like, randn
from i2izoo_gan.unit_nets import CodeGenerator


class UNIT(TwoWayMethod):
    """Learns both directions from unpaired images, through a latent space that two autoencoders share.

    Two VAEs, a GAN for each domain, and the cycles between them: L_VAE + L_GAN + L_CC (eq. 2).

    E_x and E_y encode an image of their domain as the mean of a Gaussian code of unit variance, G_x and G_y decode a
    code; x is translated by G_y(E_x(x)). The last layers of the encoders are one, and the first of the decoders are
    (section 3, "weight-sharing"), so that corresponding images are to have the same code.

    The Kullback-Leibler divergence of N(mean, 1) from N(0, 1), half the sum of mean^2, enters as the mean of mean^2
    over code and batch, and a reconstruction error as the mean over pixels: the authors' code does so, and their
    weights are meant for it. L_CC holds the divergences of both codes of a cycle, so that of the first counts twice.

    Args:
        domains: the two domains, by the names that the data gives them.
        channels: channels of the images of each.
        generator: a generator that encodes and decodes ("unit", "unit_public"); one is built for each domain.
        discriminator: any discriminator, unconditional; one is built for each domain.
        version: "paper"; or "first", the authors' code for it, which counts the divergence of an image's code once,
            takes divergences of codes with their noise, and leaves biases as torch draws them; "later" is `UNITLater`.
        shared: share the residual blocks on both sides of the code. False: nothing is shared, as in the authors' later
            public code, which trusts the common prior and the cycles alone.
        gan_loss: any adversarial loss; "vanilla" in the paper.
        gan_weight: lambda_0.
        kl_weight: lambda_1.
        reconstruction_loss: of an image by its own domain's VAE and by the cycle; "l1" is the paper's Laplacian.
        reconstruction_weight: lambda_2.
        kl_cycle_weight: lambda_3, of the codes of an image and its translation; in the authors' versions of the latter.
        cycle_weight: lambda_4.
        discriminator_steps: discriminator updates for each generator update.
        init: initialisation of the weights; in the version "later" discriminators have "normal" whatever it is.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam.
        betas: of Adam.
        weight_decay: of Adam: an L2 penalty in the gradient.
        halve_every: the learning rate halves every so many steps; 0: never.

    >>> import torch
    >>> method = UNIT(domains=["label", "photo"], generator={"name": "unit", "width": 4})
    >>> image = torch.zeros(1, 3, 20, 9)
    >>> method(image, to="photo").shape, method.reconstruct(image, "photo").shape
    (torch.Size([1, 3, 20, 9]), torch.Size([1, 3, 20, 9]))
    """

    data = "unpaired"
    inference_parts = ("generator", "shared")
    recipe: ClassVar[dict[str, Any]] = {"steps": 500_000, "batch_size": 1, "load_size": 286, "crop_size": 256}
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "unit", "width": 4, "blocks": 2},
        "discriminator": {"name": "unit", "width": 4, "layers": 2, "scales": 2},
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        channels: Annotated[list[Channels], Items(2)] = [3, 3],
        generator: Part[CodeGenerator] = "unit",
        discriminator: Part[Discriminator] = "unit",
        version: Literal["paper", "first", "later"] = "paper",
        shared: bool = True,
        gan_loss: Part[AdversarialLoss] = "vanilla",
        gan_weight: Weight = 10.0,
        kl_weight: Weight = 0.1,
        reconstruction_loss: Part[ReconstructionLoss] = "l1",
        reconstruction_weight: Weight = 100.0,
        kl_cycle_weight: Weight = 0.1,
        cycle_weight: Weight = 100.0,
        discriminator_steps: Number = 1,
        init: Init = "normal",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 1e-4,
        betas: Betas = [0.5, 0.999],
        weight_decay: Rate = 1e-4,
        halve_every: Count = 0,
    ) -> None:
        super().__init__()
        self.set_domains(domains, channels)
        self.generator = nn.ModuleDict()
        self.discriminator = nn.ModuleDict()
        for domain, size in self.channels.items():
            self.generator[f"of_{domain}"] = self.part(
                "generator", in_channels=size, out_channels=size, shared_blocks=int(shared)
            )
            self.discriminator[f"of_{domain}"] = self.part("discriminator", in_channels=size)
        # beside the generators and not inside both, so that each tensor has one name: optimisers, EMA, files go by it
        encoder, decoder = self.vae(self.x).shared_layers()
        self.shared = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        self.gan_loss = self.part("gan_loss")
        self.reconstruction_loss = self.part("reconstruction_loss")
        self.gan_weight = gan_weight
        self.kl_weight, self.reconstruction_weight = kl_weight, reconstruction_weight
        self.kl_cycle_weight, self.cycle_weight = kl_cycle_weight, cycle_weight
        self.discriminator_steps, self.halve_every = discriminator_steps, halve_every
        self.learning_rate, self.betas, self.weight_decay = learning_rate, betas, weight_decay
        self.version = version
        for network in (self.generator, self.shared, self.discriminator):
            kind = "normal" if version == "later" and network is self.discriminator else init
            init_weights(network, kind, init_gain, zero_bias=version != "first")

    def networks(self) -> list[nn.Module]:
        vaes = [self.vae(domain) for domain in self.channels]
        return [half for vae in vaes for half in (vae.encoder, vae.decoder)] + list(self.shared.children())

    def vae(self, domain: str) -> CodeGenerator:
        """The layers of encoder and decoder that `domain` has to itself."""
        return cast(CodeGenerator, self.generator[f"of_{domain}"])

    def encode(self, image: Tensor, domain: str) -> Tensor:
        """The mean of q(z|x): the code of N x C x H x W of `domain`, N x 4 width x H/4 x W/4 for our generators."""
        return self.shared["encoder"](self.vae(domain).encode(image))

    def decode(self, code: Tensor, domain: str) -> Tensor:
        """N x C x H x W of `domain`, from a code of either."""
        return self.vae(domain).decode(self.shared["decoder"](code))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real = {domain: batch[domain] for domain in self.domains}

        with torch.no_grad():
            code = {domain: _sample(self.encode(image, domain)) for domain, image in real.items()}
            fake = {to: self.decode(code[source], to) for to, source in self.directions.items()}
        d_losses: dict[str, Tensor] = {}
        for domain in self.domains:
            discriminator = self.discriminator[f"of_{domain}"]
            d_losses |= self.gan_loss.discriminator_losses(
                discriminator, real[domain], fake[domain], weight=self.gan_weight, of=domain
            )
        yield Update("discriminator", d_losses)
        yield Update("generator", lambda: self._generator_losses(real), every=self.discriminator_steps)

    def _generator_losses(self, real: dict[str, Tensor]) -> dict[str, Tensor]:
        """L_VAE, L_GAN and L_CC of both domains."""
        mean = {domain: self.encode(image, domain) for domain, image in real.items()}
        code = {domain: _sample(m) for domain, m in mean.items()}
        losses = {}
        for domain in self.domains:  # L_VAE
            same = self.decode(code[domain], domain)
            losses[f"kl_{domain}"] = self.kl_weight * self._divergence(mean[domain], code[domain])
            losses[f"reconstruction_{domain}"] = self.reconstruction_weight * self.reconstruction_loss(
                same, real[domain]
            )
        for to, source in self.directions.items():
            translation = self.decode(code[source], to)
            judged = self.discriminator[f"of_{to}"](translation)
            losses[f"gan_{to}"] = self.gan_weight * self.gan_loss.generator(judged)  # L_GAN: of translations only
            back = self.encode(translation, to)  # L_CC
            drawn = _sample(back)
            divergence = self._divergence(back, drawn)
            if self.version == "paper":
                divergence = divergence + self._divergence(mean[source], code[source])
            losses[f"kl_cycle_{source}"] = self.kl_cycle_weight * divergence
            losses[f"cycle_{source}"] = self.cycle_weight * self.reconstruction_loss(
                self.decode(drawn, source), real[source]
            )
        return losses

    def _divergence(self, mean: Tensor, code: Tensor) -> Tensor:
        """KL of N(mean, 1) from N(0, 1), as it is counted; the first code takes it of what is drawn from there."""
        return (code if self.version == "first" else mean).float().square().mean()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": (self.generator, self.shared), "discriminator": (self.discriminator,)}
        return {
            name: adam(
                [p for network in group for p in network.parameters()],
                self.learning_rate,
                self.betas,
                self.weight_decay,
            )
            for name, group in networks.items()
        }

    def lr_scale(self, step: int) -> float:
        return 0.5 ** (step // self.halve_every) if self.halve_every else 1.0

    def translate(
        self,
        image: Tensor,
        *,
        to: str,
        seeds: list[int],
        source: str | None = None,
        mode: Literal["mean", "sample"] = "mean",
    ) -> Tensor:
        """N x C x H x W of the other domain, or of `source`, to the domain `to`.

        Args:
            image: the batch.
            to: the target domain.
            seeds: one for each row; only mode "sample" draws.
            source: the domain that `image` is from; None: the other one; `to` itself: the image is reconstructed.
            mode: "mean" decodes the mean of the code, as the authors test; "sample" adds the noise of training to it,
                which changes little: UNIT learns one answer for each image.

        Raises:
            ConfigError: there is no such domain or mode, or the image does not have the channels of its domain.
        """
        source = self.directions[to] if source is None else source
        if source not in self.channels:
            raise ConfigError(f"source is one of {listing(map(repr, self.channels))}; found {source!r}.")
        if image.shape[1] != self.channels[source]:
            raise ConfigError(
                f"images of {source!r} have {self.channels[source]} channels, found {image.shape[1]}; "
                "give another image or source."
            )
        if mode not in ("mean", "sample"):
            raise ConfigError(f"mode is 'mean' or 'sample'; found {mode!r}.")
        code = self.encode(image, source)
        if mode == "sample":
            code = code + randn(code.shape[1:], seeds, code.device).to(code.dtype)
        return self.decode(code, to)

    def reconstruct(self, image: Tensor, domain: str) -> Tensor:
        """Encode N x C x H x W of `domain`, of any size, and decode it into the same domain."""
        return self(image, to=domain, source=domain)


class UNITLater(UNIT):
    """UNIT as the authors' later public code has it: nothing is shared, and networks, losses and weights are others.

    The perceptual (VGG) loss of that code, for street scenes, needs a download and is left out.
    """

    recipe: ClassVar[dict[str, Any]] = {"steps": 1_000_000, "batch_size": 1, "load_size": 256, "crop_size": 256}
    fixed: ClassVar[dict[str, Any]] = {"version": "later"}
    defaults: ClassVar[dict[str, Any]] = {
        "generator": "unit_public", "discriminator": "unit_public", "shared": False, "gan_loss": "lsgan",
        "gan_weight": 1.0, "reconstruction_weight": 10.0, "cycle_weight": 10.0, "kl_weight": 0.01,
        "kl_cycle_weight": 0.01, "init": "kaiming", "halve_every": 100_000,
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "unit_public", "width": 4, "blocks": 1},
        "discriminator": {"name": "unit_public", "width": 4, "layers": 2, "scales": 2},
    }


def _sample(mean: Tensor) -> Tensor:
    """A draw from N(mean, 1)."""
    return mean + noise_like(mean)
